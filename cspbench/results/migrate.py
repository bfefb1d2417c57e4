"""Documents of schema 1 as documents of schema 2.

Schema 1 told a network by the sha256 of its layers' `repr` and weights by their file's sha256; schema 2 tells them by
the digest of a canonical form and by that of the arrays, keeps no verdicts, and is typed (`cspbench.results.schema`).
The functions here take documents and give records; which network and which arrays an old digest is of, they ask a
`Known`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec

from cspbench.claims.metrics import ACCURACIES, COUNTED
from cspbench.errors import DefinitionError, MigrationError, brief
from cspbench.network import canonical
from cspbench.network.layers import Layer
from cspbench.network.network import Network, digest
from cspbench.results.schema import (
    ClassificationMetrics,
    Counts,
    DetectionMetrics,
    Evaluation,
    Metrics,
    Run,
    Session,
)
from cspbench.weights.catalogue import published_arrays, published_digest
from cspbench.zoo.registry import MODELS

Size = tuple[int, int]
"""Height and width of a network's input."""

# The classes of schema 1 as `repr` showed them: kind, then name and fields in the order of then. Never to be changed.
_CLASSES_V1: Mapping[str, tuple[str, str]] = {
    "activation": ("Activation", "sources activation"),
    "avgpool": ("AvgPool", "sources"),
    "batchnorm": ("BatchNorm", "sources"),
    "connected": ("Connected", "sources outputs batch_normalize activation"),
    "convolutional": (
        "Convolution",
        "sources filters size stride padding groups dilation batch_normalize bias activation antialiasing share",
    ),
    "cost": ("Loss", "sources"),
    "crop": ("Crop", "sources height width noadjust"),
    "dropout": ("Dropout", "sources probability"),
    "gaussian_yolo": (
        "GaussianYolo",
        "sources classes anchors mask scale_x_y new_coords nms_kind beta_nms yolo_point",
    ),
    "implicit": ("Implicit", "sources filters atoms"),
    "local_avgpool": ("LocalAvgPool", "sources size stride padding"),
    "maxpool": ("MaxPool", "sources size stride padding"),
    "maxpool_depth": ("MaxPoolDepth", "sources channels"),
    "multibox": ("MultiBox", "sources classes anchors step variances clip"),
    "proposals": ("Proposals", "sources anchors stride considered count overlap"),
    "refinebox": ("RefineBox", "sources classes anchors step variances clip"),
    "region": ("Region", "sources classes anchors softmax"),
    "reorg": ("Reorg", "sources stride legacy"),
    "resize": ("Resize", "sources bilinear"),
    "roialign": ("RoiAlign", "sources bins stride samples"),
    "roibox": ("RoiBox", "sources classes anchors variances"),
    "route": ("Route", "sources groups group_id"),
    "sam": ("Sam", "sources activation"),
    "scale_channels": ("ScaleChannels", "sources activation per_pixel"),
    "shortcut": ("Shortcut", "sources activation weighting normalization"),
    "shuffle": ("Shuffle", "sources groups"),
    "softmax": ("Softmax", "sources groups temperature"),
    "upsample": ("Upsample", "sources stride scale reverse bilinear"),
    "yolo": ("Yolo", "sources classes anchors mask scale_x_y new_coords nms_kind beta_nms"),
}


class Known:
    """What old digests are of: networks of the catalogue and of `cfgs`, and published weights.

    `strict` raises `MigrationError` for a network that is neither. Else its digest stays an old one ("v1:..."), which
    no network has, so that what was measured of it stands as measured of another network than today's.
    """

    def __init__(self, cfgs: Iterable[Network] = (), *, strict: bool = True) -> None:
        self._cfgs, self._strict = tuple(cfgs), strict

    def network(self, model: str | None, size: Size | None, old: str) -> str:
        """The v2 digest of the network that has that v1 digest, for a model at a size."""
        if ":" in old:
            return old
        for candidate in (*self._cfgs, *([_build(model)] if model in MODELS else [])):
            with suppress(DefinitionError):  # a size that this one cannot have
                sized = candidate.resized(*size) if size else candidate
                if _digest_v1(sized) == old:
                    return digest(sized)
        if not self._strict:
            return f"v1:{old}"
        raise MigrationError(
            "results.unknown-network",
            f"no network of {brief(str(model))} has this digest",
            expected="a network of the catalogue, or of a --cfg, that has its old digest",
            found=brief(old, 80),
            remedy="Name the .cfg that it was made with, --cfg FILE; or measure it again, and remove this",
        )

    def weights(self, model: str, old: str) -> str:
        """What an identity says of weights, where their file's sha256 was `old`."""
        if ":" in old:
            return old
        arrays = published_arrays(model) if old in (published_digest(model), _shipped(model)) else None
        return f"file:{old}" if arrays is None else f"arrays:{arrays}"


@cache
def _build(model: str) -> Network:
    return MODELS[model].build()


@cache
def _shipped(model: str) -> str | None:
    from cspbench.weights.arrays import digest as file_digest
    from cspbench.weights.catalogue import shipped

    path = shipped(model)
    return None if path is None else file_digest(path)


class _Shown(str):
    """A text that is its own `repr`."""

    __slots__ = ()
    __repr__ = str.__str__


def _digest_v1(network: Network) -> str | None:
    """The digest of schema 1: sha256 of `repr((input, letter_box, layers))` as the classes were then.

    None for a network that the classes of then could not have made.
    """
    layers = tuple(map(_repr_v1, network.layers))
    if None in layers or set(canonical.settings(network)) - {"input", "letter_box", "layers"}:
        return None
    return hashlib.sha256(repr((network.input, network.letter_box, layers)).encode()).hexdigest()


