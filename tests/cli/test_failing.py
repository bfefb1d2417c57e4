"""What a command says when it fails: a line that ends with the error's code, or a line of JSON."""

from __future__ import annotations

import errno
import json
import sys

import pytest
from processes import run
from refusals import error_of, fields_of

from cspbench.cli.terminal import failing
from cspbench.errors import IncompleteRunError, UsageError


def test_the_line_of_an_error_ends_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    error = UsageError("usage.size", "wrong size", where="here", expected="N", found="x", remedy="Try 416")
    words = "cspbench: here: wrong size (expected N, found x). Try 416 [usage.size]"
    fields = {
        "code": "usage.size",
        "what": "wrong size",
        "where": "here",
        "expected": "N",
        "found": "x",
        "remedy": "Try 416",
        "exit_code": 2,
    }
    for arguments in (["params"], ["params", "--format", "md"], ["json", "--format"], ["--formatjson"]):
        monkeypatch.setattr(sys, "argv", ["cspbench", *arguments])
        assert failing.line(error) == words
    for arguments in (["params", "--format", "json"], ["--format=json", "x"], ["compare", "--json"]):
        monkeypatch.setattr(sys, "argv", ["cspbench", *arguments])
        assert "\n" not in failing.line(error)
        assert json.loads(failing.line(error)) == {"error": fields}
    assert failing.line(IncompleteRunError("incomplete.shard-missing", "a\nb"), []).endswith(
        "a\\nb [incomplete.shard-missing]"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["params", "nobody"], "usage.unknown-model", 2),
        (["params", "--cfg", "absent.cfg"], "cfg.unreadable", 3),
        (["params", "--nonsense"], "usage.option", 2),
        (["nonsense"], "usage.option", 2),
    ],
)
@pytest.mark.parametrize("form", [[], ["--format", "json"]], ids=["words", "json"])
def test_a_command_says_the_code(arguments: list[str], code: str, exit_code: int, form: list[str]) -> None:
    done = run([*arguments, *form])
    assert (done.returncode, done.stdout, error_of(done)) == (exit_code, "", code)
    if form:
        assert fields_of(done.stderr)["exit_code"] == exit_code


def test_help_is_not_an_error() -> None:
    done = run([])
    assert "Evaluate:" in done.stdout + done.stderr
    assert "usage.option" not in done.stdout + done.stderr


def test_a_defect_has_a_code() -> None:
    code = "import cspbench.cli.networks.list as l, cspbench.cli.app as a; a.app = lambda **_: 1 / 0; a.main()"
    done = run([], command=[sys.executable, "-c", code])
    assert (done.returncode, error_of(done)) == (3, "internal.defect")


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk.full"), (errno.EDQUOT, "disk.full"), (errno.EACCES, "system.refused")],
)
def test_only_a_full_disk_is_called_one(number: int, code: str) -> None:
    text = f"""
import cspbench.cli.app as a
def app(**_): raise OSError({number}, 'refused', 'some/file')
a.app = app
a.main()
"""
    done = run(["list", "--format", "json"], command=[sys.executable, "-c", text])
    assert (done.returncode, error_of(done)) == (3, code)
    fields = fields_of(done.stderr)
    assert (fields["where"], fields["what"]) == ("some/file", "refused")
    assert ("space" in fields["remedy"]) == (code == "disk.full")
