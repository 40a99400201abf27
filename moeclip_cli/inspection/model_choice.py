"""Which model is loaded: the one that the user named, that of a profile, or the default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.builtin import (
    BUILTIN,
    BUILTIN_TOWERS,
    DEFAULT_MODEL,
    DEFAULT_TOWER,
)
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.profile import Profile, ReferenceProfile
from moeclip_cli.model.config import Domain


@dataclass(frozen=True)
class ModelChoice:
    """A model to load.

    Attributes:
        model: built-in name, checkpoint file or reference to the hub.
        domain: scoring domain; None for that of the checkpoint.
        image_size: side of the network input in pixels; None for the sizes of the checkpoint.
    """

    model: str
    domain: Domain | None
    image_size: int | None


def choose_model(
    model: str | os.PathLike[str] | None,
    domain: Domain | None,
    image_size: int | None,
    profile: Profile | None,
    *,
    compares: bool,
) -> ModelChoice:
    """What the user chose; a profile with references gives the rest.

    Args:
        model: as for `Inspector.load`.
        domain: as for `Inspector.load`.
        image_size: as for `Inspector.load`.
        profile: profile of the product, if any.
        compares: whether images of good parts are given.

    Raises:
        UsageError: if the model is that of the profile, and not built in.
    """
    if not isinstance(profile, ReferenceProfile):
        default = DEFAULT_TOWER if compares else DEFAULT_MODEL
        return ModelChoice(os.fspath(model or default), domain, image_size)
    settings = profile.settings
    name = os.fspath(model or _builtin_model_of(profile))
    same = settings["model"] in (name, Path(name).name)
    if same and not settings["scales"]:  # an image size would replace them
        image_size = image_size or settings["image_size"]
    return ModelChoice(name, domain or settings["domain"], image_size)


def _builtin_model_of(profile: ReferenceProfile) -> str:
    """The built-in model that a profile names; no other is looked for, least of all downloaded."""
    name: str = profile.settings["model"]
    if name in BUILTIN_TOWERS or name in BUILTIN:
        return name
    raise UsageError(
        f"The profile is for the model {shortened(name)}, which is not built in; give its file as "
        "`model`."
    )
