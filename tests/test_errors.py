"""Every error has a code of the list, one for each cause, and shows it."""

from __future__ import annotations

import pickle
import re
from collections import defaultdict
from pathlib import Path

import pytest
from error_sites import TREE, Site, package, read
from refusals import refuses

from cspbench import error_codes, errors
from cspbench.errors import DefinitionError

# Codes whose cause is worded for the place that it comes from.
SEVERAL_WORDINGS = frozenset(
    """
    cfg.out-of-range incomplete.write-failed memory.exhausted
    network.indivisible-channels network.no-sources
    network.shortcut-sizes network.unknown-source network.window-too-large usage.needs-model usage.no-csp-backbone
    usage.one-model usage.other-task usage.out-of-range usage.own-protocol usage.two-networks
    usage.unknown-suffix
    """.split()
)


@pytest.fixture(scope="module")
def sites() -> list[Site]:
    result, wrong = read(package())
    assert wrong == []
    return result


# --- the list


def test_codes_are_sorted_and_well_formed() -> None:
    areas: list[str] = []
    for module in error_codes.MODULES:
        assert list(module.CODES) == sorted(module.CODES)
        areas += {code.partition(".")[0] for code in module.CODES}
    assert len(set(areas)) == len(areas)  # an area has one module, so that no code stands in two
    assert list(error_codes.CODES) == sorted(error_codes.CODES)
    for code, meaning in error_codes.CODES.items():
        assert re.fullmatch(r"[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*|interrupted|terminated", code), code
        assert re.fullmatch(r"\S[^|\n]*\.", meaning), meaning
    meanings = list(error_codes.CODES.values())
    assert len(set(meanings)) == len(meanings)


def test_the_page_is_the_list() -> None:
    page = Path(__file__).parents[1] / "docs" / "errors.md"
    assert page.read_text(encoding="utf-8") == error_codes.page()


def test_exit_codes_by_area() -> None:
    codes = ["cfg.out-of-range", "count.disagree", "incomplete.shard-missing", "usage.size"]
    codes += ["interrupted", "terminated"]
    assert [errors.exit_code(code) for code in codes] == [3, 1, 4, 2, 130, 143]


# --- the package


def test_every_error_has_a_listed_code_and_every_listed_code_an_error(sites: list[Site]) -> None:
    used = {code for site in sites for code, _ in site.codes}
    assert used == error_codes.CODES.keys()


def test_the_class_fits_the_exit_code(sites: list[Site]) -> None:
    exits = {"UsageError": 2, "CountingError": 1, "IncompleteRunError": 4, "LockedError": 4}
    for site in sites:
        for code, _ in site.codes:
            if site.kind and code not in ("interrupted", "terminated"):
                assert exits.get(site.kind, 3) == errors.exit_code(code), site.where


def test_no_code_is_of_two_causes(sites: list[Site]) -> None:
    wordings = defaultdict(set)
    for site in sites:
        for code, words in site.codes:
            if words is not None:
                wordings[code].add(words)
    assert {code for code, words in wordings.items() if len(words) > 1} == SEVERAL_WORDINGS


def test_the_sites_are_those_of_the_whole_tree(sites: list[Site]) -> None:
    assert {site.kind for site in sites} - {None} == TREE.keys()
    assert len(sites) > 300


HELPER = """
from cspbench.errors import UsageError
def wrong(name, code, what):
    return UsageError(code, what)
"""


@pytest.mark.parametrize(
    "text",
    [
        "raise UsageError",
        "raise UsageError()",
        "raise UsageError(what)",
        "raise errors.UsageError(*both)",
        "error = UsageError(f'usage.{name}', 'wrong')",
        "def check(code):\n    raise UsageError(name, 'wrong')",
        "def check(name):\n    raise UsageError(name, 'wrong')",
        "def check(name):\n    code = name\n    raise UsageError(code, 'wrong')",
        "def check(error):\n    raise UsageError(error.code, 'wrong')",
        "raise type(error)(error.what, where='here')",
        "raise type(error)('usage.size', error.what)",
        "from helper import wrong\nraise wrong('name', text, 'wrong')",
        "from helper import wrong\nraise wrong('name')",
    ],
)
def test_an_error_without_a_code_is_seen(text: str) -> None:
    _, wrong = read({"helper": HELPER, "module": f"from cspbench.errors import UsageError\n{text}\n"})
    assert len(wrong) == 1


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("raise UsageError('usage.size', 'wrong')", ["usage.size"]),
        ("raise UsageError('no size', remedy='none')", ["no size"]),
        ("raise UsageError('a.b' if one else 'c.d', 'wrong')", ["a.b", "c.d"]),
        ("def check():\n    bad, code = 1, 'a.b'\n    raise UsageError(code, 'wrong')", ["a.b"]),
        (
            "def check():\n    rows = (('a.b', 1), ('c.d', 2))\n    for code, bad in rows:\n"
            "        raise UsageError(code, 'wrong')",
            ["a.b", "c.d"],
        ),
        ("from helper import wrong as odd\nraise odd('name', 'a.b', 'wrong')", ["a.b"]),
        ("def f():\n    try: g()\n    except UsageError as e:\n        raise UsageError(e.code, 'wrong')", []),
    ],
)
def test_codes_are_read_from_the_source(text: str, codes: list[str]) -> None:
    sites, wrong = read({"helper": HELPER, "module": f"from cspbench.errors import UsageError\n{text}\n"})
    assert wrong == []
    assert [code for site in sites for code, _ in site.codes] == codes


# --- an error


def test_an_error_keeps_its_code_at_a_place_and_between_processes() -> None:
    error = DefinitionError("cfg.out-of-range", "out of range", where="line 3", found="0", remedy="Correct it")
    for each in (error.at("net.cfg"), pickle.loads(pickle.dumps(error.at("net.cfg")))):
        assert type(each) is DefinitionError
        assert (each.code, each.where, each.found) == ("cfg.out-of-range", "net.cfg, line 3", "0")
    with refuses("cfg.out-of-range", where="line 3", expected=None, found="0"):
        raise error
