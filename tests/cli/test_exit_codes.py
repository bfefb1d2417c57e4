"""What the evaluating commands leave with: the contract with whoever runs them in a script.

The bundled nets on a few drawn images, held against tables whose claims are what they reach, or another number.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from altered_tables import altered
from processes import Done, run, run_against
from refusals import error_of

from cspbench.sample import classification, detection

CLASSIFIER, DETECTOR = "sample-csp-classifier", "sample-csp-detector"
TABLES = ("sample-classification", "sample-detection", "sample-nms")
METRICS = ("AP", "AP50", "AP75", "APS", "APM", "APL")
NMS = ("0.45", "0.50")
Tables = Callable[..., Path]


def results(done: Done, code: int = 0) -> dict[str, Any]:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (result,) = json.loads(done.stdout)
    return dict(result)


class Evaluated:
    """Two finished runs, and the tables that claim what they measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        classification.write(folder / "val", 16)
        detection.write(folder / "coco", 6)
        self.classified = results(run(self.imagenet(), folder))
        self.detected = results(run(self.coco(), folder))
        self.count = 0

    def imagenet(self, *more: str) -> list[str]:
        return ["eval-imagenet", "val", "-m", CLASSIFIER, "--format", "json", *more]

    def coco(self, *more: str) -> list[str]:
        return ["eval-coco", "coco", "-m", DETECTOR, "--nms", ",".join(NMS), "--format", "json", *more]

    def run(self, model: str) -> Path:
        (result,) = (self.folder / "runs").glob(f"{model}*")
        return result

    def tables(self, **off: tuple[str, ...]) -> Path:
        """Tables with the measured numbers as claims; `off` names the columns of a table that claim another one.

        Of `nms` the row of the second threshold is meant.
        """
        claims = {
            ("sample-classification", CLASSIFIER): {
                column: claim(self.classified[metric]["percent"], column in off.get("classification", ()))
                for column, metric in (("Top-1", "top1"), ("Top-5", "top5"))
            }
        }
        for at, nms in zip(self.detected["thresholds"], NMS, strict=True):
            own = {column: at["ap"][column.lower()] for column in METRICS}
            wrong = off.get("nms", ()) if nms == NMS[1] else ()
            claims["sample-nms", f"{DETECTOR}-nms{nms}"] = {
                column: claim(value, column in wrong) for column, value in own.items()
            }
            if nms == NMS[0]:
                claims["sample-detection", DETECTOR] = {
                    column: claim(value, column in off.get("detection", ())) for column, value in own.items()
                }
        digests = dict.fromkeys(TABLES[1:], self.detected["identity"]["data"]["sha256"])
        digests[TABLES[0]] = self.classified["identity"]["data"]["sha256"]
        self.count += 1
        return altered(self.folder / f"tables-{self.count}", digests, claims)


def claim(value: float | None, off: bool) -> str:
    """A measurement as a table prints it; or a number far from it."""
    if value is None:
        return "-"
    number = Decimal(str(value))
    return f"{(number - 40 if number > 50 else number + 40) if off else number.quantize(Decimal('0.1'), ROUND_HALF_UP)}"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return Evaluated(tmp_path_factory.mktemp("evaluated"))


