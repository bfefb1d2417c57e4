"""Signals end a process that does not let itself be interrupted; one that is to ignore them ignores them."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cspbench.cli.terminal import interrupt

BEGIN = """
import ctypes, time
from cspbench.cli.terminal import interrupt
mutex = ctypes.create_string_buffer(64)
library = ctypes.CDLL(None)
with interrupt.watched(interrupt.Stop()):
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
SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
"""Each with its exit code and the code of the error."""
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
        preexec_fn=lambda: [signal.signal(number, disposition) for number in SIGNALS] and None,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("code", [SWALLOWS, WAITS], ids=["caught", "compiled code that waits"])
def test_what_cannot_be_interrupted_ends(code: str, number: signal.Signals) -> None:
    process = started(code)
    process.send_signal(number)
    _, words = process.communicate(timeout=SECONDS)
    exit_code, name = SIGNALS[number]
    assert process.returncode == exit_code
    (line,) = words.strip().splitlines()
    assert line.startswith("cspbench: ")
    assert line.endswith(f" [{name}]")


def test_the_first_signal_decides() -> None:
    process = started(SWALLOWS)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert words.rstrip().endswith(" [terminated]")


@pytest.mark.parametrize("number", SIGNALS)
def test_an_exception_that_a_destructor_loses_is_raised_again(number: signal.Signals) -> None:
    process = started(LOSES)
    process.send_signal(number)
    shown, words = process.communicate(timeout=SECONDS)
    assert (process.returncode, shown, words) == (0, "heard\n", "")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_in_the_background_ignores_signals(number: signal.Signals) -> None:
    process = started(ENDS, ignoring=True)
    process.send_signal(number)
    shown, words = process.communicate("\n", timeout=SECONDS)
    assert (process.returncode, shown, words) == (0, "done\n", "")


def test_a_signal_while_an_exception_is_discarded_is_raised_afterwards() -> None:
    stop = interrupt.Stop()
    with interrupt.watched(stop):
        assert stop.hook is not None
        stop.raised(signal.SIGINT, cast(Any, SimpleNamespace(f_code=stop.hook)))
        assert (stop.received, stop.raising) == (True, False)
        with pytest.raises(KeyboardInterrupt):
            stop.raised(signal.SIGINT, sys._getframe())
        stop.raised(signal.SIGINT, sys._getframe())  # repeated: the exception is on its way


def test_named_semaphores_do_not_outlive_the_process() -> None:
    code = (
        "from multiprocessing import get_context\nfrom cspbench.cli.terminal import interrupt\n"
        "lock = get_context('spawn').Lock()\ninterrupt.leave(2)"
    )
    # Python's resource tracker has the same stderr, and closes it last
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (130, "")
