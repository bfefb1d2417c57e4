"""Evaluations small enough to be killed by the dozen: their files, and their processes."""

from __future__ import annotations

import atexit
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.network.builder import Builder
from cspbench.network.cfg.writer import write as cfg_text
from cspbench.network.network import Network
from cspbench.weights.darknet import write as write_weights

PATIENCE = 900
"""Seconds until something counts as hanging; far more than any command takes, however busy the machine is."""
WNIDS = ("n01440764", "n01443537", "n01484850", "n03000684")


@dataclass(frozen=True)
class Evaluation:
    """A data set and a random network for it, and the command that evaluates it."""

    command: str
    data: Path
    network: Path
    images: int

    def arguments(self, *more: str) -> list[str]:
        """The command's; runs go to runs/, images are prepared in the process itself."""
        files = ["--cfg", f"{self.network}.cfg", "--weights", f"{self.network}.weights"]
        return [self.command, str(self.data), *files, "--run", "runs", "-b", "64", "-j", "0", *more]

    @property
    def shards(self) -> int:
        return -(-self.images // 256)


def pictures(count: int, width: int, height: int) -> list[bytes]:
    """PNG files of noise."""
    rng = np.random.default_rng(count)
    files = []
    for _ in range(count):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(stream, "PNG")
        files.append(stream.getvalue())
    return files


def save(network: Network, place: Path) -> Path:
    """Write NAME.cfg and NAME.weights with random weights."""
    rng = np.random.default_rng(1)
    arrays = [
        {
            array.role: (
                rng.uniform(0.5, 1.5, array.shape) if array.role == "variance" else rng.normal(0, 1, array.shape)
            ).astype(np.float32)
            for array in network.weights(index)
        }
        for index in range(len(network.layers))
    ]
    place.with_suffix(".cfg").write_text(cfg_text(network))
    write_weights(place.with_suffix(".weights"), network, arrays)
    return place


def classifier(folder: Path, images: int = 800) -> Evaluation:
    """800 images of 8 by 8 pixels in four classes: four shards, the last one short."""
    files = pictures(60, 8, 8)
    for wnid in WNIDS:
        (folder / "val" / wnid).mkdir(parents=True)
    for index in range(images):
        (folder / "val" / WNIDS[index % 4] / f"{index:05d}.png").write_bytes(files[index % len(files)])
    b = Builder("small", (3, 8, 8))
    b.conv(8, 3, stride=2)
    b.avgpool()
    b.conv(1000, activation="linear", batch_normalize=False)
    b.softmax()
    return Evaluation("eval-imagenet", folder / "val", save(b.network(), folder / "small"), images)


def detector(folder: Path, images: int = 520) -> Evaluation:
    """520 images of 24 by 16 pixels with one box each: three shards, the last one with a batch of 8."""
    files = pictures(60, 24, 16)
    (folder / "coco" / "annotations").mkdir(parents=True)
    (folder / "coco" / "val2017").mkdir()
    rng = np.random.default_rng(2)
    listed, objects = [], []
    for number in range(1, images + 1):
        name = f"{number:012d}.png"
        (folder / "coco" / "val2017" / name).write_bytes(files[number % len(files)])
        listed.append({"id": number, "file_name": name, "width": 24, "height": 16})
        w, h = rng.uniform(4, 14, 2).tolist()
        about = {"bbox": [1.5, 1, w, h], "area": w * h, "iscrowd": 0, "category_id": int(rng.choice([1, 3, 90]))}
        objects.append({"id": number, "image_id": number, **about})
    categories = [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items()]
    text = json.dumps({"images": listed, "categories": categories, "annotations": objects})
    (folder / "coco" / "annotations" / "instances_val2017.json").write_text(text)
    b = Builder("small", (3, 32, 32))
    b.conv(8, 3, stride=8)
    b.conv(16, 3, stride=2)
    b.conv(85, activation="linear", batch_normalize=False)
    b.yolo((0,), ((10.0, 12.0),))
    return Evaluation("eval-coco", folder / "coco", save(b.network(), folder / "small"), images)


@dataclass
class Process:
    """A command that runs."""

    number: int
    log: Path
    warm: Warm

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code, negative for a signal; it must come in time."""
        code = self.warm.ask({"wait": self.number, "seconds": seconds})
        if code is None:
            self.kill()
            raise AssertionError(f"still running after {seconds} s: {self.words}")
        self.warm.running.discard(self.number)
        return int(code)

    def kill(self) -> bool:
        """Kill -9 it, and whatever it started; False if it had ended by itself."""
        os.kill(self.number, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def until_stopped(self) -> None:
        """Wait until it stands still, as it was begun to do."""
        until_stopped(self.number)

    def resume(self) -> None:
        """Let it go on that stands still."""
        self.signal(signal.SIGCONT)

    def signal(self, number: int, whole: bool = False) -> None:
        """Send it a signal, or its whole process group, as a terminal does."""
        (os.killpg if whole else os.kill)(self.number, number)

    @property
    def words(self) -> str:
        """What it has written."""
        return self.log.read_text() if self.log.exists() else ""

    @property
    def children(self) -> list[int]:
        """Processes that it has started and that live."""
        text = Path(f"/proc/{self.number}/task/{self.number}/children").read_text()
        return [int(number) for number in text.split()]


@dataclass
class Warm:
    """The process that forks commands."""

    server: subprocess.Popen[str]
    running: set[int] = field(default_factory=set)
    count: int = 0

    @classmethod
    def start(cls) -> Warm:
        """Start it; takes longer than importing torch."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CSPBENCH_")}
        here = Path(__file__)
        result = {
            **clean,
            "CI": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(map(str, here.parents[1:3])),
        }
        server = subprocess.Popen(
            [sys.executable, str(here.with_name("warm.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=result,
        )
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return cls(server)

    @staticmethod
    @cache
    def one() -> Warm:
        """The one of all tests of this process, which ends with it."""
        server = Warm.start()
        atexit.register(server.stop)
        return server

    def ask(self, order: dict[str, Any]) -> Any:
        """One order and its answer."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def begin(self, arguments: list[str], folder: Path, log: Path | None = None, /, **more: Any) -> Process:
        """Start a command in a folder; with `stop` it stands still after it has written so many shards.

        What it says goes to `log`, if not to a file in the folder.
        """
        self.count += 1
        log = log or folder / f"{self.count}.log"
        number = self.ask({"arguments": arguments, "folder": str(folder), "log": str(log), **more})
        self.running.add(number)
        return Process(number, log, self)

    def together(self, arguments: list[str], folder: Path, processes: int, **more: Any) -> list[Process]:
        """Start a command as several processes, as torchrun would."""
        if processes == 1:
            return [self.begin(arguments, folder, **more)]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        ranks = [{"RANK": str(rank), "WORLD_SIZE": str(processes), **address} for rank in range(processes)]
        return [self.begin(arguments, folder, environment=each, **more) for each in ranks]

    def done(self, arguments: list[str], folder: Path, processes: int = 1) -> Process:
        """Run a command to its end, which must be a good one; the first process."""
        started = self.together(arguments, folder, processes)
        for each in started:
            code = each.wait()
            assert code == 0, each.words
        return started[0]

    def run(self, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, however that is, with what it prints and what it says apart."""
        errors = folder / "errors.log"
        process = self.begin(arguments, folder, errors=str(errors))
        code = process.wait()
        return subprocess.CompletedProcess(arguments, code, process.words, errors.read_text())

    def stop(self) -> None:
        """End it and whatever still runs."""
        for number in self.running:
            try:
                os.killpg(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait(timeout=PATIENCE)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of the one run below runs/ but its record and its lock, by name."""
    (run,) = (folder / "runs").iterdir()
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in ("run.json", ".lock")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def state(number: int) -> str:
    """What a process does, as /proc has it: T stopped, Z waiting to be buried, empty for none."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def until_stopped(number: int) -> None:
    """Wait until a process stands still; it must not end."""
    deadline = time.monotonic() + PATIENCE
    while (result := state(number)) != "T":
        assert result not in ("", "Z"), "ended"
        assert time.monotonic() < deadline, result
        time.sleep(0.002)


def until_gone(numbers: list[int]) -> None:
    """Wait until processes have ended; they must."""
    deadline = time.monotonic() + PATIENCE
    while any(state(number) not in ("Z", "") for number in numbers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kept(folder: Path) -> list[Path]:
    """The shards that are there."""
    return sorted((folder / "runs").glob("*/predictions/[0-9]*.npz"))
