"""Tensors out of torch's pickled checkpoints (.pth), without running code from them and without trusting their sizes.

`torch.load(..., weights_only=True)` runs nothing but a list of harmless functions. Some of these, and compressed
archives, make gigabytes of a few bytes, so a checkpoint is looked over before torch gets it.
"""

from __future__ import annotations

import io
import os
import pickletools
import re
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cspbench.errors import WeightsError, brief
from cspbench.io import open_file
from cspbench.weights.arrays import Array
from cspbench.weights.filekind import Kind

if TYPE_CHECKING:
    from torch import Tensor

MOST_STEPS = 1_000_000
"""Of a pickle; that of a model of a thousand tensors has some fifty thousand."""
UNBOUNDED = ("encode", "bytearray")
"""Functions that torch allows in a pickle, whose results may be any number of times larger than what they are given."""
LEGACY_PICKLES = 5
"""Magic number, protocol, the writer's system, the tensors, their keys; then come the numbers."""


def load(path: Path, kind: Kind) -> Any:
    """What a checkpoint holds; `WeightsError` where that is anything but data."""
    import torch

    try:
        if kind is Kind.ZIP:
            _vet_zip(path)
        else:
            _vet_legacy(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of pickle protocols and the like
            # mapped, so that a tensor can be no larger than the file
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind is Kind.ZIP)
    except Exception as error:  # a damaged or hostile file can fail anywhere
        # torch advises to read it with weights_only=False, which would run what is in it; the culprit is what matters
        culprit = re.search(r"unsupported [^\n]*", str(error), re.IGNORECASE)
        raise WeightsError(
            "checkpoint.unreadable",
            "the checkpoint is damaged, or cannot be read without running code from it",
            where=str(path),
            expected="tensors only, as torch.load(..., weights_only=True) accepts",
            found=brief(culprit[0] if culprit else str(error).partition("\n")[0] or type(error).__name__, 120),
            remedy="Download it again; or load it where you trust it and save its state_dict alone, as safetensors",
        ) from error


def numbers(tensor: Tensor) -> Array | None:
    """The values of a tensor as float32, shared where they are that already; None for what are no plain numbers."""
    import torch

    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or not tensor.dtype.is_floating_point:
        return None
    found: Array = torch.Tensor.detach(tensor).to(torch.float32).numpy()  # its own attributes may hide its methods
    return found


def _vet_zip(path: Path) -> None:
    with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED for each in entries):
            raise ValueError("compressed, which torch.save does not do")
        if sum(each.file_size for each in entries) > os.fstat(stream.fileno()).st_size:
            raise ValueError("an archive whose parts are together larger than itself")
        for entry in entries:
            if entry.filename.endswith("data.pkl"):
                with archive.open(entry) as pickle:
                    _vet(pickle, 1)


def _vet_legacy(path: Path) -> None:
    with io.BufferedReader(open_file(path)) as stream:
        try:
            tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        except tarfile.TarError:
            stream.seek(0)
            _vet(stream, LEGACY_PICKLES)
        else:
            raise ValueError("a tar archive, as the first versions of torch wrote")


def _vet(stream: IO[bytes], pickles: int) -> None:
    """Refuse pickles with too many steps or with functions of `UNBOUNDED`."""
    steps = 0
    for _ in range(pickles):
        for operation, argument, _ in pickletools.genops(stream):
            steps += 1
            if steps > MOST_STEPS:
                raise ValueError(f"a pickle of more than {MOST_STEPS:,} steps")
            if operation.name == "GLOBAL" and str(argument).rpartition(" ")[2] in UNBOUNDED:
                raise ValueError(f"unsupported function {argument}")
