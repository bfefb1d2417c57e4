"""`cspbench.export_model`: a model in the form of another program."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from cspbench.errors import UsageError
from cspbench.evaluation.selection import cfg_without_weights, no_weights
from cspbench.evaluation.subject import subject_of, weight_file
from cspbench.export.exported import Exported
from cspbench.export.formats import BACKBONES, GRAPHS, format_of
from cspbench.export.graph_files import GraphOptions, write_graph
from cspbench.inference.description import Described
from cspbench.io import argument_path
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.network import Network
from cspbench.weights.opening import open_weights
from cspbench.weights.writing import Form
from cspbench.zoo import registry


def export_model(
    model: str | Network | Described,
    out: str | Path,
    to: str | None = None,
    *,
    weights: str | Path | None = None,
    size: tuple[int, int] | None = None,
    ema: bool | None = None,
    preset: str | None = None,
    conf: float | None = None,
    names: str | Path | None = None,
    decode: bool = False,
    nms: bool = False,
    dynamic: bool = False,
    prefix: bool = True,
    pixels: str | None = None,
    check: bool = False,
    force: bool = False,
) -> Exported:
    """Write a model as `to`, one of `cspbench.export.formats.FORMATS`, by default the one of the suffix of `out`.

    `model` is a catalogue's name, a network with its weight file, or, for the graphs `onnx`, `pt2` and `torchscript`, a
    module with a description. In a graph the batch norms are folded, with the epsilon of the preset; its metadata name
    the preset and what goes in and comes out. `decode` gives boxes (N, M, 4: left, top, right, bottom in pixels of the
    input) and scores (N, M, classes) as the evaluation decodes them; `nms` one list of boxes, scores, classes and
    images after the preset's NMS (ONNX only). `dynamic` frees the batch, and height and width in steps where the
    network allows it. `names` is a file of the classes' names for the metadata. `check` runs the file beside torch
    on a drawn picture; the result has the differences.

    `mmdet-backbone` and `yolox-backbone` write the backbone of a CSPDarknet classifier's file; `model` is that
    classifier, or the YOLOX that begins with it. `prefix` is the beginning of the names in a whole detector; `pixels`,
    "imagenet" or "darknet", what the classifier was trained on, to be folded into the first convolution.

    Raises `UsageError` for what the format or the model does not have, for a file that exists (unless `force`) and for
    a model without weights, `WeightsError` for a file that does not fit.
    """
    path = argument_path("out", out)
    form = format_of(to, path)
    options = GraphOptions(preset, conf, names, decode, nms, dynamic)
    if form not in GRAPHS and options.given:
        raise UsageError(
            "usage.not-a-graph-option",
            f"the format {form} has no {' and no '.join(options.given)}",
            expected=f"{', '.join(GRAPHS)}, which contain a graph",
            found=form,
            remedy="Leave it out, or choose another --to",
        )
    given = {"prefix": not prefix, "pixels": pixels is not None}
    if form not in BACKBONES and any(given.values()):
        raise UsageError(
            "usage.not-a-backbone-option",
            f"the format {form} has no {' and no '.join(name for name, named in given.items() if named)}",
            expected=", ".join(BACKBONES),
            found=form,
            remedy="Leave it out, or choose another --to",
        )
    if path.exists() and not force:
        raise UsageError(
            "usage.file-exists",
            "there is a file already",
            where=str(path),
            remedy="Name another with --out, or replace it with --force",
        )
    if form in BACKBONES:
        from cspbench.export.backbone import write_backbone

        if not isinstance(model, str):
            raise _not_listed(form, model)
        return write_backbone(model, weights, path, form, prefix=prefix, pixels=pixels, ema=ema, check=check)
    network: Architecture | None = None
    if isinstance(model, Network | str):
        network = registry.model(model).architecture() if isinstance(model, str) else model
    if form == "cfg" and network is not None:
        from cspbench.export.other_files import write_cfg

        network = layered(network)
        return write_cfg(network.resized(*size) if size else network, path, check)
    if network is None and form not in GRAPHS:
        raise _not_listed(form, model)
    if network is None:
        return write_graph(subject_of(model, weights, size, ema), path, form, options, (), check)
    file = weight_file(network, weights)
    if file is None:
        raise _no_weights(network)
    if form in GRAPHS:
        places = [Path(place.rpartition(":")[0]) for place in network.places[:1]]
        subject = subject_of(network, file, size, ema)
        return write_graph(subject, path, form, options, [*places, file] if weights else places, check)
    from cspbench.export.other_files import write_weights

    network = layered(network)
    return write_weights(network, open_weights(file, network, ema=ema), path, cast("Form", form), check)


def _no_weights(network: Architecture) -> UsageError:
    if network.places:
        return cfg_without_weights(network.name)
    return no_weights([network.name], "the bundled sample-csp-classifier and sample-csp-detector need none")


def _not_listed(form: str, model: object) -> UsageError:
    return UsageError(
        "usage.not-a-layer-list",
        f"a module cannot be written as {form}",
        expected="a model of the catalogue, or a network of a cfg file",
        found=type(model).__name__,
        remedy=f"Use one of {', '.join(GRAPHS)}, or save its state_dict",
    )
