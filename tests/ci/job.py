"""A runner for the steps of action.yml and of the workflow, as far as these need one.

Each `run:` block is run with bash in a checkout with results, and `env:` is filled in as a runner does. What is not
there is played: `gh` keeps comments in a file, and applies the filter of its caller by hand; `make` notes what it was
asked for and puts a `cspbench` where `make install` would. That one is this cspbench, save that `params --all` counts
fewer models, or copies counts that were prepared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from checkouts import ALONE

from cspbench.ci.render import MARKER

REPOSITORY = Path(__file__).parents[2]


def document(name: str) -> dict[Any, Any]:
    """A YAML file of the repository."""
    result: dict[Any, Any] = yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))
    return result


ACTION = document("action.yml")
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
NAMED = {step["name"]: step for step in STEPS}

COUNTED = ["darknet", "mobilenet-v2", "peleenet"]
"""The models that `params --all` is content with here, beside those of the sample."""

FEWER = f"""
from cspbench.evaluation import counts as params
every = params.published
wanted = lambda each: each.row.model in {COUNTED!r} or each.row.table.startswith(("sample-", "small-"))
params.published = lambda tables: list(filter(wanted, every(tables)))
from cspbench.__main__ import main
main()
"""
"""A program: `cspbench`, whose `params --all` counts only these."""

CSPBENCH = f"""#!{sys.executable}
import os, pathlib, shutil, sys
words = sys.argv[1:]
with open(os.environ["PLAYED"] + "/cspbench", "a") as log:
    print(*words, file=log)
if words[0] == "params":
    assert words[1:3] == ["--all", "--save"] and words[3].startswith("--out="), words
    if "PREPARED" in os.environ:
        out = pathlib.Path(words[3].removeprefix("--out="))
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.environ["PREPARED"], out / "params.json")
        sys.exit(int(os.environ["PREPARED_CODE"]))
    os.execv(sys.executable, [sys.executable, "-c", {FEWER!r}, *words])
os.execv(sys.executable, [sys.executable, "-m", "cspbench", *words])
"""

MAKE = f"""#!{sys.executable}
import os, pathlib, sys
words = sys.argv[1:]
with open(os.environ["PLAYED"] + "/make", "a") as log:
    print(*words, file=log)
if words[0] == "-C":
    assert words[2] == "install", words
    command = pathlib.Path(words[1], ".venv", "bin", "cspbench")
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text({CSPBENCH!r})
    command.chmod(0o755)
"""

GH = f"""#!{sys.executable}
import json, os, pathlib, sys
words = sys.argv[1:]
file = pathlib.Path(os.environ["PLAYED"], "comments.json")
comments = json.loads(file.read_text()) if file.exists() else []
assert words[0] == "api" and os.environ["GH_TOKEN"] == "a token", words
place = "repos/someone/checks/issues"
if "--paginate" in words:
    assert words[2] == place + "/7/comments?per_page=100", words
    wanted = words[words.index("--jq") + 1]
    assert '.user.type == "Bot"' in wanted and 'startswith("{MARKER}")' in wanted and wanted.endswith("| .id"), wanted
    for each in comments:
        if each["user"]["type"] == "Bot" and each["body"].startswith("{MARKER}"):
            print(each["id"])
    sys.exit()
if os.environ.get("READ_ONLY"):
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
assert words[1:3] == ["--silent", "--method"] and words[5] == "--field" and words[6].startswith("body=@"), words
body = pathlib.Path(words[6].removeprefix("body=@")).read_text()
if words[3] == "POST":
    assert words[4] == place + "/7/comments", words
    comments.append({{"id": 100 + len(comments), "user": {{"type": "Bot"}}, "body": body}})
else:
    assert words[3] == "PATCH", words
    (mine,) = [each for each in comments if words[4] == place + "/comments/" + str(each["id"])]
    mine["body"] = body
