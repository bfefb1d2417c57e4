"""The GitHub action and workflow: what may go wrong in their YAML, and every shell step run for real (see job.py)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import counts_by_hand as counts
import pytest
from checkouts import ALONE, commit, git, repository
from job import ACTION, FEWER, NAMED, REPOSITORY, STEPS, Job, document
from result_files import classifier, stored

from cspbench.ci.render import MARKER

WORKFLOW = document(".github/workflows/reproduce.yml")
JOBS: dict[str, Any] = WORKFLOW["jobs"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone, on the branch of a pull request, with the results by hand."""
    return cloned(counts.write(tmp_path / "counted"), tmp_path)


def cloned(results: Path, folder: Path) -> Path:
    """A clone of a repository that has those results on main, with another branch checked out."""
    origin = repository(folder / "origin")
    shutil.copytree(results, origin / "results")
    commit(origin)
    git(folder, "clone", "--quiet", str(origin), "clone")
    git(folder / "clone", "checkout", "--quiet", "-b", "topic")
    return folder / "clone"


def job(checkout: Path, code: int = 0, **more: Any) -> Job:
    """A job that is to find DarkNet-53 with so many parameters as `checkout` has prepared in counted/."""
    place = checkout.parent
    prepared = {"PREPARED": str(place / "counted" / "params.json"), "PREPARED_CODE": str(code)}
    return Job(checkout, place / "runner", env={**prepared, **more.pop("env", {})}, **more)


def changed(checkout: Path) -> None:
    """Let the job find one parameter more than main has."""
    counts.write(checkout.parent / "counted", *counts.with_cell("params", count=41_573_217))


def test_no_expression_stands_in_a_shell() -> None:
    steps = [*STEPS, *(step for each in JOBS.values() for step in each["steps"])]
    blocks = [step["run"] for step in steps if "run" in step]
    assert len(blocks) == 10
    assert not [block for block in blocks if "${{" in block]
    assert all(step["shell"] == "bash" for step in STEPS if "run" in step)


def test_the_workflow_lets_no_foreign_code_write() -> None:
    # YAML reads the key `on` as true
    triggers = WORKFLOW[True]
    assert set(triggers) == {"pull_request", "push", "schedule", "workflow_dispatch"}
    assert WORKFLOW["permissions"] == {"contents": "read"}
    permissions = {name: each.get("permissions") for name, each in JOBS.items()}
    assert permissions == {"compare": {"contents": "read", "pull-requests": "write"}, "test": None, "report": None}
    for each in JOBS.values():
        used = [step["uses"] for step in each["steps"] if "uses" in step]
        assert all(re.fullmatch(r"actions/[a-z-]+@v[0-9]+|\./", name) for name in used)
        (checkout,) = [step for step in each["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"]["persist-credentials"] is False


def test_the_workflow_fetches_what_the_comparison_needs() -> None:
    compare = JOBS["compare"]["steps"]
    assert compare[0]["with"]["fetch-depth"] == 0
    assert "./" in [step.get("uses") for step in compare]
    caches = [
        step["with"] for each in JOBS.values() for step in each["steps"] if "setup-python" in step.get("uses", "")
    ]
    assert JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert {cache["python-version"] for cache in caches} == {"3.11", "${{ matrix.python }}"}
    for cache in caches:
        assert cache["cache"] == "pip"
        assert all((REPOSITORY / name).is_file() for name in cache["cache-dependency-path"].split())


def test_every_input_and_output_that_is_read_exists() -> None:
    text = (REPOSITORY / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])
    made = {
        f"steps.{step['id']}.outputs.{name}"
        for step in STEPS
        for name in re.findall(r'echo "(\w+)=', step.get("run", ""))
    }
    made |= {f"steps.{step['id']}.outputs.cache-hit" for step in STEPS if step.get("uses") == "actions/cache@v4"}
    assert set(re.findall(r"steps\.\w+\.outputs\.[\w-]+", text)) == made
    used = re.findall(r"steps\.cspbench\.outputs\.(\w+)", json.dumps(WORKFLOW["jobs"]))
    assert set(used) <= set(ACTION["outputs"])


