"""`python -m cspbench`, as torchrun starts it."""

import gc
import os
import signal

GARBAGE = 100_000
"""New objects between two collections: with Python's 700 they are a tenth of the time to import torch and to start."""


def main() -> None:
    """Run the command; a signal while its modules are imported ends it with the same exit code as later."""
    gc.set_threshold(GARBAGE)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(143))
    try:
        from cspbench.cli.app import main as command
    except KeyboardInterrupt:
        os._exit(130)
    command()


if __name__ == "__main__":
    main()
