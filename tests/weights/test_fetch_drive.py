"""Fetching through Google Drive's pages, played by a server on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusals import refuses
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    QUICK,
    SIZED,
    Site,
    fixture_site,
    fixture_target,
    sends,
    serving,
    status,
)

from cspbench.weights.download.files import download

FORM = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<form id="download-form" action="{action}" method="get">
<input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="ID"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a&amp;b c"></form>
</body></html>"""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server on this machine stands for Google's hosts."""
    monkeypatch.setattr("cspbench.weights.download.drive.google_host", lambda host: host == "127.0.0.1")


def test_the_form_is_answered_and_its_file_resumed(site: Site, target: Path) -> None:
    url = site.on("/uc", status(200, FORM.format(action="/download").encode()))
    site.on("/download", sends(DATA, stop=1000), sends(DATA))
    download([url + "?id=ID"], target, SIZED, QUICK)
    assert target.read_bytes() == DATA
    answers = [each for each in site.asked if each.path.startswith("/download")]
    assert [answer.path for answer in answers] == ["/download?id=ID&export=download&confirm=t&uuid=a%26b+c"] * 2
    assert [each.range for each in answers] == [None, "bytes=1000-"]


def test_the_question_is_answered_once(site: Site, target: Path) -> None:
    url = site.on("/uc", status(200, FORM.format(action="/uc").encode()))
    with refuses("download.no-file", found='an HTML page, "Google Drive - Virus scan warning"'):
        download([url], target, SIZED)
    assert len(site.asked) == 2


@pytest.mark.parametrize("action", ["http://localhost:1/steal", "file:///etc/hostname", "javascript:x"])
def test_the_question_leads_to_google_only(
    site: Site, target: Path, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.on("/uc", status(200, FORM.format(action=action).encode()))
    with refuses("download.no-file"):
        download([url], target, SIZED)
    monkeypatch.undo()
    with refuses("download.no-file"):  # nor from elsewhere
        download([url], target, SIZED)
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    ("code", "title", "text", "meaning"),
    [
        (200, "Google Drive - Quota exceeded", "Too many users have viewed", "quota for the file is used up"),
        (
            200,
            "Google Drive",
            "Too many users have viewed or downloaded it",
            "quota for the file is used up",
        ),
        (404, "Google Drive - Page Not Found", "the file you have requested does not exist", "no longer exists"),
        (200, "Google Drive: Sign-in", "to continue", "is not public"),
    ],
)
def test_what_google_drive_says_instead(
    site: Site, target: Path, code: int, title: str, text: str, meaning: str
) -> None:
    page = f"<html><head><title>{title}</title></head><body>{text}</body></html>".encode()
    with refuses("download.no-file") as caught:
        download([site.on("/uc", status(code, page))], target, SIZED)
    assert f'{meaning}: an HTML page, "{title}"' in str(caught.value.found)