file.write_text(json.dumps(comments))
"""


@dataclass
class Job:
    """A job in a checkout; `env` is the runner's own environment beside what a step sets."""

    checkout: Path
    place: Path
    """Where the runner keeps its files."""
    inputs: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    event: str = "pull_request"
    outputs: dict[str, str] = field(default_factory=dict)
    kept: tuple[Path, Path] | None = None
    """The folder that is cached, and where."""
    said: str = ""
    """All that the steps wrote to stdout and stderr."""

    def __post_init__(self) -> None:
        self.action.mkdir(parents=True, exist_ok=True)
        for name in ("pyproject.toml", "requirements.lock", "requirements-torch.txt"):
            shutil.copy(REPOSITORY / name, self.action / name)
        for name, text in (("make", MAKE), ("gh", GH)):
            command = self.place / "bin" / name
            command.parent.mkdir(parents=True, exist_ok=True)
            command.write_text(text)
            command.chmod(0o755)

    def run(self) -> int:
        """Run the action's steps until one fails; returns that one's exit code, or 0."""
        for step in STEPS:
            if "if" in step and not self._wanted(step["if"]):
                continue
            if "uses" in step:
                self._cache(step)
            elif code := self.step(step):
                return code
        self._keep()
        return 0

    def _cache(self, step: dict[str, Any]) -> None:
        """Play actions/cache: put back what an earlier job of this runner kept under the same key."""
        assert re.fullmatch(r"actions/cache@v[0-9]+", step["uses"])
        path, key = (self._filled(step["with"][name]) for name in ("path", "key"))
        kept = self.place / "cache" / key
        self.kept = (Path(path), kept)
        if kept.exists():
            shutil.copytree(kept, path, dirs_exist_ok=True)
        self.outputs[f"steps.{step['id']}.outputs.cache-hit"] = "true" if kept.exists() else ""

    def _keep(self) -> None:
        """What actions/cache does after a job that passed."""
        if self.kept is not None and not self.kept[1].exists():
            shutil.copytree(*self.kept)

    def step(self, step: dict[str, Any]) -> int:
        """Run one step; returns its exit code."""
        output = self.place / "output"
        output.write_text("")
        environment = {
            **ALONE,
            "PATH": f"{self.place / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PLAYED": str(self.place),
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_OUTPUT": str(output),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.place / "temporary"),
            **self.env,
            **{name: self._filled(text) for name, text in step.get("env", {}).items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", step["run"]],
            cwd=self.checkout,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        self.said += done.stdout
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode

    @property
    def action(self) -> Path:
        """Where the runner puts the action, which a workflow uses by its tag."""
        return self.place / "action"

    @property
    def summary(self) -> Path:
        """The file that the runner shows as the job's summary."""
        return self.place / "summary.md"

    @property
    def comments(self) -> list[dict[str, Any]]:
        """The comments on the pull request."""
        file = self.place / "comments.json"
        result: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
        return result

    def played(self, name: str) -> list[str]:
        """The command lines with which `make` or `cspbench` was called."""
        file = self.place / name
        return file.read_text().splitlines() if file.exists() else []

    def _wanted(self, condition: str) -> bool:
        if condition == "steps.cache.outputs.cache-hit != 'true'":
            return self.outputs["steps.cache.outputs.cache-hit"] != "true"
        first, second = condition.split(" && ")
        assert (first, second) == ("inputs.comment == 'true'", "github.event_name == 'pull_request'")
        return self._value("inputs.comment") == "true" and self.event == "pull_request"

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        """What an expression of the action means here; a `KeyError` for one that this runner does not know."""
        if name.startswith("inputs."):
            key = name.removeprefix("inputs.")
            return self._filled(self.inputs.get(key, ACTION["inputs"][key]["default"]))
        known = {
            "github.token": "a token",
            "github.repository": "someone/checks",
            "github.event.pull_request.number": "7",
            "github.base_ref || github.event.repository.default_branch || 'main'": "main",
        }
        return {**known, **self.outputs}[name]