def _repr_v1(layer: Layer) -> _Shown | None:
    name, names = _CLASSES_V1.get(layer.kind, ("", ""))
    order = names.split()
    if not name or set(canonical.settings(layer)) - set(order):
        return None
    return _Shown(f"{name}({', '.join(f'{field}={getattr(layer, field)!r}' for field in order)})")


def counts(document: Mapping[str, Any], known: Known) -> Counts:
    """A params.json of schema 1 in today's. Raises `MigrationError`, `ValueError` or `LookupError`."""
    return msgspec.convert(
        {
            "session": _session(document),
            "rows": [_row(row, known) for row in document["rows"]],
        },
        Counts,
    )


def _row(row: Mapping[str, Any], known: Known) -> dict[str, Any]:
    network = row.get("network")
    if isinstance(network, str):
        try:
            network = known.network(row["model"], _size(row["size"]), network)
        except MigrationError as error:
            raise error.at(f"{row.get('table')}:{row.get('id')}" if row.get("table") else str(row["model"])) from None
    own = {key: row.get(key) for key in ("model", "table", "id", "row", "settings", "size", "definition")}
    cells = {metric: {key: row[metric][key] for key in _CELL} for metric in COUNTED}
    return {**own, **cells, "network": network, "settings": row.get("settings") or {}}


_CELL = ("counting", "count", "printed", "unit", "rounding")


def _session(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in Session.__struct_fields__ if document.get(key) is not None}


def run(document: Mapping[str, Any], known: Known) -> Run:
    """A run.json of schema 1 in today's."""
    old = document["identity"]
    own = identity(document, known)
    place = document.get("data") if old["task"] == "coco" else None
    return msgspec.convert(
        {
            "samples": document["samples"],
            "shard": document["shard"],
            "identity": own,
            "sessions": [_session(each) for each in (document, *document.get("sessions", []))],
            "weights": {"arrays": own["weights"], "file": None if ":" in old["weights"] else old["weights"]},
            "place": place.get("place") if place else None,
            "files": document.get("files"),
            "settings": _settings(document["preset"]) if old["task"] == "coco" else None,
        },
        Run,
    )


def identity(document: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The identity of a run.json of schema 1 in today's."""
    old = document["identity"]
    data = dict(old["data"])
    if old["task"] == "coco" and document["data"].get("limit") is not None:
        data["limit"] = document["data"]["limit"]  # which had become the number of images
    own = {key: old[key] for key in ("task", "model", "size", "precision", "classes", "quoted", "last") if key in old}
    return {
        **own,
        "network": known.network(old["model"], _size(old["size"]), old["definition"]),
        "weights": known.weights(old["model"], old["weights"]),
        "data": data,
        "preset": _one_decoder(old["preset"]),
        "user_file": old["file"],
    }


def _one_decoder(preset: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded preset whose decoder and EXIF are one field, as they are now; they were two."""
    if "exif" not in preset:
        return dict(preset)
    rest = {key: value for key, value in preset.items() if key not in ("exif", "stb_pixels")}
    return rest if preset.get("decoder") == "stb" else {**rest, "decoder": "opencv" if preset["exif"] else "pillow"}


def _settings(preset: Mapping[str, Any]) -> dict[str, Any]:
    plain = _one_decoder(preset)
    named = ("name", "conf", "nms", "nms_kind")
    if plain["name"] == "recipe":
        overlap = plain["nms"]["overlap"] if isinstance(plain["nms"], dict) else plain["nms"]
        return {"name": "its own protocol", "conf": plain["conf"], "nms": overlap, "nms_kind": "default"}
    return {
        **{key: plain[key] for key in named},
        "fields": {key: value for key, value in plain.items() if key not in named},
    }


def metrics(document: Mapping[str, Any], record: Mapping[str, Any], known: Known) -> Metrics:
    """A metrics.json of schema 1, of the run with that run.json of schema 1, in today's."""
    own = identity(record, known)
    if document["identity"] != record["identity"]:
        raise ValueError("metrics of another run")
    shared = {"identity": own, "images": document["images"], "bad": document["bad"], "pixels": document.get("pixels")}
    if own["task"] == "imagenet":
        tops = {metric: {key: document[metric][key] for key in ("correct", "total")} for metric in ACCURACIES}
        scoring = {"cspbench": record["cspbench"], "commit": record.get("commit")}
        order = document["class_order"]
        return msgspec.convert({**shared, **tops, "class_order": order, "scoring": scoring}, ClassificationMetrics)
    scoring = {"cspbench": document["cspbench"]}
    thresholds = [_threshold(each, scoring) for each in document["thresholds"]]
    submissions = document.get("submissions")
    return msgspec.convert({**shared, "thresholds": thresholds, "submissions": submissions}, DetectionMetrics)


def _threshold(old: Mapping[str, Any], scoring: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("nms", "kind", "engine", "intervals", "detections", "server")
    numbers = {key: None if value is None else str(value) for key, value in old["ap"].items()}
    per_class = old.get("per_class")
    if per_class is not None:
        per_class = {
            name: {key: None if value is None else str(value) for key, value in values.items()}
            for name, values in per_class.items()
        }
    own = {key: old[key] for key in keys if old.get(key) is not None}
    return {**own, "asked": old.get("asked", old["kind"]), "scoring": scoring, "ap": numbers, "per_class": per_class}


def evaluation(document: Mapping[str, Any], known: Known) -> Evaluation:
    """What a results directory of schema 1 keeps of a run, in today's."""
    return Evaluation(run=run(document["run"], known), metrics=metrics(document["metrics"], document["run"], known))


def _size(size: Any) -> Size | None:
    return None if size is None else (int(size[0]), int(size[1]))
