"""A detector quoted from another paper through eval-coco and score: its own protocol, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_commands import annotate
from processes import run
from refusals import error_of

from cspbench.weights.darknet import write as write_weights
from cspbench.zoo import registry

MODEL = "snet49-thundernet"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with coco/ and random weights, and a finished evaluation in it."""
    folder = tmp_path_factory.mktemp("quoted")
    annotate(folder / "coco", 3)
    network = registry.model(MODEL).build()
    rng = np.random.default_rng(0)
    arrays: list[dict[str, Any]] = []
    for index in range(len(network.layers)):
        shapes = {array.role: array.shape for array in network.weights(index)}
        arrays.append({role: rng.uniform(0.1, 0.2, shape).astype(np.float32) for role, shape in shapes.items()})
    write_weights(folder / f"{MODEL}.weights", network, arrays)
    return folder, run([*arguments(folder), "--format", "json"], folder)


def arguments(folder: Path) -> list[str]:
    return ["eval-coco", str(folder / "coco"), "-m", MODEL, "--weights", str(folder / f"{MODEL}.weights")]


def test_its_protocol_is_what_the_run_records(made: tuple[Path, Any]) -> None:
    folder, done = made
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["preset"] == "its own protocol"
    assert [(each["nms"], each["kind"]) for each in result["thresholds"]] == [(0.5, "soft")]
    (path,) = (folder / "runs").glob("*/")
    assert path.name.startswith(f"{MODEL}-its-own-protocol-")
    kept = json.loads((path / "run.json").read_text())
    protocol = registry.model(MODEL).detector_protocol
    assert protocol is not None
    assert kept["identity"]["preset"] == json.loads(json.dumps(protocol.as_json()))
    assert kept["settings"]["name"] == "its own protocol"


def test_it_is_resumed_by_itself(made: tuple[Path, Any]) -> None:
    folder, done = made
    again = run([*arguments(folder), "--format", "json"], folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)[0]["thresholds"] == json.loads(done.stdout)[0]["thresholds"]
    assert "3 of 3 images predicted on " in again.stderr


@pytest.mark.parametrize(
    "more",
    [["--nms", "0.7"], ["--conf", "0.4"], ["--preset", "readme"], ["--nms-kind", "diou"], ["--decoder", "stb"]],
)
def test_options_of_darknet_are_refused(made: tuple[Path, Any], more: list[str]) -> None:
    folder, _ = made
    done = run([*arguments(folder), *more], folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert error_of(done) == "usage.own-protocol"
    assert more[0] in done.stderr


def test_another_size_is_refused(made: tuple[Path, Any]) -> None:
    folder, _ = made
    done = run([*arguments(folder), "--size", "416"], folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert error_of(done) == "usage.own-size"
    assert "(expected 320x320, found 416x416)" in done.stderr


def test_scoring_repeats_the_protocol_and_takes_no_other_suppression(made: tuple[Path, Any]) -> None:
    folder, done = made
    (path,) = (folder / "runs").glob("*/")
    again = run(["score", str(path), "--format", "json"], folder)
    (scored,), (result,) = json.loads(again.stdout), json.loads(done.stdout)
    other = {"run": "", "provenance": ""}
    assert {**scored, **other} == {**result, **other}
    for more in (["--nms", "0.7"], ["--nms-kind", "diou"]):
        refused = run(["score", str(path), *more], folder)
        assert (refused.returncode, error_of(refused)) == (2, "usage.own-protocol")
