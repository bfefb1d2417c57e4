"""Ctrl-C ends a command at once, whatever it is busy with."""

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
"""Seconds that an interrupted command has to say its last words and tidy up."""
CODE = 130


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """An interrupt meanwhile raises KeyboardInterrupt, and ends the process after `GRACE` if that did not.

    An exception alone does not suffice: one that is raised inside a destructor or a callback is lost (it is raised
    again), others are caught by libraries, and compiled code that waits does not let it be raised at all. A command
    that was started with interrupts ignored, as a shell does for what it runs in the background, still ignores them.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # the signal's number is written when it comes, and not only when the interpreter gets to it
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    lost: list[bool] = []
    words = failing.line(failing.stopped(kept=True))
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
        # Python's own way out has no place for an exception
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
        cursor = b"\x1b[?25h" if os.isatty(2) else b""  # which a progress bar hides
        os.write(2, cursor + f"\n{words}\n".encode())
    leave()


def leave() -> NoReturn:
    """End the process as interrupted, and those that prepare images for it; all that is kept is on disk already.

    Not in order: a library's busy thread would hold that up, and workers that lose their other end print tracebacks.
    """
    if "multiprocessing" in sys.modules:
        import multiprocessing

        with contextlib.suppress(OSError, RuntimeError, ValueError):
            if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD"):
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch raises an error when a worker dies
            for child in multiprocessing.active_children():
                child.kill()
    os._exit(CODE)
