"""Profiles: the threshold of one product, the settings that it is valid for, and its references."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from moeclip_cli._version import __version__
from moeclip_cli.bounded_text import read_small_text, require_regular_file
from moeclip_cli.checkpoints.builtin import same_scores
from moeclip_cli.checkpoints.configuration import read_record
from moeclip_cli.choices import PRECISIONS, Precision
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.files import replacing
from moeclip_cli.inspection.conformal import (
    attainable_rate,
    conformal_threshold,
    in_words,
    unsure_threshold,
)
from moeclip_cli.inspection.division import require_two
from moeclip_cli.inspection.setting_names import NONE, label, shown
from moeclip_cli.model.config import Domain

if TYPE_CHECKING:
    from moeclip_cli.inspection.references import References

FORMAT = 2
# With a band of unsure images, which a reader of format 2 would not see.
_WITH_BAND = 3
_BAND = ("unsure_threshold", "unsure_rate")

_P = TypeVar("_P", bound="Profile")

Rule = Literal["split", "jackknife+"]
"""Origin of the scores of a threshold: images apart from all else, or the references themselves."""

# A file may be renamed; its digest tells what it is.
_NAMES = ("model", "backbone", "reference_view", "reference_view_picture")

# What a setting is where it is not written down.
_ABSENT = {
    "aspect_ratio": "not kept",
    "tile": NONE,
    "overlap": NONE,
    "region": NONE,
    "reference_view_digest": NONE,
}

_READING_ERRORS = (ModelError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""Exceptions from reading a file of another kind."""


