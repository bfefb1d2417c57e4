"""The template for GitLab: its script run as a runner does, in a clone with the variables of a merge request."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from checkouts import ALONE, commit, git, repository
from job import MAKE, REPOSITORY, document

JOB: dict[str, Any] = document("templates/gitlab-ci.yml")["cspbench"]
Done = subprocess.CompletedProcess[str]


def job(checkout: Path, **variables: str) -> Done:
    """Run the lines of the script in one shell; `make` is played."""
    place = checkout.parent / "runner"
    command = place / "bin" / "make"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(MAKE)
    command.chmod(0o755)
    given: Mapping[str, str] = {
        **JOB["variables"],
        "CI_PROJECT_DIR": str(checkout),
        "CI_DEFAULT_BRANCH": "main",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "PLAYED": str(place),
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        **variables,
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(JOB["script"])],
        cwd=checkout,
        env={**ALONE, **given},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another repository, with tables of its own and their counts."""
    origin = repository(tmp_path_factory.mktemp("gitlab") / "origin")
    shutil.copytree(REPOSITORY / "docs" / "example-tables", origin / "claims")
    command = [sys.executable, "-m", "cspbench", "params", "--all", "--save", "--tables", "claims"]
    subprocess.run(command, cwd=origin, env=ALONE, check=True, capture_output=True, timeout=900)
    commit(origin)
    return origin


@pytest.fixture
def checkout(tmp_path: Path, origin: Path) -> Path:
    """A clone of it, on the branch of a merge request."""
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "-b", "topic")
    return tmp_path / "clone"


def test_a_changed_layer_fails_in_another_repository(checkout: Path) -> None:
    program = repository(checkout.parent / "program")
    commit(program)
    git(program, "tag", "v0.1.0")
    variables = {"CSPBENCH_TABLES": "claims", "CSPBENCH_REPOSITORY": str(program)}
    done = job(checkout, **variables)
    assert done.returncode == 0, done.stderr
    assert f"make -C {checkout / '.cspbench'} install" not in done.stdout
    played = (checkout.parent / "runner" / "make").read_text().splitlines()
    assert played == [f"-C {checkout / '.cspbench'} install"]
    cfg = checkout / "claims" / "narrow.cfg"
    cfg.write_text(cfg.read_text(encoding="utf-8").replace("filters=16", "filters=24"), encoding="utf-8")
    shutil.rmtree(program)  # the clone of the first job is in the cache
    done = job(checkout, **variables)
    assert done.returncode == 1, done.stderr
    assert "- narrow: layer 2 filters 16 → 24: 2 cells\n" in done.stdout
    suites = Xml.parse(checkout / JOB["artifacts"]["reports"]["junit"]).getroot()
    messages = [str(each.get("message")) for each in suites.iter("failure")]
    assert len(messages) == 2
    assert messages[0].startswith("1528 → 2184, +656 (+42.93 %); ")
    assert (checkout / "cspbench-ci" / "changes.md").is_file()


def test_the_project_itself_may_be_cspbench_and_an_error_ends_it(checkout: Path) -> None:
    done = job(checkout, CSPBENCH_TABLES="claims", CSPBENCH_FAIL_ON="params:1")
    assert done.returncode == 0, done.stderr
    assert (checkout.parent / "runner" / "make").read_text() == f"-C {checkout} install\n"
    assert "--fail-on=params:1 " in (checkout.parent / "runner" / "cspbench").read_text()
    assert job(checkout, CSPBENCH_TABLES="nowhere").returncode == 2
    assert job(checkout, CSPBENCH_TABLES="claims", CSPBENCH_REPOSITORY="nowhere").returncode == 128


def test_variables_are_never_run(checkout: Path) -> None:
    words = '"; touch pwned; "$(touch pwned)'
    done = job(checkout, CSPBENCH_TABLES="claims", CSPBENCH_FAIL_ON=words, CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main")
    assert done.returncode == 2
    assert job(checkout, CSPBENCH_TABLES="claims", CI_MERGE_REQUEST_TARGET_BRANCH_NAME=words).returncode != 0
    assert not list(checkout.parent.rglob("pwned"))


def test_it_names_no_address_and_keeps_what_it_made() -> None:
    assert (JOB["variables"]["CSPBENCH_REPOSITORY"], JOB["variables"]["TORCH_INDEX"]) == ("", "")
    assert "://" not in (REPOSITORY / "templates" / "gitlab-ci.yml").read_text(encoding="utf-8")
    assert "://" not in (REPOSITORY / "action.yml").read_text(encoding="utf-8")
    assert JOB["cache"]["paths"] == [".cspbench/", ".venv/"]
