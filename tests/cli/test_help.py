"""Help that fits its page, examples that are valid, and completion."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from processes import run

from cspbench.cli.app import app
from cspbench.cli.catalogue import ENTRIES
from cspbench.cli.terminal.examples import EXAMPLES
from cspbench.cli.terminal.help import summary
from cspbench.cli.terminal.panels import PANELS

ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid(name: str) -> None:
    known = dict(commands())
    for example in EXAMPLES[name]:
        program, command, *arguments = shlex.split(example)
        assert (program, command) == ("cspbench", name or command)
        options = {spelling for parameter in known[command,].params for spelling in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("-") and argument != "-"} <= options


def test_summaries_fit_one_line_of_80_columns() -> None:
    for path, command in commands():
        summary = (command.help or "").split("\n\n")[0]
        assert 0 < len(" ".join(summary.split())) <= 74 - max(len(path[-1]), 8), path
        assert summary.endswith(".")


def test_the_catalogue_has_the_summaries_of_the_commands() -> None:
    assert {name: entry.summary for name, entry in ENTRIES.items()} == {
        name: summary(command) for name, command in ROOT.commands.items()
    }


@pytest.mark.parametrize(
    ("arguments", "topics"), [("--help", []), ("ci --help", ["reports"]), ("data check coco --help", ["files"])]
)
def test_only_the_command_that_runs_is_imported(arguments: str, topics: list[str]) -> None:
    code = (
        "import sys\nfrom cspbench.cli.app import app\n"
        f"app({arguments.split()}, standalone_mode=False)\n"
        "print(sorted({name.split('.')[2] for name in sys.modules if name.startswith('cspbench.cli.')"
        " and name.count('.') > 2} - {'terminal'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(topics)


def test_the_whole_help_is_there_and_nothing_is_cut() -> None:
    for arguments in ([], ["eval-coco"], ["weights"], ["data", "check"]):
        text = run([*arguments, "--help"], COLUMNS="80").stdout
        assert "..." not in text.replace("[ARGS]...", "").replace("IOU]...", "")
        assert max(map(len, text.splitlines())) <= 80
    text = run(["eval-coco", "--help"], COLUMNS="80").stdout
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Arguments:", *(f"{panel}:" for panel in PANELS), "Options:", "Examples:"]
    assert "[readme, head, letterbox, pjreddie, yolox, yolox-legacy, yolox-nms-free, mmdet]" in " ".join(text.split())


def test_panels_name_options_that_exist() -> None:
    options = {spelling for _, command in commands() for parameter in command.params for spelling in parameter.opts}
    named = [name for names in PANELS.values() for name in names]
    assert {*named} <= options
    assert len(named) == len({*named})


@pytest.mark.parametrize("asked", ["complete_bash", "bash_complete"])
@pytest.mark.parametrize(
    ("words", "place", "proposed"),
    [("cspbench par", 1, "params"), ("cspbench eval-coco --nms-k", 2, "--nms-kind"), ("cspbench data ch", 2, "check")],
)
def test_a_shell_gets_proposals(asked: str, words: str, place: int, proposed: str) -> None:
    done = run([], None, None, _CSPBENCH_COMPLETE=asked, COMP_WORDS=words, COMP_CWORD=str(place))
    assert (done.returncode, done.stdout.split()) == (0, [proposed])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    assert "_CSPBENCH_COMPLETE" in run([], None, None, _CSPBENCH_COMPLETE=f"source_{shell}").stdout
