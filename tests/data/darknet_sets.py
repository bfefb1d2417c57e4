"""Small data sets in Darknet's form for tests."""

from __future__ import annotations

from pathlib import Path

from pictures import fill, jpeg

LABELS = {"a": "1 0.5 0.5 0.25 0.5\n0 0.25 0.75 0.5 0.5\n", "b": "", "c": "2 0.1 0.1 0.2 0.2\r\n"}


def write(root: Path, **changed: str | None) -> Path:
    """A detector's data set of three images of 50 x 40; files by name replace or, with None, remove those of it."""
    files: dict[str, bytes] = {
        "obj.data": b"classes = 3\ntrain = valid.txt\nvalid = valid.txt\nnames = obj.names\nbackup = backup/\n",
        "obj.names": b"person\ncar\ndog\n",
        "valid.txt": b"obj/a.jpg\nobj/b.jpg\nobj/c.jpg\n",
    }
    for place, (name, labels) in enumerate(LABELS.items()):
        files |= {f"obj/{name}.jpg": jpeg(place), f"obj/{name}.txt": labels.encode()}
    for name, text in changed.items():
        path = name.replace("__", "/").replace("_", ".")
        if text is None:
            del files[path]
        else:
            files[path] = text.encode("utf-8", "surrogateescape")
    return fill(root, files) / "obj.data"
