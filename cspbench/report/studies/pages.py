"""The section on studies in the report's pages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from cspbench.report.formats import grid, latex
from cspbench.report.studies.text import TEXT, TITLE, about, place, table
from cspbench.report.template import environment
from cspbench.retrained.studies import Study

if TYPE_CHECKING:
    from cspbench.report.html import Svg

FIGURES = "study-"
"""Prefix of the names of figures of studies: study-TABLE, study-curves-TABLE."""


def of_study(name: str, study: Study) -> bool:
    """Whether a figure of this name is of a study."""
    return name in (f"{FIGURES}{study.table}", f"{FIGURES}curves-{study.table}")


def as_markdown(studies: Sequence[Study], figures: Sequence[str] = ()) -> list[str]:
    """Its paragraphs and tables, with tags in names escaped; `figures` are names of files beside the report."""
    if not studies:
        return []
    texts = [f'# <a id="studies"></a>{TITLE}', TEXT]
    for study in studies:
        shown = table(study)
        texts += [f"## {place(study)}", about(study), grid(shown.header, shown.lines).replace("<", "&lt;")]
        own = [name for name in figures if of_study(name.rsplit(".", 1)[0], study)]
        texts += [f"![{name.rsplit('.', 1)[0].replace('-', ' ')}]({name})" for name in own]
    return texts


def as_latex(studies: Sequence[Study]) -> str:
    """A tabular for each study, its name in a comment above it."""
    shown = [(place(study), table(study)) for study in studies]
    return "\n".join(f"% {name}\n{latex(each.header, each.lines)}" for name, each in shown)


def as_html(studies: Sequence[Study], drawings: Sequence[Svg] = ()) -> str:
    """The section of the HTML page with its figures; empty without studies."""
    if not studies:
        return ""
    parts = [
        {
            "name": study.table,
            "place": place(study),
            "about": about(study),
            "table": table(study),
            "drawings": [drawing for drawing in drawings if of_study(drawing.name, study)],
        }
        for study in studies
    ]
    template = files("cspbench.report").joinpath("studies.html.j2").read_text("utf-8")
    return environment().from_string(template).render(studies=parts, title=TITLE, text=TEXT)
