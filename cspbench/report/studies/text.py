"""Studies as blocks, for markdown, a terminal, the page and LaTeX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cspbench.claims import tables
from cspbench.claims.metrics import METRICS
from cspbench.claims.model import NOTHING
from cspbench.claims.model import Table as Claimed
from cspbench.errors import brief, printable
from cspbench.report.formats import Block, Column, Paragraph, Table
from cspbench.report.retrained.text import measured_gain, signed
from cspbench.report.text import some
from cspbench.retrained.findings import MEANINGS, Finding, Number, findings, head_room
from cspbench.retrained.studies import Study

TITLE = "Studies"
TEXT = (
    "Tables of tricks in miniature: what each row changes, trained with several seeds in a small network. Rows that "
    "differ only in their networks share trainings. A difference is that from the base row in points, as published and "
    "as measured, with the 95 % interval of its mean over pairs of seeds (paired t). "
    + "; ".join(f"**{word}**: {meaning}" for word, meaning in MEANINGS.items())
    + ". None of these is a verdict on a published number: network, data and schedule are others."
)


def claimed(study: Study) -> Claimed:
    """The table that was studied."""
    return tables.load(study.table)


def blocks(studies: Sequence[Study]) -> Iterator[Block]:
    """A heading, what was done, and a table for each study."""
    for study in studies:
        yield Paragraph(place(study), "heading")
        yield Paragraph(about(study), "text")
        yield table(study)
    if studies:
        yield Paragraph(TEXT, "aside")


def place(study: Study) -> str:
    """The heading: "Studies: Activation function (imagenet-activation)"."""
    return f"{TITLE}: {claimed(study).title} ({study.table})"


def table(study: Study) -> Table:
    """A line for each row, with the metric that decides in full, and the others' differences."""
    found = findings(study, claimed(study))
    metrics = list(dict.fromkeys(number.metric for each in found for number in each.numbers))
    columns = [Column("Row"), Column("Changes", 2)]
    for at, metric in enumerate(metrics):
        header, rank = METRICS[metric].header, 0 if at == 0 else 4
        columns += [Column(f"{header} published", rank), Column(f"{header} measured", rank + (at == 0))]
        columns += [Column(f"Δ{header} published", rank), Column(f"Δ{header} measured", rank)]
    columns += [Column("n", 1), Column("Word")]
    names = dict(zip((row.id for row in claimed(study).rows), claimed(study).names(), strict=True))
    return Table(columns, [_texts(each, metrics, names[each.row.id]) for each in found])


def _texts(each: Finding, metrics: Sequence[str], name: str) -> list[str]:
    numbers = {number.metric: number for number in each.numbers}
    texts = [name, ", ".join(each.changes) or ("the base" if each.base is None and not each.lack else NOTHING)]
    for metric in metrics:
        texts += _number(numbers.get(metric))
    count = each.numbers[0].measured.count if each.numbers and each.numbers[0].measured else 0
    word = str(each.word) if each.word else each.lack or NOTHING
    return [printable(text) for text in (*texts, str(count or NOTHING), word)]


def _number(number: Number | None) -> list[str]:
    if number is None:
        return [NOTHING] * 4
    measured = number.measured
    mean = NOTHING if measured is None else f"{measured.mean:.2f}"
    mean += "" if measured is None or measured.spread is None else f" ± {measured.spread:.2f}"
    gains = NOTHING if number.published_gain is None else signed(number.published_gain)
    return [number.published or NOTHING, mean, gains, NOTHING if number.gain is None else measured_gain(number.gain)]


def about(study: Study) -> str:
    """What was trained, what differs from the claim's setting, the head room, the cost, and the words."""
    return " ".join([_setting(study), _differs(study), *_room(study), _cost(study), _words(study)])


def _setting(study: Study) -> str:
    mini, first = study.miniature, study.outcomes[0]
    height, width = mini.size
    return (
        f"{mini.model}, {mini.parameters:,} parameters, {width}×{height} pixels, {mini.iterations:,} iterations of "
        f"{some(mini.batch, 'picture')}; {some(len(study.variants), 'variant')}, seeds "
        f"{', '.join(map(str, study.seeds))}; trained on {first.data.images:,} {'drawn ' * mini.drawn}pictures of "
        f"{first.data.classes} classes ({brief(first.data.digest.rpartition(':')[2][:8])}), scored on "
        f"{first.held:,} that are held out."
    )


def _differs(study: Study) -> str:
    """How the setting is not the claim's."""
    table = claimed(study)
    models = sorted({row.model for row in table.rows if row.model})
    shown = ", ".join(models[:3]) + (", ..." if len(models) > 3 else "")
    data = "ImageNet" if table.dataset == "imagenet" else "COCO"
    start = study.outcomes[0].start
    begun = f"began with a backbone that the study trained ({start.rpartition(':')[2][:8]})" if start else ""
    texts = [f"The claim's setting is another: {shown} on {data} {table.split}, with the published schedule"]
    return f"{'; here all '.join([*texts, *filter(None, [begun])])}."


def _room(study: Study) -> Iterator[str]:
    room = head_room(study, claimed(study))
    if room is not None:
        metric, base, chance = room
        header = METRICS[metric].header
        yield f"Head room: the base row's {header} is {base.mean:.1f} %, chance gives {chance:.1f} %."


def _cost(study: Study) -> str:
    minutes = sum(outcome.seconds for outcome in study.outcomes) / 60
    return f"Cost: {some(len(study.outcomes), 'training')}, {minutes:.0f} minutes on one thread each."


def _words(study: Study) -> str:
    words = Counter(str(each.word) for each in findings(study, claimed(study)) if each.word)
    counts = [f"{count} {word if count == 1 else word.removesuffix('s')}" for word, count in sorted(words.items())]
    return f"Rows: {', '.join(counts) or 'none with a base row'}."
