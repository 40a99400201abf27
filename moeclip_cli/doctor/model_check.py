"""Test run of the built-in model."""

from __future__ import annotations

import time

from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.doctor.finding import Finding, model_failure
from moeclip_cli.errors import MoeclipError
from moeclip_cli.inspection.inspector import Inspector

_SEED = 20_260_005
_IMAGES = 4


def check_model(device: str, precision: str) -> Finding:
    """Score a few generated images and report the device and the time per image.

    Args:
        device: "auto" or the name of a device.
        precision: "auto" or the name of a precision.
    """
    try:
        inspector = Inspector.load(device=device, precision=precision)
        images = [generate(_SEED, index).defective for index in range(_IMAGES)]
        list(inspector.score(images))  # warm-up
        start = time.perf_counter()
        list(inspector.score(images))
        seconds = (time.perf_counter() - start) / _IMAGES
    except MoeclipError as error:
        return model_failure(str(error))
    value = f"works on {inspector.where}: {1000 * seconds:.0f} ms per image"
    return Finding(inspector.model.name, value)
