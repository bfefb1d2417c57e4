"""Tensors from torch's pickled checkpoints (.pth), without running code from them or trusting their sizes.

`torch.load(..., weights_only=True)` calls only a list of harmless functions. Some of them, like compressed archives,
turn a few bytes into gigabytes, so a checkpoint is vetted before torch reads it.
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
"""Operations of a pickle; a model of a thousand tensors has about fifty thousand."""
UNBOUNDED = ("encode", "bytearray")
"""Functions that torch allows in a pickle, although their results may be far larger than their arguments."""
LEGACY_PICKLES = 5
"""Magic number, protocol, the writer's system, the tensors, their keys; then the numbers follow."""


def load(path: Path, kind: Kind) -> Any:
    """The contents of a checkpoint; raises `WeightsError` if they are damaged or not plain data."""
    import torch

    try:
        if kind is Kind.ZIP:
            _vet_zip(path)
        else:
            _vet_legacy(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, for instance about pickle protocols
            # memory-mapped, so no tensor can be larger than the file
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind is Kind.ZIP)
    except Exception as error:  # a damaged or hostile file can fail anywhere
        # torch suggests weights_only=False, which would run code from the file: only the culprit is reported
        culprit = re.search(r"unsupported [^\n]*", str(error), re.IGNORECASE)
        raise WeightsError(
            "checkpoint.unreadable",
            "the checkpoint is damaged, or requires running code from it",
            where=str(path),
            expected="tensors only, as torch.load(..., weights_only=True) accepts",
            found=brief(culprit[0] if culprit else str(error).partition("\n")[0] or type(error).__name__, 120),
            remedy="Download it again; or, if you trust it, load it and save only its state_dict, as safetensors",
        ) from error


def numbers(tensor: Tensor) -> Array | None:
    """The values of a tensor as float32, without a copy if they are; None for sparse, remote or integer tensors."""
    import torch

    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or not tensor.dtype.is_floating_point:
        return None
    array: Array = torch.Tensor.detach(tensor).to(torch.float32).numpy()  # its own attributes may hide its methods
    return array


def _vet_zip(path: Path) -> None:
    with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("a compressed archive, which torch.save does not write")
        if sum(entry.file_size for entry in entries) > os.fstat(stream.fileno()).st_size:
            raise ValueError("an archive whose entries are together larger than the file")
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
            raise ValueError("a tar archive, the format of torch's first versions")


def _vet(stream: IO[bytes], pickles: int) -> None:
    """Raise `ValueError` for pickles with too many operations or with functions in `UNBOUNDED`."""
    steps = 0
    for _ in range(pickles):
        for operation, argument, _ in pickletools.genops(stream):
            steps += 1
            if steps > MOST_STEPS:
                raise ValueError(f"a pickle of more than {MOST_STEPS:,} operations")
            if operation.name == "GLOBAL" and str(argument).rpartition(" ")[2] in UNBOUNDED:
                raise ValueError(f"unsupported function {argument}")
