"""Prints the page of the codes."""

from __future__ import annotations

from cspbench.error_codes import page

if __name__ == "__main__":
    print(page(), end="")
