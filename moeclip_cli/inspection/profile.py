"""A profile: the threshold for one product, and the settings that it holds for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli import __version__
from moeclip_cli.checkpoints.configuration import read_record
from moeclip_cli.errors import ModelError, UsageError

if TYPE_CHECKING:
    from moeclip_cli.inspection.inspector import Inspector

FORMAT = 1

# A file may be renamed; its digest tells what it is.
_NAMES = ("model", "backbone")

_READING_ERRORS = (ModelError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a file of another kind can raise."""


@dataclass(frozen=True)
class Profile:
    """What `moeclip calibrate` found.

    Attributes:
        threshold: a score in [0, 1].
        false_alarms: share of good images that may reach it.
        images: number of good images that it was found on.
        prompt: what is on them.
        settings: what else decides the scores, see `scoring_settings`.
        version: the moeclip that wrote it.
    """

    threshold: float
    false_alarms: float
    images: int
    prompt: str
    settings: dict[str, Any]
    version: str = __version__

    @property
    def source(self) -> str:
        """Where the threshold came from, in a few words for tables and reports."""
        return f"profile: {100 * self.false_alarms:.3g}% false alarms on {self.images} good images"

    def to_json(self) -> str:
        """What `load` reads, for people to read too."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False)

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a file with what `to_json` gave.

        Raises:
            UsageError: if there is no such file, or it is no profile.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version = content.pop("format")
            profile: Profile = read_record(cls, content, "")
        except OSError as error:
            raise UsageError(f"Cannot read the profile {path}: {error.strerror}.") from error
        except _READING_ERRORS as error:
            raise _no_profile(path) from error
        if version != FORMAT or not 0 <= profile.threshold <= 1:
            raise _no_profile(path)
        return profile

    def check(self, inspector: Inspector) -> None:
        """Refuse an inspector whose scores mean something else.

        Raises:
            UsageError: naming the first setting that differs.
        """
        for key, now in scoring_settings(inspector).items():
            before = self.settings.get(key)
            if now != before and key not in _NAMES:
                raise UsageError(
                    f"The profile does not fit: its {key.replace('_', ' ')} is {before}, here it "
                    f"is {now}. Give the same settings, or calibrate again."
                )


def scoring_settings(inspector: Inspector) -> dict[str, Any]:
    """What decides the scores of an inspector, beside image and prompt.

    Device, batch size and workers are not among it: they do not change a score.
    """
    model = inspector.model
    return {
        "model": model.name,
        "model_digest": model.digest,
        "backbone": model.config.backbone.name,
        "backbone_digest": model.backbone_digest,
        "image_size": inspector.image_size,
        "scales": list(model.config.scales),
        "domain": inspector.domain,
        "precision": inspector.precision,
    }


def _no_profile(path: Path) -> UsageError:
    return UsageError(f"{path} is no profile that this moeclip can read; see `moeclip calibrate`.")
