"""Every name by which a model may be asked for, and the one model or the rows that it means.

    csresnext50                              a model of the catalogue
    csp-darknet-s                            another spelling of one
    CSPResNeXt-50, DarkNet-53 [1]            a row as its table prints it
    cspresnext-50                            a row's id
    imagenet-big:cspresnext-50               TABLE:ROW, by the row's id or its printed name
    cspdarknet53, cspdarknet50_3rdparty_8xb32_in1k    the cards of timm and mmpretrain

Upper and lower case are the same, hyphens are not: cspresnext50 is timm's network, CSPResNeXt-50 the README's.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cspbench.claims import tables
from cspbench.claims.model import Row
from cspbench.errors import UsageError
from cspbench.zoo.model import Model

LIST_MODELS = "See `cspbench list --models`"
NEAREST = 3
"""Names that a message proposes."""
LISTED = 8
"""Meanings of an ambiguous name that a message lists."""


@dataclass(frozen=True)
class Name:
    """A name of a model, and of a published row if it comes from a table.

    Names of a lower `rank` go before others: 0 a model of the catalogue, 1 a row, 2 a row's printed name without the
    settings that tell it from other rows of the same name. `model` is None for a row whose network is unknown.
    """

    text: str
    rank: int
    model: str | None
    row: Row | None = None

    @property
    def meaning(self) -> str:
        """What the name means, so that it can be typed: TABLE:ROW with its model, or the model alone."""
        return f"{self.row.table}:{self.row.id} ({self.model or 'no definition'})" if self.row else str(self.model)


def is_pattern(text: str) -> bool:
    """Whether a text has a wildcard: *, ? or [..]."""
    return any(sign in text for sign in "*?[")


def all_names(models: Mapping[str, Model]) -> Iterator[Name]:
    """Every name of these models and of the rows of all tables, the catalogue's first."""
    for model in models:
        yield Name(model, 0, model)
    for model, entry in models.items():
        if "/" in model:
            yield Name(model.rpartition("/")[2], 1, model)
        for alias in entry.aliases:
            yield Name(alias, 1, model)
    for table in tables.load_all(kind=None):
        for row, full in zip(table.rows, table.names(), strict=True):
            plain = 2 if any(row.settings.values()) and table.show_settings else 1
            texts = {row.id: 1, full: 1, row.name: plain, row.label: plain, row.label.rstrip("*"): plain}
            for text, rank in texts.items():
                yield Name(text, rank, row.model, row)
                yield Name(f"{table.name}:{text}", rank, row.model, row)


def meanings(text: str, models: Mapping[str, Model]) -> list[Name]:
    """The names that equal a text, of the lowest rank only; empty for an unknown one."""
    folded = _folded(text)
    equal = [name for name in all_names(models) if _folded(name.text) == folded]
    lowest = min((name.rank for name in equal), default=0)
    return [name for name in equal if name.rank == lowest]


def resolve(text: str, models: Mapping[str, Model]) -> Model:
    """The model that a name means. Raises `UsageError` for an unknown name, an ambiguous one, and an unknown network.

    The message proposes near names, or lists the meanings.
    """
    found = meanings(text, models)
    if not found:
        raise nameless(text, models)
    known = list(dict.fromkeys(name.model for name in found if name.model))
    if not known:
        raise UsageError(
            "usage.undefined-network",
            f"no network definition for {text}",
            expected="a row with a model",
            found=found[0].meaning,
            remedy="`cspbench list` says what is known of each row",
        )
    if len(known) > 1:
        raise _ambiguous(text, found)
    return models[known[0]]


def matching(patterns: Iterable[str], models: Mapping[str, Model]) -> list[Model]:
    """The models that names or patterns (*, ?, [..]) mean, in catalogue order; every pattern must match a model.

    A pattern is held against the catalogue's names, and against all others if none of those matches.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        if not is_pattern(pattern) or meanings(pattern, models):
            chosen.add(resolve(pattern, models).name)
            continue
        own = [model for model in models if fnmatchcase(model, _folded(pattern))]
        matches = own or [
            name.model or "" for name in all_names(models) if fnmatchcase(_folded(name.text), _folded(pattern))
        ]
        if matches and not any(matches):
            raise UsageError(
                "usage.undefined-network",
                f"no network definition for {pattern}",
                remedy="`cspbench list` says what is known of each row",
            )
        if not matches:
            raise nameless(pattern, models)
        chosen.update(filter(None, matches))
    return [models[name] for name in models if name in chosen]


def completions(incomplete: str, models: Mapping[str, Model]) -> list[str]:
    """The names that begin with a text, for a shell: without blanks, TABLE:ROW by id, once a colon is typed."""
    texts = dict.fromkeys(
        f"{name.row.table}:{name.row.id}" if name.row and ":" in name.text else name.text
        for name in all_names(models)
        if (":" in name.text) == (":" in incomplete) and re.fullmatch(r"[\w./:+-]+", name.text)
    )
    return [text for text in texts if _folded(text).startswith(_folded(incomplete))]


def nameless(text: str, models: Mapping[str, Model]) -> UsageError:
    """The error for an unknown name, with the nearest ones of different models."""
    table, colon, _ = text.partition(":")
    file = [f"{text}.cfg"] if os.path.isfile(f"{text}.cfg") else []
    near = [*file, *nearest(text, models)]
    remedy = f"Did you mean {', '.join(near)}?" if near else LIST_MODELS
    if colon and table in tables.names(kind=None):
        return UsageError("usage.unknown-row", f"no such row in {table}", found=text, remedy=remedy)
    return UsageError("usage.unknown-model", f"unknown model {text!r}", remedy=remedy)


def nearest(text: str, models: Mapping[str, Model]) -> list[str]:
    """The names most like a text, one of each model, the best first."""
    names: dict[str, Name] = {}
    for name in all_names(models):
        if (":" in name.text) == (":" in text) and name.model:
            names.setdefault(_folded(name.text), name)
    best: dict[str | None, str] = {}
    for each in difflib.get_close_matches(_folded(text), names, n=4 * NEAREST, cutoff=0.5):
        best.setdefault(names[each].model, names[each].text)
    return list(best.values())[:NEAREST]


def _ambiguous(text: str, found: Iterable[Name]) -> UsageError:
    first: dict[str, str] = {}
    for name in found:
        if name.model:
            first.setdefault(name.model, name.meaning)
    listed = list(first.values())
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return UsageError(
        "usage.ambiguous-model",
        f"{text!r} may mean several models",
        expected=f"one of {', '.join(listed[:LISTED])}{more}",
        remedy="Name the row as TABLE:ROW, or its model",
    )


def _folded(text: str) -> str:
    return text.casefold().replace("×", "x")
