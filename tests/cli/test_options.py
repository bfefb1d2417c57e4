"""Options mean the same in every command: each that several have is declared once, and old spellings still help."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from coco_runs import command
from processes import run
from refusals import error_of

from cspbench.cli import choices, options
from cspbench.cli.arguments import either, place_of_data
from cspbench.cli.catalogue import ENTRIES, function
from cspbench.errors import UsageError

HERE = Path(options.__file__).parent
OWN = {"--format", "--cfg", "--to"}
"""Options that a command may declare by itself beside those of `options`: HTML, what --migrate reads, old spellings."""


def commands() -> Iterator[tuple[str, Any]]:
    """(name, function) of every command."""
    for name in ENTRIES:
        command = function(name)
        yield from inner_commands(command, f"{name} ") if isinstance(command, typer.Typer) else [(name, command)]


def inner_commands(group: typer.Typer, path: str) -> Iterator[tuple[str, Any]]:
    for registered_command in group.registered_commands:
        assert registered_command.callback is not None
        yield (
            path + (registered_command.name or registered_command.callback.__name__.replace("_", "-")),
            registered_command.callback,
        )
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from inner_commands(inner.typer_instance, f"{path}{inner.name} ")


def declared() -> Iterator[tuple[str, str, Any]]:
    """(command, option, what declares it)."""
    for name, callback in commands():
        hints = get_type_hints(callback, include_extras=True)
        for parameter in inspect.signature(callback).parameters:
            for about in get_args(hints[parameter])[1:]:
                if isinstance(about, typer.models.OptionInfo):
                    # where a type is annotated the first spelling stands in the place of a default
                    for spelling in (about.default, *(about.param_decls or ())):
                        yield name, str(spelling), about


def test_an_option_of_several_commands_is_declared_once() -> None:
    homes = defaultdict(set)
    for _, spelling, about in declared():
        homes[spelling].add(id(about))
    several = {spelling for spelling, result in homes.items() if len(result) > 1}
    # one model or several; presets and tables of each task; thresholds, or whether an exported graph has them inside;
    # weights to evaluate, or to begin a training from; one precision, or several to be timed
    assert several - OWN == {"-m", "--model", "--preset", "--nms", "--weights", "--precision"}
    assert len(homes) > 50


@pytest.mark.parametrize(
    "name", ["params", "list", "show", "env", "compare", "score", "ci", "report", "speed", "weights verify"]
)
def test_every_printing_command_has_each_format(name: str) -> None:
    (about,) = [about for command, spelling, about in declared() if (command, spelling) == (name, "--format")]
    assert about is not None


def test_data_models_and_runs_are_named_alike_everywhere() -> None:
    have = defaultdict(set)
    for name, spelling, _ in declared():
        have[spelling].add(name)
    evaluating = {"eval-imagenet", "eval-coco"}
    assert have["--data"] >= {*evaluating, "score", "compare", "analyze", "data check imagenet", "data check coco"}
    assert (
        have["--model"]
        == have["-m"]
        >= {
            *evaluating,
            *("params", "show", "weights fetch", "weights verify", "weights convert"),
        }
    )
    assert have["--run"] == have["--run-dir"] == {*evaluating, "demo", "train", "study"}
    making = {"params", "report", "demo", "show", "eval-coco", "score", "export", "predict", "analyze"}
    assert have["--out"] == {*making, "weights convert", "weights fetch"}
    checking = {"data check imagenet", "data check coco", "data check darknet"}
    assert have["--limit"] == {*evaluating, *checking}
    assert have["--workers"] == {*evaluating, *checking, "train", "data draw"}
    assert have["--seed"] == {*evaluating, *checking, "data anchors", "train"}
    assert have["--decoder"] == {*evaluating, "predict"}


def test_choices_are_the_librarys() -> None:
    from cspbench.data import classes, decode, detection_presets, presets
    from cspbench.data.coco import source as coco
    from cspbench.detection.ap.average_precision import ENGINES
    from cspbench.inference import engine
    from cspbench.network.era import Era
    from cspbench.training.modular.recipe import Version
    from cspbench.weights import catalogue

    assert set(get_args(choices.Precision)) == set(get_args(engine.Precision)) == {*choices.Arithmetic}
    assert get_args(choices.Decoder) == decode.DECODERS
    assert get_args(choices.ClassOrder) == classes.ORDERS
    assert list(get_args(choices.ClassifierPreset)) == list(presets.PRESETS)
    assert list(get_args(choices.DetectorPreset)) == list(detection_presets.PRESETS)
    assert set(get_args(choices.AnyPreset)) == {*presets.PRESETS, *detection_presets.PRESETS}
    kinds = (*detection_presets.NMS_KINDS, "cfg", *detection_presets.CFG_NAMES)
    assert get_args(choices.NmsKind) == kinds
    assert get_args(choices.Split) == coco.SPLITS
    assert set(get_args(choices.Engine)) <= set(ENGINES)
    assert set(get_args(choices.Era)) == {*Era, *Version}
    assert catalogue.VARIABLE == options.WEIGHTS


def test_one_of_two_ways_to_name_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSPBENCH_COCO", "/variable")
    assert either("a", None, "--model") == either(None, "a", "--model") == "a"
    assert place_of_data("/a", None, "CSPBENCH_COCO") == place_of_data(None, "/a", "CSPBENCH_COCO") == "/a"
    assert place_of_data(None, None, "CSPBENCH_COCO") == "/variable"
    with pytest.raises(UsageError) as caught:
        either(["a", "b"], ["c"], "--model")
    assert (caught.value.code, caught.value.found) == ("usage.named-twice", "a, b and c")


def test_models_are_named_by_argument_or_option() -> None:
    for name in (["darknet53"], ["-m", "darknet53"], ["--model", "darknet53"]):
        assert command("show", *name).stdout.startswith("# darknet53")
        (row,) = json.loads(command("params", *name, "--layers", "--format", "json").stdout)
        assert row["model"] == "darknet53"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eval-imagenet", "--decoder", "libjpeg"], ["opencv", "pillow"]),
        (["eval-coco", "--engine", "faster-coco-eval"], ["cspbench", "pycocotools"]),
        (["eval-coco", "data", "--draw", "8", "pictures"], ["--draw N --out DIR"]),
    ],
)
def test_what_is_spelled_otherwise_now_says_so(arguments: list[str], words: list[str]) -> None:
    done = run(arguments)
    assert (done.returncode, error_of(done), done.stdout) == (2, "usage.option", "")
    for word in words:
        assert word in done.stderr


def test_old_spellings_that_still_work(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for old, new in (("--cfg", "a.cfg"), ("--plot", "a.svg")):
        files = [tmp_path / kind / new for kind in ("old", "new")]
        assert command("show", "resnet10", old, files[0]).exit_code == 0
        assert command("show", "resnet10", "--out", files[1]).exit_code == 0
        assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads(command("env", "--json").stdout) == json.loads(command("env", "--format", "json").stdout)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["eval-coco", "--plots", "--out", "o"], "--plots"),
        (["predict", "a.jpg", "--out", "--force"], "--out"),
        (["weights", "convert", "a.weights", "--to", "--out", "b"], "--to"),
        (["eval-coco", "--draw", "--fresh"], "--draw"),
    ],
)
def test_an_option_is_not_the_value_of_another(arguments: list[str], option: str) -> None:
    done = run(arguments)
    assert (done.returncode, error_of(done)) == (2, "usage.no-value")
    assert option in done.stderr


def test_no_module_of_the_command_line_is_long() -> None:
    """`options` may be longer: every shared option stands there."""
    lines = {path.name: len(path.read_text().splitlines()) for path in HERE.rglob("*.py")}
    assert lines.pop("options.py") <= 180
    assert {name: count for name, count in lines.items() if count > 150} == {}
