"""Options for the product in the images: its name, threshold and profile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from moeclip_cli.arguments import require_prompt
from moeclip_cli.cli.options import MODEL, Prompt, Threshold, Unsure
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT, PromptRules
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.inspection.profile import Profile


@dataclass(frozen=True)
class Product:
    """The product in the images.

    Attributes:
        prompt: its name, for images without a rule.
        rules: other names of some images, by path.
        rules_text: the text of the file that contains `rules`.
        threshold: score from which an image is anomalous, if the user chose one.
        profile: its calibrated threshold.
        unsure: score from which an image that is not anomalous is unsure, if the user chose one.
    """

    prompt: str
    rules: PromptRules | None = None
    rules_text: str | None = None
    threshold: float | None = None
    profile: Profile | None = None
    unsure: float | None = None

    def prompt_for(self, path: Path) -> str:
        """The name of the object in the image at `path`."""
        return (self.rules and self.rules.prompt_for(path)) or self.prompt


@dataclass(frozen=True)
class ProductOptions:
    """Name and threshold of the product in the images.

    Attributes:
        prompts: TOML or JSON file that maps folders or glob patterns to prompts.
        threshold: score from which an image is anomalous. Default: threshold of the profile or the
            checkpoint.
        unsure: lower score from which an image that is not anomalous is unsure, for a check by eye.
            Default: that of the profile or none.
        profile: profile file written by `moeclip calibrate`: a threshold and its prompt, and with
            --references the good parts that images are compared with.
    """

    PANEL: ClassVar[str] = MODEL

    prompt: Prompt = DEFAULT_PROMPT
    prompts: Path | None = None
    threshold: Threshold = None
    unsure: Unsure = None
    profile: Path | None = None

    def read(self) -> Product:
        """Read the files that the options name.

        Raises:
            UsageError: if the prompt is empty, a file is invalid, or options contradict each other.
        """
        profile = self._load_profile()
        prompt = self.prompt if profile is None else self._prompt_of(profile)
        require_prompt(prompt)
        if self.prompts is None:
            return Product(prompt, threshold=self.threshold, profile=profile, unsure=self.unsure)
        rules, text = PromptRules.load(self.prompts), self.prompts.read_text(encoding="utf-8")
        return Product(prompt, rules, text, self.threshold, unsure=self.unsure)

    def _load_profile(self) -> Profile | None:
        if self.profile is None:
            return None
        from moeclip_cli.inspection.profile import Profile

        return Profile.load(self.profile)

    def _prompt_of(self, profile: Profile) -> str:
        if self.prompts is not None:
            raise UsageError("A profile is for one product; use either --profile or --prompts.")
        if self.prompt not in (DEFAULT_PROMPT, profile.prompt):
            raise UsageError(
                f'The profile is for --prompt "{profile.prompt}", not "{self.prompt}"; omit the '
                "prompt, or calibrate again."
            )
        return profile.prompt
