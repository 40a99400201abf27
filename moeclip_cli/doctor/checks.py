"""All checks, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from moeclip_cli.doctor.finding import Finding, model_failure
from moeclip_cli.doctor.software import software


def run_checks(device: str, precision: str, settings_file: Path) -> Iterator[Finding]:
    """Yield the findings of all checks; the last one is that of the built-in model.

    A package that cannot be imported ends the checks with a failure of the model.

    Args:
        device: "auto" or the name of a device.
        precision: "auto" or the name of a precision.
        settings_file: path of the settings file.
    """
    yield from software()
    try:
        # These modules import torch, which may be broken.
        from moeclip_cli.doctor.hardware import hardware
        from moeclip_cli.doctor.locations import locations
        from moeclip_cli.doctor.model_check import check_model
    except (ImportError, OSError) as error:
        yield model_failure(
            f"A package cannot be imported ({error}); install moeclip into a new environment."
        )
        return
    yield from hardware()
    yield from locations(settings_file)
    yield check_model(device, precision)
