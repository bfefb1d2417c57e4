"""Changes as JUnit XML for CI servers: a test suite for each table, a test case for each cell."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as Xml

from cspbench.ci.diff import Changes, Kind, Pair
from cspbench.ci.render import HEADER, movement, one_line, texts


def junit(changes: Changes) -> bytes:
    """The XML document: a failing cell is a failure, a partial one an error, an unmeasured one is skipped.

    It holds no times, so that the same results give the same bytes.
    """
    root = Xml.Element("testsuites", name="cspbench ci")
    for table, pairs in groupby(changes.pairs, key=lambda pair: pair.table):
        suite = Xml.SubElement(root, "testsuite", name=one_line(table))
        for pair in pairs:
            _case(suite, pair)
        _count(suite)
    _count(root)
    Xml.indent(root, " ")
    text: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(suite: Xml.Element, pair: Pair) -> None:
    name = one_line(f"{pair.name}: {pair.header}")
    case = Xml.SubElement(suite, "testcase", classname=one_line(pair.table), name=name)
    if pair.failing or pair.kind == Kind.PARTIAL:
        what = Xml.SubElement(case, "failure" if pair.failing else "error", type=str(pair.kind))
        what.set("message", one_line(message(pair)))
        facts = zip(HEADER, texts(pair), strict=True)
        what.text = "\n".join(f"{header}: {text}" for header, text in facts)
    elif pair.after is not None and pair.after.measured is None:
        Xml.SubElement(case, "skipped", message=one_line(pair.after.mark))


def message(pair: Pair) -> str:
    """The numbers and why the cell fails, on one line: all that most servers show."""
    cause = f"{pair.cause.model}: {pair.cause.text}" if pair.cause and pair.failing else ""
    return "; ".join(filter(None, [movement(pair), pair.why, cause]))


def _count(element: Xml.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(len(element.findall(f".//{tag}"))))
