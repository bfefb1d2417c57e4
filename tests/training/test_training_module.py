"""Layers whose forward or gradient in training is not the natural one."""

from __future__ import annotations

import pytest
import torch
from refusals import refuses
from torch import Tensor, nn

from cspbench.network import cfg
from cspbench.network.era import Era
from cspbench.training.iteration import Trainer, mean_cost
from cspbench.training.module import Dropout, to_training_module
from cspbench.training.start import start
from cspbench.training.statistics import Statistics

NET = "[net]\nwidth=4\nheight=4\nchannels=2\nbatch=2\n"
CONV = "[convolutional]\nfilters=2\nactivation=linear\n"


def output(text: str, of: int, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """A module that ends with what layer `of` reads, with drawn weights, and its input."""
    reading = cfg.parse(NET + text, "small")
    recipe = reading.training.recipe
    module = to_training_module(reading.network, recipe, (of,))
    torch.manual_seed(seed)
    start(module, reading.network, recipe)
    return module, torch.randn(2, 2, 4, 4, requires_grad=True)


def test_dropout_works_in_place_on_the_layer_before() -> None:
    module, x = output("[activation]\n[dropout]\nprobability=.25\n[route]\nlayers=0,1\n[softmax]\n", 3)
    (dropout,) = (part for part in module.modules() if isinstance(part, Dropout))
    numbers = torch.linspace(0, 1, 64).reshape(2, 2, 4, 4)
    numbers[0, 0, 0, :2] = torch.tensor([0.25, 0.2499])
    dropout.uniform = lambda _: numbers
    (both,) = module(x)
    kept = torch.where(numbers >= 0.25, x / 0.75, 0.0)
    torch.testing.assert_close(both, torch.cat((kept, kept), 1))
    assert kept[0, 0, 0, 0] != 0
    assert kept[0, 0, 0, 1] == 0


def test_dropout_after_dropout_and_of_a_copy() -> None:
    text = "[activation]\n[route]\nlayers=-1\n[dropout]\n[dropout]\n[route]\nlayers=0,1,2,3\n[softmax]\n"
    module, x = output(text, 5)
    parts = [part for part in module.modules() if isinstance(part, Dropout)]
    for part, number in zip(parts, (0.9, 0.6), strict=True):
        part.uniform = lambda x, number=number: torch.full_like(x, number)  # type: ignore[misc]
    (all_four,) = module(x)
    # the route copied layer 0, so that only the copy is dropped out, twice
    torch.testing.assert_close(all_four, torch.cat((x, 4 * x, 4 * x, 4 * x), 1))


def test_dropout_of_everything() -> None:
    module, x = output("[activation]\n[dropout]\nprobability=1\n[softmax]\n", 2)
    assert not module(x)[0].any()


def test_statistics_of_batch_norm() -> None:
    module, x = output(f"{CONV}batch_normalize=1\n[softmax]\n", 1)
    bn = module.get_submodule("layers.0.bn")
    assert isinstance(bn, nn.BatchNorm2d)
    mean, variance = bn.running_mean, bn.running_var
    assert mean is not None
    assert variance is not None
    with torch.no_grad():
        module.get_parameter("layers.0.conv.weight").copy_(torch.eye(2).reshape(2, 2, 1, 1))
    (y,) = module(x)
    biased = x.var((0, 2, 3), unbiased=False)
    wanted = (x - x.mean((0, 2, 3))[:, None, None]) / (biased + 1e-5).sqrt()[:, None, None]
    torch.testing.assert_close(y, wanted)
    assert not mean.any()
    assert not variance.any()
    statistics = Statistics(module)
    taken = statistics.taken()
    statistics.add(taken)
    torch.testing.assert_close(mean, 0.01 * x.detach().mean((0, 2, 3)))
    torch.testing.assert_close(variance, 0.01 * x.detach().var((0, 2, 3), unbiased=True))
    statistics.add(taken)
    torch.testing.assert_close(mean, (0.0099 + 0.01) * x.detach().mean((0, 2, 3)))
    module.eval()
    torch.testing.assert_close(
        module(x)[0], (x - mean[:, None, None]) / (variance + 1e-5).sqrt()[:, None, None], rtol=1e-4, atol=1e-5
    )


def test_a_shared_batch_norm_counts_each_of_its_layers_in_turn() -> None:
    shared = f"{CONV}batch_normalize=1\n"
    module, x = output(f"{shared}[activation]\nactivation=relu\n{shared}share_index=0\n[softmax]\n", 3)
    module(x)
    one, two = (module.get_submodule(f"layers.{at}.bn") for at in (0, 2))
    means = [part.get_buffer("batch_mean") for part in (one, two)]
    statistics = Statistics(module)
    statistics.add(statistics.taken())
    torch.testing.assert_close(one.get_buffer("running_mean"), 0.01 * means[0] * 0.99 + 0.01 * means[1])
    assert not torch.equal(*means)


@pytest.mark.parametrize("normalization", ["relu", "softmax"])
def test_factors_of_a_shortcut(normalization: str) -> None:
    """The sum that normalises is a constant to the gradient; with relu a factor below 0 counts as 0."""
    kind = f"weights_type=per_feature\nweights_normalization={normalization}"
    module, x = output(f"[activation]\n[activation]\n[shortcut]\nfrom=0\n{kind}\nactivation=linear\n[softmax]\n", 3)
    weight = module.get_parameter("layers.2.sum.weight")
    with torch.no_grad():
        weight.copy_(torch.tensor([[1.5], [-0.5]]))
    (y,) = module(x)
    raised = torch.tensor([1.5, 0.0]) if normalization == "relu" else torch.tensor([1.0, torch.tensor(-2.0).exp()])
    total = float(raised.sum()) + 1e-4
    torch.testing.assert_close(y, x * float(raised.sum()) / total)
    y.sum().backward()
    slope = torch.tensor([1.0, 0.0]) if normalization == "relu" else raised
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad[:, 0], slope * float(x.detach().sum()) / total)


