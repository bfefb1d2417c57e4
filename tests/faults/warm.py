"""A process that has imported torch and forks a command wherever it is asked to: a start in milliseconds.

Reads one JSON object per line, {"arguments", "folder", "environment", "log", "errors", "limit", "clock", "stop",
"measured", "unhurried", "unprivileged", "tables"}: what a command prints goes to the file "log", and what it says on
stderr to "errors" where that is given. Answers with the process id; {"wait": pid, "seconds": s} is answered with the
exit code (negative: the signal), or null if it still runs. Has no threads itself, which a fork would lose.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import signal
import sys
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, NoReturn

import fvcore.nn  # noqa: F401
import pandas  # noqa: F401
import PIL.ImageDraw  # noqa: F401
import torch
import torch.distributed
from coverage import Coverage
from permissions import give_up_overrides

import cspbench
from cspbench.__main__ import GARBAGE
from cspbench.claims import tables
from cspbench.cli.app import app, main
from cspbench.errors import UsageError
from cspbench.plots import style, training
from faults import staged


def child(order: dict[str, Any]) -> NoReturn:
    """Be the command."""
    os.setpgid(0, 0)
    os.chdir(order["folder"])
    os.environ.update(order.get("environment", {}))
    fresh = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    log = os.open(order["log"], fresh)
    errors = os.open(order["errors"], fresh) if "errors" in order else log  # two of one file would overwrite each other
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(errors, 2)
    if order.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    if "clock" in order:
        staged.clock(order["clock"])
    if "stop" in order:
        staged.stop_after(order["stop"])
    if order.get("unhurried"):
        staged.unhurried()
    if order.get("unprivileged"):
        give_up_overrides()
    if "tables" in order:  # the folder of published tables, where it is another
        tables.where_published = lambda: Path(order["tables"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    sys.argv = ["cspbench", *order["arguments"]]
    measured = _measured(order.get("measured"))
    code: Any = 0
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        main()
    except SystemExit as left:
        code = left.code
    except KeyboardInterrupt:  # before the command's first line or after its last
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    if measured is not None:
        measured.stop()
        measured.save()
    os._exit(code or 0)


def _measured(place: str | None) -> Coverage | None:
    """What notes in a file which lines the command runs, where the suite has that measured.

    Only here: a process of its own would import everything under the tracer, and a fork that coverage itself follows
    writes twice as much when it ends.
    """
    if place is None:
        return None
    package = Path(tables.__file__).parents[1]
    started = Coverage(place, data_suffix=True, branch=True, config_file=False, include=[f"{package}/*"])
    started.start()
    return started


def waited(process: int, seconds: float) -> int | None:
    """The exit code of a child, None if it does not come in time."""
    deadline = time.monotonic() + seconds
    while True:
        result, status = os.waitpid(process, os.WNOHANG)
        if result:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.005)


def serve() -> None:
    """Answer until the input ends."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        order = json.loads(line)
        answer: int | None
        if "wait" in order:
            answer = waited(order["wait"], order["seconds"])
        else:
            # an interrupt waits until there is a command to hear it
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            answer = os.fork()
            if answer == 0:
                child(order)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            with suppress(OSError):  # in both, so that whoever is told the number may signal the group
                os.setpgid(answer, answer)
        print(json.dumps(answer), flush=True)


def heat() -> None:
    """Import everything and run a small command here, once: what it imports and reads no other has to."""
    for module in pkgutil.walk_packages(cspbench.__path__, "cspbench."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    sys.argv = ["cspbench", "list", "--format", "json"]
    with redirect_stdout(io.StringIO()), suppress(SystemExit):
        app()  # not main, which has a thread watch for interrupts
    with suppress(UsageError):  # without matplotlib
        style.file_of(training.draw(training.course([]), [], "", ""))
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page with an object of this process
    gc.set_threshold(GARBAGE)  # as the command has it that is started by itself


if __name__ == "__main__":
    heat()
    print("ready", flush=True)
    serve()
