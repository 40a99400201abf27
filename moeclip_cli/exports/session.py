"""A runtime with an exported graph: what all of them offer and share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from moeclip_cli.errors import ModelError
from moeclip_cli.exports.description import Description
from moeclip_cli.parallel.cores import available_cores

BATCH_TOO_LARGE = "There is not enough memory for a batch; lower `batch_size`."


class GraphSession(Protocol):
    """A graph that `moeclip export` wrote, ready to run on the CPU.

    Attributes:
        description: what the graph computes.
        digest: SHA-256 of its file or files, in hexadecimal.
        threads: number of threads that compute.
    """

    description: Description
    digest: str
    threads: int

    @property
    def versions(self) -> dict[str, str]:
        """Version of the runtime by its name, for run cards."""
        ...

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of the graph by their names.

        Args:
            inputs: arrays by the names of the inputs.

        Raises:
            ModelError: if memory runs out, or the graph does not fit its description.
        """
        ...


def read_description(metadata: Mapping[str, str], name: str) -> Description:
    """What the graph computes, as its metadata says.

    Args:
        metadata: texts by keys.
        name: of the file, for the error.

    Raises:
        ModelError: if this version of `moeclip export` did not write it.
    """
    try:
        return Description.from_metadata(metadata)
    except ModelError as error:
        raise ModelError(
            f"{name} was not written by this version of 'moeclip export'. {error}"
        ) from error


def choose_threads() -> int:
    """Number of threads that compute: `OMP_NUM_THREADS`, by default the number of cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) else available_cores()
