"""Files from others: opened without waiting on every system, and their lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.files import filled_lines
from cspbench.weights import arrays, pickled


def test_a_system_without_some_flags_for_opening(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\r\n\x1a\0b")
    code = (
        "import os, sys\ndel os.O_CLOEXEC, os.O_NONBLOCK\nfrom cspbench.files import read_file\n"
        "sys.stdout.write(read_file(sys.argv[1], 9).hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, timeout=900, check=True
    )
    assert bytes.fromhex(run.stdout) == b"a\r\n\x1a\0b"


def test_a_pipe_that_took_a_weight_file_s_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (arrays.digest, pickled._vet_legacy, pickled._vet_zip):
        with pytest.raises(OSError, match="a pipe, socket or device"):
            read(tmp_path / "pipe")


@given(
    st.lists(
        st.tuples(st.sampled_from(["", " ", "a", "b c ", "\u2028", "\x85d"]), st.sampled_from(["\n", "\r\n", "\r"]))
    )
)
def test_lines_end_as_on_any_system(parts: list[tuple[str, str]]) -> None:
    text = "".join(line + end for line, end in parts)
    assert filled_lines(text) == [line.strip() for line, _ in parts if line.strip()]
