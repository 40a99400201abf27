"""The configuration that travels inside a checkpoint, and its strict reading from JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from moeclip_cli._version import __version__
from moeclip_cli.bounded_text import MEGABYTE, shortened
from moeclip_cli.errors import ModelError
from moeclip_cli.model.config import Domain, NetworkConfig, check_image_side

# Raised when a reader of the old format could misunderstand the new one.
FORMAT = 1

# Larger numbers make no sense in a network, and could exhaust memory if a hostile file has them.
_LARGEST_INTEGER = 1_000_000
_MOST_SCALES = 8

# Settings of the network that earlier checkpoints lack.
_LATER_SWITCHES = ("moe_layers", "adapted_tower", "self_comparison", "detail")


@dataclass(frozen=True)
class BackboneRef:
    """Reference to the frozen backbone that adapters were trained on.

    Attributes:
        name: an open_clip model ("ViT-B-16"), a built-in backbone, or a name chosen by the user.
        pretrained: open_clip's tag of its weights ("openai"), if they can be fetched.
        digest: SHA-256 of the backbone file in hexadecimal, if no other file may be used.
    """

    name: str
    pretrained: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        name = shortened(self.name)
        return f"{name} ({shortened(self.pretrained)})" if self.pretrained else name


@dataclass(frozen=True)
class Threshold:
    """Score at or above which an image is called anomalous.

    Attributes:
        value: in [0, 1].
        how: one sentence on how it was found.
    """

    value: float
    how: str

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ModelError(f"A threshold must be between 0 and 1, not {self.value}.")


@dataclass(frozen=True)
class CheckpointConfig:
    """Everything about trained adapters except their tensors.

    Attributes:
        network: what the network computes.
        backbone: the backbone that the adapters belong to.
        domain: kind of images, which determines blur and image score (method of the paper).
        threshold: the default threshold, if one was found.
        training: training data and settings; free-form JSON for readers.
        version: version of moeclip that wrote it.
        image_weight: share of the image score, from 0 to 1, in the deployed score of industrial
            images; the rest is the maximum of the anomaly map.
        scales: additional sides in pixels of the network input; maps and scores are means over all
            sizes.
        prompt: the prompt that stands for every other one, for a model that was trained without
            regard to names; None if it reads them.
        detail: the backbone whose vision tower is the second one of `NetworkConfig.detail`.
    """

    network: NetworkConfig
    backbone: BackboneRef
    domain: Domain = "industrial"
    threshold: Threshold | None = None
    training: dict[str, Any] = field(default_factory=dict)
    version: str = __version__
    image_weight: float = 0.5
    scales: tuple[int, ...] = ()
    prompt: str | None = None
    detail: BackboneRef | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.image_weight <= 1:
            raise ModelError(f"`image_weight` must be between 0 and 1, not {self.image_weight}.")
        if (self.detail is not None) != self.network.detail:
            raise ModelError(
                "`detail` names a backbone if and only if the network has a second one."
            )
        if len(self.scales) > _MOST_SCALES:
            raise ModelError(
                f"`scales` must be at most {_MOST_SCALES} sizes, not {len(self.scales)}."
            )
        for side in self.scales:
            check_image_side(side, "scales")

    @property
    def sizes(self) -> tuple[int, ...]:
        """All sides of the network input in pixels, the network's image size first."""
        return (self.network.image_size, *self.scales)

    def to_dict(self) -> dict[str, Any]:
        """The configuration in JSON's types, with the format's version first."""
        return {"format": FORMAT, **asdict(self)}

    def to_json(self) -> str:
        """The configuration as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> CheckpointConfig:
        """Read a configuration that `to_json` wrote.

        Raises:
            ModelError: if an entry is missing, unknown or of the wrong type, a newer moeclip wrote
                it, or it is larger than 1 MB.
        """
        if len(text) > MEGABYTE:
            raise ModelError("The configuration is larger than 1 MB.")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"The configuration is not JSON: {error}.") from error
        if not isinstance(content, dict):
            raise ModelError("The configuration is not a JSON object.")
        _check_format(content.pop("format", None))
        # The first checkpoints lack these.
        content.setdefault("image_weight", cls.image_weight)
        content.setdefault("scales", list(cls.scales))
        content.setdefault("prompt", cls.prompt)
        content.setdefault("detail", cls.detail)
        if isinstance(network := content.get("network"), dict):
            for name in _LATER_SWITCHES:
                network.setdefault(name, getattr(NetworkConfig, name))
        config: CheckpointConfig = read_record(cls, content, "")
        return config


def _check_format(version: object) -> None:
    if type(version) is not int or version < 1:
        raise ModelError(
            f"The configuration's format version is {shortened(repr(version))}, not an integer."
        )
    if version > FORMAT:
        raise ModelError(
            f"The checkpoint has format version {shortened(version)}, but moeclip "
            f"{__version__} reads only versions up to {FORMAT}; install a newer moeclip."
        )


def read_record(kind: Any, content: object, where: str) -> Any:
    """Build the dataclass `kind` from a JSON object that has exactly its fields.

    Args:
        kind: a dataclass whose fields have types of JSON, or are such dataclasses.
        content: the parsed JSON.
        where: name of the entry, for errors; "" for the whole configuration.

    Raises:
        ModelError: if an entry is missing, unknown or of the wrong type.
    """
    if not isinstance(content, dict):
        raise ModelError(f"The configuration's '{where}' is not a JSON object.")
    names = [entry.name for entry in fields(kind)]
    prefix = f"{where}." if where else ""
    for name in names:
        if name not in content:
            raise ModelError(f"The configuration lacks '{prefix}{name}'.")
    for name in content:
        if name not in names:
            raise ModelError(f"The configuration has an unknown entry '{prefix}{shortened(name)}'.")
    kinds = get_type_hints(kind)
    return kind(**{name: _read(kinds[name], content[name], prefix + name) for name in names})


def _read(kind: Any, value: Any, where: str) -> Any:
    """Check a JSON value against a type hint and convert it."""
    if is_dataclass(kind):
        return read_record(kind, value, where)
    if isinstance(kind, UnionType):  # "X | None" is the only union here
        return None if value is None else _read(get_args(kind)[0], value, where)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise _wrong(where, value, " or ".join(get_args(kind)))
        return value
    if get_origin(kind) is tuple:  # of any number of values of one type
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        return tuple(_read(get_args(kind)[0], entry, where) for entry in value)
    if kind is int:
        if type(value) is not int or not 0 <= value <= _LARGEST_INTEGER:
            raise _wrong(where, value, f"an integer from 0 to {_LARGEST_INTEGER}")
        return value
    if kind is float:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise _wrong(where, value, "a finite number")
        return float(value)
    plain, meaning = {
        bool: (bool, "true or false"),
        str: (str, "text"),
        dict[str, Any]: (dict, "a JSON object"),
    }[kind]
    if type(value) is not plain:
        raise _wrong(where, value, meaning)
    return value


def _wrong(where: str, value: object, meaning: str) -> ModelError:
    shown = shortened(repr(value))
    return ModelError(f"The configuration's '{where}' must be {meaning}, not {shown}.")
