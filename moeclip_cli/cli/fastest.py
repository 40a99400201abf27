"""`--precision auto`: the fastest type with the scores of float32, measured before a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL, DEFAULT_TOWER
from moeclip_cli.choices import PRECISIONS, PrecisionChoice
from moeclip_cli.cli import console
from moeclip_cli.model.config import Domain

if TYPE_CHECKING:
    from pathlib import Path

    from moeclip_cli.evaluation.fastest_precision import FastestPrecision
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.profile import Profile
    from moeclip_cli.inspection.references import GoodParts

_SHORT = {name: precision for precision, name in PRECISIONS.items()}


@dataclass(frozen=True)
class Measured:
    """A model whose fastest precision is wanted.

    Attributes:
        model: its name; None for the default.
        device: name of the device.
        backbone_weights, image_size, domain: as for `Inspector.load`.
        compares: whether images are compared with others.
    """

    model: str | None
    device: str
    backbone_weights: Path | None = None
    image_size: int | None = None
    domain: Domain | None = None
    compares: bool = False

    def fastest(self) -> FastestPrecision:
        """Measure it on generated pictures.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        from moeclip_cli.checkpoints.loading import load_model
        from moeclip_cli.evaluation.fastest_precision import fastest_precision
        from moeclip_cli.inspection.inspector import Inspector

        name = self.model or (DEFAULT_TOWER if self.compares else DEFAULT_MODEL)

        def load(precision: str, references: GoodParts | None) -> Inspector:
            return Inspector(
                load_model(
                    os.fspath(name),
                    backbone_weights=self.backbone_weights,
                    image_size=self.image_size,
                ),
                device=self.device,
                precision=precision,
                domain=self.domain,
                references=references,
            )

        return fastest_precision(load, compares=self.compares)


@dataclass(frozen=True)
class Settled:
    """The precision of a run.

    Attributes:
        precision: its name.
        facts: how it was chosen, for the run card; empty if the user chose it.
        profile: the profile of the run, whose threshold holds in this precision.
    """

    precision: PrecisionChoice
    facts: dict[str, Any]
    profile: Profile | None = None


def settle(
    precision: PrecisionChoice, measured: Measured, profile: Profile | None = None, *, quiet: bool
) -> Settled:
    """The precision that the user named or, for "auto", the fastest one, which is told.

    A profile in another type than float32 decides: its scores were found in that type. The
    threshold of one in float32 carries over, since scores stay within a known bound.

    Args:
        precision: what the user chose.
        measured: the model.
        profile: of the product.
        quiet: print nothing.

    Raises:
        ModelError, UsageError: see `Inspector.load`.
    """
    if precision != "auto":
        return Settled(precision, {}, profile)
    of_profile = "float32" if profile is None else profile.settings.get("precision", "float32")
    if profile is not None and of_profile != "float32":
        return Settled(_SHORT[of_profile], {"precision_choice": "that of the profile"}, profile)
    with console.status("Looking for the fastest precision", quiet=quiet):
        from moeclip_cli.inspection.profile import ReferenceProfile

        if isinstance(profile, ReferenceProfile):
            own = profile.settings
            measured = replace(
                measured,
                model=measured.model or own["model"],
                image_size=measured.image_size or own["image_size"],
                compares=True,
            )
        found = measured.fastest()
    if not quiet:
        console.note(str(found))
    if profile is not None:
        profile = profile.carried_over(found.precision)
    return Settled(found.precision, {"precision_choice": found.to_dict()}, profile)
