"""`python -m cspbench`, as torchrun starts it."""

import os
import signal


def main() -> None:
    """Run the command; a signal while its modules are imported ends it with the same exit code as later."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(143))
    try:
        from cspbench.cli.app import main as command
    except KeyboardInterrupt:
        os._exit(130)
    command()


if __name__ == "__main__":
    main()
