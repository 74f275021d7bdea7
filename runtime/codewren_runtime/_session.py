"""One ONNX graph, opened by onnxruntime for quiet, frugal CPU work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from codewren_runtime.errors import BundleError

__all__ = ["Session"]

ERROR_AND_ABOVE = 3


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
        threads: int,
    ) -> None:
        self._name, self._output, self._width = name, output, width
        try:
            self._session = ort.InferenceSession(
                graph, _options(threads), providers=["CPUExecutionProvider"]
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
        return cast(NDArray[np.float32], answer[0])


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERROR_AND_ABOVE
    # A guest in someone's editor must not spin on their cores between two predictions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The check for data outside the file reads ONNX; onnxruntime's own format would pass by it.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
