"""An estimate of the GPU hours that a recipe takes: counted operations over a published throughput.

Nothing here is measured. A backward pass has about twice the operations of the forward pass: the gradient of a
convolution's input and that of its weights are each as large as the convolution.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cspbench.network.counting import ledger
from cspbench.training import augmentation
from cspbench.training.mmcls.chosen import ClassifierChosen
from cspbench.training.modular.chosen import YoloxChosen
from cspbench.training.modular.recipe import STEP
from cspbench.training.recipes.chosen import Chosen

GPU = "V100, fp32"
PEAK = 15.7e12
"""Operations a second: NVIDIA's data sheet of the Tesla V100 SXM2."""
THROUGHPUT = 367 * 3 * 2 * 4.09e9
"""Operations a second in training, 57 % of the peak: NVIDIA's DeepLearningExamples give 367 images/s for ResNet-50 v1.5
(224 x 224 pixels, 4.09 G multiply-adds) on one V100 16 GB in fp32, with PyTorch in the container 21.03."""
PASSES = 3
"""A forward and a backward pass, in forward passes."""
COCO = 118_287
"""Images of COCO's train2017."""
IMAGENET = 1_281_167
"""Images for training of ILSVRC 2012."""
SIZES = 1000
"""Iterations, evenly over the run, whose input sizes stand for all."""


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a whole training on one GPU."""

    images: int
    """Of all iterations."""
    operations: float
    """Of the forward pass of an image, 2 a multiply-add, in the mean over the input sizes of the run."""

    @property
    def hours(self) -> float:
        return self.images * PASSES * self.operations / THROUGHPUT / 3600

    def __str__(self) -> str:
        hours = float(f"{self.hours:.2g}")
        work = f"{self.images:,} images, {PASSES} x {self.operations / 1e9:.4g} G operations each"
        speed = f"{THROUGHPUT / 1e12:.1f} T operations a second, {THROUGHPUT / PEAK:.0%} of the peak"
        return f"{f'{hours:,.0f}' if hours >= 10 else f'{hours:g}'} GPU hours ({GPU}): {work}, at {speed}"

    def as_json(self) -> dict[str, object]:
        """With everything that it rests on."""
        return {
            "gpu_hours": self.hours,
            "gpu": GPU,
            "images": self.images,
            "operations_per_image": self.operations,
            "passes": PASSES,
            "operations_per_second": THROUGHPUT,
            "peak_per_second": PEAK,
        }


def estimate(chosen: Chosen) -> Estimate | None:
    """The estimate for a recipe; None for one without an end."""
    net = chosen.recipe.net
    if net.max_batches < 1:
        return None
    sizes = _sizes(chosen)
    total = sum(
        times * ledger(chosen.network.resized(height, width)).total("conv") for (width, height), times in sizes.items()
    )
    return Estimate(net.images * net.max_batches, total / sizes.total())


def estimate_module(chosen: YoloxChosen | ClassifierChosen) -> Estimate:
    """The estimate for a recipe on `COCO` or `IMAGENET`; operations are proportional to the area of the input."""
    if isinstance(chosen, ClassifierChosen):
        return Estimate(round(IMAGENET * chosen.recipe.epochs), ledger(chosen.network).total("conv"))
    _, height, width = chosen.network.input
    recipe = chosen.recipe
    own = ledger(chosen.network).total("conv") / (height * width)
    low, high = recipe.sizes
    areas = [(STEP * side) ** 2 * recipe.width / recipe.height for side in range(low, high + 1)]
    return Estimate(round(COCO * recipe.epochs), own * sum(areas) / len(areas))


def _sizes(chosen: Chosen) -> Counter[tuple[int, int]]:
    """Widths and heights of the network's input in a sample of iterations."""
    _, height, width = chosen.network.input
    try:
        changing = augmentation.sizes(chosen.network, chosen.recipe, chosen.era)
    except LookupError:  # no [yolo]
        return Counter({(width, height): 1})
    last = chosen.recipe.net.max_batches
    return Counter(changing.at(1 + number * last // SIZES, 0) for number in range(min(SIZES, last)))
