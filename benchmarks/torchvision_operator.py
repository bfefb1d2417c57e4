"""torchvision's compiled suppression, also where torchvision was compiled for a torch with CUDA and this one has none.

Its library then asks for two of torch's CUDA libraries that are not there. On the CPU nothing of them is called, so two
empty libraries of these names, made by the C compiler, are enough for the linker; the operator is torchvision's own.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

Suppress = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]

STAND_INS = {
    "libc10_cuda.so": 'char allocator[8] __asm__("_ZN3c104cuda20CUDACachingAllocator9allocatorE");',
    "libtorch_cuda.so": "",
}
"""C sources. The one variable is needed when the library is loaded, functions only when they are called."""


@functools.cache
def operator() -> tuple[Suppress | None, str]:
    """torchvision.ops.nms, None where it cannot be loaded, and in words how it was or why not.

    Nothing of torchvision's Python part is imported, which fails halfway where its library does not load.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None, "torchvision is not installed"
    library = Path(spec.origin).with_name("_C.so")
    words = "torchvision.ops.nms"
    try:
        if not hasattr(torch.ops.torchvision, "nms"):  # a second declaration would end the process
            words += _load(library)
        found: Suppress = torch.ops.torchvision.nms
        found(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (OSError, RuntimeError, AttributeError, subprocess.SubprocessError) as error:
        reason = str(error).partition("\n")[0].replace(str(library.parent), "torchvision")
        return None, f"torchvision's operator does not load beside this torch: {reason}"
    return found, words


def _load(library: Path) -> str:
    """Load the library as torchvision does, or else with stand-ins; how, in words."""
    try:
        torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    except OSError:
        if torch.version.cuda is not None or not library.is_file():
            raise
    else:
        return ""
    # torchvision's wheel brings the CUDA runtime itself
    for runtime in sorted((library.parents[1] / "torchvision.libs").glob("libcudart*")):
        ctypes.CDLL(str(runtime), ctypes.RTLD_GLOBAL)
    with tempfile.TemporaryDirectory() as folder:
        for name, source in STAND_INS.items():
            made = Path(folder) / name
            _compile(source, made)
            ctypes.CDLL(str(made), ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(library), os.RTLD_LAZY | ctypes.RTLD_GLOBAL)
    return " as compiled by torchvision, loaded beside empty stand-ins for the CUDA libraries that this torch lacks"


def _compile(source: str, library: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise OSError("there is no C compiler to make stand-ins for CUDA's libraries")
    options = ("-shared", "-fPIC", f"-Wl,-soname,{library.name}", "-x", "c", "-o", str(library), "-")
    subprocess.run([compiler, *options], input=source, text=True, check=True, capture_output=True, timeout=60)