def test_make_has_the_targets() -> None:
    for target in ("install", "report", "lint", "test"):
        done = subprocess.run(
            ["make", "--dry-run", "-C", REPOSITORY, target], capture_output=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stderr


def test_nothing_changed_passes_and_is_said_once(checkout: Path) -> None:
    first = job(checkout)
    assert first.run() == 0, first.said
    assert first.played("make") == [f"-C {first.action} install PYTHON=python3"]
    assert first.played("cspbench")[0] == "params --all --save --out=results"
    (comment,) = first.comments
    assert comment["body"].startswith(
        f"{MARKER}\n### cspbench: nothing changed\n\nNothing changed against origin/main, "
    )
    assert first.summary.read_text().startswith("### cspbench ci\n\nNothing changed against origin/main, ")

    changed(checkout)
    second = job(checkout)
    assert second.run() == 1, second.said
    assert "::error::cspbench ci ended with exit code 1" in second.said
    (again,) = second.comments
    assert again["id"] == comment["id"]
    assert again["body"].startswith(f"{MARKER}\n### cspbench: 1 failing\n")
    assert "| imagenet-big: DarkNet-53 | #Parameter 41.57M | 41.57 (41573216) → 41.57 (41573217), +1 " in again["body"]
    assert Path(second.outputs["steps.compare.outputs.junit"]).read_text(encoding="utf-8").count("<failure") == 1


def test_an_environment_is_made_once_for_each_python_and_index(checkout: Path) -> None:
    made = []
    for inputs in ({}, {}, {"torch-index": "https://index.example/cpu"}):
        running = job(checkout, inputs=inputs)
        shutil.rmtree(running.action / ".venv", ignore_errors=True)
        assert running.run() == 0, running.said
        made.append(len(running.played("make")))
    assert made == [1, 1, 2]
    assert len(list((checkout.parent / "runner" / "cache").iterdir())) == 2
    assert ACTION["inputs"]["torch-index"]["default"] == ""


def test_make_takes_torch_from_another_index(tmp_path: Path) -> None:
    rule = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (line,) = [line for line in rule.splitlines() if "-r requirements-torch.txt" in line and line.startswith("\t")]
    (tmp_path / "Makefile").write_text(f"all:\n{line}\n".replace("$(PIP)", "@printf '%s\\n'"))
    for index, words in (("", []), ("https://a/b c", ["--extra-index-url", "https://a/b c"])):
        command = ["make", "--silent", "-C", str(tmp_path)]
        done = subprocess.run(
            command, env={**ALONE, "TORCH_INDEX": index}, capture_output=True, text=True, timeout=900, check=True
        )
        assert done.stdout.splitlines() == ["install", "--quiet", *words, "-r", "requirements-torch.txt"]


def ready_to_comment(checkout: Path, **more: Any) -> Job:
    """A job whose comparison has written its comment."""
    running = job(checkout, **more)
    body = running.place / "temporary" / "cspbench" / "comment.md"
    body.parent.mkdir(parents=True)
    body.write_text(f"{MARKER}\n### cspbench: nothing changed\n")
    return running


def test_a_comment_of_somebody_else_is_left_alone(checkout: Path) -> None:
    running = ready_to_comment(checkout)
    theirs = {"id": 1, "user": {"type": "User"}, "body": f"{MARKER} is what it begins with"}
    (running.place / "comments.json").write_text(json.dumps([theirs]))
    for _ in range(2):
        assert running.step(NAMED["Comment on the pull request"]) == 0, running.said
    assert running.comments[0] == theirs
    assert len(running.comments) == 2


def test_a_token_that_cannot_write_fails_nothing(checkout: Path) -> None:
    running = ready_to_comment(checkout, env={"READ_ONLY": "1"})
    assert running.step(NAMED["Comment on the pull request"]) == 0, running.said
    assert running.comments == []
    assert running.said.endswith(
        "::warning::cspbench could not comment on the pull request; the summary of this job says the same.\n"
    )


def test_no_comment_outside_a_pull_request_or_where_none_is_wanted(checkout: Path) -> None:
    running = job(
        checkout, event="push", inputs={"fail-on": "params:1", "python": sys.executable, "results": "results"}
    )
    changed(checkout)
    assert running.run() == 0, running.said
    assert running.comments == []
    assert "--fail-on=params:1 " in running.played("cspbench")[1]
    assert running.played("make") == [f"-C {running.action} install PYTHON={sys.executable}"]
    assert not job(checkout, inputs={"comment": "false"})._wanted(NAMED["Comment on the pull request"]["if"])


def test_a_partial_result_never_passes(checkout: Path) -> None:
    (checkout / "results" / "evaluations").mkdir()
    part = stored(classifier(top1=77, limit=100, seed=0))
    (checkout / "results" / "evaluations" / "one.json").write_bytes(part)
    running = job(checkout)
    assert running.run() == 4, running.said
    # its network stands in two tables, with two accuracies in each
    assert running.comments[0]["body"].startswith(f"{MARKER}\n### cspbench: 4 partial\n")


def test_inputs_are_never_run(checkout: Path) -> None:
    running = job(checkout, inputs={"baseline": "git:$(touch pwned)", "fail-on": '"; touch pwned; "'})
    assert running.run() == 2, running.said
    assert running.comments == []
    assert not list(checkout.parent.rglob("pwned"))


@pytest.mark.parametrize(
    ("counted", "compared", "code", "said"),
    [
        (1, 0, 1, "::error::a counted number is off, as it is in the baseline"),
        (1, 4, 4, "::error::cspbench ci ended with exit code 4"),
        (0, 0, 0, ""),
    ],
)
def test_the_last_step_fails_where_one_did(checkout: Path, counted: int, compared: int, code: int, said: str) -> None:
    running = job(checkout)
    running.outputs = {"steps.count.outputs.code": str(counted), "steps.compare.outputs.code": str(compared)}
    assert running.step(STEPS[-1]) == code
    assert running.said.strip() == said


def test_a_number_that_is_off_does_not_keep_from_comparing_but_an_error_does(checkout: Path) -> None:
    install, count = NAMED["Install cspbench"], NAMED["Count every row"]
    for code, ended in ((1, 0), (3, 3)):
        running = job(checkout, code)
        assert (running.step(install), running.step(count)) == (0, ended)
        assert running.outputs["steps.count.outputs.code"] == str(code)


def test_the_nightly_job_reports_from_nothing(checkout: Path) -> None:
    running = job(checkout)
    for step in JOBS["report"]["steps"]:
        if "run" in step:
            assert running.step(step) == 0, running.said
    assert running.played("make") == ["report", "coverage"]


def test_a_branch_is_linted_and_tested(checkout: Path) -> None:
    tested = JOBS["test"]
    assert tested["if"] == JOBS["compare"]["if"]
    assert tested["timeout-minutes"] <= 60
    running = job(checkout)
    steps = [step for step in tested["steps"] if "run" in step]
    assert [running.step(step) for step in steps] == [0, 0], running.said
    assert running.played("make") == ["lint", "test"]
    assert steps[1]["if"] == "success() || failure()"  # style does not hide what a test would say


def broken(folder: Path) -> Path:
    """A copy of the package in which three models have a wrong layer.

    Darknet's last 3x3 has 1008 filters instead of 1024. MobileNet-v2's depthwise convolutions have another activation,
    which no count shows. The third stage of the sample's classifier has one residual block instead of two.
    """
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "cspbench", folder / "cspbench", ignore=left_out)
    shutil.copytree(REPOSITORY / "tables", folder / "tables")
    lines = [
        ("darknet.py", "(32, 64, 128, 256, 512, 1024):", "(32, 64, 128, 256, 512, 1008):"),
        ("mobilenet.py", 'groups=groups, activation="relu")', 'groups=groups, activation="leaky")'),
        ("sample.py", "csp_stage(b, 112, 2, partial=56)", "csp_stage(b, 112, 1, partial=56)"),
    ]
    for name, right, wrong in lines:
        file = folder / "cspbench" / "zoo" / name
        text = file.read_text(encoding="utf-8")
        assert text.count(right) == 1
        file.write_text(text.replace(right, wrong), encoding="utf-8")
    return folder


