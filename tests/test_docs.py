"""The commands that README.md and docs/ show exist, with the options that they are shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cspbench.cli.app import app
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS

HOME = Path(__file__).resolve().parents[1]
PAGES = [HOME / "README.md", HOME / "CONTRIBUTING.md", *sorted((HOME / "docs").glob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """The words of each `cspbench` command of a page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    starts = [[at for at, word in enumerate(line) if word == "cspbench"] for line in words]
    return [line[at[0] + 1 :] for line, at in zip(words, starts, strict=True) if at]


def unknown(words: list[str]) -> list[str]:
    """The words of a command line that name no command and no option of it."""
    command: Any = get_command(app)
    wrong = []
    rest = iter(words)
    for word in rest:
        if hasattr(command, "commands"):
            if word not in command.commands and command.name != "check":
                return [word]
            command = command.commands.get(word) or command.commands["darknet"]  # check FILE.data
        elif word.startswith("-") and word != "-":
            names = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            wrong += [word] if word.partition("=")[0] not in names else []
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    assert [(words, wrong) for words in commands(page) if (wrong := unknown(words))] == []


def test_a_misspelt_command_would_fail() -> None:
    assert unknown(["parms", "--all"]) == ["parms"]
    assert unknown(["params", "--all", "--layer"]) == ["--layer"]
    assert unknown(["weights", "list", "--format", "csv"]) == []
    assert len([line for page in PAGES for line in commands(page)]) > 40


def test_every_counting_is_described() -> None:
    text = (HOME / "docs/countings.md").read_text()
    assert [name for name in (*COUNTINGS, *PARAMETER_COUNTINGS) if f"`{name}`" not in text] == []
