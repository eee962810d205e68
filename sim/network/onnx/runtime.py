"""ONNX Runtime without graph optimisations and without its own output on stderr.

Without optimisations no operator is fused into another, so each rounds as the file says.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError

FATAL = 4  # severity; errors are raised
FIRST_RUN_S = 60.0  # an image through a network that nobody has run yet


def silence() -> None:
    """Silence ONNX Runtime's own lines on stderr, those of the quantiser's sessions too."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(FATAL)


def new_session(model: onnx.ModelProto, *, threads: int = 1) -> Any:
    """Return a session of a model; raises InputError with the reason where there can be none."""
    import onnxruntime

    silence()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = FATAL
    options.enable_cpu_mem_arena = False  # each session would keep the most it ever needed
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                            providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class per failure and no common one
        raise InputError(reason(error)) from None


def first_run(session: Any, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]],
              *, seconds: float = FIRST_RUN_S) -> list[npt.NDArray[Any]]:
    """Return the outputs of a session that nobody has run yet.

    Raises InputError with the reason when it does not run, or not within `seconds`: the trips of a
    loop may depend on what it computes.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = FATAL
    timer = threading.Timer(seconds, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        found: list[npt.NDArray[Any]] = session.run(list(outputs), dict(feeds), options)
    except Exception as error:
        if options.terminate:
            raise InputError(f"it takes more than {seconds:.0f} s") from None
        raise InputError(reason(error)) from None
    finally:
        timer.cancel()
    return [np.asarray(values) for values in found]


def reason(error: Exception) -> str:
    """Return ONNX Runtime's message as one line, without places in its source."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", line)
    line = re.sub(r"/\S*onnxruntime\S*:\d+ ", "", line)
    return line.strip()[:300]
