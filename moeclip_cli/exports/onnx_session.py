"""An exported graph in ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError
from moeclip_cli.exports.session import BATCH_TOO_LARGE, choose_threads, read_description
from moeclip_cli.extras import require_extra
from moeclip_cli.parallel.memory import memory_errors

_ERRORS_ONLY = 3
# Weights of 8 bits become float32 once, when the graph is loaded. By default, ONNX Runtime keeps
# them and rounds the activations to 8 bits too, which is slower and moves scores.
_WEIGHTS_IN_FLOAT32 = ("session.disable_quant_qdq", "1")


class OnnxSession:
    """A graph that `moeclip export` wrote, ready to run on the CPU.

    Args:
        source: the file, or its content.

    Attributes:
        description: what the graph computes.
        digest: SHA-256 of the file, in hexadecimal.
        threads: number of threads that compute: `OMP_NUM_THREADS`, by default the number of cores.

    Raises:
        MissingExtraError: if ONNX Runtime is not installed.
        ModelError: if the file cannot be read, or `moeclip export` did not write it.
    """

    def __init__(self, source: Path | bytes) -> None:
        require_extra("onnxruntime", "runtime")
        import onnxruntime

        name = "The graph" if isinstance(source, bytes) else str(source)
        if isinstance(source, bytes):
            self.digest = hashlib.sha256(source).hexdigest()
        else:
            self.digest = file_digest(source)
        self.threads = choose_threads()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry(*_WEIGHTS_IN_FLOAT32)
        with memory_errors(f"There is not enough memory to load {name}."):
            try:
                self._session = onnxruntime.InferenceSession(
                    source if isinstance(source, bytes) else str(source),
                    options,
                    providers=["CPUExecutionProvider"],
                )
            except _load_errors() as error:
                raise ModelError(
                    f"{name} is not an ONNX graph that ONNX Runtime {onnxruntime.__version__} can "
                    "run; export it again, or install a newer ONNX Runtime."
                ) from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.description = read_description(metadata, name)

    @property
    def versions(self) -> dict[str, str]:
        """Version of ONNX Runtime, for run cards."""
        import onnxruntime

        return {"onnxruntime": onnxruntime.__version__}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of the graph by their names.

        Args:
            inputs: arrays by the names of the inputs.

        Raises:
            ModelError: if memory runs out, or the graph does not fit its description.
        """
        names = [output.name for output in self._session.get_outputs()]
        with memory_errors(BATCH_TOO_LARGE):
            try:
                return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))
            except _run_errors() as error:
                raise ModelError(f"ONNX Runtime cannot run the graph: {error}") from error


def _load_errors() -> tuple[type[Exception], ...]:
    """Exceptions for files that are not graphs, or graphs that the runtime cannot run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
    )


def _run_errors() -> tuple[type[Exception], ...]:
    """Exceptions for inputs that the graph does not take."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return state.InvalidArgument, state.Fail
