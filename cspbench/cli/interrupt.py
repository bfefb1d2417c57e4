"""Ctrl-C ends a command promptly, whatever it is doing."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

from cspbench.cli import failing

GRACE = 2.0
"""Seconds that an interrupted command has to print its message and clean up."""
CODE = 130


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """A context in which an interrupt raises KeyboardInterrupt and, if that fails, ends the process after `GRACE`.

    The exception alone is not enough: inside a destructor or a callback it is lost (and raised again here), libraries
    catch it, and waiting compiled code never lets it be raised. A command started with interrupts ignored, as shells
    do for background jobs, keeps ignoring them.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # the signal's number is written at once, even while the interpreter is busy
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    lost: list[bool] = []
    words = failing.line(failing.stopped(resumable=True))
    hook = sys.unraisablehook

    def ignored(about: sys.UnraisableHookArgs) -> None:
        if about.exc_type is KeyboardInterrupt:
            lost.append(True)
        else:
            hook(about)

    sys.unraisablehook = ignored
    _thread.start_new_thread(_watch, (reading, lost, words))
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.set_wakeup_fd(-1)
        # an exception during Python's shutdown could not be handled
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _watch(reading: int, lost: list[bool], words: str) -> None:
    while signal.SIGINT not in os.read(reading, 1):
        pass
    end = time.monotonic() + GRACE
    while time.monotonic() < end:
        time.sleep(0.02)
        if lost:
            lost.clear()
            os.kill(os.getpid(), signal.SIGINT)
    with contextlib.suppress(OSError):
        cursor = b"\x1b[?25h" if os.isatty(2) else b""  # a progress bar hides the cursor
        os.write(2, cursor + f"\n{words}\n".encode())
    leave()


def leave() -> NoReturn:
    """Kill the worker processes and end this one as interrupted; finished work is on disk already.

    No orderly shutdown: a library's busy thread would delay it, and workers that lose their pipe print tracebacks.
    """
    if "multiprocessing" in sys.modules:
        import multiprocessing

        with contextlib.suppress(OSError, RuntimeError, ValueError):
            if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD"):
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch raises an error when a worker dies
            for child in multiprocessing.active_children():
                child.kill()
    os._exit(CODE)
