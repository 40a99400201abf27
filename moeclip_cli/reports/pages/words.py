"""The texts of the report that a language has to give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The texts of a report in one language.

    Attributes:
        decimal: the decimal separator.
        thousands: the separator of groups of digits.
    """

    decimal: str
    thousands: str
    inspection: str
    pass_rate: str
    passed_of: str
    not_passed: str
    unsure_not_passed: str
    images: str
    anomalous: str
    unsure: str
    normal: str
    unreadable: str
    passed: str
    folders: str
    folder: str
    all_folders: str
    some_folders: str
    object: str
    model: str
    threshold: str
    threshold_at: str
    unsure_from: str
    device: str
    started: str
    scores: str
    highest_bar: str
    histogram: str
    span: str
    try_threshold: str
    counts_at: str
    counts_with_unsure: str
    to_apply: str
    reset: str
    show: str
    all: str
    image: str
    verdict: str
    score: str
    peak: str
    regions: str
    area: str
    size: str
    overlay: str
    original: str
    overlay_of: str
    enlarge: str
    previous: str
    next: str
    switch: str
    close: str
    keys: str
    full_size: str
    most_anomalous: str
    other_images: str
    some_other_images: str
    other_pages: str
    previous_page: str
    next_page: str
    page_of: str
    colours: str
    ring: str
    ring_or_unsure: str
    colour_scale: str
    parts: str
    at: str
    above_good: str
    no_picture: str
    unreadable_images: str
    first_errors: str
    error: str
    generated: str
    by_hand: str
    set_on: str
    flagged: str
    flagged_of_its_own: str
    good_images: str
    generated_images: str
    generated_and_photographs: str
    references: str
    not_calibrated: str
    outlier_limit: str

    def count(self, number: int) -> str:
        """A number with its digits in groups."""
        return f"{number:,}".replace(",", self.thousands)

    def decimals(self, number: float, digits: int) -> str:
        """A number with a fixed number of decimals."""
        return f"{number:.{digits}f}".replace(".", self.decimal)

    def percent(self, share: float, digits: int = 1) -> str:
        """A share of 1 in percent."""
        return f"{self.decimals(100 * share, digits)} %"

    def verdict_name(self, verdict: str) -> str:
        """The word for "anomalous", "unsure", "normal" or "unreadable"."""
        word: str = getattr(self, verdict)
        return word.lower()
