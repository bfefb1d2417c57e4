"""What the evaluating commands share: options, and a run made or resumed with its progress on stderr."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.errors import CspbenchError, UsageError, WeightsError

if TYPE_CHECKING:
    import torch

    from cspbench.inference.engine import Engine
    from cspbench.inference.predict_shards import Timing
    from cspbench.inference.resume import Images
    from cspbench.inference.run import Run
    from cspbench.network.network import Network
    from cspbench.sample.place import Kind
    from cspbench.weights.arrays import Weights

WEIGHTS = "CSPBENCH_WEIGHTS"

CfgOption = Annotated[Path | None, typer.Option("--cfg", help="A Darknet .cfg of yours; needs --weights.")]
ModelsOption = Annotated[
    list[str] | None, typer.Option("-m", "--model", help="Models or patterns; every row if absent.")
]
WeightsOption = Annotated[Path | None, typer.Option("--weights", help=f"The weight file; ${WEIGHTS} if absent.")]
BatchOption = Annotated[str, typer.Option("-b", "--batch-size", help="Images per forward, or auto.")]
WorkersOption = Annotated[str, typer.Option("-j", "--workers", help="Processes that prepare images, or auto.")]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, cuda:N, mps; the first GPU if there is one.")
]
PrecisionOption = Annotated[str, typer.Option("--precision", help="fp32, bf16 or fp16.")]
CompileOption = Annotated[bool, typer.Option("--compile", help="torch.compile the network.")]
LimitOption = Annotated[str | None, typer.Option("--limit", help="N or N% of the images, evenly spread.")]
RunOption = Annotated[Path, typer.Option("--run", "--run-dir", help="Where runs are kept and resumed.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Throw away what the run directory holds.")]
BadOption = Annotated[int, typer.Option("--allow-bad", help="Unreadable images that are no failure.")]
SampleOption = Annotated[
    bool, typer.Option("--sample", help="On the drawn sample with its own net; so too if nothing is configured.")
]
LastOption = Annotated[bool, typer.Option("--channels-last", help="Accepted; always on.", hidden=True)]


@dataclass(frozen=True)
class Options:
    """How a run is made; nothing of it but the precision changes a prediction."""

    batch: str
    workers: str
    device: str | None
    precision: str
    compiled: bool
    root: Path
    fresh: bool

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise UsageError(
                "usage.unknown-precision",
                "unknown precision",
                expected="fp32, bf16 or fp16",
                found=self.precision,
                remedy="Correct --precision",
            )
        _number("-b", self.batch, 1)
        _number("-j", self.workers, 1)


Predict = Callable[["Run", list[int], "Engine", int, int, Callable[["Timing"], None]], "Timing"]
"""Makes shards: (run, shards, engine, batch, workers, progress)."""


def made(
    name: str,
    network: Network,
    weights: Weights,
    epsilon: str,
    identity: Mapping[str, Any],
    path: Path,
    images: Images,
    options: Options,
    predict: Predict,
    **provenance: Any,
) -> Run | None:
    """The complete run of that identity at `path`, resumed or made; None in a process that only helped."""
    from cspbench import provenance as origin
    from cspbench.cli.progress import Progress
    from cspbench.cli.resumed import say_resumed
    from cspbench.inference import footprint
    from cspbench.inference.distributed import meet, rank, together
    from cspbench.inference.engine import choose_device, prepare
    from cspbench.inference.resume import Kept, mark
    from cspbench.inference.run import open_run
    from cspbench.lock import alone
    from cspbench.network.module import to_module
    from cspbench.weights.loading import Epsilon, load

    footprint.check(network)
    device = choose_device(options.device)
    about = {
        **origin.provenance(["cspbench", *sys.argv[1:]]),
        "device": str(device),
        "files": mark(images),
        **provenance,
    }
    share = rank()
    first = share[0] == 0
    with _resumable(path, first), alone(path) if first else nullcontext():
        meet(share)
        if not first:
            together(share)  # until the first process has begun it, or thrown away what was there
        resumed = not options.fresh and (path / "run.json").exists()
        run = open_run(path, identity, len(images), about, options.fresh and first)
        kept = Kept(run, images)
        missing = kept.missing()
        if first:
            if resumed:
                say_resumed(name, run, kept, missing, about)
            together(share)
        missing = [shard for shard in missing if shard % share[1] == share[0]]
        if missing:
            with footprint.enough_memory(f"the weights of {name}"):
                module = load(to_module(network), network, weights, Epsilon(epsilon))
                engine = prepare(module, device, options.precision, compiled=options.compiled)  # type: ignore[arg-type]
            images_left = sum(len(run.block(shard)) for shard in missing)
            with Progress(name, images_left) as progress, footprint.enough_memory(f"the evaluation of {name}"):
                timing = predict(
                    run,
                    missing,
                    engine,
                    *batch_and_workers(options, device),
                    lambda timing: progress.reach(
                        timing.images, f"{timing.images / max(1e-9, timing.seconds):.1f} images/s"
                    ),
                )
            typer.echo(f"cspbench: {name}: {timing}", err=True)
        together(share)
        if first:
            run.tidy()
    return run if first else None


@contextmanager
def _resumable(path: Path, told: bool) -> Iterator[None]:
    """Say how to go on when interrupted, if this process is the one to say so."""
    try:
        yield
    except KeyboardInterrupt:
        if told:
            again = shlex.join(["cspbench", *(each for each in sys.argv[1:] if each != "--fresh")])
            typer.echo(f"\ncspbench: interrupted; finished shards are kept in {path}. To go on:\n{again}", err=True)
        raise


def batch_and_workers(options: Options, device: torch.device) -> tuple[int, int]:
    """Images per forward and processes that prepare them, as asked for or as suits the device."""
    accelerated = device.type != "cpu"
    batch = _number("-b", options.batch, 128 if accelerated else 8)
    return batch, _number("-j", options.workers, min(16, os.cpu_count() or 1) if accelerated else 1)


def _number(name: str, text: str, automatic: int) -> int:
    if text == "auto":
        return automatic
    if not text.isdecimal() or not (0 if name == "-j" else 1) <= int(text) <= 65536:
        raise UsageError(
            "usage.number-or-auto",
            f"{name} cannot be read",
            expected="a number or auto",
            found=repr(text),
            remedy=f"Try {name} auto",
        )
    return int(text)


def each(named: Sequence[tuple[str, Callable[[], dict[str, Any] | None]]]) -> tuple[list[dict[str, Any] | None], int]:
    """Evaluate one after the other: the results, and the exit code of what had to be left out, 0 for nothing.

    What is wrong with one must not keep the others from being evaluated; where it is the only one, its error is raised.
    """
    from cspbench.inference.distributed import rank

    results, codes = [], set()
    for name, evaluate in named:
        try:
            results.append(evaluate())
        except CspbenchError as error:
            # an unusable file is so in every process; of anything else the others know nothing, and would wait
            if len(named) == 1 or not (rank()[1] == 1 or isinstance(error, WeightsError)):
                raise error if name in str(error) else error.at(name) from error
            typer.echo(f"cspbench: {name} is left out: {error} [{error.code}]", err=True)
            codes.add(error.exit_code)
    # what one code says is true of all or not said: files and data that cannot be used are graver than the unfinished
    return results, codes.pop() if len(codes) == 1 else 3 if codes else 0


def without_data(data: str | Path | None) -> None:
    """Raise `UsageError` where both the sample and other images were asked for."""
    if data is not None:
        raise UsageError(
            "usage.sample-and-data",
            "--sample brings its own images",
            expected="--sample or DATA",
            found=str(data),
            remedy="Leave out one",
        )


def drawn(kind: Kind) -> Path:
    """The folder of the bundled sample's images, drawn now if they are not there yet; says what they are."""
    from cspbench.cli.progress import Progress
    from cspbench.sample import classification, detection
    from cspbench.sample.place import ensure

    images = classification.IMAGES if kind == "classification" else detection.IMAGES
    typer.echo(
        f"cspbench: the bundled sample: {images} drawn images and a small net of our own, none of the published ones; "
        f"for those name the data and set ${WEIGHTS}",
        err=True,
    )
    with Progress("drawing the sample", images) as progress:
        return ensure(kind, progress.reach)
