"""`cspbench weights fetch` as its users run it: as a process, against a server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from refusals import refuses
from weight_files import random_arrays
from weight_server import (
    Site,
    fixture_site,  # noqa: F401 (found by their names)
    sends,
    status,
)

from cspbench.cli.choices import Format
from cspbench.cli.files.fetch import fetch_files
from cspbench.weights import darknet
from cspbench.weights.catalogue import weight_files
from cspbench.weights.download.rows import rows_named
from cspbench.zoo.registry import model

NAME = "csmobilenet-v2_final.weights"
ROW = "cspmobilenet-v2"
SIZE = 10_273_812

Here = Callable[..., tuple[int, list[dict[str, object]], str]]


def command(*arguments: str | Path, to: Path) -> subprocess.Popen[str]:
    """`cspbench weights fetch` in a new process."""
    return subprocess.Popen(
        [sys.executable, "-m", "cspbench", "weights", "fetch", *map(str, arguments), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CI": "1", "CSPBENCH_WEIGHTS": str(to)},
        preexec_fn=heard,
    )


def heard() -> None:
    """Let a new process hear interrupts, also where the tests run in the background of a shell, which hears none."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: subprocess.Popen[str], code: int) -> tuple[list[dict[str, object]], str]:
    """The table and the words of a process that must end with that code."""
    with process:
        out, words = process.communicate(timeout=900)
    assert process.returncode == code, words
    return json.loads(out) if out else [], words


def arrived(folder: Path, size: int) -> None:
    """Wait until so many bytes are in the `.part` file."""
    part = folder / f"{NAME}.part"
    until = time.monotonic() + 900
    while not part.exists() or part.stat().st_size < size:
        assert time.monotonic() < until
        time.sleep(0.02)


def link_all(monkeypatch: pytest.MonkeyPatch, url: str | None) -> None:
    """Let every row link this address."""
    files = [replace(file, url=url) for file in weight_files()]
    monkeypatch.setattr("cspbench.weights.catalogue.weight_files", lambda: files)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """Runs the command in this process, into `tmp_path`, where no link was published: exit code, table and words."""
    link_all(monkeypatch, None)
    monkeypatch.setenv("CSPBENCH_WEIGHTS", str(tmp_path))

    def run(rows: list[str] | None = None, **options: Any) -> tuple[int, list[dict[str, object]], str]:
        code = 0
        try:
            fetch_files(rows, **options, form=Format.JSON)
        except typer.Exit as left:
            code = left.exit_code
        out, words = capsys.readouterr()
        return code, json.loads(out), words

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A weight file of the row's model."""
    path = tmp_path_factory.mktemp("made") / NAME
    network = model("csmobilenet-v2").build()
    darknet.write(path, network, random_arrays(network))
    assert path.stat().st_size == SIZE
    return path.read_bytes()


def test_fetch_resumes_checks_and_reports(site: Site, data: bytes, tmp_path: Path, here: Here) -> None:
    site.on(f"/w/{NAME}", sends(data, stop=4_000_000), sends(data))
    lines, words = ended(command(ROW, "--mirror", site.url("/w/"), to=tmp_path), 0)
    assert lines == [
        {
            "table": "imagenet-small",
            "row": ROW,
            "file": NAME,
            "bytes": SIZE,
            "result": "fetched",
            "checked": "exact size, every number read, no digest is known",
            "code": None,
            "reason": None,
            "remedy": None,
        }
    ]
    assert "attempt 2 of 6" in words
    assert f"{tmp_path / NAME}: downloaded from {site.url('/w/')}{NAME}; {SIZE} bytes, sha256 " in words
    assert site.ranges == [None, "bytes=4000000-"]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    code, lines, _ = here(["csmobilenet-v2"])
    assert (code, lines[0]["result"]) == (0, "there already")
    assert len(site.asked) == 2


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_process_is_gone_on_with(
    site: Site, data: bytes, tmp_path: Path, sent: signal.Signals, code: int, here: Here
) -> None:
    site.on(f"/{NAME}", sends(data, stop=3_000_000, hold=True), sends(data))
    process = command(ROW, "--mirror", site.url("/"), to=tmp_path)
    arrived(tmp_path, 3_000_000)
    process.send_signal(sent)
    _, words = ended(process, code)
    assert ("To resume:\ncspbench weights fetch" in words) == (sent is not signal.SIGKILL)
    assert not (tmp_path / NAME).exists()
    assert here([ROW], mirror=[site.url("/")])[0] == 0
    assert site.ranges == [None, "bytes=3000000-"]
    assert (tmp_path / NAME).read_bytes() == data


