"""The products that the server inspects, each with its profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.profile import Profile

# Settings that two inspectors of one network have in common.
_NETWORK = ("model_digest", "backbone_digest", "image_size", "scales", "domain", "precision")


@dataclass(frozen=True, eq=False)
class Product:
    """What is inspected in the pictures of one product.

    Attributes:
        name: by which requests choose it: the name of its profile.
        prompt: name of the object in the pictures.
        inspector: the model with the threshold and references of the profile.
    """

    name: str
    prompt: str
    inspector: Inspector | OnnxInspector


LoadProducts: TypeAlias = Callable[[], Mapping[str, Product]]


def on_same_network(
    products: Iterable[Product], profile: Profile, *, device: str, precision: str
) -> Inspector | None:
    """An inspector for another profile on a network that is already loaded.

    Args:
        products: those that are loaded.
        profile: of the product to add.
        device: name of the device that all have in common.
        precision: name of the precision that all have in common.

    Returns:
        None if the profile is for another network.

    Raises:
        UsageError: if the profile does not fit.
    """
    for product in products:
        known = product.inspector
        exported = "export_digest" in known.settings  # a graph of its own, without PyTorch
        if exported or any(
            known.settings.get(key) != profile.settings.get(key) for key in _NETWORK
        ):
            continue
        from moeclip_cli.inspection.inspector import Inspector

        if isinstance(known, Inspector):
            return Inspector(
                known.model,
                device=device,
                precision=precision,
                domain=known.domain,
                profile=profile,
                max_pixels=known.max_pixels,
                decode_seconds=known.decode_seconds,
            )
    return None