def test_another_repository_with_tables_of_its_own(tmp_path: Path) -> None:
    """Used by tag: the action is not in the checkout, whose claims and network are its own."""
    origin = repository(tmp_path / "origin")
    shutil.copytree(REPOSITORY / "docs" / "example-tables", origin / "claims")
    command = [sys.executable, "-m", "cspbench", "params", "--all", "--save", "--tables", "claims"]
    subprocess.run(command, cwd=origin, env=ALONE, check=True, capture_output=True, timeout=900)
    commit(origin)
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    checkout = tmp_path / "clone"
    cfg = checkout / "claims" / "narrow.cfg"
    cfg.write_text(cfg.read_text(encoding="utf-8").replace("filters=16", "filters=24"), encoding="utf-8")
    running = Job(checkout, tmp_path / "runner", inputs={"tables": "claims"})
    assert running.run() == 1, running.said
    (comment,) = running.comments
    assert "- narrow: layer 2 filters 16 → 24: 2 cells\n" in comment["body"]
    assert "| fails: changed | small-nets: Narrow | Weights 1528 (-100%) | 1528 → 2184, +656 " in comment["body"]
    assert "6 cells compared, 2 changed, 2 failing, 4 unchanged" in comment["body"]


def test_a_broken_layer_of_a_model_fails_and_is_named(tmp_path: Path) -> None:
    right = tmp_path / "right"
    subprocess.run(
        [sys.executable, "-c", FEWER, "params", "--all", "--save", "--out", right],
        cwd=tmp_path,
        env=ALONE,
        check=True,
        capture_output=True,
        timeout=900,
    )
    checkout = cloned(right, tmp_path)
    running = Job(checkout, tmp_path / "runner", env={"PYTHONPATH": str(broken(tmp_path / "wrong"))})
    assert running.run() == 1, running.said
    (comment,) = running.comments
    rows = [line.strip("| ").split(" | ") for line in comment["body"].splitlines() if line.startswith("| fails")]
    named = {(row[1].partition(": ")[2], row[2].split(" ")[0]): row for row in rows}
    # 512 x 16 filters of 3x3 less, and 16 x 1000 weights of the classifier; twice that at 4x4 and at 1x1
    assert named["Darknet Ref.", "#Parameter"][2:4] == [
        "#Parameter 7.31M",
        "7.31 (7314352) → 7.22 (7224624), -89728 (-1.23 %)",
    ]
    assert named["Darknet Ref.", "#Parameter"][4].startswith("exact → off; ")
    assert named["Darknet Ref.", "BFLOPs"][3].startswith("0.96 (964640768) → 0.96 (962249472), -2391296 ")
    assert "the network is another, though with the same count" in named["MobileNet-v2", "#Parameter"][-1]
    causes = [line for line in comment["body"].splitlines() if line.startswith("- ")]
    assert "- darknet: layer 12 filters 1024 → 1008: 2 cells" in causes
    assert "- mobilenet-v2: 17 layers activation relu → leaky, first layer 2: 2 cells" in causes
    assert ("PeleeNet", "#Parameter") not in named
    # 56 filters of 1x1 and 56 of 3x3 less, all of 56 channels
    sample = named["sample-csp-classifier", "#Parameter"]
    assert sample[1].startswith("sample-classification: ")
    assert sample[4].startswith("exact → off; ")
    assert ", -31360 (" in sample[3]
