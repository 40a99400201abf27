"""All that is looked at, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from moeclip_cli.doctor.finding import Finding, does_not_run
from moeclip_cli.doctor.software import software


def examine(device: str, precision: str, settings_file: Path) -> Iterator[Finding]:
    """Everything, the trial of the model last; a package that cannot be imported is that, too.

    Args:
        device: "auto" or a device's name.
        precision: "auto" or a precision's name.
        settings_file: what the file of settings is called.
    """
    yield from software()
    try:
        # Much of this imports torch, which may be what is broken.
        from moeclip_cli.doctor.hardware import hardware
        from moeclip_cli.doctor.places import places
        from moeclip_cli.doctor.trial import trial
    except (ImportError, OSError) as error:
        yield does_not_run(
            f"A package cannot be imported ({error}): install moeclip into a new environment."
        )
        return
    yield from hardware()
    yield from places(settings_file)
    yield trial(device, precision)
