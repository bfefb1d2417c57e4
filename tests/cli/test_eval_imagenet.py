"""eval-imagenet, score and compare as processes, on drawn images and on real ones."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from faults import staged
from faults.commands import PATIENCE, until_stopped
from PIL import Image
from processes import run
from refusals import error_of

from cspbench.inference.shards import Shards
from cspbench.network.builder import Builder
from cspbench.network.cfg.writer import write as cfg_text
from cspbench.weights.darknet import write as write_weights

WNIDS = ("n01440764", "n01443537", "n01484850", "n03000684")
MAIN = [sys.executable, "-m", "cspbench"]


@dataclass(frozen=True)
class Sample:
    """A drawn data set of `count` images and a random classifier for it."""

    data: Path
    cfg: Path
    weights: Path
    count: int

    def arguments(self, *more: str) -> list[str]:
        return ["eval-imagenet", str(self.data), "--cfg", str(self.cfg), "--weights", str(self.weights), *more]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    rng = np.random.default_rng(0)
    count = 600
    for index in range(count):
        path = folder / "val" / WNIDS[index % 4] / f"{index:04d} é.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 20 + index % 9, 3), np.uint8)).save(path)
    b = Builder("small", (3, 16, 16))
    b.conv(8, 3, stride=2)
    b.avgpool()
    b.conv(1000, activation="linear", batch_normalize=False)
    b.softmax()
    network = b.network()
    arrays = []
    for index in range(len(network.layers)):
        arrays.append(
            {
                array.role: rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
                * (np.float32(1) if array.role == "variance" else rng.choice([-1, 1], array.shape).astype(np.float32))
                for array in network.weights(index)
            }
        )
    (folder / "small.cfg").write_text(cfg_text(network))
    write_weights(folder / "small.weights", network, arrays)
    return Sample(folder / "val", folder / "small.cfg", folder / "small.weights", count)


def metrics(folder: Path) -> bytes:
    (path,) = folder.glob("*/metrics.json")
    return path.read_bytes()


@pytest.fixture(scope="module")
def finished(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one undisturbed run."""
    folder = tmp_path_factory.mktemp("finished")
    done = run(sample.arguments("--run", "runs", "--format", "json"), folder)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["images"] == 600
    assert result["identity"]["preset"]["name"] == "readme"
    assert result["top1"]["total"] == 600
    return folder / "runs"


def test_predictions_are_those_of_the_network_alone(sample: Sample, finished: Path) -> None:
    import torch

    from cspbench.data.classes import places
    from cspbench.data.presets import preset
    from cspbench.network.cfg import read
    from cspbench.network.module import to_module
    from cspbench.weights.darknet import read as read_weights
    from cspbench.weights.loading import load

    network = read(sample.cfg).network
    module = load(to_module(network), network, read_weights(sample.weights, network))
    right = 0
    for path in sorted(sample.data.glob("*/*.png")):
        pixels = preset("readme").load(path.read_bytes(), (16, 16), path.name)
        with torch.no_grad():
            best = int(module(torch.from_numpy(pixels)[None]).flatten().argmax())
        right += best == places("darknet")[path.parent.name]
    assert json.loads(metrics(finished))["top1"]["correct"] == right


def test_two_processes_make_the_same_bytes(sample: Sample, finished: Path, tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = run(sample.arguments("--run-dir", "runs", "-j", "0"), tmp_path, [*launcher, "-m", "cspbench"])
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path / "runs") == metrics(finished)
    assert done.stdout.count("| small |") == 1


