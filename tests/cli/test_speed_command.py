"""`cspbench speed`: what it prints and stores, and how it refuses."""

from __future__ import annotations

import csv
import inspect
import io
import json
from pathlib import Path
from typing import Any

import pytest
from coco_runs import command
from processes import run
from refusals import error_of, refuses

from cspbench.cli.choices import Arithmetic
from cspbench.cli.inference import speed as module
from cspbench.results.speeds.record import Setting, Speeds
from cspbench.results.store import read_record
from cspbench.speed.measure import SECONDS

SAMPLE = ("sample-csp-classifier", "sample-csp-detector")
QUICK = ("--seconds", "1e-9", "-b", "1", "--device", "cpu")


def test_the_command_as_a_process(tmp_path: Path) -> None:
    arguments = ["speed", *SAMPLE, *QUICK, "--format", "json", "--save", "--results", str(tmp_path)]
    done = run(arguments)
    assert (done.returncode, f"wrote {tmp_path / 'speed.json'}" in done.stderr) == (0, True)
    (document,) = json.loads(done.stdout)
    assert [timing["model"] for timing in document["times"]] == [*SAMPLE]
    (ratio,) = document["ratios"]
    assert (ratio["above"], ratio["claimed"], ratio["rounds"]) == ("sample-csp-detector 224×224", [], 3)
    (stored,) = read_record(tmp_path / "speed.json", Speeds).runs
    assert stored.session.command[:2] == ["cspbench", "speed"]
    assert str(tmp_path) not in " ".join(stored.session.command)


def test_every_format(tmp_path: Path) -> None:
    cfg = tmp_path / "mine.cfg"
    cfg.write_text(
        "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=10\nsize=1\nactivation=linear\n[avgpool]\n"
    )
    for form in ("md", "csv", "latex", "rich"):
        done = command("speed", "--cfg", cfg, *QUICK, "--format", form)
        assert done.exit_code == 0
        assert "mine" in done.stdout
    lines = list(csv.DictReader(io.StringIO(command("speed", cfg, *QUICK, "--format", "csv").stdout)))
    assert [line["stage"] for line in lines] == ["network", "boxes", "images"]


def test_the_default_time_is_the_librarys() -> None:
    assert inspect.signature(module.speed).parameters["seconds"].default == SECONDS


def test_settings_of_the_options() -> None:
    both = [Arithmetic.FP32, Arithmetic.BF16]
    assert module._settings("auto", [Arithmetic.FP32], False) == [Setting(), Setting(batch="best")]
    assert module._settings("8", [*both, Arithmetic.FP32], True) == [
        Setting("fp32", False, 8),
        Setting("fp32", True, 8),
        Setting("bf16", False, 8),
        Setting("bf16", True, 8),
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["yolov3-tiny", "--table", "coco-cpu"], "usage.not-together"),
        (["--table", "coco-cpu", "--cfg", "a.cfg"], "usage.not-together"),
        (["--table", "imagenet-big"], "usage.no-frame-rates"),
        (["--table", "nothing"], "usage.unknown-table"),
        (["--size", "64"], "usage.needs-model"),
        (["coco-necks:panet-spp-rfb-ciou-512"], "usage.undefined-network"),
        (["no-such-model"], "usage.unknown-model"),
        (["missing.cfg"], "cfg.unreadable"),
        (["sample-csp-classifier", "-b", "0"], "usage.number-or-auto"),
        (["sample-csp-classifier", "-b", "many"], "usage.number-or-auto"),
        (["sample-csp-classifier", "--seconds", "0"], "usage.seconds"),
        (["sample-csp-classifier", "--device", "nothing"], "usage.device"),
        (["sample-csp-classifier", "-m", "yolov3-tiny"], "usage.named-twice"),
    ],
)
def test_refusals(arguments: list[str], code: str) -> None:
    with refuses(code):
        error: Any = command("speed", *arguments).exception
        raise error


def test_a_refusal_is_one_line() -> None:
    done = run(["speed", "coco-necks:panet-spp-rfb-ciou-512"])
    assert (done.returncode, error_of(done), done.stdout, len(done.stderr.splitlines())) == (
        *(2, "usage.undefined-network", ""),
        1,
    )
    done = run(["speed", "sample-csp-classifier", "--precision", "fp8"])
    assert (done.returncode, error_of(done)) == (2, "usage.option")
