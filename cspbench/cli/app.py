"""The `cspbench` command: wires the commands and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from cspbench import __version__
from cspbench.cli import interrupt
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
from cspbench.errors import CspbenchError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Check the published numbers of the Cross Stage Partial Networks tables.\n\n"
    "Exit codes: 0 done, 1 a number is off, 2 wrong usage, 3 unusable data, definition or weights, "
    "4 incomplete, 130 interrupted.",
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


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cspbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    try:
        try:
            with interrupt.watched():
                app()
        finally:
            sys.stdout.flush()
    except CspbenchError as error:
        typer.echo(f"cspbench: {error}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as left:
        # typer makes an exit of an interrupt
        if isinstance(left, SystemExit) and left.code != interrupt.CODE:
            raise
        typer.echo("cspbench: interrupted", err=True)
        interrupt.leave()
    except BrokenPipeError:
        # the reader of our output went away
        _silence()
        sys.exit(141)
    except OSError as error:  # a full disk behind stdout, for instance
        _silence()
        typer.echo(f"cspbench: cannot go on: {error.strerror or error}. Free some space, or write elsewhere", err=True)
        sys.exit(3)


def _silence() -> None:
    """Let Python's shutdown not complain about what it cannot flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
