"""The `cspbench` command: wires the commands and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
from typing import Any

import typer

from cspbench import __version__
from cspbench.cli.catalogue import Commands
from cspbench.cli.terminal import failing, interrupt, shell, streams
from cspbench.cli.terminal.examples import EXAMPLES
from cspbench.cli.terminal.help import App
from cspbench.errors import UsageError

app = App(
    cls=Commands,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\n".join(EXAMPLES[""]),
    help="Check the published numbers of the Cross Stage Partial Networks tables.\n\n"
    "Exit codes: 0 done, 1 a number is off, 2 wrong usage, 3 unusable data, definition or weights, "
    "4 incomplete, 130 interrupted, 143 terminated.",
)


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
    shell.accept_every_spelling()
    stop = interrupt.Stop()
    try:
        try:
            with interrupt.watched(stop):
                code = app(prog_name="cspbench", standalone_mode=False)
        finally:
            sys.stdout.flush()
        if code == interrupt.CODE:  # which typer makes of an interrupt
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except KeyboardInterrupt:
        failing.report(failing.stopped(stop.number))
        interrupt.leave(stop.number)
    except BrokenPipeError:
        # the reader of stdout has closed it
        streams.silence()
        sys.exit(141)
    except Exception as error:
        # of wrong arguments: the class is click's or typer's, depending on typer's version
        sys.exit(_refused(error) if hasattr(error, "format_message") else failing.unexpected(error))


def _refused(error: Any) -> int:
    """Print typer's message on wrong arguments; returns the exit code."""
    if type(error).__name__ != "NoArgsIsHelpError":  # its message is the help
        text = error.format_message().replace("Value error, ", "")  # prefix of the library that parses choices
        if advice := _of_old_spellings(text):
            text = f"{text.rstrip('.')}. {advice}."
        if failing.json_wanted(sys.argv[1:]):
            return failing.report(UsageError("usage.option", text))
        error.format_message = lambda: f"{text} [usage.option]"
    error.show()
    return int(error.exit_code)


def _of_old_spellings(text: str) -> str:
    """Advice on an option or a value of earlier versions, to add to the message on wrong arguments."""
    if "'libjpeg'" in text:
        return "libjpeg is now opencv (turned as EXIF says) or pillow (not turned)"
    if "'faster-coco-eval'" in text:
        return "faster-coco-eval is for benchmarks alone: cspbench and pycocotools give the same numbers"
    return "--draw N DIR is now --draw N --out DIR" if "--draw" in sys.argv and "extra argument" in text else ""
