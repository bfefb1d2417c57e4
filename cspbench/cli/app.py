"""The `cspbench` command: wires the commands and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import typer

from cspbench import __version__
from cspbench.cli import failing, interrupt, old_spellings, streams
from cspbench.cli.ci import ci
from cspbench.cli.compare import compare
from cspbench.cli.data import data
from cspbench.cli.demo import demo
from cspbench.cli.env import env
from cspbench.cli.eval_coco import eval_coco
from cspbench.cli.eval_imagenet import eval_imagenet
from cspbench.cli.list import list_rows
from cspbench.cli.params import params
from cspbench.cli.report import report
from cspbench.cli.score import score
from cspbench.cli.show import show
from cspbench.cli.weights import weights
from cspbench.errors import CspbenchError, IncompleteRunError, UsageError, brief

TRACEBACK = "CSPBENCH_TRACEBACK"
"""The environment variable that makes an unforeseen error show its traceback."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Check the published numbers of the Cross Stage Partial Networks tables.\n\n"
    "Exit codes: 0 done, 1 a number is off, 2 wrong usage, 3 unusable data, definition or weights, "
    "4 incomplete, 130 interrupted, 143 terminated.",
)
app.command("params")(params)
app.command("eval-imagenet")(eval_imagenet)
app.command("eval-coco")(eval_coco)
app.command("report")(report)
app.command("ci")(ci)
app.command("demo")(demo)
app.command("score")(score)
app.command("compare")(compare)
app.command("list")(list_rows)
app.command("show")(show)
app.command("env")(env)
app.add_typer(weights, name="weights")
app.add_typer(data, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cspbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    streams.secure()
    try:
        try:
            with interrupt.watched() as stop:
                code = app(standalone_mode=False)
        finally:
            sys.stdout.flush()
        if code == interrupt.CODE:  # which typer makes of an interrupt
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except CspbenchError as error:
        sys.exit(failing.report(error))
    except KeyboardInterrupt:
        failing.report(failing.stopped(stop.number))
        interrupt.leave(stop.number)
    except BrokenPipeError:
        # the reader of stdout has closed it
        streams.silence()
        sys.exit(141)
    except OSError as error:  # a full disk behind stdout, for instance
        if os.environ.get(TRACEBACK):
            raise
        streams.silence()
        sys.exit(failing.report(_of_system(error)))
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        if refused := _refused(error):
            sys.exit(refused)
        sys.exit(failing.report(_unforeseen(error)))


def _refused(error: Any) -> int:
    """Print typer's message on wrong arguments and return the exit code; 0 for any other error.

    The class is click's or typer's, depending on typer's version, so it is recognised by its methods.
    """
    if not hasattr(error, "format_message"):
        return 0
    if type(error).__name__ != "NoArgsIsHelpError":  # its message is the help
        text = error.format_message().replace("Value error, ", "")  # prefix of the library that parses choices
        if advice := old_spellings.hint(text, sys.argv[1:]):
            text = f"{text.rstrip('.')}. {advice}."
        if failing.json_wanted(sys.argv[1:]):
            return failing.report(UsageError("usage.option", text))
        error.format_message = lambda: f"{text} [usage.option]"
    error.show()
    return int(error.exit_code)


def _of_system(error: OSError) -> CspbenchError:
    """What the system refuses where no command expects it, such as to write our output."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return CspbenchError(
        "disk.full" if full else "system.refused",
        error.strerror or brief(str(error), 200),
        where=brief(str(error.filename)) if error.filename else None,
        remedy="Free some space, or write elsewhere" if full else f"{TRACEBACK}=1 shows what was being done",
    )


def _unforeseen(error: Exception) -> CspbenchError:
    """An unforeseen error as one with a code; its exit code is never 1, which means that a number is off."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return IncompleteRunError(
            "memory.exhausted",
            "out of memory; what is finished is kept",
            remedy="Use a smaller -b or --size, or more memory",
        )
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).parents[1]
    places = [(Path(frame.filename), frame.lineno) for frame in frames]
    where = [f" in {file.name}, line {number}" for file, number in places if file.is_relative_to(package)]
    return CspbenchError(
        "internal.defect",
        f"{name}: {brief(str(error), 200)}{where[-1] if where else ''}",
        remedy=f"This is a defect of cspbench, please report it; {TRACEBACK}=1 shows how it came about",
    )
