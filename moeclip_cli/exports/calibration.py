"""Tiles and threshold of an exported graph: those of the user, of a profile, or its own."""

from __future__ import annotations

from dataclasses import replace

from moeclip_cli.errors import UsageError
from moeclip_cli.exports.description import Description
from moeclip_cli.inspection.layout import Layout
from moeclip_cli.inspection.profile import Profile, ReferenceProfile
from moeclip_cli.inspection.thresholds import (
    AppliedThreshold,
    given_threshold,
    threshold_of_profile,
    threshold_of_whole_images,
)
from moeclip_cli.tiles.framing import Framing


def choose_layout(
    description: Description, framing: Framing, profile: Profile | None
) -> Layout | None:
    """The tiles that the user wants, else those of the profile or of the references.

    Args:
        description: what the graph computes.
        framing: what the user wants.
        profile: profile of the product, if any.

    Raises:
        UsageError: if tiles are given, but the references were made with others.
    """
    given = Layout.of(framing, description.image_sizes[0] // description.patch_size)
    own = Layout.from_settings(description.further_settings)
    if description.references:
        if given is not None and given != own:
            raise UsageError(
                "The graph contains references, which are compared in the tiles of their profile; "
                "omit `tile`."
            )
        return own
    if given is None and profile is not None:
        given = Layout.from_settings(profile.settings)
    if given is not None and given.roi is not None:
        raise UsageError("An exported graph does not know regions; use the checkpoint as `model`.")
    return given


def choose_threshold(
    given: float | None,
    profile: Profile | None,
    description: Description,
    layout: Layout | None,
    *,
    unsure: float | None = None,
) -> AppliedThreshold:
    """The given threshold, else the profile's or that of the graph.

    Args:
        given: threshold in [0, 1] from the user, if any.
        profile: profile of the product, if any.
        description: what the graph computes.
        layout: tiles of each image, if there are any.
        unsure: lower threshold from the user, if any; replaces that of the profile or the graph.

    Raises:
        UsageError: if a given one is not a score, they are in the wrong order, or the profile does
            not fit.
    """
    return _chosen(given, profile, description, layout).with_unsure(unsure)


def _chosen(
    given: float | None, profile: Profile | None, description: Description, layout: Layout | None
) -> AppliedThreshold:
    if isinstance(profile, ReferenceProfile) and not description.references:
        raise UsageError(
            "The profile contains references, which this graph does not: export it with `profile`."
        )
    if profile is not None:
        tiles = {} if layout is None else layout.settings
        profile.check({**description.settings, **tiles})
    if given is not None:
        return given_threshold(given)
    if profile is not None:
        return threshold_of_profile(profile)
    found = threshold_of_whole_images(
        description.threshold,
        description.threshold_source,
        tiled=layout is not None and not description.references,
    )
    return replace(
        found, unsure=description.unsure_threshold, unsure_source=description.unsure_source
    )
