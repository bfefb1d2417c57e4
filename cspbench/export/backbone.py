"""The backbone of a CSPDarknet classifier as a file that a detector begins with."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from cspbench.errors import UsageError, printable
from cspbench.evaluation.selection import no_weights
from cspbench.evaluation.subject import weight_file
from cspbench.export import check as checking
from cspbench.export.check import Difference, differences
from cspbench.export.exported import Exported
from cspbench.export.formats import Backbone
from cspbench.network.epsilon import Epsilon
from cspbench.network.modular.network import ModuleNetwork
from cspbench.weights import backbone
from cspbench.weights.backbone import CLASSIFIER, PREFIXES, Program
from cspbench.weights.loading import load
from cspbench.zoo import registry
from cspbench.zoo.yolox import NORMALISED
from cspbench.zoo.yolox.keys import from_mmdetection
from cspbench.zoo.yolox.pixels import DARKNET, IMAGENET, RAW, Array, Pixels

SOURCES: dict[str, Pixels] = {"imagenet": IMAGENET, "darknet": DARKNET}
"""What a classifier was trained on."""
STAGES = ("dark3", "dark4", "dark5")
SIDE = 224
"""Pixels of the picture of the check."""
RIM = 2
"""Pixels beside the picture that the first convolution reads: a cell of 2x2."""


def write_backbone(
    model: str,
    weights: str | Path | None,
    path: Path,
    form: Backbone,
    *,
    prefix: bool = True,
    pixels: str | None = None,
    ema: bool | None = None,
    check: bool = False,
) -> Exported:
    """Write the backbone of a classifier's file for `model`, that classifier or the YOLOX which it is for.

    `pixels` names what the classifier was trained on (`SOURCES`), and rewrites the first convolution for the pixels of
    the detector. The check loads the file strictly and compares its three maps on a picture with the classifier's.
    Raises `UsageError` and `WeightsError`.
    """
    entry = registry.model(model).architecture()
    network = backbone.backbone_of(entry)
    file = weight_file(entry, weights)
    if file is None:
        raise no_weights([model], "name the trained classifier's file")
    source = _source(pixels)
    target = IMAGENET if network.preset in NORMALISED else RAW
    read = backbone.read(file, network, ema)
    written = read if source is None else backbone.refolded(network, read, source, target)
    program = cast("Program", form.removesuffix("-backbone"))
    backbone.write(path, program, network, written, prefix)
    notes = [f"{printable(str(file))}: {topic} {words}" for topic, words in read.said.items()]
    if source not in (None, target):
        notes.append(
            f"the first convolution takes the detector's pixels instead of {pixels}'s: equal maps, but for those cells "
            "at the border that read the zeros beside the image, which now stand for another colour"
        )
    found: tuple[Difference, ...] = ()
    if check:
        before = target if source is None else source
        trained = load(network.design.module().eval(), network, read, Epsilon.INSIDE_1E3)
        found = compared(trained, reloaded(path, program, network, prefix), before, target)
    return Exported(path, form, differences=found, notes=tuple(notes))


def _source(pixels: str | None) -> Pixels | None:
    if pixels is None or pixels in SOURCES:
        return SOURCES[pixels] if pixels else None
    raise UsageError(
        "usage.unknown-pixels",
        "no such pixels of a classifier are known",
        expected=", ".join(SOURCES),
        found=repr(pixels),
        remedy="Name what the classifier was trained on",
    )


def reloaded(path: Path, program: Program, network: ModuleNetwork, prefix: bool) -> nn.Module:
    """The backbone's module with the arrays of a file, loaded strictly."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        state = torch.load(path, weights_only=True)
        state = state.get("model", state)
    if prefix:
        state = {name.removeprefix(PREFIXES[program]): array for name, array in state.items()}
    if program == "mmdet":
        state = {
            from_mmdetection(f"{CLASSIFIER}{name}", detects=False).removeprefix(CLASSIFIER): array
            for name, array in state.items()
        }
    module = network.design.module()
    module.load_state_dict(state, strict=True)
    return module.eval()


def compared(one: nn.Module, other: nn.Module, source: Pixels, target: Pixels) -> tuple[Difference, ...]:
    """The maps of two backbones on a picture, each as its pixels; beside it both see the mean colour of `source`."""
    levels = _levels()
    expected = dict(zip(STAGES, _maps(one, levels, source, source), strict=True))
    found = _maps(other, levels, target, source)
    return tuple(differences((1, *levels.shape), expected, found))


def _maps(module: nn.Module, levels: Array, own: Pixels, around: Pixels) -> list[Array]:
    """The three maps, with the colour that is 0 to `around` beside the picture instead of the module's own zeros."""
    rim = np.array(around.mean, np.float32)[:, None, None]
    _, height, width = levels.shape
    canvas = np.broadcast_to(rim, (3, height + 2 * RIM, width + 2 * RIM)).copy()
    canvas[:, RIM:-RIM, RIM:-RIM] = levels
    first = module.get_submodule("stem.conv.conv")
    assert isinstance(first, nn.Conv2d)
    first.padding = (0, 0)
    images: Tensor = torch.from_numpy(own.planes(canvas))[None]
    return [each.numpy() for each in checking.run(module, images)]


def _levels() -> Array:
    """A drawn picture, (3, H, W), red first, from 0 to 255."""
    from cspbench.data.opencv import resize
    from cspbench.export.protocol import PICTURE
    from cspbench.sample.detection import draw
    from cspbench.sample.seeds import HELD_OUT

    pixels = resize(np.asarray(draw(HELD_OUT + PICTURE - 1)[0], np.uint8), SIDE, SIDE)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
