"""Trainings by hand: records, and run directories as `cspbench train` leaves them, without images and real weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from msgspec import structs
from result_files import WHO, classifier, put

from cspbench.results.encoding import encode
from cspbench.results.schema import Data, Weights
from cspbench.results.store import StoredEvaluation
from cspbench.retrained.record import Start, Training, TrainingData

LRELU, SWISH, MISH = (f"imagenet-activation:peleenet-{name}" for name in ("lrelu", "swish", "mish"))
"""The base row of a table, 70.7 and 90.0, and two of its rows: 71.5 and 90.7, 71.4 and 90.4."""
MODELS = {LRELU: "peleenet", SWISH: "peleenet-swish", MISH: "peleenet-mish"}


def training(row: str | None = SWISH, seed: int = 0, **changes: Any) -> Training:
    """The record of a training of 500 of 800,000 iterations on 900 images of ten classes."""
    model = MODELS.get(str(row), "peleenet")
    fields: dict[str, Any] = {
        "model": model,
        "row": row,
        "network": f"v2:{model}",
        "recipe": f"r1:{row}",
        "settings": ["width=224", "max_batches=500"],
        "era": "head",
        "gradients": "darknet",
        "seed": seed,
        "data": TrainingData(900, 10, f"images:{'1a2b3c4d' * 8}"),
        "start": Start(None, 0, 0),
        "precision": "fp32",
        "sessions": [structs.replace(WHO, command=["cspbench", "train", str(row), "--seed", str(seed)])],
        "recipe_iterations": 800_000,
        **changes,
    }
    return Training(**fields)


def evaluation(record: Training, top1: int, weights: bytes, **more: Any) -> StoredEvaluation:
    """An evaluation of these bytes of a weight file: `top1` right of 1000 images."""
    sha256 = hashlib.sha256(weights).hexdigest()
    about = Weights(f"arrays:{sha256}", sha256, "retrained")
    data = {"data": Data("folders", 1000, "b" * 64)}
    network = record.model if record.model in MODELS.values() else "peleenet"
    fields = {"model": record.model, "weights": about.arrays, **data, **more}
    return classifier(network, top1, run={"weights": about}, **fields)


def put_training(folder: Path, record: Training, top1: int | None, **more: Any) -> Path:
    """Write the run directory of a training and, unless `top1` is None, the evaluation of its final weights."""
    folder.mkdir(parents=True)
    (folder / "training.json").write_bytes(encode(record))
    final = f"{record.row} {record.seed}".encode()
    (folder / f"{record.model}_final.weights").write_bytes(final)
    if top1 is not None:
        put(folder / "evaluations" / "final", evaluation(record, top1, final, **more))
    return folder
