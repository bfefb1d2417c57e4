"""The published links, mirrors, and the pages that come instead of files."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from golden import documents
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.claims import tables
from cspbench.errors import UsageError
from cspbench.weights.catalogue import weight_files
from cspbench.weights.download.drive import LARGEST, Page, confirmation, google_host, read_page
from cspbench.weights.download.links import direct, drive_id, mirrored, split
from cspbench.weights.filekind import is_page

ID = "1dZJIxngmFpQJvsa6y7XADfSxkXCjJTzp"
UC = f"https://drive.google.com/uc?export=download&id={ID}"


def linked() -> list[Any]:
    """The weight files of `models.toml` that have a link."""
    return [file for entry in tables.entries().values() for file in entry.weights if file.url]


def test_links_are_of_published_files() -> None:
    published = {
        weight_file.file: weight_file.url for weight_file in weight_files() if weight_file.status == "released"
    }
    assert "cspdarknet53_ra_256-d05c7c21.pth" in [file.file for file in linked()]
    linked_without_row = {"yolov4.weights"}
    assert linked_without_row < {file.file for file in linked()}
    for file in linked():
        assert urlsplit(file.url).scheme == "https"
        assert file.file in linked_without_row or published[file.file] == file.url


def test_the_link_of_timms_card_stands_in_it() -> None:
    # of the others the digests are not here: the CSPNet README's links are of a later revision
    (file,) = (file for file in linked() if file.source == tables.load("timm").source)
    assert documents.fingerprint(f"Weights: {file.url}") in documents.stored().timm_lines


# --- addresses


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"https://drive.google.com/open?id={ID}", UC),
        (f"https://drive.google.com/file/d/{ID}/view?usp=sharing", UC),
        (f"https://drive.google.com/file/d/{ID}", UC),
        (f"https://drive.google.com/uc?id={ID}", UC),
        (f"https://docs.google.com/uc?export=download&id={ID}", UC),
        (f"http://drive.google.com/open?id={ID}", UC),
        ("https://drive.google.com/drive/folders/abc", "https://drive.google.com/drive/folders/abc"),
        ("https://drive.google.com/uc?id=../../x", "https://drive.google.com/uc?id=../../x"),
        (f"https://drive.google.com.example.org/uc?id={ID}", f"https://drive.google.com.example.org/uc?id={ID}"),
        ("https://github.com/o/r/blob/master/w/a.weights", "https://github.com/o/r/raw/master/w/a.weights"),
        ("https://github.com/o/r/releases/download/v1/a.pth", "https://github.com/o/r/releases/download/v1/a.pth"),
    ],
)
def test_the_address_behind_a_link(url: str, address: str) -> None:
    assert direct(url) == address
    assert drive_id(address) == (ID if address == UC else None)


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("usp=sharing&resourcekey=0-aB_9", "&resourcekey=0-aB_9"),
        ("resourcekey=", ""),
        ("resourcekey=%26x%3D1", ""),
    ],
)
def test_the_key_of_a_shared_file_is_kept(query: str, more: str) -> None:
    assert direct(f"https://drive.google.com/file/d/{ID}/view?{query}") == UC + more


@pytest.mark.parametrize(
    ("mirror", "address"),
    [
        ("http://h/w/", "http://h/w/a%20b.weights"),
        ("http://h", "http://h/a%20b.weights"),
        ("http://h:80/x.weights", "http://h:80/x.weights"),
        ("http://h/get?file=7", "http://h/get?file=7"),
        (f"https://drive.google.com/file/d/{ID}/view", f"https://drive.google.com/file/d/{ID}/view"),
        ("file:///srv/w", "file:///srv/w/a%20b.weights"),
    ],
)
def test_a_mirror_is_a_folder_or_the_file(mirror: str, address: str) -> None:
    assert mirrored(mirror, "a b.weights") == address


def test_a_local_file_is_a_mirror_of_one(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    assert mirrored((tmp_path / "mine").as_uri(), "a.weights") == (tmp_path / "mine").as_uri()
    assert mirrored(tmp_path.as_uri(), "a.weights") == f"{tmp_path.as_uri()}/a.weights"


@pytest.mark.parametrize(
    "url",
    ["", "h/w", "/srv/w", "ftp://h/w", "data:,x", "javascript:x", "http://", "http:///w", "http://h:x/", "http://[/",
     "file://host/w", "file:", "x" * 300, "http://h/a b", "http://h/\n", "http://h/ü", "http://%5B/"],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with refuses("usage.not-an-address"):
        split(url)


def test_a_password_is_not_repeated() -> None:
    for url in ("https://me:secret@h/w", "https://me:secret@h:port/w", "https://a@me:secret@h"):
        with refuses("usage.not-an-address") as caught:
            split(url)
        assert str(caught.value.found).startswith("a name or password for h")
        assert "secret" not in str(caught.value)


def test_a_path_is_answered_with_its_address(tmp_path: Path) -> None:
    with refuses("usage.not-an-address", remedy=f"Write {tmp_path.as_uri()}"):
        split(str(tmp_path))


@given(st.text())
def test_any_text_is_an_address_or_told_not_to_be(text: str) -> None:
    for url in (text, f"http://{text}", f"file://{text}"):
        with suppress(UsageError):
            assert split(url).scheme in ("http", "https", "file")


# --- pages


def test_pages_are_told_by_their_beginning() -> None:
    assert is_page(b"\xef\xbb\xbf\r\n <HTML>")
    assert not is_page(b"\0\0\0\0<html>")
    assert not is_page(b"PK\3\4")
    assert not is_page(b"")


def test_what_a_page_holds() -> None:
    page = read_page(
        b"<title>A &amp;\n B</title><style>x{}</style><script>sign in</script><p>Hello <b>there</b>"
        b"<form action=/go><input type=HIDDEN name=confirm value='&lt;'><input type=text name=other value=1></form>"
    )
    assert page == Page("A & B", "Hello there", (("/go", {"confirm": "<"}),))
    assert page.meaning() == 'an HTML page, "A & B"'
    assert len(Page("x" * 1000).meaning()) < 120


def test_a_title_cannot_garble_the_terminal() -> None:
    assert read_page(b"<title>a\x1b[31mred</title>").meaning() == 'an HTML page, "a\\x1b[31mred"'


BROKEN = [
    *("<", "</", "<![", "<!--", "<!-- --", "<a", "<a\n ", "<a =", "<a x='", '<a x="', "=", "&#", "&#1", "&am"),
    *("<title", "<title>", "<script>", "</script", "<form a", "<form action='> =", "<input type=hidden name=x value='"),
]


@pytest.mark.parametrize("begin", ["", "<html>", "<title>", "<form x="])
def test_broken_pages_are_read_at_once(begin: str) -> None:
    started = time.process_time()
    for unit in BROKEN:
        assert read_page((begin + unit * LARGEST).encode()[:LARGEST]).meaning()
    assert time.process_time() - started < 60  # the square of the length would take many times that


@pytest.mark.parametrize(
    ("markup", "page"),
    [
        ("<html><![foo[bar]]>text", Page("", "text")),
        (f"<title>&#{'5' * 5000};</title>", Page(f"&#{'5' * 5000};")),
        ("<title", Page()),
        ("<title>A<b>", Page("A<b>")),
        ("<TITLE lang=en>A</tItLe >B<!-- <title>C</title> -->D", Page("A", "B D")),
        ("<script>if (a < b) '<title>no</title>'</script><p>yes", Page("", "yes")),
        ("1 < 2 &lt; 3<br/>4", Page("", "1 < 2 < 3 4")),
        (
            """<form id=f action = "/a?x=1&amp;y=2>" ><INPUT name='confirm' value="t" TYPE=hidden>"""
            "<input type=hidden>",
            Page("", "", (("/a?x=1&y=2>", {"confirm": "t"}),)),
        ),
        ("<input type=hidden name=a value=b><form><form action=x", Page("", "", (("", {}), ("x", {})))),
    ],
)
def test_pages_that_are_written_otherwise(markup: str, page: Page) -> None:
    assert read_page(markup.encode()) == page


@given(
    st.binary(max_size=200) | st.lists(st.sampled_from(BROKEN), max_size=30).map(lambda all_: "".join(all_).encode())
)
def test_any_bytes_are_a_page(data: bytes) -> None:
    page = read_page(data)
    assert page.meaning().isprintable()
    confirmation(page, UC)


_MARKUP = st.lists(
    st.sampled_from(
        ["<form action='", "http://[", "//evil.example/x", "https://x.google.com", "'>", "<!--", "&#0;",
         "<input type=hidden name=confirm", " value=", "\"a'b\"", "t>", "</form>", "<title>", "é", "script:1", "?a#c"]
    )
).map("".join)  # fmt: skip


@given(_MARKUP)
def test_no_page_leads_away_from_google(markup: str) -> None:
    page = read_page(markup.encode())
    result = confirmation(page, UC)
    if result is not None:
        parts = split(result)
        assert parts.scheme == "https"
        assert google_host(parts.hostname or "")
        assert "confirm=" in parts.query
    assert confirmation(page, "https://elsewhere.example/") is None
    assert "\n" not in page.meaning()


@pytest.mark.parametrize(
    ("action", "address"),
    [
        ("/a b<é", "https://drive.google.com/a%20b<%C3%A9?confirm=t"),
        ("https://me:secret@drive.google.com/a", None),
    ],
)
def test_a_page_leads_to_what_can_be_opened_or_nowhere(action: str, address: str | None) -> None:
    page = Page(forms=((action, {"confirm": "t"}),))
    assert confirmation(page, "https://drive.google.com/uc") == address


def test_hosts_of_google() -> None:
    assert all(map(google_host, ("google.com", "drive.google.com", "doc-0k.googleusercontent.com")))
    assert not any(map(google_host, ("", "evilgoogle.com", "google.com.evil.example", "googleusercontent.com.x")))
