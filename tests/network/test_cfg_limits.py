"""How much a cfg file may hold: the last value that is read and the first that is not; and keys read in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.network import cfg
from cspbench.network.cfg.parser import Section, split
from cspbench.network.layers import Route, Yolo

NET = "[net]\nchannels=6\nheight=4\nwidth=8\n"
INT = 2**31 - 1
LARGEST_FILE = 16 * 2**20
"""Bytes."""
LARGEST_LIST = 4096
MOST_NOTES = MOST_WARNINGS = 1000


def section(text: str) -> Section:
    (result,) = split(f"[net]\n{text}\n", "x.cfg")
    return result


ONE: tuple[Callable[[Section], object], ...] = (
    lambda found: found.integer("key"),
    lambda found: found.real("key", 0.5),
    lambda found: found.flag("key"),
)
LISTS: tuple[Callable[[Section], object], ...] = (
    lambda found: found.integers("key", "any"),
    lambda found: found.reals("key", "any"),
)


@pytest.mark.parametrize("value", [INT, -INT, 0, 1, -1])
def test_integers_of_32_bits(value: int) -> None:
    assert section(f"key={value}").integer("key") == value
    assert section(f"key={value}").integers("key", "any") == [value]
    assert section(f"key={value}.0").real("key", 0.5) == value
    assert section("other=1").integer("key", 7) == 7
    assert section("other=1").real("key", 0.5) == 0.5
    assert section("other=1").text("key", "none") == "none"
    assert section(f"key={value}").flag("key") is (value != 0)


@pytest.mark.parametrize("value", [str(INT + 1), str(-INT - 1), "9" * 31, "9" * 32, "-" + "9" * 5000])
def test_no_larger_ones(value: str) -> None:
    for read in (*ONE, *LISTS):
        with refuses("cfg.out-of-range", where="x.cfg:2"):
            read(section(f"key={value}"))


@pytest.mark.parametrize("value", ["", "-", "+", ".", "e5", "x1", "--1", "nan", "inf"])
def test_what_is_not_a_number(value: str) -> None:
    for read in ONE[:2]:
        with refuses("cfg.bad-value", where="x.cfg:2", found=repr(value)):
            read(section(f"key={value}"))


@pytest.mark.parametrize(
    ("value", "number"), [(".5", 0.5), ("1.", 1.0), ("-1.5e1", -15.0), ("+2e-1", 0.2), ("1e", 1.0), ("3.5.5", 3.5)]
)
def test_reals_begin_as_c_reads_them(value: str, number: float) -> None:
    assert section(f"key={value}").real("key", 0.0) == number


def test_a_key_without_default_is_missed() -> None:
    for read in (ONE[0], *LISTS):
        with refuses("cfg.missing-key", where="x.cfg:1", found="nothing"):
            read(section("other=1"))


@pytest.mark.parametrize("end", ["", ","])
def test_the_longest_list(end: str) -> None:
    body = f"{NET}[dropout]\n[route]\nlayers="
    result = cfg.parse(body + ",".join(["0"] * LARGEST_LIST) + end, "net").network.layers[1]
    assert result == Route(sources=(0,) * LARGEST_LIST)
    with refuses("cfg.list-too-long", where="net.cfg:7, layer 1 [route]"):
        cfg.parse(body + ",".join(["0"] * (LARGEST_LIST + 1)) + end, "net", "net.cfg")


def anchors(text: str) -> list[tuple[float, float]]:
    layer = cfg.parse(text, "net").network.layers[0]
    assert isinstance(layer, Yolo)
    return list(layer.anchors)


@pytest.mark.parametrize("count", [1, 2, 1024])
def test_the_most_anchors(count: int) -> None:
    net = f"[net]\nchannels=6\nheight=4\nwidth=8\n[yolo]\nmask=0\nclasses=1\nnum={count}\n"
    assert anchors(net) == [(0.5, 0.5)] * count
    values = ",".join(str(each) for each in range(1, 2 * count + 1))
    assert anchors(f"{net}anchors={values}\n")[-1] == (2 * count - 1, 2 * count)
    short = values.rpartition(",")[0]
    if short:
        assert anchors(f"{net}anchors={short}\n")[-1] == (2 * count - 1, 0.5)


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_no_more_anchors(count: int) -> None:
    for kind in ("yolo", "Gaussian_yolo", "region"):
        with refuses("cfg.out-of-range", expected="1 to 1024", found=str(count)):
            cfg.parse(f"{NET}[{kind}]\nclasses=1\nnum={count}\n", "net")


def test_the_largest_file(tmp_path: Path) -> None:
    path = tmp_path / "net.cfg"
    body = f"{NET}[dropout]\n#".encode()
    path.write_bytes(body.ljust(LARGEST_FILE, b"x"))
    assert len(cfg.read(path).network.layers) == 1
    path.write_bytes(body.ljust(LARGEST_FILE + 1, b"x"))
    with refuses("cfg.file-too-large", where=str(path)):
        cfg.read(path)


def unknown(count: int) -> tuple[str, ...]:
    keys = "".join(f"key{at}=1\n" for at in range(count))
    return cfg.parse(f"{NET}[dropout]\n{keys}", "net", "net.cfg").warnings


def test_the_most_warnings() -> None:
    assert unknown(0) == ()
    assert len(unknown(MOST_WARNINGS)) == MOST_WARNINGS
    assert all("unknown key" in each for each in unknown(MOST_WARNINGS))
    more = unknown(MOST_WARNINGS + 1)
    assert more[:-1] == unknown(MOST_WARNINGS)
    assert "unknown key" not in more[-1]
    assert unknown(MOST_WARNINGS + 1000) == more


def test_the_most_notes() -> None:
    for count in (MOST_NOTES - 1, MOST_NOTES, MOST_NOTES + 1, MOST_NOTES + 1000):
        result = section("".join(f"key{at}=1x\n" for at in range(count)))
        for at in range(count):
            assert result.integer(f"key{at}") == 1
        assert len(result.notes) == min(count, MOST_NOTES)


# what Darknet's parser reads for training (its parser.c), by the section that has it
TRAINING = {
    "net": """batch subdivisions max_crop min_crop angle aspect saturation exposure hue learning_rate momentum decay
    policy power burn_in max_batches steps scales scale step gamma mosaic cutmix mixup blur label_smooth_eps flip
    gaussian_noise mosaic_bound contrastive adversarial_lr attention ema_alpha optimized_memory
    workspace_size_limit_MB loss_scale time_steps track augment_speed sequential_subdivisions learning_rate_min
    sgdr_cycle sgdr_mult adam B1 B2 eps resize_step try_fix_nan dynamic_minibatch unsupervised use_cuda_graph
    max_chart_loss badlabels_rejection_percentage num_sigmas_reject_badlabels seq_scales letter_box""",
    "convolutional": """stopbackward onlyforward dontload dontloadscales learning_rate burnin_update clip cbn
    train_only_bn assisted_excitation""",
    "dropout": "dropblock_size_rel dropblock_size_abs dropblock probability",
    "yolo": """jitter resize ignore_thresh truth_thresh iou_thresh iou_loss iou_thresh_kind iou_normalizer
    cls_normalizer obj_normalizer delta_normalizer label_smooth_eps random max counters_per_class max_delta
    objectness_smooth focal_loss show_details embedding_layer sim_thresh track_history_size dets_for_track
    dets_for_show track_ciou_norm map""",
    "region": """rescore noobject_scale object_scale class_scale coord_scale absolute bias_match jitter
    thresh random max focal_loss""",
    "cost": "type scale",
    "crop": "flip angle saturation exposure shift",
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in TRAINING.items() for key in keys.split()])
def test_keys_of_training_are_read_in_silence(name: str, key: str) -> None:
    net = NET if name != "net" else f"{NET}{key}=0\n"
    body = f"[{name}]\n{key}=0\n" if name != "net" else "[dropout]\n"
    if name in ("yolo", "region"):
        body += "classes=1\n"
    warnings = cfg.parse(net + body, "net").warnings
    assert [warning for warning in warnings if key in warning and " has no " not in warning] == []


@pytest.mark.parametrize("key", ["filter", "Filters", "strides", "center_crop", "uc_normalizer", "beta1"])
def test_keys_of_nobody_are_not(key: str) -> None:
    (warning,) = cfg.parse(f"{NET}[dropout]\n{key}=1\n", "net", "net.cfg").warnings
    assert warning.startswith("net.cfg:6: ")
    assert key in warning