def test_local_mean_hands_on_a_share_of_the_whole_window() -> None:
    module, x = output("[local_avgpool]\nsize=3\nstride=1\n[softmax]\n", 1)
    (y,) = module(x)
    torch.testing.assert_close(y[0, 0, 0, 0], x[0, 0, :2, :2].mean())  # 4 taps inside
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad[0, 0], torch.tensor([[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]) / 9)


@pytest.mark.parametrize("kind", ["normalize_channels", "normalize_channels_softmax"])
def test_activations_over_channels(kind: str) -> None:
    module, x = output(f"[activation]\nactivation={kind}\n[softmax]\n", 1)
    (y,) = module(x)
    delta = torch.randn(y.shape)
    y.backward(-delta)
    assert x.grad is not None
    torch.testing.assert_close(-x.grad, delta * (y.detach() * delta).sum(1, keepdim=True))


def test_softmax_before_a_cost_gives_both_gradients() -> None:
    reading = cfg.parse(f"{NET}[avgpool]\n[softmax]\n[cost]\ntype=sse\n", "old")
    of = Trainer(reading.network, reading.training.recipe)
    x = torch.randn(2, 2, 4, 4, requires_grad=True)
    labels = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    done = of.mini_batch(x, labels)
    p = torch.softmax(x.detach().mean((2, 3)), 1)
    assert x.grad is not None
    torch.testing.assert_close(x.grad[:, :, 0, 0] * 16, 2 * (p - labels))
    # both labels of the second image count alike
    entropy = -(p[0, 0].log() + p[1].log().sum())
    assert mean_cost(done.outcomes) == pytest.approx(float((entropy + (p - labels).square().sum()) / 2))


def test_a_layer_that_only_computes() -> None:
    text = f"{CONV}{CONV}onlyforward=1\n[avgpool]\n[softmax]\n"
    reading = cfg.parse(NET + text, "small")
    of = Trainer(reading.network, reading.training.recipe)
    start(of.module, reading.network, reading.training.recipe)
    done = of.mini_batch(torch.randn(2, 2, 4, 4), torch.eye(2))
    assert done.gradients == [None] * 4


def test_arrays_at_the_start() -> None:
    grouped = f"{CONV}batch_normalize=1\ngroups=2\nsize=3\npad=1\n"
    text = f"{grouped}[connected]\noutput=2\n[implicit]\nfilters=500\nmean=3\nstd=.5\n"
    reading = cfg.parse(f"{NET}{text}[route]\nlayers=1\n[softmax]\n", "small")
    module = to_training_module(reading.network, reading.training.recipe, (4,))
    torch.manual_seed(0)
    start(module, reading.network, reading.training.recipe)
    assert float(module.get_parameter("layers.0.conv.weight").detach().abs().max()) <= (2 / 9) ** 0.5
    assert float(module.get_parameter("layers.1.linear.weight").detach().abs().max()) <= (2 / 32) ** 0.5
    vector = module.get_parameter("layers.2.vector.weight").detach()
    assert 2.5 <= float(vector.min()) < 2.52
    assert 3.48 < float(vector.max()) <= 3.5
    assert not module.get_buffer("layers.0.bn.running_var").any()


@pytest.mark.parametrize(
    ("code", "net", "text"),
    [
        ("train.no-loss", "", CONV),
        ("train.no-loss", "", f"{CONV}[softmax]\nnoloss=1\n"),
        ("train.no-loss", "", "[region]\nnum=1\nclasses=1\ncoords=4\nanchors=1,1\n"),
        ("train.no-loss", "", "[avgpool]\n[cost]\ntype=masked\n"),
        ("train.unsupported", "adversarial_lr=1\n", "[softmax]\n"),
        ("train.unsupported", "", "[convolutional]\nfilters=2\nbatch_normalize=2\nactivation=linear\n[softmax]\n"),
        ("train.unsupported", "", "[crop]\ncrop_height=2\ncrop_width=2\n[softmax]\n"),
        ("train.unsupported", "", f"{CONV}stopbackward=800\n[softmax]\n"),
        ("train.batch-norm-of-one", "subdivisions=2\n", f"[avgpool]\n{CONV}batch_normalize=1\n[softmax]\n"),
    ],
)
def test_networks_that_cannot_be_trained(code: str, net: str, text: str) -> None:
    channels = "channels=6\n" if "region" in text else "channels=2\n"
    reading = cfg.parse(NET.replace("channels=2\n", channels) + net + text, "small")
    with refuses(code):
        Trainer(reading.network, reading.training.recipe, Era.HEAD)