def test_of_two_processes_one_fetches(site: Site, data: bytes, tmp_path: Path) -> None:
    site.on(f"/{NAME}", sends(data, stop=3_000_000, hold=True), sends(data))
    first = command(ROW, "--mirror", site.url("/"), to=tmp_path)
    arrived(tmp_path, 3_000_000)
    second = command(ROW, "--mirror", site.url("/"), to=tmp_path)
    assert second.stderr is not None
    line = second.stderr.readline()
    assert line.startswith(f"cspbench: waiting for process {first.pid} on ")
    assert line.endswith(f", which downloads {NAME}\n")
    site.released.set()
    results = [ended(process, 0)[0][0]["result"] for process in (first, second)]
    assert results == ["fetched", "there already"]
    assert site.ranges == [None, "bytes=3000000-"]
    assert (tmp_path / NAME).read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_what_cannot_be_had_does_not_stop_the_rest(site: Site, data: bytes, tmp_path: Path, here: Here) -> None:
    site.on(f"/{NAME}", sends(data))
    site.on("/resnet10_final.weights", status(200, b"<html><title>Moved</title>"))
    rows = ["resnet-10", ROW, "mobilenet-v2", "peleenet", "cspresnext50-panet-spp-giou-512-nms-aware"]
    code, lines, _ = here(rows, mirror=[site.url("/")])
    assert code == 3
    results = {str(line["row"]): line for line in lines}
    assert [line["row"] for line in lines if line["result"] == "fetched"] == [ROW]
    assert {str(line["result"]) for line in lines} == {"fetched", "unmeasured: no-weights"}
    codes = {row: line["code"] for row, line in results.items() if line["code"] != "download.no-file"}
    assert codes == {ROW: None, "peleenet": "download.never-released"}
    assert 'found an HTML page, "Moved"' in str(results["resnet-10"]["reason"])
    own = tmp_path / "resnet10_final.weights"
    sizes = "(20995764 bytes, or 20995760 with the 16-byte header)"
    assert results["resnet-10"]["remedy"] == f"Put your own file at {own} {sizes}"
    assert "404 Not Found" in str(results["mobilenet-v2"]["reason"])
    assert "404" in str(results["cspresnext50-panet-spp-giou-512-nms-aware"]["reason"])
    assert not [each for each in site.asked if "pelee" in each.path]


def test_a_file_of_several_rows_has_the_same_reason_in_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    link_all(monkeypatch, None)
    with pytest.raises(typer.Exit):
        fetch_files(
            ["csresnext50-panet-spp*", "peleenet", "resnet-10"], to=tmp_path, mirror=["file:///none"], form=Format.MD
        )
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    files = [line[2] for line in lines]
    assert len(set(files)) < len(files)
    for line in lines:
        assert line[2] == "-" or line[3:] == lines[files.index(line[2])][3:]
        assert line[4] == "unmeasured: no-weights"


