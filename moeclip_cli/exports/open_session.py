"""The choice of the runtime for an exported graph, by the name of its file."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.checkpoints.names import GRAPH_SUFFIXES
from moeclip_cli.exports.onnx_session import OnnxSession
from moeclip_cli.exports.openvino_session import OpenVinoSession
from moeclip_cli.exports.session import GraphSession


def open_session(path: Path) -> GraphSession:
    """The graph of a file, ready to run.

    Raises:
        MissingExtraError: if the runtime is not installed.
        ModelError: if the file cannot be read, or `moeclip export` did not write it.
    """
    if path.suffix == GRAPH_SUFFIXES["openvino"]:
        return OpenVinoSession(path)
    return OnnxSession(path)