def verdicts(found: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Of each claim that a result stands against, by row and metric."""
    claims = found["claims"] if "claims" in found else [each for at in found["thresholds"] for each in at["claims"]]
    return {(each["id"], each["metric"]): each["verdict"] for each in claims}


@pytest.mark.parametrize(
    ("off", "code"),
    [((), 0), (("Top-1",), 1), (("Top-5",), 1), (("Top-1", "Top-5"), 1)],
)
def test_an_accuracy_that_is_off(evaluated: Evaluated, off: tuple[str, ...], code: int) -> None:
    tables = evaluated.tables(classification=off)
    expected = {
        (CLASSIFIER, metric): "off" if column in off else "exact"
        for column, metric in (("Top-1", "top1"), ("Top-5", "top5"))
    }
    again = run_against(tables, evaluated.imagenet(), evaluated.folder)
    assert verdicts(results(again, code)) == expected
    scored = run_against(tables, ["score", str(evaluated.run(CLASSIFIER)), "--format", "json"], evaluated.folder)
    assert verdicts(results(scored, code)) == expected


@pytest.mark.parametrize(
    ("table", "off", "code"),
    [
        ("detection", (), 0),
        ("detection", ("AP",), 1),
        ("detection", ("APL",), 1),
        ("nms", ("AP",), 1),  # of the second threshold alone
        ("nms", ("AP75", "APM"), 1),
    ],
)
def test_an_ap_that_is_off(evaluated: Evaluated, table: str, off: tuple[str, ...], code: int) -> None:
    tables = evaluated.tables(**{table: off})
    row = DETECTOR if table == "detection" else f"{DETECTOR}-nms{NMS[1]}"
    wanted = {(row, column.lower()) for column in off}
    for command in (evaluated.coco(), ["score", str(evaluated.run(DETECTOR)), "--format", "json"]):
        result = verdicts(results(run_against(tables, command, evaluated.folder), code))
        assert {key for key, word in result.items() if word == "off"} == wanted
        assert set(result.values()) == ({"exact", "off"} if wanted else {"exact"})
        assert len(result) == 3 * len(METRICS)


@pytest.mark.parametrize("form", ["md", "csv", "latex"])
def test_the_code_does_not_depend_on_the_format(evaluated: Evaluated, form: str) -> None:
    tables = evaluated.tables(classification=("Top-1",), detection=("AP",))
    for model in (CLASSIFIER, DETECTOR):
        done = run_against(tables, ["score", str(evaluated.run(model)), "--format", form], evaluated.folder)
        assert (done.returncode, "off" in done.stdout) == (1, True)


def test_one_of_several_runs_that_is_off(evaluated: Evaluated, tmp_path: Path) -> None:
    tables = evaluated.tables(classification=("Top-1",))
    other = run([*evaluated.imagenet(), "--preset", "pjreddie", "--run", str(tmp_path)], evaluated.folder)
    assert other.returncode == 0
    folders = [str(tmp_path), str(evaluated.run(CLASSIFIER))]
    for order in (folders, folders[::-1]):
        assert run_against(tables, ["score", *order], evaluated.folder).returncode == 1
    assert run_against(tables, ["score", folders[0]], evaluated.folder).returncode == 0  # made another way: not judged


def test_a_part_is_neither_right_nor_off(evaluated: Evaluated, tmp_path: Path) -> None:
    tables = evaluated.tables(classification=("Top-1", "Top-5"), detection=METRICS, nms=METRICS)
    for command in (evaluated.imagenet("--limit", "8"), evaluated.coco("--limit", "3")):
        done = run_against(tables, [*command, "--run", str(tmp_path)], evaluated.folder)
        result = verdicts(json.loads(done.stdout)[0])
        assert result
        assert not {"exact", "off"} & set(result.values())


def test_unreadable_images_are_graver_than_a_number_that_is_off(evaluated: Evaluated, tmp_path: Path) -> None:
    """4 without, and 0 with, as many as may be: what is left is a part. Two where one may be are one too many."""
    for name in ("val", "coco"):
        shutil.copytree(evaluated.folder / name, tmp_path / name)
    broken = [*sorted((tmp_path / "val").rglob("*.JPEG"))[:2], *sorted((tmp_path / "coco").rglob("*.jpg"))[:2]]
    for path in broken:
        path.write_bytes(path.read_bytes()[:100])
    detecting = evaluated.coco("--nms", "0.45")  # intervals at one threshold
    digests: dict[str, str] = {}
    for command in (evaluated.imagenet(), detecting):
        result = results(run(command, tmp_path), 4)
        assert len(result["bad"]) == 2
        digests[result["identity"]["task"]] = result["identity"]["data"]["sha256"]
        for allowed, code in (("1", 4), ("2", 0)):
            assert run([*command, "--allow-bad", allowed], tmp_path).returncode == code
    claims = {
        ("sample-classification", CLASSIFIER): {"Top-1": "1.0"},
        ("sample-detection", DETECTOR): {"AP": "1.0"},
    }
    data = {TABLES[0]: digests["imagenet"], TABLES[1]: digests["coco"]}
    tables = altered(tmp_path / "tables", data, claims)
    for command, model in ((evaluated.imagenet(), CLASSIFIER), (detecting, DETECTOR)):
        (path,) = (tmp_path / "runs").glob(f"{model}*")
        for each in (command, ["score", str(path)]):
            assert run_against(tables, each, tmp_path).returncode == 4
            assert run_against(tables, [*each, "--allow-bad", "2"], tmp_path).returncode == 0
        assert "unmeasured: partial" in run_against(tables, ["score", str(path)], tmp_path).stdout


def test_an_unfinished_run_is_incomplete_to_score_and_compare(evaluated: Evaluated, tmp_path: Path) -> None:
    for model in (CLASSIFIER, DETECTOR):
        whole = evaluated.run(model)
        unfinished = tmp_path / model
        shutil.copytree(whole, unfinished)
        (unfinished / "predictions" / "000000.npz").unlink()
        for command in (["score", str(unfinished)], ["compare", str(whole), str(unfinished)]):
            done = run(command, evaluated.folder)
            assert (done.returncode, done.stdout, error_of(done)) == (4, "", "incomplete.shard-missing")


def test_two_runs_that_do_not_go_together_are_wrong_usage(evaluated: Evaluated) -> None:
    one, other = str(evaluated.run(CLASSIFIER)), str(evaluated.run(DETECTOR))
    for command in (["compare", one, other], ["score", one, other], ["score", one, "--nms", "0.5"]):
        assert run(command, evaluated.folder).returncode == 2
    assert run(["compare", one, one, "--json"], evaluated.folder).returncode == 0


@pytest.mark.parametrize("command", [["score", "nowhere"], ["compare", "nowhere", "nowhere"]])
def test_what_is_no_run_is_unusable(evaluated: Evaluated, command: list[str]) -> None:
    done = run(command, evaluated.folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert error_of(done).startswith("run.")


def test_another_data_set_than_the_runs_is_wrong_usage(evaluated: Evaluated, tmp_path: Path) -> None:
    """As many images, and other objects."""
    detection.write(tmp_path / "other", 6, seed=77)
    done = run(["score", str(evaluated.run(DETECTOR)), "--data", str(tmp_path / "other")], evaluated.folder)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(("claim", "strict", "code"), [("0.215M", True, 0), ("0.999M", False, 1), ("0.999M", True, 1)])
def test_a_count_that_is_off(evaluated: Evaluated, tmp_path: Path, claim: str, strict: bool, code: int) -> None:
    tables = altered(tmp_path / "tables", {}, {("sample-classification", CLASSIFIER): {"#Parameter": claim}})
    more = ["--strict"] if strict else []
    done = run_against(tables, ["params", "--table", "sample-classification", *more], tmp_path)
    assert done.returncode == code, done.stderr
