"""Another fvcore is refused in words, and not by a traceback."""

from __future__ import annotations

import subprocess
import sys


def test_an_fvcore_without_its_table_of_handles_is_refused() -> None:
    code = (
        "import sys\n"
        "import fvcore.nn\n"
        "del sys.modules['fvcore.nn.flop_count']._DEFAULT_SUPPORTED_OPS\n"
        "from cspbench.errors import CspbenchError\n"
        "try:\n"
        "    import cspbench.network.fvcore_counter\n"
        "except CspbenchError as error:\n"
        "    print(error.code, error.exit_code, '_DEFAULT_SUPPORTED_OPS' in error.found)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900, check=True)
    assert done.stdout.split() == ["environment.other-fvcore", "3", "True"]
