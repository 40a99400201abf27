"""An exported graph in OpenVINO."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError
from moeclip_cli.exports.openvino_file import METADATA, WEIGHTS_SUFFIX, OpenVinoFiles
from moeclip_cli.exports.session import BATCH_TOO_LARGE, choose_threads, read_description
from moeclip_cli.extras import require_extra
from moeclip_cli.parallel.memory import memory_errors

_SETTINGS = {
    # By default OpenVINO computes in bfloat16 where the processor can.
    "INFERENCE_PRECISION_HINT": "f32",
    "EXECUTION_MODE_HINT": "ACCURACY",
    # By default every process, such as each actor of Ray, is bound to the same first cores.
    "ENABLE_CPU_PINNING": False,
}


class OpenVinoSession:
    """A graph that `moeclip export --to openvino` wrote, ready to run on the CPU.

    Args:
        source: the .xml file, beside which the .bin file lies, or the content of both.

    Attributes:
        description: what the graph computes.
        digest: SHA-256 of the SHA-256 of both files, in hexadecimal.
        threads: number of threads that compute: `OMP_NUM_THREADS`, by default the number of cores.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        ModelError: if a file cannot be read, or `moeclip export` did not write it.
    """

    def __init__(self, source: Path | OpenVinoFiles) -> None:
        require_extra("openvino", "openvino")
        import openvino

        model: list[Any]
        if isinstance(source, Path):
            name, model = str(source), [str(source)]
            digests = [file_digest(path) for path in (source, source.with_suffix(WEIGHTS_SUFFIX))]
        else:
            name, model = "The graph", [source.xml, source.weights]
            digests = [hashlib.sha256(content).hexdigest() for content in model]
        self.digest = hashlib.sha256("".join(digests).encode()).hexdigest()
        self.threads = choose_threads()
        settings = {**_SETTINGS, "INFERENCE_NUM_THREADS": self.threads}
        core = openvino.Core()
        try:
            with memory_errors(f"There is not enough memory to load {name}."):
                read = core.read_model(*model)
                metadata = read.get_rt_info(METADATA).value if read.has_rt_info(METADATA) else {}
                self.description = read_description(metadata, name)
                self._model = core.compile_model(read, "CPU", settings)
        except RuntimeError as error:
            raise ModelError(
                f"{name} is not a graph that OpenVINO {_version()} can run; export it again, or "
                "install a newer OpenVINO."
            ) from error

    @property
    def versions(self) -> dict[str, str]:
        """Version of OpenVINO, for run cards."""
        return {"openvino": _version()}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of the graph by their names.

        Args:
            inputs: arrays by the names of the inputs.

        Raises:
            ModelError: if memory runs out, or the graph does not fit its description.
        """
        try:
            with memory_errors(BATCH_TOO_LARGE):
                found = self._model.infer_new_request(dict(inputs))
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run the graph: {error}") from error
        # Outputs that are equal are one tensor with several names.
        return {name: array for output, array in found.items() for name in output.names}


def _version() -> str:
    """Such as 2026.4.1, without the build behind it."""
    import openvino

    version: str = openvino.__version__
    return version.partition("-")[0]