@dataclass(frozen=True)
class Profile:
    """The result of `moeclip calibrate`.

    Attributes:
        threshold: a score in [0, 1].
        false_alarms: share of good images that may reach it.
        images: number of good images that it was found on.
        prompt: name of the object on them.
        settings: everything else that the scores depend on, `Inspector.settings`.
        version: version of moeclip that wrote it.
        scores: of the good images, ascending; empty in a profile of format 1.
        rule: "split" if the images are not references, "jackknife+" if they are.
        unsure_threshold: score in [0, 1] from which an image that does not reach the threshold is
            unsure; None for no band of unsure images. It may equal the threshold if the images are
            few.
        unsure_rate: share of good images that may reach it, as it was asked for.
    """

    threshold: float
    false_alarms: float
    images: int
    prompt: str
    settings: dict[str, Any]
    version: str = __version__
    scores: tuple[float, ...] = ()
    rule: Rule = "split"
    unsure_threshold: float | None = None
    unsure_rate: float | None = None

    @property
    def source(self) -> str:
        """Origin of the threshold, in a few words for tables and reports."""
        return self._source(self.false_alarms)

    @property
    def unsure_source(self) -> str:
        """Origin of the lower threshold, likewise; "" without one."""
        if self.unsure_rate is None:
            return ""
        return self._source(attainable_rate(self.images, self.unsure_rate))

    def _source(self, rate: float) -> str:
        words = in_words(rate, self.images, left_out=self.rule == "jackknife+")
        return f"profile: {words}"

    @property
    def sentence(self) -> str:
        """The threshold and its origin, with the lower one if there is one."""
        found = f"Threshold {self.threshold:.4f} ({self.source})"
        if self.unsure_threshold is not None:
            found += f", unsure from {self.unsure_threshold:.4f} ({self.unsure_source})"
        return f"{found}."

    @property
    def guarantee(self) -> str:
        """The meaning of the rate of false alarms, in one sentence."""
        if self.rule == "split":
            return (
                f"At most {self._rate} of further good parts are flagged, on average: one "
                "calibration may be off, and more images make that rarer (split conformal)."
            )
        return (
            f"About {self._rate} of further good parts are flagged if there are many parts, and "
            f"{100 * min(1, 2 * self.false_alarms):.3g}% in the worst case: each part was scored "
            "against the others (jackknife+)."
        )

    @property
    def _rate(self) -> str:
        return f"{100 * self.false_alarms:.3g}%"

    def to_json(self) -> str:
        """The text that `load` reads, indented for readers; references are not part of it."""
        content = {entry.name: getattr(self, entry.name) for entry in fields(Profile)}
        version = FORMAT if self.unsure_threshold is None else _WITH_BAND
        if version == FORMAT:
            content = {name: value for name, value in content.items() if name not in _BAND}
        return json.dumps({"format": version, **content}, indent=2, ensure_ascii=False)

    def write(self, path: Path) -> None:
        """Write the file that `load` reads; an earlier one stays whole until then.

        Raises:
            UsageError: if the file cannot be written.
        """
        with replacing(path, "profile", durable=True) as stream:
            stream.write(f"{self.to_json()}\n".encode())

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read the text of `to_json`; format 1 lacks scores and rule, format 2 the band.

        Raises:
            ModelError, ValueError, TypeError, LookupError, AttributeError, RecursionError: if the
                text is anything else.
        """
        content = json.loads(text)
        version = content.pop("format")
        if version == 1:
            content |= {"scores": [], "rule": "split"}
        elif version not in (FORMAT, _WITH_BAND):
            raise ValueError("unknown format")
        if version != _WITH_BAND:
            content |= dict.fromkeys(_BAND)
        profile: Profile = read_record(Profile, content, "")
        if not all(0 <= number <= 1 for number in (profile.threshold, *profile.scores)):
            raise ValueError("a score is outside [0, 1]")
        if version == _WITH_BAND and not (
            0 <= (profile.unsure_threshold or 0) <= profile.threshold
            and 0 < (profile.unsure_rate or 0) < 1
        ):
            raise ValueError("the band is outside [0, threshold]")
        return profile

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile: the text of `to_json`, or a file with references.

        Raises:
            UsageError: if the file cannot be read, is too large (10 MB, with references 500 MB) or
                is not a profile.
        """
        path = Path(path)
        try:
            if _has_references(path):
                return _load_with_references(path)
            return cls.from_json(read_small_text(path, "profile"))
        except _READING_ERRORS as error:
            raise _not_a_profile(path) from error

    @classmethod
    def load_threshold(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile without its references, which takes no PyTorch.

        Raises:
            UsageError: see `load`.
        """
        path = Path(path)
        try:
            if _has_references(path):
                # Without references, this works where safetensors is not installed.
                from moeclip_cli.inspection.bundle_text import read_profile_text

                return cls.from_json(read_profile_text(path))
            return cls.from_json(read_small_text(path, "profile"))
        except _READING_ERRORS as error:
            raise _not_a_profile(path) from error

    def carried_over(self: _P, precision: Precision) -> _P:
        """The profile for another floating-point type, whose scores are close to those here."""
        return replace(self, settings={**self.settings, "precision": PRECISIONS[precision]})

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that give other scores than those of the calibration.

        Args:
            settings: `Inspector.settings` of the inspector that uses this profile.

        Raises:
            UsageError: if a setting differs.
        """
        before, now = {**_ABSENT, **self.settings}, {**_ABSENT, **settings}
        for key in {**settings, **self.settings}:
            if not same_scores(now.get(key), before.get(key)) and key not in _NAMES:
                raise UsageError(
                    f"The profile does not fit: its {label(key)} is {shown(key, before)}, but here "
                    f"it is {shown(key, now)}. Use the same settings, or calibrate again."
                )


@dataclass(frozen=True)
class ReferenceProfile(Profile):
    """A profile whose scores are distances to references, which it contains.

    Attributes:
        requested: rate of false alarms that was asked for; `false_alarms` is higher as long as the
            images are too few for it.
        references: the good parts that images are compared with.
    """

    requested: float = field(kw_only=True)
    references: References = field(kw_only=True, compare=False, repr=False)

    def write(self, path: Path) -> None:
        """Write the file that `Profile.load` reads; an earlier one stays whole until then.

        Raises:
            UsageError: if the file cannot be written.
        """
        # Tensors need torch, whose import takes seconds.
        from moeclip_cli.inspection.bundle import Bundle, write_bundle

        write_bundle(path, Bundle(self.to_json(), self.requested, self.references))

    def updated(self, references: References) -> ReferenceProfile:
        """The profile with other references.

        If its threshold is from their scores, it is found anew, at the rate that was asked for or
        the lowest one that the number of references allows.

        Raises:
            UsageError: if fewer than two references are left.
        """
        settings = self.settings | {"references": references.digest}
        if self.rule == "split":
            require_two(len(references.names))
            return replace(self, references=references, settings=settings)
        return calibrated(
            references, references.scores, self.prompt, settings, "jackknife+", self.requested,
            self.unsure_rate,
        )  # fmt: skip

    def merged(self, other: ReferenceProfile) -> ReferenceProfile:
        """One profile with the references and good scores of both.

        Raises:
            UsageError: if prompt or settings differ.
        """
        if self.prompt != other.prompt:
            raise UsageError(
                f'The profiles are for different prompts, "{self.prompt}" and "{other.prompt}".'
            )
        same = {"references": self.settings["references"]}
        self.check(other.settings | same)
        references = self.references.joined(other.references)
        rules = {self.rule, other.rule}
        rule: Rule = "split" if rules == {"split"} else "jackknife+"
        own = rules == {"jackknife+"}
        scores = references.scores if own else self.scores + other.scores
        settings = self.settings | {"references": references.digest}
        requested = min(self.requested, other.requested)
        wider = [rate for rate in (self.unsure_rate, other.unsure_rate) if rate is not None]
        unsure = min(wider, default=None)
        return calibrated(references, scores, self.prompt, settings, rule, requested, unsure)


def read_profile(given: Profile | str | os.PathLike[str] | None) -> Profile | None:
    """The given profile, or the one in the given file.

    Raises:
        UsageError: see `Profile.load`.
    """
    return given if given is None or isinstance(given, Profile) else Profile.load(given)


def calibrated(
    references: References,
    scores: Iterable[float],
    prompt: str,
    settings: dict[str, Any],
    rule: Rule,
    false_alarms: float,
    unsure_rate: float | None = None,
) -> ReferenceProfile:
    """The profile of references with the conformal threshold of good scores.

    Args:
        references: the good parts that images are compared with.
        scores: of good images, at least one: the references themselves, each left out in turn, or
            others.
        prompt: name of the object.
        settings: `Inspector.settings`.
        rule: "jackknife+" if the scores are those of the references, else "split".
        false_alarms: rate in (0, 1); a higher one is used if the scores are too few for it.
        unsure_rate: higher rate, that of the lower threshold; None for no band. Likewise.

    Raises:
        UsageError: if there are fewer than two references, or the rate is out of range.
    """
    ordered = tuple(sorted(scores))
    require_two(len(references.names))
    rate = attainable_rate(len(ordered), false_alarms)
    threshold = conformal_threshold(ordered, rate)
    return ReferenceProfile(
        threshold, rate, len(ordered), prompt, settings,
        scores=ordered, rule=rule, requested=false_alarms, references=references,
        unsure_threshold=unsure_threshold(ordered, unsure_rate), unsure_rate=unsure_rate,
    )  # fmt: skip


def require_references(profile: Profile, path: Path) -> ReferenceProfile:
    """The profile, if it contains references.

    Raises:
        UsageError: if it is a threshold only.
    """
    if isinstance(profile, ReferenceProfile):
        return profile
    raise UsageError(
        f"{path} contains no references; make a profile that does with "
        "'moeclip calibrate --references'."
    )


def _load_with_references(path: Path) -> ReferenceProfile:
    from moeclip_cli.inspection.bundle import read_bundle

    bundle = read_bundle(path)
    profile, references = Profile.from_json(bundle.profile), bundle.references
    settings = profile.settings
    kinds = {"model": str, "image_size": int, "scales": list}
    if not all(type(settings[key]) is kind for key, kind in kinds.items()):
        raise ValueError("settings of the wrong type")
    if settings["domain"] not in get_args(Domain):
        raise ValueError("unknown domain")
    expected = (references.digest, references.rotations)
    if not profile.scores or (settings["references"], settings["reference_rotations"]) != expected:
        raise ValueError("profile and references do not belong together")
    return ReferenceProfile(**vars(profile), requested=bundle.requested, references=references)


def _not_a_profile(path: Path) -> UsageError:
    return UsageError(
        f"{path} is not a profile that moeclip {__version__} can read; make one with "
        "'moeclip calibrate'."
    )


def _has_references(path: Path) -> bool:
    """True for a safetensors file: the length of its header in 8 bytes, then JSON."""
    try:
        require_regular_file(path)
        with path.open("rb") as file:
            head = file.read(9)
    except (OSError, ValueError):  # reading it as text tells the reason
        return False
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size
