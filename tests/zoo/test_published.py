"""Every classifier with a published file or card, forward at its own size; the others have tests beside theirs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch_arrays import computing, draw

from cspbench.network.module import to_module
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS

CARDS = ("timm/cspdarknet53", "timm/cspresnet50", "timm/cspresnext50")
CLASSIFIERS = [
    model
    for model in MODELS.values()
    if model.definition == "cfg" or model.name in ("csresnext50-mish", "csresnext50-swish", *CARDS)
    if model.classes != "sample" and not model.build().detections
]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: str(model.name))
def test_outputs_are_finite_and_of_the_right_shape(model: Model, photo: Callable[[int], NDArray[np.float32]]) -> None:
    network = model.build()
    assert network.input[1] == network.input[2]
    module = draw(to_module(network))
    with computing():
        result = module(torch.from_numpy(photo(network.input[1])))
    assert result.shape == (1, 1000, 1, 1)
    assert bool(result.isfinite().all())
    assert result.std() > 0
    if network.layers[-1].section == "softmax":
        assert result.sum() == pytest.approx(1, abs=1e-5)
