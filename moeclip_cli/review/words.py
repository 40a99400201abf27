"""The texts of the review page, in addition to those of the report."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.choices import Language
from moeclip_cli.review.german import GERMAN


@dataclass(frozen=True)
class ReviewWords:
    """The texts of the page in one language; `script` has those that change."""

    review: str
    try_threshold: str
    reset: str
    apply: str
    in_terminal: str
    copy: str
    search: str
    label: str
    any_label: str
    unlabelled: str
    differ: str
    good: str
    bad: str
    unsure: str
    sort: str
    highest: str
    lowest: str
    order: str
    list_name: str
    viewer_name: str
    pictures: str
    map: str
    enlarge: str
    clear: str
    undo: str
    advance: str
    make_references: str
    to_use: str
    path: str
    keys: str
    script: dict[str, str]


ENGLISH = ReviewWords(
    review="Review: {}",
    try_threshold="Threshold",
    reset="Back to the run",
    apply="Apply",
    in_terminal="In a terminal:",
    copy="Copy",
    search="Search in paths",
    label="Label",
    any_label="Any label",
    unlabelled="Without a label",
    differ="Label and verdict differ",
    good="Good",
    bad="Bad",
    unsure="Unsure",
    sort="Order",
    highest="Highest score first",
    lowest="Lowest score first",
    order="As scored",
    list_name="Images",
    viewer_name="Image",
    pictures="Picture",
    map="Map",
    enlarge="Enlarge",
    clear="No label",
    undo="Undo",
    advance="Go to the next image after a label",
    make_references="Use the good ones as references",
    to_use="To score with it:",
    path="PATH",
    keys="Keys: ↓ ↑ or j k move · g good · b bad · u unsure · x no label · z undo · "
    "space picture · Enter enlarge · Esc close",
    script={
        "finished": "Images: {n} (finished)",
        "running": "Images: {n} (running)",
        "interrupted": "Images: {n} (interrupted; repeat the command with --resume)",
        "stopped": "The server does not answer. Start moeclip review again.",
        "counts": "{a} anomalous, {n} normal, {f} unreadable",
        "counts_with_unsure": "{a} anomalous, {u} unsure, {n} normal, {f} unreadable",
        "quality": "Labels: {g} good, {b} bad, {u} unsure. Precision {p}, recall {r}",
        "no_quality": "Labels: {g} good, {b} bad, {u} unsure. Label good and bad images for "
        "precision and recall",
        "share": "{p} % ({n} of {m})",
        "shown": "{n} of {m} images",
        "none": "No image fits the filters.",
        "empty": "No image has been scored yet.",
        "no_maps": "This run kept no maps (score with --keep-maps): the overlay is the one at "
        "threshold {t}.",
        "no_pictures": "This run kept neither maps nor overlays; score with --keep-maps to see "
        "where an image is anomalous.",
        "regions": "A run with --regions cannot be recut; score again with this threshold.",
        "unfinished": "The run must be finished first.",
        "lossy": "This run kept no maps: the regions of its images and its overlays would be lost. "
        "Use the command if you can do without them.",
        "applying": "Applying threshold {t}: {d} of {n} images",
        "applied": "Threshold {t} applied; verdicts changed: {n}.",
        "not_applied": "The threshold was not applied. {t}",
        "back_to": "Undo: back to {t}",
        "copied": "Copied",
        "nothing_to_undo": "Nothing to undo.",
        "undone": "Undone: {p}",
        "facts": "score {s} · peak {k} · regions {g} · {w} × {h}",
        "references": "Labelled good: {n}",
        "reading": "Reading good images: {d} of {n}",
        "comparing": "Comparing {n} good images with each other",
        "made_split": "{f}: threshold {t} ({r} % false alarms on {n} good images). At most {r} % "
        "of further good parts are flagged, on average: one calibration may be off, and more "
        "images make that rarer (split conformal).",
        "made_left_out": "{f}: threshold {t} ({r} % false alarms on {n} references, each left out "
        "in turn). About {r} % of further good parts are flagged if there are many parts, and "
        "{w} % in the worst case: each part was scored against the others (jackknife+).",
        "not_made": "There is no new profile. {t}",
    },
)

REVIEW_WORDS: dict[Language, ReviewWords] = {"en": ENGLISH, "de": ReviewWords(**GERMAN)}
