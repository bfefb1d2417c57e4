"""Reads Darknet .cfg files: sections become layers (spec: Darknet parser.c).

Training keys are skipped; unknown keys give a warning, as in Darknet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from cspbench.errors import DefinitionError, printable
from cspbench.io import argument_path
from cspbench.network import cfg_sections
from cspbench.network.cfg_parser import Section, decode, sections
from cspbench.network.cfg_sections import READERS, SHORT
from cspbench.network.layers import Layer
from cspbench.network.network import Network
from cspbench.network.shortcut_checks import misfits

MOST_WARNINGS = 1000
# Keys that affect training only; Darknet reads them, so they give no warning.
_NET_TRAINING = frozenset(
    """batch subdivisions inputs max_crop min_crop center angle aspect saturation exposure hue learning_rate momentum
    decay policy power burn_in max_batches steps scales scale step gamma seq_scales mosaic cutmix mixup blur
    label_smooth_eps flip gaussian_noise mosaic_bound contrastive adversarial_lr attention ema_alpha
    optimized_memory workspace_size_limit_MB loss_scale time_steps track augment_speed sequential_subdivisions
    init_sequential_subdivisions num_sigmas_reject_badlabels learning_rate_min sgdr_cycle sgdr_mult adam B1 B2 eps
    try_fix_nan dynamic_minibatch unsupervised notruth use_cuda_graph max_chart_loss badlabels_reject_threshold
    resize_step contrastive_jit_flip contrastive_color letter_box""".split()
)
_LAYER_TRAINING = frozenset(
    """stopbackward onlyforward dontload dontloadscales learning_rate learning_rate_multiplier burnin_update clip
    train_only_bn time_limit receptive_w receptive_h cbn dropblock_size_rel dropblock_size_abs dropblock probability
    jitter resize ignore_thresh truth_thresh iou_thresh iou_loss iou_thresh_kind iou_normalizer cls_normalizer
    obj_normalizer delta_normalizer label_smooth_eps random max counters_per_class max_delta thresh
    objectness_smooth focal_loss show_details embedding_layer sim_thresh track_history_size dets_for_track
    dets_for_show track_ciou_norm coords rescore noobject_scale object_scale class_scale coord_scale absolute
    bias_match type scale flip angle saturation exposure shift coord_normalizer map weights_init
    assisted_excitation""".split()
)


@dataclass(frozen=True)
class Reading:
    """The network of a cfg file, and warnings about what Darknet ignores or reads differently."""

    network: Network
    warnings: tuple[str, ...]


def _warnings(net: Section, layers: list[Section]) -> Iterator[str]:
    yield from net.notes  # of all sections
    yield from net.unused(_NET_TRAINING)
    for section in layers:
        yield from section.unused(_LAYER_TRAINING)


def parse(text: str, name: str, file: str | None = None) -> Reading:
    """Parse cfg text into a network called `name`; messages mention `file`. Raises `DefinitionError`."""
    net, *rest = sections(text, printable(file or name))
    if net.name not in ("net", "network"):
        raise DefinitionError(
            "cfg.first-section",
            "the first section is not [net]",
            where=net.place,
            expected="[net] or [network]",
            found=net.title,
            remedy="Begin the file with [net]",
        )
    channels, height, width = (net.integer(key, expected="the input size") for key in ("channels", "height", "width"))
    letter_box = net.flag("letter_box")
    layers: list[Layer] = []
    for index, section in enumerate(rest):
        section.name = SHORT.get(section.name, section.name)
        if section.name not in READERS:
            raise DefinitionError(
                "cfg.unknown-layer",
                "unknown layer type",
                where=f"{section.place}, layer {index} {section.title}",
                expected=f"one of {', '.join(sorted(READERS))}",
                found=section.title,
                remedy="Remove the section, or use a network of supported layers",
            )
        try:
            layers.append(cfg_sections.read(section, index))
        except DefinitionError as error:
            error.where = f"{error.where or section.place}, layer {index} {section.title}"
            raise
    places = tuple(section.place for section in rest)
    network = Network(
        name, (channels, height, width), tuple(layers), letter_box=letter_box, origin=net.place, places=places
    )
    warnings = list(islice(chain(_warnings(net, rest), misfits(network)), MOST_WARNINGS + 1))
    if len(warnings) > MOST_WARNINGS:
        warnings[-1] = f"{net.file}: further warnings are omitted"
    return Reading(network, tuple(warnings))


def read(path: str | Path) -> Reading:
    """Read a cfg file; the network is named after the file."""
    path = argument_path("path", path)
    return parse(decode(path), printable(path.stem), str(path))
