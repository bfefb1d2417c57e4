"""Documents of schema 1 as documents of schema 2.

Schema 1 identified a network by the sha256 of its layers' `repr` and weights by the sha256 of their file; schema 2
uses digests of a canonical form and of the arrays, stores no verdicts, and is typed (`cspbench.results.schema`). The
functions here take documents and return records, which ignore fields that only schema 1 had; `OldDigests` translates
the digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec

from cspbench.errors import DefinitionError, MigrationError, brief
from cspbench.network import canonical
from cspbench.network.layers import Layer
from cspbench.network.network import Network, digest
from cspbench.results.counts import Counts
from cspbench.results.encoding import SCHEMA
from cspbench.results.match import shipped_digest
from cspbench.results.schema import ClassificationMetrics, DetectionMetrics, Evaluation, Metrics, Run, Session
from cspbench.weights.catalogue import published
from cspbench.zoo.registry import MODELS

Size = tuple[int, int]
"""Height and width of a network's input."""

# Layer classes as schema 1's `repr` showed them: name, and fields in order. They must never change.
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
    "gaussian_yolo": ("GaussianYolo", "sources classes anchors mask scale_x_y new_coords nms_kind beta_nms yolo_point"),
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


class OldDigests:
    """Translates digests of schema 1 for networks of the catalogue and of `cfgs`, and for published weights.

    For any other network `strict` raises `MigrationError`; else its digest becomes "v1:...", which matches no network,
    so that its measurements deviate from every claim.
    """

    def __init__(self, cfgs: Iterable[Network] = (), *, strict: bool = True) -> None:
        self._cfgs, self._strict = tuple(cfgs), strict

    def network(self, model: str | None, size: Size | None, old: str) -> str:
        """The digest of schema 2 of the network with the digest `old`, for a model at a size."""
        if ":" in old:
            return old
        for candidate in (*self._cfgs, *([_build(model)] if model in MODELS else [])):
            with suppress(DefinitionError):  # a size that this network cannot have
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
        """The weights of an identity, "arrays:..." or "file:...", for a file with the sha256 `old`."""
        if ":" in old:
            return old
        sha256, arrays = published(model)
        known = arrays is not None and old in (sha256, shipped_digest(model))
        return f"arrays:{arrays}" if known else f"file:{old}"


@cache
def _build(model: str) -> Network:
    return MODELS[model].build()


def _digest_v1(network: Network) -> str | None:
    """The digest of schema 1: sha256 of `repr((input, letter_box, layers))`.

    None for a network that its classes could not describe.
    """
    layers = list(filter(None, map(_repr_v1, network.layers)))
    if len(layers) < len(network.layers) or set(canonical.settings(network)) - {"input", "letter_box", "layers"}:
        return None
    comma = "," if len(layers) == 1 else ""
    text = f"({network.input!r}, {network.letter_box!r}, ({', '.join(layers)}{comma}))"
    return hashlib.sha256(text.encode()).hexdigest()


def _repr_v1(layer: Layer) -> str | None:
    name, names = _CLASSES_V1.get(str(canonical.kind(layer)), ("", ""))
    order = names.split()
    if not name or set(canonical.settings(layer)) - set(order):
        return None
    return f"{name}({', '.join(f'{field}={getattr(layer, field)!r}' for field in order)})"


def counts(document: Mapping[str, Any], digests: OldDigests) -> Counts:
    """The record of a params.json. Raises `MigrationError`, `ValueError` or `LookupError`."""
    rows = [_row(row, digests) for row in document["rows"]]
    return msgspec.convert({"session": _session(document), "rows": rows}, Counts)


def _row(row: Mapping[str, Any], digests: OldDigests) -> dict[str, Any]:
    network = row.get("network")
    if isinstance(network, str):
        try:
            network = digests.network(row["model"], _size(row["size"]), network)
        except MigrationError as error:
            raise error.at(f"{row.get('table')}:{row.get('id')}" if row.get("table") else str(row["model"])) from None
    return {**row, "network": network, "settings": row.get("settings") or {}}


def _session(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in Session.__struct_fields__ if document.get(key) is not None}


def run(document: Mapping[str, Any], digests: OldDigests) -> Run:
    """The record of a run.json."""
    old = document["identity"]
    new = identity(document, digests)
    place = document.get("data") if old["task"] == "coco" else None
    return msgspec.convert(
        {
            "samples": document["samples"],
            "shard": document["shard"],
            "identity": new,
            "sessions": [_session(session) for session in (document, *document.get("sessions", []))],
            "weights": {"arrays": new["weights"], "file": None if ":" in old["weights"] else old["weights"]},
            "place": place.get("place") if place else None,
            "files": document.get("files"),
            "settings": _settings(document["preset"]) if old["task"] == "coco" else None,
        },
        Run,
    )


def identity(document: Mapping[str, Any], digests: OldDigests) -> dict[str, Any]:
    """The identity of a run.json."""
    old = document["identity"]
    data = dict(old["data"])
    if old["task"] == "coco" and document["data"].get("limit") is not None:
        data["limit"] = document["data"]["limit"]  # the identity had the number of images drawn
    return {
        **old,
        "network": digests.network(old["model"], _size(old["size"]), old["definition"]),
        "weights": digests.weights(old["model"], old["weights"]),
        "data": data,
        "preset": _one_decoder(old["preset"]),
        "user_file": old["file"],
    }


def _one_decoder(preset: Mapping[str, Any]) -> dict[str, Any]:
    """A preset with decoder and EXIF in one field; schema 1 had two."""
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


def metrics(document: Mapping[str, Any], record: Mapping[str, Any], digests: OldDigests) -> Metrics:
    """The metrics of a metrics.json; `record` is the run.json of its run, also of schema 1."""
    new = identity(record, digests)
    if document["identity"] != record["identity"]:
        raise ValueError("metrics of another run")
    if new["task"] == "imagenet":
        scoring = {"cspbench": record["cspbench"], "commit": record.get("commit")}
        new_document = {**document, "schema": SCHEMA, "identity": new, "scoring": scoring}
        return msgspec.convert(new_document, ClassificationMetrics)
    scoring = {"cspbench": document["cspbench"]}
    thresholds = [{"asked": old["kind"], **old, "scoring": scoring} for old in document["thresholds"]]
    new_document = {**document, "schema": SCHEMA, "identity": new, "thresholds": thresholds}
    return msgspec.convert(new_document, DetectionMetrics)


def evaluation(document: Mapping[str, Any], digests: OldDigests) -> Evaluation:
    """The record of a run in a results directory."""
    record = document["run"]
    return Evaluation(run=run(record, digests), metrics=metrics(document["metrics"], record, digests))


def _size(size: Any) -> Size | None:
    return None if size is None else (int(size[0]), int(size[1]))