def test_a_killed_run_resumes_to_the_same_bytes(sample: Sample, finished: Path, tmp_path: Path) -> None:
    arguments = sample.arguments("--run", "runs", "-b", "1", "-j", "0")
    process = subprocess.Popen(
        [*MAIN, *arguments],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "CI": "1"},
    )
    shards = tmp_path / "runs"
    deadline = time.monotonic() + PATIENCE
    while not list(shards.glob("*/predictions/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = sorted(shards.glob("*/predictions/*.npz"))
    assert kept
    times = [path.stat().st_mtime_ns for path in kept]
    done = run(sample.arguments("--run", "runs", "-j", "2"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert metrics(shards) == metrics(finished)
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_an_interrupted_run_says_how_to_go_on(sample: Sample, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, staged.__file__, *sample.arguments("--run", "runs", "-b", "1", "-j", "0", "--fresh")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CI": "1", "OMP_NUM_THREADS": "1"},
        # a suite that runs in the background hands down that interrupts are ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until_stopped(process.pid)
    assert list(tmp_path.glob("runs/*/predictions/*.npz"))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, words = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, words
    assert re.search(r"interrupted; 256 of \d+ images are kept in runs/", words)
    (again,) = [line for line in words.splitlines() if "eval-imagenet" in line]
    assert again.endswith("-b 1 -j 0")  # and without --fresh
    assert "Traceback" not in words


def test_score_needs_no_network(finished: Path, tmp_path: Path) -> None:
    before = metrics(finished)
    (path,) = finished.glob("*/metrics.json")
    path.unlink()
    code = (
        "import sys\nfrom cspbench.cli.app import app\n"
        f"try:\n    app(['score', {str(finished)!r}])\nexcept SystemExit:\n    pass\n"
    )
    done = run(["-c", code], tmp_path, [sys.executable])
    assert "| small |" in done.stdout, done.stderr
    assert metrics(finished) == before


def test_compare_is_paired(sample: Sample, finished: Path, tmp_path: Path) -> None:
    done = run(sample.arguments("--run", "runs", "--preset", "pjreddie"), tmp_path)
    assert done.returncode == 0, done.stderr
    (first,) = finished.glob("*/")
    (second,) = (tmp_path / "runs").glob("*/")
    done = run(["compare", str(first), str(second), "--json"], tmp_path)
    result = json.loads(done.stdout)
    assert result["both"] + result["only_first"] + result["only_second"] + result["neither"] == 600
    assert len(result["flipped"]) == result["only_first"] + result["only_second"]
    assert list(result["right"]) == result["flipped"]
    assert sorted(result["right"].values()) == ["A"] * result["only_first"] + ["B"] * result["only_second"]
    assert result["both"] + result["only_first"] == result["top1"][0]["correct"]
    part = run(sample.arguments("--run", "part", "--limit", "10%"), tmp_path)
    assert part.returncode == 0, part.stderr
    (third,) = (tmp_path / "part").glob("*/")
    done = run(["compare", str(first), str(third)], tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.different-images")
    assert "McNemar p = 1" in run(["compare", str(first), str(first)], tmp_path).stdout


def test_unreadable_images_count_as_wrong_and_are_named(sample: Sample, tmp_path: Path) -> None:
    data = tmp_path / "val"
    for number, path in enumerate(sorted(sample.data.glob("n01440764/*"))[:6]):
        target = data / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes() if number > 1 else path.read_bytes()[: 60 * number])
    arguments = ["eval-imagenet", str(data), "--cfg", str(sample.cfg), "--weights", str(sample.weights)]
    done = run([*arguments, "--format", "json"], tmp_path)
    assert done.returncode == 4, done.stderr
    (result,) = json.loads(done.stdout)
    assert (result["top1"]["total"], len(result["bad"])) == (6, 2)
    assert done.stderr.count("could not be read and counts as wrong") == 2
    again = run([*arguments, "--allow-bad", "2"], tmp_path)
    assert again.returncode == 0, again.stderr
    assert "small: 6 of 6 images predicted on " in again.stderr  # nobody has touched the unreadable ones
    for path in sorted(sample.data.glob("n01440764/*"))[:2]:
        (data / path.parent.name / path.name).write_bytes(path.read_bytes())
    repaired = run(arguments, tmp_path)  # resumed: the repaired images are read again
    assert repaired.returncode == 0, repaired.stderr
    assert "small: 2 image files have changed since" in repaired.stderr


def test_explain_names_the_steps(sample: Sample, tmp_path: Path) -> None:
    arguments = sample.arguments("--explain", "--limit", "16", "--preset", "head", "-b", "5", "--format", "csv")
    done = run(arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].startswith("small,head,nothing,")
    for step in ("decoder", "resize", "crop", "order", "epsilon", "normalisation", "class order sorted"):
        assert any(f",{step}," in line for line in lines)
    assert not (tmp_path / "runs").exists()


def test_flips_are_counted_on_the_same_images(sample: Sample, tmp_path: Path) -> None:
    arguments = sample.arguments("--limit", "64", "--precision", "bf16", "--flips")
    done = run(arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    folders = {json.loads((each / "run.json").read_text())["identity"]["precision"]: each for each in runs_of(tmp_path)}
    top = [Shards(folders[name], 64).read(0)["classes"][:, 0] for name in ("fp32", "bf16")]
    changed = int((top[0] != top[1]).sum())
    assert changed > 0
    assert f"; another top-1 class on {changed} of 64 images" in done.stdout
    assert "| A | small (readme, fp32, small-readme" in done.stdout
    assert "| B | small (readme, bf16, small-readme" in done.stdout
    again = run(["compare", str(folders["fp32"]), str(folders["bf16"]), "--json"], tmp_path)
    assert json.loads(again.stdout)["changed"] == changed


def runs_of(folder: Path) -> list[Path]:
    return sorted((folder / "runs").iterdir())


def test_flips_need_another_precision_than_fp32(sample: Sample, tmp_path: Path) -> None:
    done = run(sample.arguments("--flips"), tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.flips-of-fp32")
    assert not (tmp_path / "runs").exists()


FILES = ["--cfg", "CFG", "--weights", "WEIGHTS"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["-m", "csdarknet53"], 2, "usage.no-data"),
        (["--sample", "DATA"], 2, "usage.sample-and-data"),
        (["--sample", "--data", "DATA"], 2, "usage.sample-and-data"),
        (["DATA"], 2, "usage.no-weights"),
        (["DATA", "--cfg", "CFG"], 2, "usage.cfg-without-weights"),
        (["DATA", "-m", "csresnext50*", "--weights", "WEIGHTS"], 2, "usage.one-model"),
        (["DATA", "-m", "csresnxt"], 2, "usage.unknown-model"),
        (["DATA", "-m", "csresnext50", "--weights", "WEIGHTS"], 3, "weights.too-short"),
        (["DATA", "-m", "yolov3-tiny", "--weights", "WEIGHTS"], 2, "usage.other-task"),
        (["DATA", "--cfg", "CFG", "--weights", "missing.weights"], 3, "weights.unreadable"),
        (["DATA", *FILES, "-b", "none"], 2, "usage.number-or-auto"),
        (["DATA", *FILES, "-b", "0"], 2, "usage.number-or-auto"),
        (["DATA", *FILES, "--limit", "0"], 2, "usage.limit"),
        (["DATA", *FILES, "--device", "tpu"], 2, "usage.device"),
        (["DATA", *FILES, "--data", "DATA"], 2, "usage.named-twice"),
        (["nowhere", *FILES], 3, "imagenet.not-a-data-set"),
    ],
)
def test_mistakes_get_one_line(sample: Sample, tmp_path: Path, arguments: list[str], exit_code: int, code: str) -> None:
    places = {"DATA": str(sample.data), "CFG": str(sample.cfg), "WEIGHTS": str(sample.weights)}
    done = run(["eval-imagenet", *(places.get(argument, argument) for argument in arguments)], tmp_path)
    assert (done.returncode, error_of(done)) == (exit_code, code), done.stderr
    assert (done.stderr.count("\n"), done.stdout) == (1, "")


@pytest.mark.parametrize(
    "more",
    [["--preset", "caffe"], ["--decoder", "libjpeg"], ["--precision", "int8"], ["--classes", "x"], ["--seed", "-1"]],
)
def test_choices_are_named(sample: Sample, tmp_path: Path, more: list[str]) -> None:
    done = run(sample.arguments(*more), tmp_path)
    assert (done.returncode, error_of(done), done.stdout) == (2, "usage.option", "")
    assert more[0] in done.stderr


def test_weights_are_found_by_name(sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    done = run(["eval-imagenet", str(sample.data)], tmp_path, CSPBENCH_WEIGHTS=str(tmp_path / "weights"))
    assert (done.returncode, done.stdout) == (2, "")
    (tmp_path / "weights" / "darknet.weights").write_bytes(b"<!DOCTYPE html><html>quota exceeded</html>")
    done = run(["eval-imagenet", str(sample.data)], tmp_path, CSPBENCH_WEIGHTS=str(tmp_path / "weights"))
    assert (done.returncode, error_of(done)) == (3, "weights.other-kind")
    # with two rows neither odd file keeps the other from its turn
    (tmp_path / "weights" / "csdarknet53.weights").write_bytes(b"truncated")
    done = run(["eval-imagenet", str(sample.data)], tmp_path, CSPBENCH_WEIGHTS=str(tmp_path / "weights"))
    assert done.returncode == 3
    assert [f"cspbench: {name} is left out" in done.stderr for name in ("darknet", "csdarknet53")] == [True, True]


@pytest.mark.reference("data/imagenet-mini", "golden/eval", "weights/tiny.weights")
def test_real_weights_on_real_images(shared: Path, tmp_path: Path) -> None:
    """The trained net of the shared folder: exactly what the original binary counts, image by image."""
    weights, cfg = shared / "weights" / "tiny.weights", shared / "weights" / "tiny.cfg"
    data = shared / "data" / "imagenet-mini" / "val"
    done = run(
        [
            "eval-imagenet",
            str(data),
            "--cfg",
            str(cfg),
            "--weights",
            str(weights),
            "--decoder",
            "stb",
            "--format",
            "json",
        ],
        tmp_path,
        OMP_NUM_THREADS="2",
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert (result["top1"]["correct"], result["top5"]["correct"], result["images"]) == (139, 179, 200)
    assert result["class_order"]["verdict"] == "as declared"
    with (shared / "golden" / "eval" / "tiny.imagenet-mini.csv").open() as lines:
        golden = {line["file"]: int(line["top1"]) for line in csv.DictReader(lines)}
    (shard,) = (tmp_path / "runs").glob("*/predictions/*.npz")
    with np.load(shard) as arrays:
        same = sum(golden[key] == best for key, best in zip(arrays["key"], arrays["classes"][:, 0], strict=True))
    assert same >= 199
