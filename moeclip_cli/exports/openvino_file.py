"""An exported graph in the format of OpenVINO: an .xml file, and its weights in a .bin file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from moeclip_cli.errors import ModelError
from moeclip_cli.extras import require_extra

WEIGHTS_SUFFIX = ".bin"

METADATA = ["framework"]
"""Where OpenVINO keeps the metadata of an ONNX file, under the same keys."""


class OpenVinoFiles(NamedTuple):
    """The content of both files.

    Attributes:
        weights: of the .bin file: the numbers in the graph.
        xml: of the .xml file: the graph and its metadata.
    """

    weights: bytes
    xml: bytes


def to_openvino(content: bytes) -> OpenVinoFiles:
    """The same graph for OpenVINO, with its weights as they are.

    Args:
        content: of an ONNX file that `export_onnx` made.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        ModelError: if OpenVINO does not know an operation of the graph, or cannot write files.
    """
    require_extra("openvino", "openvino")
    import openvino

    with TemporaryDirectory() as folder:
        path = Path(folder, "graph.xml")
        try:
            graph = openvino.Core().read_model(content)
            # By default the weights would be rounded to half precision.
            openvino.save_model(graph, path, compress_to_fp16=False)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot convert the graph: {error}") from error
        return OpenVinoFiles(path.with_suffix(WEIGHTS_SUFFIX).read_bytes(), path.read_bytes())
