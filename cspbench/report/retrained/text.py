"""The part on retrained networks as blocks, for markdown, a terminal, the page and LaTeX."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from decimal import Decimal

from cspbench.claims.model import NOTHING
from cspbench.errors import brief, printable
from cspbench.report.formats import Column, Table
from cspbench.report.retrained.lines import Line, Number, Part
from cspbench.report.text import some
from cspbench.report.yours import data_text
from cspbench.results.sessions import program
from cspbench.results.store import without_folders
from cspbench.retrained.statistics import Difference, Lack, Method

DECIMALS = 2
"""Of percentages and points."""


def table(part: Part) -> Table:
    """The table of a part: a line a group."""
    metrics = list(dict.fromkeys((number.metric, number.header) for line in part.lines for number in line.numbers))
    gained = any(line.gain for line in part.lines)
    columns = [Column("Row" if part.claimed else "Model"), Column("Seeds"), Column("Evaluated on", 1)]
    for place, (_, header) in enumerate(metrics):
        rank = 0 if place == 0 else 4
        columns += [Column(f"{header} published", rank)] if part.claimed else []
        columns.append(Column(f"{header} retrained", rank))
        columns += [Column(f"{header} gain", rank)] if gained else []
    columns += [Column("Base", 2)] if gained else []
    columns += [Column("Trained on", 3), Column("Iterations", 2), Column("How", 3)]
    return Table(columns, [_texts(part, line, [name for name, _ in metrics], gained) for line in part.lines])


def _texts(part: Part, line: Line, metrics: Sequence[str], gained: bool) -> list[str]:
    texts = [line.name, seeds(line), evaluated_on(line)]
    numbers = {number.metric: number for number in line.numbers}
    for metric in metrics:
        number = numbers.get(metric)
        texts += [(number and number.published) or NOTHING] if part.claimed else []
        texts.append(mean(number) if number else NOTHING)
        texts += [gain(number) if number else NOTHING] if gained else []
    texts += [_base(line)] if gained else []
    return [printable(text) for text in (*texts, trained_on(line), iterations(line), how(line))]


def seeds(line: Line) -> str:
    """How many, and which: "3 (0, 1, 2)"."""
    listed = line.group.seeds
    shown = ", ".join(map(str, listed[:10])) + (", ..." if len(listed) > 10 else "")
    return f"{len(listed)} ({shown})"


def trained_on(line: Line) -> str:
    """The images of the training, with the first digits of their digest: "9 images of 3 classes (1a2b3c4d)"."""
    data = line.group.training.data
    number = data.digest.rpartition(":")[2][:8]
    classes = "1 class" if data.classes == 1 else f"{data.classes} classes"
    return f"{data.images:,} image{'s' * (data.images != 1)} of {classes} ({brief(number)})"


def iterations(line: Line) -> str:
    """Those made, of the recipe's own: "500 of 800,000"; without these where the record does not have them."""
    training = line.group.training
    own = training.recipe_iterations
    return f"{training.iterations:,}" if own is None else f"{training.iterations:,} of {own:,}"


def how(line: Line) -> str:
    """The era, and whatever is not as the recipe has it."""
    training = line.group.training
    texts = [training.era]
    texts += ["exact gradients"] if training.gradients == "exact" else []
    texts += [training.precision] if training.precision != "fp32" else []
    if training.start.arrays is not None:
        number = training.start.arrays.rpartition(":")[2][:8]
        texts.append(f"from {some(training.start.layers, 'layer')} of weights {number}")
    return ", ".join(brief(text, 80) for text in [*texts, *training.changed])


def evaluated_on(line: Line) -> str:
    """The images of the evaluation, and whether they are the claim's."""
    text = data_text(line.group.run.identity.data)
    if line.row is None:
        return text
    return f"{text}, the claim's" if line.claims_images else f"{text}, not the claim's"


def _base(line: Line) -> str:
    """The base row, and why the gain over it is unknown, if it is."""
    lack = line.gain.lack if line.gain else None
    return f"{line.base}: {lack}" if lack else line.base or NOTHING


def mean(number: Number) -> str:
    """Mean and spread, "68.31 ± 0.12"; without a spread of one seed."""
    measured = number.measured
    text = f"{measured.mean:.{DECIMALS}f}"
    return text if measured.spread is None else f"{text} ± {measured.spread:.{DECIMALS}f}"


def gain(number: Number) -> str:
    """As published and as measured: "+0.8 published; +0.35 (95 %: -0.10 to +0.80, 3 pairs)"."""
    texts = [] if number.published_gain is None else [f"{signed(number.published_gain)} published"]
    texts += [] if number.gain is None else [measured_gain(number.gain)]
    return "; ".join(texts) or NOTHING


def signed(value: Decimal) -> str:
    """A published difference with its sign; 0 without one."""
    return f"{value:+f}" if value else f"{abs(value):f}"


def measured_gain(difference: Difference) -> str:
    """A measured difference with its interval, or why it has none."""
    pairs = some(difference.pairs, "pair") if difference.pairs else "unpaired"
    if difference.interval is not None:
        low, high = (f"{bound:+.{DECIMALS}f}" for bound in difference.interval)
        inside = f"95 %: {low} to {high}, {pairs}"
    else:
        inside = f"{pairs}, all equal" if difference.lack is Lack.SPREAD else f"{pairs}, no interval"
    return f"{difference.mean:+.{DECIMALS}f} ({inside})"


def methods(parts: Sequence[Part]) -> str | None:
    """How the intervals were computed, in one sentence."""
    gains = [number.gain for part in parts for line in part.lines for number in line.numbers if number.gain]
    used = [str(method) for method in Method if any(each.method is method for each in gains)]
    return f"Intervals by {' and '.join(used)}." if used else None


def made_by(part: Part) -> Iterator[tuple[str, str, str]]:
    """Of each line its name, the command that trained it, and by what."""
    for line in part.lines:
        sessions = [session for member in line.group.members for session in member.training.sessions]
        programs = ", ".join(dict.fromkeys(map(program, sessions)))
        yield line.name, command(line), programs


def command(line: Line) -> str:
    """The command that trained the first of a group, without folders."""
    sessions = line.group.training.sessions
    return shlex.join(without_folders(sessions[-1].command)) if sessions else ""
