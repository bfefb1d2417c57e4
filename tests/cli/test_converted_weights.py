"""Weights in another format are the same weights: the same run, held against the same claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import processes

from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import published, shipped

MODEL = "sample-csp-classifier"


def evaluated(folder: Path, *arguments: str) -> dict[str, Any]:
    asked = ["eval-imagenet", "--sample", "-m", MODEL, "--limit", "24", "--format", "json", *arguments]
    done = processes.run(asked, folder)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    return dict(result)


def test_a_converted_file_is_judged_as_the_published_weights(tmp_path: Path) -> None:
    own = shipped(MODEL)
    assert own is not None
    done = processes.run(["weights", "convert", str(own), "--to", "safetensors", "--out", "a.safetensors"], tmp_path)
    assert done.returncode == 0, done.stderr
    converted = evaluated(tmp_path, "--weights", "a.safetensors")
    assert converted["identity"]["weights"] == f"arrays:{published(MODEL)[1]}"
    assert {claim["table"] for claim in converted["claims"]} == {"sample-classification"}
    assert [claim["why"] for claim in converted["claims"]] == [[], []]
    original = evaluated(tmp_path)
    (folder,) = (tmp_path / "runs").iterdir()  # the same run, whose predictions are kept
    assert [original[key] for key in ("top1", "claims")] == [converted[key] for key in ("top1", "claims")]
    record = json.loads((folder / "run.json").read_text())
    assert record["weights"] == {"arrays": converted["identity"]["weights"], "file": digest(tmp_path / "a.safetensors")}


def test_other_arrays_are_other_weights(tmp_path: Path) -> None:
    own = shipped(MODEL)
    assert own is not None
    data = bytearray(own.read_bytes())
    data[-4] ^= 1  # the last number's last bit
    (tmp_path / "b.weights").write_bytes(data)
    result = evaluated(tmp_path, "--weights", "b.weights")
    assert [claim["why"] for claim in result["claims"]] == [["other weights than the published file's"]] * 2
