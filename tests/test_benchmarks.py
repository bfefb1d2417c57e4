"""The benchmarks run at the smallest sizes, and what they compare agrees where it must."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from refusals import refuses

from benchmarks import (
    augment,
    average_precision,
    coco,
    commands,
    floor,
    gpu,
    imagenet,
    measuring,
    nms,
    params,
    random_weights,
    resize,
    scaling,
    startup,
    sweep,
)
from benchmarks.__main__ import PARTS, busy, document
from benchmarks.commands import CSPBENCH, NO_SUCH_COMMAND, Command
from benchmarks.measuring import Finished, child, judged
from benchmarks.pictures import draw
from benchmarks.torchvision_operator import operator
from cspbench.claims import tables
from cspbench.detection.nms import nms as suppressed
from cspbench.network.builder import Builder
from cspbench.speed.hardware import processor


def columns(text: str) -> list[list[str]]:
    """The headers of a text's tables."""
    lines = text.splitlines()
    rules = [place for place, line in enumerate(lines) if line.startswith("| ---")]
    return [[cell.strip() for cell in lines[place - 1].split("|")[1:-1]] for place in rules]


def cells(text: str, first: str) -> list[str]:
    """The line of a table that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_child_tells_its_memory_and_what_it_said() -> None:
    large = child([sys.executable, "-c", "x = b'x' * 200_000_000; print('done')"])
    small = child([sys.executable, "-c", "raise SystemExit(3)"], (0, 3))
    assert large.output == "done\n"
    assert small.code == 3
    assert 150 < large.peak - small.peak < 250
    with refuses("benchmark.process-failed", expected="exit code 0", found="3: broken"):
        child([sys.executable, "-c", "import sys; print('broken', file=sys.stderr); sys.exit(3)"])


def test_calls_take_turns() -> None:
    order: list[str] = []
    result = measuring.in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 3
    assert {name: len(values) for name, values in result.items()} == {"a": 3, "b": 3}


def test_commands_are_compared_with_the_first_and_with_what_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((2.0, 0.5, 13.0, 4.0, 0.3, 11.0, 3.0, 0.4, 14.0))
    monkeypatch.setattr(commands, "missing", lambda given: [])
    monkeypatch.setattr(commands, "child", lambda words, codes: Finished(next(times), 100.0, 0, ""))
    slow = Command(("c",), seconds=12, times=6)
    some = {"base": Command(("a",)), "quick": Command(("b",), seconds=1), "slow": slow}
    text = commands.measured(some, 3)
    assert columns(text) == [["command", "seconds", "ratio", "peak MB", "target"]]
    assert cells(text, "`base`") == ["`base`", "3.00", "1.00", "100", "-"]
    assert cells(text, "`quick`") == ["`quick`", "0.40", "0.13", "100", "at most 1 s: met"]
    words = "at most 12 s: missed; at most 6 times the base: met"
    assert cells(text, "`slow`") == ["`slow`", "13.00", "4.33", "100", words]


def test_a_command_that_does_not_exist_is_named_and_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(words: tuple[str, ...], codes: tuple[int, ...] = (0,)) -> Finished:
        return Finished(1.0, 10.0, NO_SUCH_COMMAND if "later" in words else 0, "")

    monkeypatch.setattr(commands, "child", answer)
    some = {"cspbench list": Command((CSPBENCH, "list")), "cspbench later": Command((CSPBENCH, "later"))}
    text = commands.measured(some, 1)
    assert cells(text, "`cspbench list`")[1] == "1.00"
    assert cells(text, "`cspbench later`")[1:] == ["-", "-", "-", "not measured: no such command in this version"]


def test_every_promised_command_has_a_target() -> None:
    limits = {name: command.seconds for name, command in commands.COMMANDS.items() if command.seconds}
    words = {name.split()[1]: limit for name, limit in limits.items()}
    assert words == {"--help": 0.3, "list": 0.6, "report": 1, "ci": 1, "params": 12}
    assert [command.times for command in commands.COMMANDS.values() if command.times] == [3, 6]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # timm leaves its files to the collector
def test_both_sides_of_imagenet_predict_the_same(tmp_path: Path) -> None:
    setting = imagenet.Setting(images=4, batch=2, workers=0, side=32)
    folder, checkpoint = tmp_path / "val", tmp_path / "checkpoint.pth"
    draw(folder, setting.images)
    imagenet.make_checkpoint(checkpoint, folder, setting)
    runs = {
        "timm": [imagenet.timm_side(folder, checkpoint, setting)],
        "timm-last": [imagenet.timm_side(folder, checkpoint, setting, channels_last=True)],
        "cspbench": [imagenet.our_side(folder, checkpoint, setting)],
    }
    assert runs["timm"][0]["predicted"] == runs["cspbench"][0]["predicted"]
    assert len(set(runs["timm"][0]["predicted"])) > 1
    assert set(runs["cspbench"][0]["spent"]) == {"waiting", "forward", "interpreting", "writing"}
    for side, seconds in {"timm": 4.0, "timm-last": 3.2, "cspbench": 2.0}.items():
        runs[side][0]["seconds"] = seconds
    text = imagenet.report(json.loads(json.dumps(runs)), setting)
    assert columns(text) == [["", "images/s", "ratio", "runs", "target"]]
    assert cells(text, imagenet.SIDES["cspbench"])[1:] == ["2.00", "2.00", "2.00", "at least 1.7: met"]
    assert cells(text, imagenet.SIDES["timm-last"])[1:3] == ["1.25", "1.25"]
    assert "4 of 4 the same" in text
    runs["cspbench"][0]["predicted"][0] = -1
    assert "3 of 4 the same" in imagenet.report(runs, setting)
    assert judged("the same top-1", False) in imagenet.report(runs, setting)


def test_the_floor_counts_operations_and_bytes() -> None:
    b = Builder("two", (3, 8, 8))
    b.conv(4, 3)
    b.conv(4, 1)
    b.conv(4, 1)
    network = b.network()
    # maps of 4x8x8; 4*27 + 4*4 + 4*4 kernels, and 4 numbers of batch norm for each of 12 filters
    assert floor.moved(network, 2) == 4 * (2 * 2 * 3 * 256 + 140 + 48)
    assert sorted(floor.convolutions(network).values()) == [1, 2]
    turns = [floor.Turn(0.6, 0.5, [0.1, 0.2]), floor.Turn(1.2, 1.0, [0.3, 0.6]), floor.Turn(0.6, 0.5, [0.2, 0.2])]
    text = floor.floor(network, 2, turns, 0.001, quick=True)
    assert columns(text) == [["of an image", "ms", "share of the forward"]]
    assert cells(text, "the forward, measured")[1:] == ["500.0", "1.00"]
    assert cells(text, "decoding and preparing, on one core")[1:] == ["1.0", "0.00"]
    assert cells(text, "the evaluation, end to end")[1:] == ["600.0", "1.20"]
    assert cells(text, "its convolutions, one by one")[1:] == ["600.0", "1.20"]
    assert "has 100.0 % of the rate" in text
    assert "at least 90 %: met), the median of 83.3, 125.0, 100.0 %" in text
    assert "at least 90 %: missed" in floor.floor(network, 2, turns[:1], 0.001, quick=True)
    assert "3x3 to 4 filters on 3x8x8" in text


def test_what_the_floor_says() -> None:
    words = floor.bound(arithmetic=0.06, memory=0.01, together=0.07, forward=0.08, prepared=0.003)
    assert "bound by arithmetic, in the forward" in words
    assert "1.33 times as fast" in words
    assert "is 12 % of it" in words
    assert "more than 1.14 times" in words
    assert "bound by memory" in floor.bound(0.01, 0.02, 0.07, 0.08, 0.003)
    assert "bound by decoding" in floor.bound(0.06, 0.01, 0.07, 0.08, 0.1)


def test_training_pictures_are_compared_where_torchvision_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "transforms", lambda: None)
    text = augment.section(quick=True)
    assert columns(text) == [["pictures of 256 x 256", "ms a picture", "of cspbench's time"], ["part", "ms"]]
    assert cells(text, "cspbench, Darknet's")[2] == "1.00"
    assert "No comparison" in text


def test_the_resizes_are_of_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resize, "_functional", lambda: None)
    text = resize.section(quick=True)
    assert columns(text)[0][:3] == ["output", "resize", "ms"]
    lines = [line.split("|") for line in text.splitlines() if line.startswith(("| 256", "| 608"))]
    apart = {tuple(line[1:3]): line[5].strip() for line in lines}
    assert [value for (_, label), value in apart.items() if "cspbench" in label] == ["0.00", "0.00"]
    assert "cspbench is bound by" in text
    # the same picture, a little apart: Pillow's is antialiased
    assert all(0.5 < float(value) < 10 for (_, label), value in apart.items() if "Pillow" in label)


def test_the_steps_of_counting() -> None:
    spent = params.steps("imagenet-smoothing")
    assert (spent.pop("rows"), spent.pop("graphs"), spent.pop("processes")) == (2, 0, 1)
    assert list(spent) == list(params.STEPS)
    assert min(spent.values()) >= 0


def test_the_first_tables_have_92_rows() -> None:
    assert sum(len(tables.load(name).rows) for name in tables.matching(commands.FIRST)) == 92


def test_a_term_is_without_those_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((10.0, 11.0, 14.0, 20.0, 30.0, 31.0))
    monkeypatch.setattr("time.time", lambda: next(now))
    clock = startup.Clock(0.0)
    with clock.term("outer"), clock.term("inner"):
        pass
    with clock.term("inner"):
        pass
    assert clock.spent == {"outer": 7.0, "inner": 4.0}


def test_the_start_of_a_command_ends_with_its_first_batch() -> None:
    text = startup.section(quick=True)
    assert columns(text) == [["seconds", "eval-imagenet", "eval-coco"]]
    for name in startup.COMMANDS:
        assert f"`{name}`: " in text
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    terms = [float(line.split("|")[2]) for line in lines]
    assert sum(terms[:-1]) == pytest.approx(terms[-1], abs=0.06)  # nine rounded numbers


@pytest.mark.parametrize("kind", nms.KINDS)
def test_both_suppressions_keep_the_same(kind: str) -> None:
    image = nms.draw(kind, 300, classes=5)
    kept = suppressed(image, 0.45)
    assert 0 < kept.sum() < 300
    for suppress in filter(None, (nms.numpy_nms, operator()[0])):
        assert np.array_equal(nms.plain(image, 0.45, suppress), kept)


def test_suppression_is_held_against_its_target() -> None:
    text = nms.section(quick=True)
    assert columns(text)[0][5:7] == ["target", "kept"]
    assert cells(text, "crowds")[5].startswith("at least 5: ")
    assert "crowds: sorting " in text


def test_the_engines_of_ap_agree() -> None:
    text = average_precision.section(quick=True)
    assert columns(text)[0][-2:] == ["same twelve floats", "same curves"]
    assert cells(text, "cspbench")[-2:] == ["yes", "yes"]
    assert cells(text, "cspbench")[3].startswith("at least 8, same floats: ")
    assert "cspbench is bound by" in text


def test_a_sweep_gives_what_single_thresholds_give() -> None:
    text = sweep.section(quick=True)
    assert columns(text)[0][3:] == ["six / one", "times as fast as six runs"]
    assert "The sweep's numbers are the same as" in text
    assert "Six are bound by" in text
    source, images = sweep.candidates(3, 20)
    assert (len(source), [len(image) for image in images]) == (3, [20, 20, 20])


def test_whole_runs_are_held_against_the_target() -> None:
    def run(seconds: float, ap: float) -> Finished:
        said = "cspbench: a: 4 images, waiting 1.0 s, forward 6.0 s, interpreting 0.5 s, writing 0.5 s\n"
        return Finished(seconds, 100.0, 0, json.dumps([{"thresholds": [{"ap": {"ap": ap}}]}]), said)

    after = {
        1: {"suppression": 0.1, "AP": 0.2, "candidates": 30.0},
        6: {"suppression": 0.4, "AP": 1.2, "candidates": 30},
    }
    runs = {1: [run(10, 7.5), run(30, 7.5), run(9, 7.5)], 6: [run(12, 7.5), run(13, 7.5), run(11, 7.5)]}
    result = coco.Measured(coco.Case("net", 2, 2), runs, after)
    text = coco.report([result], 3)
    assert cells(text, "net")[1:] == ["4", "30", "10.00", "12.00", "1.20", "at most 1.25: met", "yes"]
    shares = {name: round(value, 6) for name, value in result.shares(1).items()}
    spent = {"waiting": 1, "forward": 6, "interpreting": 0.5, "writing": 0.5, "suppression": 0.1, "AP": 0.2}
    assert shares == {**spent, "rest": 1.7}
    assert "net: bound by the network's arithmetic, 60 % of one threshold's time" in text
    assert "five more thresholds add 0.30 s of suppression and 1.00 s of AP" in text
    runs[6] = [run(13, 7.6)] * 3
    text = coco.report([result], 3)
    assert cells(text, "net")[-2:] == ["at most 1.25: missed", "no"]


def test_drawn_photographs_are_a_set_of_cocos_categories(tmp_path: Path) -> None:
    from cspbench.data.coco.source import open_coco
    from cspbench.detection.collect import categories_of

    coco.photographs(tmp_path, 2)
    source = open_coco(tmp_path, None)
    assert len(source) == 2
    assert len(categories_of(source)) == 80
    assert source.ground_truth is not None
    assert len(source.ground_truth.boxes) == 2 * coco.OBJECTS


def test_a_busy_machine_is_told_loudly() -> None:
    assert busy(0.5) is None
    words = busy(1.33)
    assert words is not None
    assert words.startswith("**The machine was not idle: 1.33 processes")
    assert words in document([["load before", "1.33"]], {}, words)


def test_without_a_gpu_nothing_is_measured_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.section(quick=False) == "no GPU here: not measured."


def test_what_is_measured_on_a_gpu(tmp_path: Path) -> None:
    """On the CPU, with a small network: the forward, and whole evaluations of pictures in memory."""
    import torch

    setting = gpu.Setting(images=300, batch=64, workers=0, steps=2, repeats=2, precision="fp32", compiled=False)
    b = Builder("small", (3, 8, 8))
    b.conv(4, 3, stride=2)
    b.avgpool()
    b.conv(10, activation="linear", batch_normalize=False)
    network = b.network()
    engine = gpu.engine_of(network, torch.device("cpu"), setting)
    rates = gpu.forward_rates(engine, network, setting), gpu.evaluation_rates(engine, network, setting)
    assert [len(each) for each in rates] == [2, 2]
    assert all(rate > 0 for each in rates for rate in each)
    images = gpu.InMemory(network, 300)
    assert torch.equal(images[3].pixels, images[3 + gpu.DIFFERENT].pixels)
    assert not torch.equal(images[3].pixels, images[4].pixels)
    text = gpu.report("a card", [900.0, 1000.0, 2000.0], [800.0], {"eval-imagenet": True, "eval-coco": False}, setting)
    assert cells(text, "a whole evaluation, decoded pictures in memory")[1:] == ["800", "0.80"]
    assert text.startswith("a card. CSPDarkNet-53, 256x256, fp32, channels last, not compiled, batch 64, 300 images")
    assert "eval-imagenet --sample: the same: met; eval-coco --sample: the same: missed" in text


@pytest.mark.parametrize(("command", "found"), [("eval-imagenet", 2), ("eval-coco", 2)])
def test_metrics_are_taken_from_a_whole_command(
    command: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "eval-imagenet": [{"top1": {"correct": 3}, "top5": {"correct": 4}, "run": "x"}],
        "eval-coco": [{"thresholds": [{"ap": {"ap": 1.0}, "nms": 0.45}, {"ap": {"ap": 2.0}, "nms": 0.5}]}],
    }
    asked: list[list[str]] = []

    def answer(words: list[str], codes: tuple[int, ...]) -> Finished:
        asked.append(words)
        return Finished(1.0, 1.0, 0, json.dumps(told[command]))

    monkeypatch.setattr(gpu, "child", answer)
    assert len(gpu.metrics(command, "cuda", tmp_path)) == found
    assert asked[0][3:7] == [command, "--sample", "--device", "cuda"]


def test_scaling_holds_memory_against_the_first() -> None:
    result = iter(((1.0, 100.0), (1.3, 105.0), (9.0, 130.0), (0.9, 90.0), (1.2, 110.0), (2.5, 120.0)))
    asked: list[int] = []

    def run(images: int) -> Finished:
        asked.append(images)
        return Finished(*next(result, (2.0 if images > 100 else 5.0, 1.0)), 0, "")

    rows = scaling._rows("eval", scaling.in_turns([10, 40, 160], run, 3), flat=True)
    assert asked == [10, 40, 160] * 3
    assert rows[0][1:] == [10, "1.00", None, "100", "1.00", None]
    assert rows[1][3:] == ["10.00", "110", "1.10", "at most 1.2 times the first: met"]
    assert rows[2][3:] == ["10.00", "130", "1.30", "at most 1.2 times the first: missed"]


def test_random_weights_stand_in_for_those_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cspbench.weights import catalogue
    from cspbench.weights.opening import open_weights
    from cspbench.zoo.registry import model

    monkeypatch.setattr(catalogue, "shipped", lambda name: None)
    path = random_weights.weights(scaling.DETECTOR, tmp_path)
    arrays = open_weights(path, model(scaling.DETECTOR).build()).arrays
    assert path.parent == tmp_path
    last = [array["bias"].reshape(3, 15) for array in arrays if "bias" in array and "scale" not in array]
    # of each of three anchors: where and how large it is, objectness, ten classes
    lines = [bias[anchor].tolist() for bias in last for anchor in range(3)]
    assert lines == [pytest.approx([0] * 4 + [random_weights.OBJECTNESS] + [random_weights.CLASSES] * 10)] * 6


def test_the_file_has_every_part_under_its_heading() -> None:
    text = document([["processor", processor()]], dict.fromkeys(PARTS, "words"))
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {title} (`benchmarks/{name}.py`)" for name, title in PARTS.items()
    ]
    assert cells(text, "processor")[1]
    assert all((measuring.ROOT / "benchmarks" / f"{name}.py").is_file() for name in PARTS)
