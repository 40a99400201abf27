"""Whether the built-in model runs here, by running it."""

from __future__ import annotations

import time

from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.doctor.finding import Finding, does_not_run
from moeclip_cli.errors import MoeclipError
from moeclip_cli.inspection.inspector import Inspector

_SEED = 20_260_005
_IMAGES = 8


def trial(device: str, precision: str) -> Finding:
    """Score a few generated images and say where, and how long one took.

    Args:
        device: "auto" or a device's name.
        precision: "auto" or a precision's name.
    """
    try:
        inspector = Inspector.load(device=device, precision=precision)
        images = [generate(_SEED, index).defective for index in range(_IMAGES)]
        list(inspector.score(images))  # what takes time only once
        start = time.perf_counter()
        list(inspector.score(images))
        seconds = (time.perf_counter() - start) / _IMAGES
    except MoeclipError as error:
        return does_not_run(str(error))
    value = f"works on {inspector.where}: {1000 * seconds:.0f} ms an image"
    return Finding(inspector.model.name, value)
