"""Ctrl-C ends a process that does not let itself be interrupted; one that is to ignore it ignores it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

BEGIN = """
import ctypes, time
from cspbench.cli import interrupt
mutex = ctypes.create_string_buffer(64)
library = ctypes.CDLL(None)
with interrupt.watched():
"""
SWALLOWS = """
    while True:
        try:
            print('ready', flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            pass
"""
WAITS = """
    while True:  # also where the interrupt comes before the lock
        try:
            print('ready', flush=True)
            library.pthread_mutex_lock(mutex)
            library.pthread_mutex_lock(mutex)
        except KeyboardInterrupt:
            pass
"""
LOSES = """
    interrupt.GRACE = 60
    class Slow:
        def __del__(self):
            print('ready', flush=True)
            time.sleep(600)
    try:
        Slow()
        time.sleep(600)
    except KeyboardInterrupt:
        print('heard')
"""
ENDS = """
    print('ready', flush=True)
    input()
    print('done')
"""
SECONDS = 900
"""For a process that ends at once or after the grace."""


def started(code: str, ignoring: bool = False) -> subprocess.Popen[str]:
    disposition = signal.SIG_IGN if ignoring else signal.SIG_DFL
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a suite that a shell runs in the background hands down that interrupts are ignored
        preexec_fn=lambda: (signal.signal(signal.SIGINT, disposition), None)[1],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("code", [SWALLOWS, WAITS], ids=["caught", "compiled code that waits"])
def test_what_cannot_be_interrupted_ends(code: str) -> None:
    process = started(code)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    (line,) = words.strip().splitlines()
    assert line.startswith("cspbench: ")
    assert line.endswith(" [interrupted]")


def test_an_exception_that_a_destructor_loses_is_raised_again() -> None:
    process = started(LOSES)
    process.send_signal(signal.SIGINT)
    shown, words = process.communicate(timeout=SECONDS)
    assert (process.returncode, shown, words) == (0, "heard\n", "")


def test_a_command_in_the_background_ignores_interrupts() -> None:
    process = started(ENDS, ignoring=True)
    process.send_signal(signal.SIGINT)
    shown, words = process.communicate("\n", timeout=SECONDS)
    assert (process.returncode, shown, words) == (0, "done\n", "")
