"""What an exported graph computes, as the metadata in its file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_type_hints

from moeclip_cli._version import __version__
from moeclip_cli.arguments import require_prompt
from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.configuration import read_record
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.inspection.good_scores import GoodScores, Origin
from moeclip_cli.inspection.profile import Rule
from moeclip_cli.model.config import Domain
from moeclip_cli.model.input_size import input_size
from moeclip_cli.model.preprocessing import Interpolation, Preprocessing

# Raised when a reader of the old format could misunderstand the new one.
FORMAT = 1
# With a band of unsure images, which a reader of format 1 would not see.
_WITH_BAND = 2
_BAND = ("unsure_threshold", "unsure_source")
_PREFIX = "moeclip."
COMMON_SETTINGS = ("model", "model_digest", "backbone", "backbone_digest", "image_size", "scales",
                   "domain", "precision")  # fmt: skip
"""Names of the settings that every model has."""

_TEXTS = (str, Domain, Interpolation, Rule, Origin)


@dataclass(frozen=True)
class KnownReferences:
    """References as far as an image is recognised as one of them; see `inspection.references`.

    Attributes:
        digests: of each reference.
        subsets: none.
    """

    digests: tuple[str, ...]
    subsets: tuple[tuple[int, ...], ...] = ()

    def owner(self, digest: str) -> int:
        """The number of the reference with this digest; -1 if there is none."""
        return self.digests.index(digest) if digest in self.digests else -1


@dataclass(frozen=True)
class Description:
    """What an exported graph computes.

    Attributes:
        model: name of the model.
        model_digest: SHA-256 of its file, in hexadecimal.
        backbone: name of its backbone.
        backbone_digest: SHA-256 of the file of the backbone.
        prompts: names of objects whose text features are in the graph, by number.
        reads_prompts: False for a model whose scores are the same for every prompt.
        threshold: score from which an image is anomalous.
        threshold_source: origin of the threshold, in a few words.
        image_sizes: sides in pixels of the network inputs; the first one is that of the maps.
        domain: determines blur and formula.
        image_weight: share of the image score in the score of industrial images.
        resizes: True if the graph takes 8-bit images of any size, False if it takes network inputs.
        mean, std, interpolation: as in `Preprocessing`.
        patch_size: side of a patch in pixels.
        keeps_aspect: True if the network inputs have the aspect ratio of the image, False if they
            are squares.
        references: digest of each reference, see `References`; none for a zero-shot score.
        good_scores: of good parts, ascending, which percentiles refer to.
        rule, origin: as in `GoodScores`.
        further_settings: `Inspector.settings` beyond those of every model: references and tiles.
        precision: floating-point type of the vision tower.
        version: version of moeclip that wrote the file.
        unsure_threshold: score from which an image that is not anomalous is unsure; None for no
            band of unsure images.
        unsure_source: its origin, in a few words; "" without one.
    """

    model: str
    model_digest: str
    backbone: str
    backbone_digest: str
    prompts: tuple[str, ...]
    reads_prompts: bool
    threshold: float
    threshold_source: str
    image_sizes: tuple[int, ...]
    domain: Domain
    image_weight: float
    resizes: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation
    patch_size: int
    keeps_aspect: bool = False
    references: tuple[str, ...] = ()
    good_scores: tuple[float, ...] = ()
    rule: Rule = "split"
    origin: Origin = "profile"
    further_settings: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    version: str = __version__
    unsure_threshold: float | None = None
    unsure_source: str = ""

    def __post_init__(self) -> None:
        if not (self.prompts and self.image_sizes and len(self.mean) == len(self.std) == 3):
            raise ModelError("The description lacks prompts, image sizes or statistics.")

    @property
    def name(self) -> str:
        """Of the model in tables."""
        return self.model

    @property
    def preprocessing(self) -> Preprocessing:
        """Resizing and normalisation of images."""
        mean, std = ((red, green, blue) for red, green, blue in (self.mean, self.std))
        return Preprocessing(mean, std, self.interpolation)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs with pixels: (B, H, W, 3) uint8, or (B, 3, S, S) float32 each."""
        if self.resizes:
            return ("images",)
        return tuple(f"images_{side}" for side in self.image_sizes)

    @property
    def compared(self) -> KnownReferences | None:
        """The references, if there are any."""
        return KnownReferences(self.references) if self.references else None

    @property
    def of_good_parts(self) -> GoodScores:
        """Scores of good parts; there may be none."""
        return GoodScores(self.good_scores, self.rule, self.origin)

    def input_size(self, height: int, width: int, side: int) -> tuple[int, int]:
        """Height and width of the network input of an image; `side` is that of a square one."""
        if not self.keeps_aspect:
            return side, side
        return input_size(height, width, side, self.patch_size)

    @property
    def settings(self) -> dict[str, Any]:
        """`Inspector.settings` of the model that was exported."""
        size, *scales = self.image_sizes
        return {
            "model": self.model,
            "model_digest": self.model_digest,
            "backbone": self.backbone,
            "backbone_digest": self.backbone_digest,
            "image_size": size,
            "scales": scales,
            "domain": self.domain,
            "precision": self.precision,
            **self.further_settings,
        }

    def number(self, prompt: str) -> int:
        """The number of a prompt; 0 for any prompt if the model does not read them.

        Raises:
            UsageError: if the graph has no text features of it.
        """
        require_prompt(prompt)
        if not self.reads_prompts:
            return 0
        if prompt not in self.prompts:
            known = ", ".join(f'"{shortened(name)}"' for name in self.prompts)
            raise UsageError(
                f'The graph was exported for the prompts {known}, not "{shortened(prompt)}"; set '
                "`prompt` to one of them, or export the model again."
            )
        return self.prompts.index(prompt)

    def to_metadata(self) -> dict[str, str]:
        """Texts by keys, for the metadata of a file: names as they are, all else in JSON."""
        content = {"format": _WITH_BAND, **asdict(self)}
        if self.unsure_threshold is None:
            content["format"] = FORMAT
            for name in _BAND:
                content.pop(name)
        return {
            _PREFIX + name: value if isinstance(value, str) else json.dumps(value)
            for name, value in content.items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Description:
        """Read what `to_metadata` wrote.

        Raises:
            ModelError: if an entry is missing, unknown or of the wrong type, or a newer moeclip
                wrote it.
        """
        texts = {
            key.removeprefix(_PREFIX): text
            for key, text in metadata.items()
            if key.startswith(_PREFIX)
        }
        version = texts.pop("format", None)
        if version not in (str(FORMAT), str(_WITH_BAND)):
            raise ModelError(f"It has no metadata in format {FORMAT} or {_WITH_BAND} of moeclip.")
        kinds = get_type_hints(cls)
        plain = {name for name, kind in kinds.items() if kind in _TEXTS}
        try:
            content = {
                name: text if name in plain else json.loads(text) for name, text in texts.items()
            }
        except (ValueError, RecursionError) as error:
            raise ModelError(f"Its metadata is not JSON: {error}.") from error
        if version == str(FORMAT):
            content |= {"unsure_threshold": None, "unsure_source": ""}
        found: Description = read_record(cls, content, "")
        return found
