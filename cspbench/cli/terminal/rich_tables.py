"""Results on a terminal: aligned tables that fit its width, verdicts in colour, notes below their table."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Sequence
from shutil import get_terminal_size

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from cspbench.cli.terminal.column_widths import GAP, layout
from cspbench.errors import printable
from cspbench.report.formats import Block, Column, Paragraph, Table
from cspbench.report.text import SYMBOLS

STYLES = {
    "exact": "green",
    "close": "green",
    "consistent": "green",
    "fitted": "cyan",
    "missed": "magenta",
    "unmeasured": "dim",
}
STYLES |= {"off": "bold red", "inconsistent": "bold red", "unpublished": "dim", "partial": "dim"}
QUALIFIED = "yellow"
"""Off with an explanation, or only in a comparison."""
_VERDICT = re.compile(rf"\b({'|'.join(map(str, SYMBOLS))})\b")
_TOGETHER = re.compile(r"\[[^\[\]]*\]|\S+ %")
_HARD = "\N{NO-BREAK SPACE}"
_ASCII = str.maketrans({"×": "x", "→": "->", "Δ": "d", "–": "-", _HARD: " "})


def show(blocks: Iterable[Block], wide: bool = False, legend: bool = False) -> None:
    """Print blocks on stdout; `wide` leaves no column out, `legend` explains the words."""
    console = _console(get_terminal_size().columns)
    hints: dict[str, None] = {}
    legends = False
    for block in blocks:
        if isinstance(block, Table):
            hints |= dict.fromkeys(_show_table(block, console, wide))
        elif block.kind == "legend" and not legend:
            legends = True
        else:
            _show_paragraph(block, console)
    texts = [f"--wide shows {', '.join(hints)}"] if hints else []
    if legends:
        texts.append("--legend explains the words")
    if texts:
        console.print(Text("; ".join(texts), "dim"))


def _console(width: int) -> Console:
    # without a height rich takes a terminal that it does not know for 80 columns wide
    return Console(highlight=False, width=width, height=25)


def _show_paragraph(block: Paragraph, console: Console) -> None:
    known = _encodable(console)
    if block.kind == "heading":
        title, _, about = _without_marks(block.text.lstrip("# ")).partition("\n\n")
        console.print(Text(known(title), "bold").append(f"  {known(about)}" if about else "", "dim not bold"))
        return
    style = "dim" if block.kind in ("aside", "legend") else ""
    text = " ".join(_without_marks(block.text).split()) if block.kind == "legend" else block.text
    for line in text.split("\n"):
        console.print(Text(known(line), style))
    console.print()


def _show_table(table: Table, console: Console, wide: bool) -> list[str]:
    """Print a table; returns the headers of the columns that the terminal is too narrow for."""
    known = _encodable(console)
    lines = [[known(text) for text in line] for line in table.lines]
    telling = [at for at, column in enumerate(table.columns) if _tells(column, [line[at] for line in lines])]
    notes = [at for at in telling if table.columns[at].kind == "note" and not wide]
    candidates = [at for at in telling if at not in notes]
    headers = {table.columns[at].header for at in candidates}
    texts = {
        at: [_header(table.columns[at], headers), *(_marked(line[at], table.columns[at], console) for line in lines)]
        for at in candidates
    }
    widths = layout(table.columns, texts, None if wide else console.width)
    grid = Grid(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for at in widths:
        right = table.columns[at].kind == "number"
        grid.add_column(Text(texts[at][0]), justify="right" if right else "left", width=widths[at])
    rule = "-" if console.options.ascii_only else "─"
    grid.add_row(*(Text(rule * widths[at], "dim") for at in widths))
    for row in range(len(lines)):
        grid.add_row(*(_styled(_folded(texts[at][row + 1], widths[at]), table.columns[at]) for at in widths))
    total = sum(widths.values()) + GAP * len(widths)
    _console(max(total, console.width)).print(grid)
    first = next(iter(widths), 0)
    for name, note in dict.fromkeys((line[first], line[at]) for line in lines for at in notes):
        if note not in ("", "-"):
            console.print(Padding(Text(f"{name}: ", "bold").append(note, "not bold"), (0, 0, 0, 2)))
    console.print()
    return [table.columns[at].header for at in candidates if at not in widths]


def _encodable(console: Console) -> Callable[[str], str]:
    """What makes a text printable on one line, in ASCII where the terminal knows nothing else."""
    if not console.options.ascii_only:
        return printable
    return lambda text: printable(text.translate(_ASCII)).encode("ascii", "backslashreplace").decode()


def _without_marks(markdown: str) -> str:
    """Our own markdown without its marks."""
    return re.sub(r"\*\*?([^*]+)\*\*?", r"\1", markdown).replace("`", "")


def _header(column: Column, shown: Collection[str]) -> str:
    return column.header if not column.of or column.of in shown else f"{column.of} {column.header}"


def _tells(column: Column, texts: Sequence[str]) -> bool:
    """Whether a column says anything: a claim's columns say nothing where there are no claims."""
    nothing = {"", "-", "unpublished"} if column.kind == "verdict" else {"", "-"}
    return not texts or not nothing.issuperset(texts)


def _marked(text: str, column: Column, console: Console) -> str:
    """A verdict with its symbol; an interval and a percentage are not folded."""
    if column.kind == "verdict" and not console.options.ascii_only:
        text = _VERDICT.sub(lambda word: f"{SYMBOLS[word[0]]}{_HARD}{word[0]}", text, count=1)
    return _TOGETHER.sub(lambda match: match[0].replace(" ", _HARD), text)


def _folded(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width)).replace(_HARD, " ")


def _styled(text: str, column: Column) -> Text:
    word = _VERDICT.search(text) if column.kind == "verdict" else None
    if word is None:
        return Text(text)
    qualified = "explained" in text or "comparison" in text
    return Text(text, QUALIFIED if qualified else STYLES.get(word[0], ""))
