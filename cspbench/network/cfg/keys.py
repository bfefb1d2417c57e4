"""The keys that Darknet reads in each section (spec: Darknet parser.c): any other key it ignores with a warning.

Those that no reader of ours uses affect training alone, and are passed over in silence.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from cspbench.errors import brief
from cspbench.network.cfg.parser import Section

_EVERY_LAYER = """clip onlyforward dont_update burnin_update stopbackward train_only_bn dontload dontloadscales
    learning_rate"""
_WINDOW = "stride stride_x stride_y size padding"
_YOLO = """classes num mask max anchors max_delta counters_per_class label_smooth_eps scale_x_y objectness_smooth
    iou_normalizer obj_normalizer cls_normalizer delta_normalizer iou_loss iou_thresh_kind beta_nms nms_kind jitter
    resize ignore_thresh truth_thresh iou_thresh random map"""
_LAYERS = {
    "activation": "activation",
    "avgpool": "",
    "batchnorm": "",
    "connected": "output activation batch_normalize",
    "contrastive": "classes yolo_layer temperature cls_normalizer max_delta contrastive_neg_max",
    "convolutional": """filters groups size stride stride_x stride_y dilation antialiasing pad padding activation
        assisted_excitation share_index batch_normalize cbn binary xnor bin_output sway rotate stretch stretch_sway
        flipped dot angle grad_centr reverse coordconv stream wait_stream""",
    "cost": "type scale ratio",
    "crop": "crop_height crop_width flip angle saturation exposure noadjust shift",
    "detection": """coords classes rescore num side softmax sqrt max coord_scale forced object_scale noobject_scale
        class_scale jitter resize random reorg""",
    "dropout": "probability dropblock dropblock_size_rel dropblock_size_abs",
    "empty": "",
    "Gaussian_yolo": f"{_YOLO} uc_normalizer yolo_point",
    "implicit": "mean std filters atoms",
    "local": "filters size stride pad activation",
    "local_avgpool": _WINDOW,
    "maxpool": f"{_WINDOW} maxpool_depth out_channels antialiasing maxpool_zero_nonmax",
    "normalization": "alpha beta kappa size",
    "region": """coords classes num max log sqrt softmax focal_loss jitter resize rescore thresh classfix absolute
        random coord_scale object_scale noobject_scale mask_scale class_scale bias_match tree map anchors""",
    "reorg": "stride reverse",
    "reorg3d": "stride reverse",
    "route": "layers groups group_id stream wait_stream",
    "sam": "from activation",
    "scale_channels": "from scale_wh activation",
    "shortcut": "from activation weights_type weights_normalization weights_normalizion",
    "softmax": "groups temperature tree spatial noloss",
    "upsample": "stride scale",
    "yolo": f"""{_YOLO} show_details new_coords focal_loss track_history_size sim_thresh dets_for_track dets_for_show
        track_ciou_norm embedding_layer""",
}
LAYERS = {name: frozenset(f"{keys} {_EVERY_LAYER}".split()) for name, keys in _LAYERS.items()}
"""By section of a layer. `weights_normalizion` is how Darknet spelt it until 2020-05-08."""
NET = frozenset(
    """max_batches batch learning_rate learning_rate_min sgdr_cycle sgdr_mult momentum decay subdivisions time_steps
    track augment_speed sequential_subdivisions try_fix_nan weights_reject_freq equidistant_point
    badlabels_rejection_percentage num_sigmas_reject_badlabels ema_alpha use_cuda_graph loss_scale dynamic_minibatch
    optimized_memory workspace_size_limit_MB adam B1 B2 eps height width channels inputs max_crop min_crop flip blur
    gaussian_noise mixup cutmix mosaic letter_box mosaic_bound contrastive contrastive_jit_flip contrastive_color
    unsupervised label_smooth_eps resize_step attention adversarial_lr max_chart_loss angle aspect saturation exposure
    hue power policy burn_in step scale steps scales seq_scales gamma show_receptive_field center""".split()
)
"""Of [net]; `center` is the original engine's."""


def closest(word: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The known word that may be meant by an unknown one, in upper or lower case."""
    if len(word) >= 40:
        return None
    lower = {name.lower(): name for name in known}
    similar = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=cutoff)
    return lower[similar[0]] if similar else None


def unknown(section: Section) -> Iterator[str]:
    """Warnings about the keys that Darknet does not read, with the key that may be meant."""
    known = LAYERS.get(section.name, NET)
    for key, place in section.unused(known):
        similar = closest(key, known, cutoff=0.75)
        meant = f"; did you mean {similar}?" if similar else ""
        yield f"{place}: unknown key {brief(key)} in {section.title} is ignored, as in Darknet{meant}"


def not_heeded(section: Section) -> Iterator[str]:
    """Warnings about the keys that make Darknet load a part of the weight file, which cspbench never does."""
    for key in ("dontload", "dontloadscales"):
        if key in section.keys and section.flag(key):
            yield f"{section.at(key)}: {key}= is ignored: all arrays of the layer are read from the weight file"
