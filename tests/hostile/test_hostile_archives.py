"""Hostile tar archives: headers that lie, every form of name, links and devices, random damage."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from contract import damaged, fuzz, refused, result_of
from hypothesis import given
from hypothesis import strategies as st

from cspbench.data.imagenet import open_imagenet
from cspbench.data.source import FileSource, Source
from cspbench.data.tar import members

TENCH = "n01440764"
IMAGE = b"twelve bytes"


def archive(path: Path, files: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def block(name: str, size: int, kind: bytes = tarfile.REGTYPE, data: bytes = b"") -> bytes:
    """A member with a size of our choice, in the base-256 form that holds negative numbers too."""
    member = tarfile.TarInfo(name)
    member.type = kind
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT)[:512])
    header[124:136] = (size % 2**96).to_bytes(12, "big")
    header[124] = 0xFF if size < 0 else 0x80
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return block("pax", len(records), kind, records)


LYING = {
    "a negative size": block("a.JPEG", -512) + bytes(1024),
    "a small negative size": block("a.JPEG", -1) + bytes(1024),
    "a negative name": block("long", -512, tarfile.GNUTYPE_LONGNAME) + bytes(1024),
    "a negative extension": block("pax", -512, tarfile.XHDTYPE) + bytes(1024),
    "a huge size": block("a.JPEG", 2**80) + bytes(1024),
    "a huge name": block("long", 2**62, tarfile.GNUTYPE_LONGNAME) + bytes(1024),
    "a long extension": block("pax", 2**21, tarfile.XHDTYPE, bytes(2**21)) + bytes(1024),
    "records without ends": pax(b"3 " * 100_000 + b"=") + bytes(1024),
    "a record of no length": pax(b"0 path=a\n") + bytes(1024),
    "a record of digits": pax(b"9" * 100_000) + bytes(1024),
    "a negative pax size": pax(b"12 size=-99\n") + block("a.JPEG", 0) + bytes(1024),
    "a huge pax size": pax(b"31 size=9999999999999999999999\n") + block("a.JPEG", 0) + bytes(1024),
    "names without end": block("long", 1, tarfile.GNUTYPE_LONGNAME, b"x") * 5000,
}


@pytest.mark.parametrize("name", LYING)
def test_archives_that_lie(name: str, tmp_path: Path) -> None:
    path = tmp_path / "lying.tar"
    path.write_bytes(LYING[name])
    refused(lambda: members(path), "imagenet.not-a-tar", path)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_archive_is_read_as_tarfile_does(form: int, tmp_path: Path) -> None:
    names = ["a.JPEG", "./b/c.JPEG", "d" * 90 + "/" + "e" * 90, "/absolute.JPEG", "../../above.JPEG"]
    names += [] if form == tarfile.USTAR_FORMAT else ["grün\n鱼.JPEG", "f" * 300, "\udcff.JPEG"]
    files = {name: bytes([at]) * (at * 400) for at, name in enumerate(names)}
    path = archive(tmp_path / "t.tar", files, form)
    data = path.read_bytes()
    result = {name: data[at.offset :][: at.length] for name, at in members(path).items()}
    with tarfile.open(path) as tar:
        theirs = {each.name.removeprefix("./"): tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
    assert result == theirs
    assert [path.name for path in tmp_path.iterdir()] == ["t.tar"]  # nothing was extracted


def test_links_and_devices_are_not_images(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"{TENCH}/{kind.decode()}.JPEG")
            member.type, member.linkname, member.size = kind, "/etc/passwd", 0
            tar.addfile(member)
        folder = tarfile.TarInfo(f"{TENCH}/folder.JPEG")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        real = tarfile.TarInfo(f"../../{TENCH}/real.JPEG")
        real.size = len(IMAGE)
        tar.addfile(real, io.BytesIO(IMAGE))
    source = open_imagenet(path)
    assert isinstance(source, FileSource)
    assert [entry.key for entry in source.entries] == [f"{TENCH}/real.JPEG"]


def test_a_pipe_among_the_shards(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "val-0.tar")
    refused(lambda: open_imagenet(f"wds/{tmp_path}"), "imagenet.not-a-tar", tmp_path / "val-0.tar", found="pipe")


def _archives() -> list[bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in (f"{TENCH}/a.JPEG", "é" * 60 + ".JPEG", "x.cls"):
            member = tarfile.TarInfo(name)
            member.size = 5
            tar.addfile(member, io.BytesIO(b"12345"))
    return [stream.getvalue()[:6000]]


@fuzz(150)
@given(data=st.sampled_from(_archives()).flatmap(damaged))
def test_damaged_archives(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    path.write_bytes(data)
    for place in (str(path), f"wds/{path}"):
        found = result_of(lambda place=place: open_imagenet(place))  # type: ignore[misc]
        if isinstance(found, Source):
            for index in range(len(found)):
                result_of(lambda index=index, found=found: found.sample(index))  # type: ignore[misc]


def test_an_archive_that_shrinks(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.tar", {f"{TENCH}/a.JPEG": IMAGE})
    source = open_imagenet(path)
    os.truncate(path, 516)
    refused(lambda: source.sample(0), "image.unreadable", Path(f"{TENCH}/a.JPEG"), found="ends early")
