"""Several processes, as threads: whatever their number and share, the bytes of one process."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cspbench.network import cfg
from cspbench.training import distributed
from cspbench.training.checkpoint import State
from cspbench.training.distributed import Share, iterate
from cspbench.training.iteration import Trainer
from cspbench.training.start import start

NET = """[net]\nwidth=4\nheight=4\nchannels=3\nbatch={batch}\nsubdivisions={subdivisions}\nlearning_rate=.1
[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky
[convolutional]\nfilters=3\nactivation=linear\n[avgpool]\n[softmax]\n"""


@dataclass
class Wire:
    """What stands for the connection of `count` processes: one sends, the others wait for it."""

    count: int
    sent: list[Tensor] = field(default_factory=list)
    barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        self.barrier = threading.Barrier(self.count, timeout=900)

    def broadcast(self, values: Tensor, source: int, share: tuple[int, int]) -> None:
        if share[0] == source:
            self.sent[:] = [values]
        self.barrier.wait()
        values.copy_(self.sent[0].clone())
        self.barrier.wait()


def trainer(subdivisions: int, precision: torch.dtype) -> Trainer:
    reading = cfg.parse(NET.format(batch=2 * subdivisions, subdivisions=subdivisions), "small")
    made = Trainer(reading.network, reading.training.recipe, precision=precision)
    torch.manual_seed(2)
    start(made.module, reading.network, reading.training.recipe)
    if made.scale is not None:
        made.scale.state[0] = 2.0**13
    return made


def pairs(numbers: range, iteration: int) -> list[tuple[Tensor, Tensor]]:
    result = []
    for number in numbers:
        drawn = torch.Generator().manual_seed(100 * iteration + number)
        images = torch.rand(2, 3, 4, 4, generator=drawn)
        if (iteration, number) == (1, 1):
            images *= 1e5  # beyond half precision: all processes skip the iteration
        result.append((images, torch.eye(3)[torch.tensor([number % 3, 1])]))
    return result


PRECISIONS = st.sampled_from([torch.float32, torch.bfloat16, torch.float16])


@settings(max_examples=25)
@given(subdivisions=st.integers(1, 7), processes=st.integers(1, 7), precision=PRECISIONS)
def test_any_share_of_any_number(subdivisions: int, processes: int, precision: torch.dtype) -> None:
    processes = min(processes, subdivisions)
    wire = Wire(processes)
    one = trainer(subdivisions, precision)
    several = [trainer(subdivisions, precision) for _ in range(processes)]
    failures: list[BaseException] = []
    updates: dict[int, list[Any]] = {}

    def work(number: int) -> None:
        share = Share(number, processes)
        try:
            updates[number] = [
                iterate(several[number], iter(pairs(share.of(subdivisions), at)), share) for at in range(3)
            ]
        except BaseException as error:
            failures.append(error)
            wire.barrier.abort()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "broadcast", wire.broadcast)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    wanted = [one.iterate(pairs(range(subdivisions), at)) for at in range(3)]
    assert all(str(updates[number]) == str(wanted) for number in range(processes))  # a loss may be no number
    assert [update.skipped for update in wanted] == [False, precision == torch.float16 and subdivisions > 1, False]
    expected = State.of(one, 0.0).tensors
    for other in several:
        for name, values in State.of(other, 0.0).tensors.items():
            assert torch.equal(values, expected[name]), name


def test_processes_hear_each_other() -> None:
    wire = Wire(3)
    heard: dict[int, list[int]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "broadcast", wire.broadcast)
        threads = [
            threading.Thread(target=lambda number=number: heard.update({number: Share(number, 3).agreed(number * 5)}))
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert heard == {number: [0, 5, 10] for number in range(3)}
    assert Share(0, 1).agreed(4) == [4]
