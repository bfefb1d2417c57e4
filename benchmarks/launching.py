"""Runs a command and writes down its wall seconds, most resident memory and exit code: launching.py FILE COMMAND...

A process starts out with the peak of the one that started it, so whoever measures memory must be small itself. Nothing
but the standard library's smallest parts is imported.
"""

import os
import sys
import time


def main() -> None:
    """Run, wait, write."""
    place, *command = sys.argv[1:]
    begin = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - begin
    with open(place, "w", encoding="ascii") as file:
        file.write(f"{seconds} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
