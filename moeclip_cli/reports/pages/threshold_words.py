"""The origin of a threshold in plain words, for readers who know no statistics."""

from __future__ import annotations

import re

from moeclip_cli.reports.pages.words import Words

_MEASURED = re.compile(
    r"(?:profile: |checkpoint: )?(?P<rate>[\d.]+)% false alarms on (?P<what>.*?)(?: \([^)]*\))?"
)
_OUTLIERS = re.compile(r"mutual: outlier limit of these (\d+) images")
_GOOD = re.compile(r"(\d+) good images")
# Those of the built-in models.
_GENERATED = re.compile(r"(\d+) generated normal images held out of training")
_WITH_PHOTOGRAPHS = re.compile(r"(\d+) generated images and photographs held out of training")
_REFERENCES = re.compile(r"(\d+) references, each left out in turn")


def threshold_in_words(source: str, words: Words) -> str:
    """The origin of a threshold, such as "set on 20 good images, about 5 of 100 good parts ...".

    Args:
        source: as tables and run cards have it, see `AppliedThreshold.source`; returned as it is
            if it has another form.
        words: of the language.
    """
    if source == "given":
        return words.by_hand
    if source.startswith("not calibrated"):
        return words.not_calibrated
    if outliers := _OUTLIERS.fullmatch(source):
        return words.outlier_limit.format(outliers[1])
    measured = _MEASURED.fullmatch(source)
    if measured is None:
        return source
    set_on = words.set_on.format(_images(measured["what"], words))
    # The pictures of a checkpoint say little about the parts of this run.
    flagged = words.flagged_of_its_own if source.startswith("checkpoint: ") else words.flagged
    return f"{set_on}, {flagged.format(*_of_good(float(measured['rate']), words))}"


def _images(what: str, words: Words) -> str:
    if good := _GOOD.fullmatch(what):
        return words.good_images.format(good[1])
    if generated := _GENERATED.fullmatch(what):
        return words.generated_images.format(generated[1])
    if both := _WITH_PHOTOGRAPHS.fullmatch(what):
        return words.generated_and_photographs.format(both[1])
    if references := _REFERENCES.fullmatch(what):
        return words.references.format(references[1])
    return what


def _of_good(rate: float, words: Words) -> tuple[str, str]:
    """A rate in percent as so many of so many."""
    if rate >= 1:
        return f"{rate:.0f}", "100"
    return f"{10 * rate:.2g}".replace(".", words.decimal), words.count(1000)
