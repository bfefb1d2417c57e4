"""The style of all figures, and their reproducible bytes as a file or as SVG inside a page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspbench.errors import UsageError
from cspbench.io import write_bytes
from cspbench.report.html import Svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PAPER, GRID = "#1f2a37", "#fffffe", "#e3e6ea"
CSP, OTHER = "#c0392b", "#34495e"
DASHES = (0, (4, 2))
"""The line style of measurements."""
ABOVE: Mapping[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "fontsize": 9}
"""Where a legend stands: above the axes, at the right."""
BELOW: Mapping[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 3, "fontsize": 9}
"""Where a legend stands: below the axes."""
EXACT, CLOSE, OFF, FITTED, MISSED = "#0b7a43", "#0b62a4", "#c2261b", "#8a5a00", "#6a3aa2"
COLOURS = (OTHER, CSP, CLOSE, FITTED, EXACT)
MARKERS = ("o", "s", "^", "D", "v")
"""For the lines of a figure; when the colours run out they repeat with the next marker."""

VARIABLES: Mapping[str, str] = {
    **{INK: "ink", PAPER: "paper", GRID: "grid", CSP: "csp", OTHER: "other"},
    **{EXACT: "exact", CLOSE: "close", OFF: "off", FITTED: "fitted", MISSED: "missed"},
}
"""The page's CSS variable for each colour; a dark page gives it another value."""

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.hashsalt": "cspbench",
    "svg.fonttype": "none",
    # fonts that a publisher accepts
    "pdf.fonttype": 42,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "xtick.color": INK,
    "ytick.color": INK,
}

FORMATS = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""The formats of figures, each with the metadata to leave out."""


@contextmanager
def styled() -> Iterator[None]:
    """A context in which figures are drawn and saved in one style. Needs matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise UsageError(
            "usage.no-matplotlib",
            "plots need matplotlib",
            found="not installed",
            remedy="Install cspbench[plot], or leave the plots out",
        ) from None
    with mpl.rc_context(_SETTINGS):  # type: ignore[arg-type]
        yield


def file_of(figure: Figure, form: str = "png") -> bytes:
    """The figure as a file of one of the `FORMATS`, without date or version."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=form, metadata=FORMATS[form])
    return buffer.getvalue()


def saved(figure: Figure, path: Path) -> list[Path]:
    """Write the figure to `path` with the suffix of each format; returns the files."""
    files = [path.with_name(f"{path.name}.{form}") for form in FORMATS]
    for file, form in zip(files, FORMATS, strict=True):
        write_bytes(file, file_of(figure, form))
    return files


def ladder(count: int) -> list[str]:
    """That many shades of one colour, from light to dark."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    shades = LinearSegmentedColormap.from_list("ladder", ["#b9c6d3", OTHER])
    return [to_hex(shades(at / max(1, count - 1))) for at in range(count)]


def svg(figure: Figure, name: str, description: str) -> Svg:
    """The figure as an element of a page; its ids and classes begin with its name.

    Inline styles, which the page forbids, become rules, and colours become variables.
    """
    text = file_of(figure, "svg").decode()
    text = text[text.index("<svg") :].rstrip()
    text = re.sub(r"(<metadata>.*?</metadata>|<style [^>]*>.*?</style>|<!--.*?-->)\s*", "", text, flags=re.DOTALL)
    width, height = re.findall(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', text)[0]
    head = f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{description}">'
    text = re.sub(r"<svg [^>]*>", head, text, count=1)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|xlink:href=")#', rf"\1#{name}-", text)
    rules: dict[str, str] = {}

    def named(style: re.Match[str]) -> str:
        return f'class="{rules.setdefault(_themed(style[1]), f"{name}-{len(rules)}")}"'

    text = re.sub(r'style="([^"]*)"', named, text)
    return Svg(name, text, "\n".join(f".{rule} {{ {style} }}" for style, rule in rules.items()), description)


def _themed(style: str) -> str:
    style = re.sub(r"'DejaVu Sans'.*?sans-serif", "system-ui, sans-serif", style)
    # other colours are the same on a dark page
    return re.sub("|".join(VARIABLES), lambda match: f"var(--{VARIABLES[match[0]]})", style)
