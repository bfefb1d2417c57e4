"""`python -m cspbench`, as torchrun starts it."""

import os


def main() -> None:
    """Run the command; an interrupt while its modules are imported ends it like any other."""
    try:
        from cspbench.cli.app import main as command
    except KeyboardInterrupt:
        os._exit(130)
    command()


if __name__ == "__main__":
    main()
