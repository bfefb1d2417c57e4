"""The authors' network files as digests, a layer each: what a definition is equal to, without the files themselves.

A layer is put into one line with every value that inference depends on, Darknet's defaults filled in and references
to other layers as absolute indices. The reader here shares nothing with the package's, so that the two check each
other. Settings of training are left out, as they are in `cspbench.network.network.difference`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).parent / "layer_lists.json"
DIGITS = 8
"""Hexadecimal digits kept of a layer's sha256."""

# every section's keys with Darknet's defaults; a default that depends on other keys is None and worked out in `_filled`
WORDS: dict[str, dict[str, str]] = {
    "convolutional": {"activation": "logistic"},
    "shortcut": {"activation": "linear", "weights_type": "none"},
    "scale_channels": {"activation": "linear"},
    "sam": {"activation": "linear"},
    "yolo": {"nms_kind": "default"},
}
NUMBERS: dict[str, dict[str, float | None]] = {
    "convolutional": {
        **{"filters": 1, "size": 1, "stride_x": None, "stride_y": None, "padding": None, "groups": 1},
        **{"dilation": 1, "batch_normalize": 0, "antialiasing": 0},
    },
    "maxpool": {"size": None, "stride": 1, "padding": None, "maxpool_depth": 0},
    "local_avgpool": {"size": None, "stride": 1, "padding": None},
    "avgpool": {},
    "route": {"groups": 1, "group_id": 0},
    "shortcut": {},
    "scale_channels": {"scale_wh": 0},
    "sam": {},
    "upsample": {"stride": 2, "scale": 1},
    "dropout": {"probability": 0.5},
    "softmax": {"groups": 1, "temperature": 1},
    "cost": {},
    "yolo": {"classes": 20, "scale_x_y": 1, "new_coords": 0, "beta_nms": 0.6},
}
LAYERS = {"route": "layers", "shortcut": "from", "scale_channels": "from", "sam": "from"}
WITHOUT_EFFECT: dict[str, frozenset[str]] = {
    "cost": frozenset({"type"}),
    # beta1 is a key that Darknet does not know
    "yolo": frozenset(
        "jitter random ignore_thresh truth_thresh iou_thresh iou_loss iou_normalizer cls_normalizer uc_normalizer "
        "label_smooth_eps max_delta beta1".split()
    ),
}


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """Names and settings of a cfg, in order."""
    result: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        line = "".join(line.split())
        if line.startswith("["):
            result.append((line[1 : line.index("]")], {}))
        elif line and line[0] not in "#;":
            key, _, value = line.partition("=")
            result[-1][1].setdefault(key, value)
    return result


def lines(text: str) -> list[str]:
    """The canonical lines of a cfg: the input, then every layer. ValueError for what has no place in them."""
    (_, net), *layers = sections(text)
    head = "input " + " ".join(f"{key}={net[key]}" for key in ("channels", "height", "width"))
    return [head, *(_line(name, keys, index) for index, (name, keys) in enumerate(layers))]


def _line(name: str, keys: dict[str, str], index: int) -> str:
    left = dict(keys)
    facts = {key: left.pop(key, default) for key, default in WORDS.get(name, {}).items()}
    filled = _filled(name, left)
    facts |= {key: f"{float(filled.pop(key, default)):g}" for key, default in NUMBERS[name].items()}  # type: ignore[arg-type]
    if name in LAYERS:
        references = [int(value) for value in filled.pop(LAYERS[name]).split(",")]
        facts["of"] = ",".join(str(value + index if value < 0 else value) for value in references)
    if name == "yolo":
        count = int(filled.pop("num", "1"))
        anchors = [f"{float(value):g}" for value in filled.pop("anchors").split(",")]
        facts["anchors"] = ",".join(anchors[: 2 * count])
        facts["mask"] = filled.pop("mask")
    unknown = filled.keys() - WITHOUT_EFFECT.get(name, frozenset())
    if unknown:
        raise ValueError(f"layer {index} [{name}] has settings that no line has a place for: {sorted(unknown)}")
    return " ".join([name, *(f"{key}={facts[key]}" for key in sorted(facts))])


def _filled(name: str, keys: dict[str, str]) -> dict[str, str]:
    """The settings with those written out whose defaults depend on others."""
    filled = dict(keys)
    if name == "convolutional":
        stride = filled.pop("stride", "1")
        filled = {"stride_x": stride, "stride_y": stride} | filled
        padded = int(filled.pop("pad", "0"))
        filled["padding"] = str(int(filled.get("size", "1")) // 2) if padded else filled.get("padding", "0")
    elif name in ("maxpool", "local_avgpool"):
        filled.setdefault("size", filled.get("stride", "1"))
        filled.setdefault("padding", str(int(filled["size"]) - 1))
    return filled


def digests(text: str) -> str:
    """The digests of a cfg's lines, joined."""
    return "".join(hashlib.sha256(line.encode()).hexdigest()[:DIGITS] for line in lines(text))


def published() -> Mapping[str, str]:
    """`digests` of every published file, by its stem."""
    result: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    return result


def first_difference(text: str, stem: str) -> str | None:
    """The first line of a cfg that is not the published file's, or None where all are."""
    theirs, mine = published()[stem], digests(text)
    written = lines(text)
    for at, line in enumerate(written):
        if mine[at * DIGITS :][:DIGITS] != theirs[at * DIGITS :][:DIGITS]:
            return f"{f'layer {at - 1}' if at else 'the head'}: {line} is not what {stem}.cfg has"
    if len(mine) != len(theirs):
        return f"{len(written) - 1} layers, {stem}.cfg has {len(theirs) // DIGITS - 1}"
    return None
