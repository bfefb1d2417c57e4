"""The one set of tensors that is taken from a checkpoint, under names without what trainers put before them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cspbench.errors import WeightsError, brief
from cspbench.weights.arrays import first_names

AVERAGED = ("state_dict_ema", "model_ema", "ema")
"""Keys of averaged weights."""
KEYS = ("state_dict_ema", "model_ema", "state_dict", "model", "ema")
"""Keys of weights in checkpoints of training scripts; the first of them is taken. The first four are timm's order."""
PARTS = ("stem", "stages", "head")
"""What the networks are made of: a tensor's name begins with one, after the attributes that hold the network."""
WRAPPERS = {"module", "_orig_mod", "model", "net", "network", "backbone"}
"""Attributes that hold a network: of DistributedDataParallel, torch.compile, Lightning's users and mmpretrain."""
MOST_TENSORS = 10_000
MOST_WORDS = 32
"""Of a name that are looked at."""
ONE_SET = "one set of weights"
COUNTERS = ("n_averaged", "num_batches_tracked")
"""Ends of names of tensors that count steps of training."""


@dataclass(frozen=True)
class State:
    """A set of weights: tensors by name.

    `label` says where in the file they were, `networks` which networks they belong to, by what remains of their names'
    beginnings, and `others` are tensors of the same file outside of the network.
    """

    label: str
    averaged: bool
    tensors: Mapping[str, Any]
    networks: tuple[str, ...] = ("",)
    others: tuple[str, ...] = ()


def choose(
    path: Path, content: Mapping[str, Any], ema: bool | None = None, words: Sequence[str] = PARTS
) -> tuple[State, dict[str, str]]:
    """The set of weights to take from a checkpoint, and what has to be said about the choice.

    By default averaged weights are preferred, as by timm; `ema` requires them, or those of the last step. `words` begin
    the network's own names. Raises `WeightsError` where there are none, or where they are of several networks.
    """
    keys = [key for key in KEYS if isinstance(content.get(key), dict)]
    longest = max(len(tensors) for tensors in ([content[key] for key in keys] or [content]))
    if longest > MOST_TENSORS:
        raise WeightsError(
            "checkpoint.too-many-tensors",
            "the checkpoint has more tensors than any network here",
            where=str(path),
            expected=f"at most {MOST_TENSORS:,}",
            found=f"{longest:,}",
            remedy="Name the checkpoint of one network",
        )
    states = list(_states(keys, content, words))
    fitting = [state for state in states if ema is None or state.averaged is ema]
    if not fitting:
        labels = ", ".join(state.label for state in states)
        raise _no_averaged(path, labels) if ema else _only_averaged(path, labels)
    state = fitting[0]
    if len(state.networks) > 1:
        raise WeightsError(
            "checkpoint.several-networks",
            "the checkpoint has tensors of several networks",
            where=str(path),
            expected="one network",
            found=first_names([name or "one without a prefix" for name in state.networks]),
            remedy="Save the state_dict of one of them",
        )
    return state, _said(state, states, _under_other_keys(content, words) if keys else [])


def single(path: Path, ema: bool | None) -> None:
    """Raise `WeightsError` if averaged weights are required of a file whose format has one set only."""
    if ema:
        raise _no_averaged(path, ONE_SET)


def _no_averaged(path: Path, found: str) -> WeightsError:
    code, what, expected = "checkpoint.no-averaged", "the file has no averaged weights", f"one of {', '.join(AVERAGED)}"
    return WeightsError(code, what, where=str(path), expected=expected, found=found, remedy="Leave out --ema")


def _only_averaged(path: Path, found: str) -> WeightsError:
    code, what = "checkpoint.only-averaged", "the file has averaged weights only"
    return WeightsError(code, what, where=str(path), found=found, remedy="Leave out --no-ema")


def _under_other_keys(content: Mapping[str, Any], words: Sequence[str]) -> list[str]:
    """Keys of further sets of such a network, which may be averaged or not, as mmengine's ema_state_dict is not."""
    return [
        brief(key)
        for key, value in content.items()
        if key not in KEYS
        and isinstance(value, dict)
        and any(_split(name, words)[0] is not None for name in islice(value, MOST_TENSORS))
    ]


def _said(state: State, states: list[State], further: list[str]) -> dict[str, str]:
    said = {}
    rest = [other for other in states if other is not state]
    if rest or further:
        option = next((other for other in rest if other.averaged is not state.averaged), None)
        how = f"; {'--ema' if option.averaged else '--no-ema'} takes {option.label}" if option else ""
        said["taken"] = f"{state.label}, not {first_names([*(other.label for other in rest), *further], 10)}{how}"
    if state.others:
        said["left out"] = f"tensors outside of the network: {first_names(state.others)}"
    return said


def _states(keys: list[str], content: Mapping[str, Any], words: Sequence[str]) -> Iterator[State]:
    """The sets of a checkpoint, the preferred one first."""
    for key in keys:
        yield from _parts(key, content[key], key in AVERAGED, words)
    if not keys:
        yield from _parts("", content, False, words)


def _parts(key: str, tensors: Mapping[str, Any], averaged: bool, words: Sequence[str]) -> Iterator[State]:
    """The averaged and the other tensors of a mapping, where both are in it under different beginnings of names."""
    named = {name: value for name, value in tensors.items() if not name.endswith(COUNTERS)}
    split = {name: _split(name, words) for name in named}
    prefixes = list(dict.fromkeys(prefix for prefix, _ in split.values() if prefix is not None))
    others = tuple(name for name, (prefix, _) in split.items() if prefix is None)
    if not prefixes:
        yield State(key or ONE_SET, averaged, named)
    for means in (True, False):
        chosen = [prefix for prefix in prefixes if _averages(prefix) is means]
        if not chosen:
            continue
        own = {rest: named[name] for name, (prefix, rest) in split.items() if prefix in chosen}
        bare = "" in chosen  # nothing shows which tensors a trainer added
        if bare:
            own |= {name: named[name] for name in others}
        label = key if len(prefixes) == len(chosen) else f"{key} {brief(chosen[0])}*".strip()
        networks = tuple(dict.fromkeys(map(_unwrapped, chosen)))
        yield State(label or ONE_SET, averaged or means, own, networks, () if bare else others)


def _split(name: str, words: Sequence[str]) -> tuple[str | None, str]:
    """A tensor's name in two: what trainers put before it, None if it is not of such a network, and the rest."""
    of_name = name.split(".", MOST_WORDS)
    for at, word in enumerate(of_name[:-1]):
        if word in words:
            return "".join(f"{before}." for before in of_name[:at]), ".".join(of_name[at:])
    return None, name


def _averages(prefix: str) -> bool:
    return re.search(r"(?:^|[._])ema(?:$|[._])", prefix) is not None


def _unwrapped(prefix: str) -> str:
    return ".".join(word for word in prefix.split(".") if word and word not in WRAPPERS)
