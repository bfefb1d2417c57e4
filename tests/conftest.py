"""What every test may ask for: golden cases, the references beside the checkout; and one hypothesis profile."""

from __future__ import annotations

import gc
import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many workers as processors already: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from faults.commands import Warm
from fuzzing import FUZZ, examples
from golden import layer_lists, rule
from hypothesis import settings
from numpy.typing import NDArray

from cspbench.__main__ import GARBAGE
from cspbench.data.decode import decode
from cspbench.data.resize import resize_image
from cspbench.network import cfg
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.network import Network, difference

settings.register_profile("cspbench", deadline=None, derandomize=not FUZZ, max_examples=examples(100))
settings.load_profile("cspbench")


SHARED = Path(os.environ.get("CSPBENCH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
PHOTO = SHARED / "data/imagenet-mini/val/n01440764/n01440764_tench.JPEG"
REFERENCES = {
    "cases/anchors-comma": "a detector with a comma missing among its anchors",
    "cases/class-tree": "a detector with a hierarchy of classes",
    "cases/grey-input": "a detector of grey images",
    "cases/letter-box": "a detector that asks for a letterbox",
    "cases/own-classifier": "a classifier and its data in Darknet's form",
    "cases/own-detector": "a detector and its data in every form",
    "cases/score-third-party": "detections and annotations of other programs",
    "cases/share-repeated": "a network that shares a layer of a repeated block",
    "cases/yolov1-head": "a detector of the first generation",
    "data/coco-mini": "79 photographs of COCO and their annotations",
    "data/imagenet-mini": "200 photographs of ImageNet",
    "golden/eval": "what the original program predicted on photographs",
    "golden/forward": "the golden cases in full",
    "golden/golden.py": "their own rule",
    "golden/training": "what the original program computed in training, whole",
    "golden/yolox": "what the original YOLOX computed",
    "golden/preprocess": "what the original program made of photographs",
    "reference/cfg": "the authors' network files",
    "reference/imagenet-darknet-order.txt": "the original list of classes",
    "reference/more/yolov4.cfg": "the network file of YOLOv4's authors",
    "seeds": "the documents with the published numbers",
    "spec/models.md": "a table of the sizes of weight files",
    "weights/yolox-nano.safetensors": "a trained YOLOX of August 2021",
    "weights/yolox-nano-legacy.safetensors": "a trained YOLOX of July 2021",
    "weights/tiny.weights": "a trained classifier",
    "weights/yolo-fastest-1.1.weights": "a trained detector",
    "weights/yolov3-tiny.weights": "the published detector YOLOv3-tiny",
}
"""What a test may need that no clone can hold, by its place in the folder of references."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "reference(*places): skipped where the folder of references lacks one of these")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose references are not there, and say which; measure no coverage of random examples.

    A property tried on hundreds of examples takes three times as long under the tracer, and reaches few lines that
    no other test does.
    """
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")
        needed = [place for marker in item.iter_markers("reference") for place in marker.args]
        missing = [f"{place} ({REFERENCES[place]})" for place in needed if not (SHARED / place).exists()]
        if missing:
            reason = f"needs {', '.join(missing)}, which {SHARED} lacks; CSPBENCH_SHARED names another folder"
            item.add_marker(pytest.mark.skip(reason))


def pytest_collection_finish() -> None:
    """Collect garbage as rarely as the command does, and never look through the tests and what they import."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


@pytest.fixture(scope="session")
def warm() -> Warm:
    """The process that forks commands."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc and fork")
    return Warm.one()


@pytest.fixture(scope="session")
def references() -> Path:
    """Where the folder of references is if it is there, for a test that proves more with it."""
    return SHARED


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of references; a test says with the mark `reference` what it needs of it."""
    if not SHARED.is_dir():
        pytest.skip(f"the reference files are not in {SHARED}: set CSPBENCH_SHARED to the folder that holds them")
    return SHARED


@pytest.fixture(scope="session")
def golden() -> ModuleType:
    """What rebuilds the weights that the original Darknet was given, and holds what it computed."""
    return rule


@pytest.fixture(scope="session")
def assert_published() -> Callable[[str, Network], None]:
    """Asserts that a network is the one of the authors' cfg file of that stem, in its name, input and every layer.

    Held against the digests in every clone, and against the file itself where that is there.
    """

    def check(stem: str, network: Network) -> None:
        assert network.name == stem
        assert layer_lists.first_difference(cfg_writer.write(network), stem) is None
        for path in SHARED.glob(f"reference/*/{stem}.cfg"):
            theirs = cfg.read(path).network
            assert difference(network, theirs) is None
            assert (network.name, network.input) == (theirs.name, theirs.input)

    return check


@pytest.fixture(scope="session")
def photo() -> Callable[[int], NDArray[np.float32]]:
    """One image, (1, 3, size, size) in [0, 1]: a photograph of the reference data where that is there, else noise."""
    if PHOTO.is_file():
        return lambda size: resize_image(decode(PHOTO), size, size)[None]
    return lambda size: np.random.default_rng(1).random((1, 3, size, size), np.float32)