def test_what_is_gone_or_never_released_is_not_asked_for(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    code, lines, words = here(["coco-loss:*-giou", "coco-loss:*-diou", "imagenet-small:sparse*"])
    assert code == 3
    assert [line["code"] for line in lines] == [
        "download.never-released",
        "download.no-address",
        "download.never-released",
    ]
    assert lines[1]["reason"] == "an earlier version of the README linked it"
    assert words == ""


def test_a_row_without_an_address(here: Here) -> None:
    code, lines, _ = here([ROW])
    assert (code, lines[0]["code"]) == (3, "download.no-address")


def test_the_published_link_comes_after_the_mirrors(
    site: Site, data: bytes, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = site.on("/published", sends(data))
    link_all(monkeypatch, link)
    assert here([ROW], mirror=[site.url("/none/")])[0] == 0
    assert [each.path for each in site.asked] == [f"/none/{NAME}", "/published"]


def test_a_file_of_another_model_is_refused(site: Site, data: bytes, tmp_path: Path, here: Here) -> None:
    (tmp_path / NAME).write_bytes(b"\0" * 15 + b"1")
    wrong = data[:20] + b"\0\0\xc0\x7f" + data[24:]
    mirror = [site.on("/mine.weights", sends(wrong), sends(data))]
    code, lines, _ = here([ROW], mirror=mirror)
    assert code == 3
    assert lines[0]["code"] == "download.file-exists"
    assert str(lines[0]["remedy"]).startswith("Remove it, or replace it with --force; or put your own file at ")
    code, lines, _ = here([ROW], mirror=mirror, force=True)
    assert code == 3
    assert lines[0]["code"] == "weights.not-finite"
    assert (tmp_path / NAME).stat().st_size == 16
    code, lines, _ = here([ROW], mirror=mirror, force=True, sha256="0" * 8)
    assert lines[0]["code"] == "download.other-sha256"
    assert here([ROW], mirror=mirror, force=True)[0] == 0
    assert (tmp_path / NAME).read_bytes() == data


def test_a_checkpoint_must_look_like_one(site: Site, tmp_path: Path, here: Here) -> None:
    for body, result, error, checked in (
        (b"\0\0\0\0 weights", "unmeasured: no-weights", "weights.other-kind", None),
        (b"PK\3\4 weights", "fetched", None, "a checkpoint by its first bytes, sha256"),
    ):
        mirror = [site.on("/x.pth", sends(body))]
        _, lines, _ = here(["mmpretrain:cspresnet50"], mirror=mirror, sha256=hashlib.sha256(body).hexdigest())
        assert (lines[0]["result"], lines[0]["code"], lines[0]["checked"]) == (result, error, checked)


def test_all_is_what_was_published(here: Here) -> None:
    code, lines, _ = here(every=True)
    assert code == 3
    published = [
        (weight_file.table, weight_file.id) for weight_file in weight_files() if weight_file.status == "released"
    ]
    assert [(line["table"], line["row"]) for line in lines] == published
    assert all(str(line["remedy"]).startswith("Put your own file at ") for line in lines)


def test_a_folder_is_a_mirror(data: bytes, tmp_path: Path, here: Here) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / NAME).write_bytes(data)
    mirror = [(tmp_path / "from").as_uri()]
    assert here([f"imagenet-small:{ROW}"], mirror=mirror, to=tmp_path / "new" / "er")[0] == 0
    assert (tmp_path / "new" / "er" / NAME).read_bytes() == data


@pytest.mark.parametrize(
    ("options", "code", "fields"),
    [
        ({}, "usage.nothing-to-fetch", {}),
        ({"rows": [ROW], "every": True}, "usage.nothing-to-fetch", {}),
        ({"rows": [ROW, "resnet-10"], "sha256": "0" * 64}, "usage.sha256", {"found": "64 characters, rows of 2 files"}),
        ({"rows": [ROW], "sha256": "xyz"}, "usage.sha256", {"found": "3 characters, rows of 1 files"}),
        ({"rows": [ROW], "mirror": ["/etc"]}, "usage.not-an-address", {"remedy": "Write file:///etc"}),
    ],
)
def test_mistakes(options: dict[str, Any], code: str, fields: dict[str, str], here: Here) -> None:
    with refuses(code, **fields):
        here(**options)


@pytest.mark.parametrize(
    "option", [("--timeout", "0"), ("--timeout", "nan"), ("--retries", "-1"), ("--retries", "1001")]
)
def test_options_out_of_range(option: tuple[str, str], tmp_path: Path) -> None:
    lines, words = ended(command(ROW, *option, to=tmp_path), 2)
    assert lines == []
    assert option[0] in words


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)
    with refuses("usage.no-folder", expected="--out DIR, or $CSPBENCH_WEIGHTS"):
        fetch_files([ROW])


def test_a_folder_that_cannot_be_ends_with_what_was_done(site: Site, data: bytes, tmp_path: Path, here: Here) -> None:
    (tmp_path / "file").write_bytes(b"")
    with refuses("disk.write-failed"):
        here([ROW], mirror=[site.on("/x.weights", sends(data))], to=tmp_path / "file")
    assert site.asked == []


# --- which rows


def names(*asked: str) -> list[str]:
    return [f"{each.table}:{each.id}" for each in rows_named(asked, weight_files())]


def test_rows_by_their_names() -> None:
    assert names("resnet-10") == ["imagenet-small:resnet-10"]
    assert names("resnet10") == ["imagenet-small:resnet-10"]
    assert names("resnet10_final.weights") == ["imagenet-small:resnet-10"]
    assert names("coco-gpu:*") == [
        f"coco-gpu:{name}-panet-spp-512" for name in ("cspresnext50", "cspdarknet53", "cspresnet50")
    ]
    # a model's rows that have the file, not those of other trainings
    assert names("csresnext50") == [
        "imagenet-big:cspresnext-50",
        "imagenet-activation:cspresnext-50-lrelu",
        "imagenet-augmentation:cspresnext-50-normal",
        "imagenet-smoothing:cspresnext-50-normal",
        "imagenet-tricks-cspresnext-50:cspresnext-50",
    ]
    assert names("timm/cspdarknet53") == ["mmpretrain:cspdarknet50", "timm:cspdarknet53"]
    assert names("peleenet-mish") == ["imagenet-activation:peleenet-mish"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet-1", "Did you mean resnet-10"),
        ("coco-gpu:cspresnet50", "Did you mean coco-gpu:"),
        ("##", "weights list"),
    ],
)
def test_unknown_rows_are_answered_with_the_nearest(name: str, words: str) -> None:
    with refuses("usage.unknown-weights", found=repr(name)) as caught:
        names(name)
    assert words in str(caught.value.remedy)


def test_a_model_is_named_by_argument_or_option(here: Here) -> None:
    by_argument, by_option = here(["csmobilenet-v2"]), here(model_option=["csmobilenet-v2"])
    assert by_argument == by_option
    assert [line["row"] for line in by_option[1]]
    with refuses("usage.named-twice"):
        here([ROW], model_option=["csmobilenet-v2"])
