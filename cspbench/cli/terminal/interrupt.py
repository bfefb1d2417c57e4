"""Ctrl-C and a request to terminate (SIGTERM) end a command promptly, whatever it is doing."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import NoReturn

from cspbench.cli.terminal import failing

GRACE = 2.0
"""Seconds that a command has to print its message and clean up."""
CODE = 130
"""Typer's exit code for KeyboardInterrupt, whatever raised it."""
STOPS = signal.SIGINT, signal.SIGTERM
"""The signals that stop a command."""


class Stop:
    """The signal that stopped a command, if any."""

    def __init__(self) -> None:
        self.number = int(signal.SIGINT)
        self.received = False
        self.raising = False
        """Whether the exception was raised, and not where Python discards exceptions."""
        self.hook: CodeType | None = None
        """The function that Python calls then; an exception in it is discarded without a word."""

    def raised(self, number: int, frame: FrameType | None = None) -> None:
        """The handler of the signals; the first one decides how the command ends, and raises the exception."""
        self.noted(number)
        if self.raising or (frame is not None and frame.f_code is self.hook):
            return
        self.raising = True
        raise KeyboardInterrupt

    def noted(self, number: int) -> None:
        if not self.received:
            self.number, self.received = number, True


@contextlib.contextmanager
def watched(stop: Stop) -> Iterator[None]:
    """A context in which these signals raise KeyboardInterrupt and, if that fails, end the process after `GRACE`.

    The exception alone is not enough: inside a destructor or a callback it is lost (and raised again here), libraries
    catch it, and waiting compiled code never lets it be raised. A command started with a signal ignored, as shells
    do with interrupts for background jobs, keeps ignoring it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, stop.raised)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # the signal's number is written at once, even while the interpreter is busy
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    hook = sys.unraisablehook

    def ignored(about: sys.UnraisableHookArgs) -> None:
        if about.exc_type is KeyboardInterrupt:
            stop.raising = False
        else:
            hook(about)

    sys.unraisablehook, stop.hook = ignored, ignored.__code__
    _thread.start_new_thread(_watch, (reading, stop, heard))
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.set_wakeup_fd(-1)
        # an exception during Python's shutdown could not be handled
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def _watch(reading: int, stop: Stop, heard: list[signal.Signals]) -> None:
    while (number := next((number for number in os.read(reading, 64) if number in heard), None)) is None:
        pass
    stop.noted(number)
    main = threading.main_thread().ident or 0
    end = time.monotonic() + GRACE
    while time.monotonic() < end:
        time.sleep(0.02)
        if not stop.raising:
            # lost, or come just before the main thread fell asleep; a signal to the process could leave it asleep
            signal.pthread_kill(main, number)
    with contextlib.suppress(OSError):
        cursor = b"\x1b[?25h" if os.isatty(2) else b""  # a progress bar hides the cursor
        os.write(2, cursor + f"\n{failing.line(failing.stopped(stop.number, resumable=True))}\n".encode())
    leave(stop.number)


def leave(number: int) -> NoReturn:
    """Kill the worker processes and end this one as stopped by this signal; finished work is on disk already.

    No orderly shutdown: a library's busy thread would delay it, and workers that lose their pipe print tracebacks.
    """
    if "multiprocessing" in sys.modules:
        import multiprocessing

        with contextlib.suppress(OSError, RuntimeError, ValueError):
            main = threading.current_thread() is threading.main_thread()
            if main and hasattr(signal, "SIGCHLD"):
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch raises an error when a worker dies
            for child in multiprocessing.active_children():
                child.kill()
            if main:
                _unlink_semaphores()
    os._exit(failing.stopped(number).exit_code)


def _unlink_semaphores() -> None:
    """Remove the named semaphores of spawned workers, which Python's resource tracker would warn of on stderr.

    Python does so at an orderly shutdown alone, and has no public function for it.
    """
    from multiprocessing import synchronize, util

    for finalizer in [*vars(util).get("_finalizer_registry", {}).values()]:
        if vars(finalizer).get("_callback") is vars(synchronize.SemLock)["_cleanup"].__func__:
            finalizer()
