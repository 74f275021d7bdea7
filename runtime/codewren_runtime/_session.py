"""One ONNX graph, opened by onnxruntime for quiet, frugal CPU work."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnxruntime as ort

from codewren_runtime.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Session", "give_back_memory"]

FATAL = 4  # whatever fails becomes an exception, which says it all
MAX_WORKING_BYTES = 1_000_000_000


class Session:
    """A graph with known inputs and one output of known width; raises BundleError otherwise.

    `name` is the entry's name, for messages. Thread-safe.
    """

    def __init__(
        self,
        name: str,
        graph: bytes,
        inputs: Mapping[str, str],
        output: str,
        width: int,
    ) -> None:
        self._name, self._output, self._width = name, output, width
        try:
            self._session = ort.InferenceSession(
                graph,
                _options(),
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # would print to stdout, and try the very same again
            )
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise BundleError(
                f"{name} cannot be opened by onnxruntime ({_first_line(error)}); "
                "export it again, or install the onnxruntime that it was made with"
            ) from error
        found = {value.name: value.type for value in self._session.get_inputs()}
        outputs = [value.name for value in self._session.get_outputs()]
        if found != dict(inputs) or outputs != [output]:
            raise BundleError(
                f"{name} must turn {', '.join(inputs)} into {output}, "
                f"not {', '.join(found) or 'nothing'} into {', '.join(outputs)}; export it again"
            )

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The output's one row, (width,), of inputs with one row each."""
        try:
            (answer,) = self._session.run([self._output], inputs)
        except Exception as error:
            raise BundleError(
                f"{self._name} failed ({_first_line(error)}); export it again"
            ) from error
        if answer.shape != (1, self._width) or answer.dtype != np.float32:
            raise BundleError(
                f"{self._name}: {self._output} has shape {answer.shape}, expected "
                f"(1, {self._width}) in float32; export it again"
            )
        if not np.isfinite(answer).all():
            raise BundleError(f"{self._name}: {self._output} is not finite; train it again")
        return cast("NDArray[np.float32]", answer[0])


def _options() -> ort.SessionOptions:
    _bound_memory()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # One thread: two gain little on a model of this size. Many items are shared out among
    # threads of the caller's or of predict_many, which all may use one session.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL
    # A plan of memory for each length that was ever met: no gain, and memory that grows.
    options.enable_mem_pattern = False
    # A guest in someone's editor must not spin on their cores between two predictions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The check of the graph reads ONNX; onnxruntime's own format would pass by it.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


@cache
def _bound_memory() -> None:
    """Let no graph take more working memory than MAX_WORKING_BYTES, all sessions together.

    A few bytes of a graph can ask for any amount. The limit is the process's; it holds for
    sessions that ask for it, as ours do, and leaves others as they are.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0,
                               ort.OrtMemType.DEFAULT)  # fmt: skip
    as_requested = {"max_mem": MAX_WORKING_BYTES, "arena_extend_strategy": 1}
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(as_requested))


def give_back_memory() -> None:
    """Let glibc return to the system what opening graphs freed: 5 % of a small process.

    It would keep it for good, and opening needs far more than predicting. Elsewhere than on
    glibc nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
