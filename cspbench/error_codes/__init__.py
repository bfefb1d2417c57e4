"""Every code of an error and what it means: `python -m cspbench.error_codes > docs/errors.md` writes the page.

A code is `area.cause` and identifies one cause, whatever the message. The area decides the exit code.
"""

from __future__ import annotations

from cspbench.error_codes import data, machine, networks, results, runs, tables, usage, weights
from cspbench.errors import exit_code

MODULES = (data, machine, networks, results, runs, tables, usage, weights)
"""Each lists the codes of some areas, sorted."""
CODES = dict(sorted(item for module in MODULES for item in module.CODES.items()))
"""The meaning of each code, sorted by code."""


def page() -> str:
    """The list as a Markdown page."""
    lines = "\n".join(f"| `{code}` | {meaning} | {exit_code(code)} |" for code, meaning in CODES.items())
    return f"""# Errors

Every error message ends with its code in brackets. With `--format json` the error is one line of
JSON on stderr: `code`, `what`, `where`, `expected`, `found`, `remedy` and `exit_code` under `error`.
A code identifies one cause and does not change when the message is reworded.

| code | meaning | exit code |
| --- | --- | --- |
{lines}
"""
