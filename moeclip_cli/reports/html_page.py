"""The page of a report: plain HTML with its style and script inside, and nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import numpy as np

from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.colours import ColourScale
from moeclip_cli.reports.histogram import ScoreHistogram
from moeclip_cli.reports.html_parts import POLICY, resource, text

_GRADIENT_STEPS = 32


@dataclass(frozen=True)
class RunFacts:
    """What a run used, for the head of its report.

    Attributes:
        model: name of the model.
        prompt: name of the object, or a few words where a run mixes several.
        threshold: the threshold of the verdicts.
        threshold_source: where it came from, e.g. `the model's configuration`.
        device: what it ran on.
        started: when it started.
        version: the version of moeclip.
    """

    model: str
    prompt: str
    threshold: float
    threshold_source: str
    device: str
    started: datetime
    version: str


@dataclass(frozen=True)
class Entry:
    """One image of the report's table.

    Attributes:
        row: its row, with a score.
        thumbnail: a small JPEG of its overlay, if there is one.
        link: address of its saved overlay, relative to the report, if there is one.
    """

    row: Row
    thumbnail: bytes | None
    link: str | None


@dataclass(frozen=True)
class Findings:
    """What a run found.

    Attributes:
        anomalous, normal, failed: numbers of images.
        histogram: all scores.
        entries: the most anomalous images, in descending order.
        errors: rows of images that could not be read, perhaps not all.
    """

    anomalous: int
    normal: int
    failed: int
    histogram: ScoreHistogram
    entries: Sequence[Entry]
    errors: Sequence[Row]


def page(facts: RunFacts, findings: Findings) -> Iterator[str]:
    """The document, piece by piece."""
    title = f"Inspection: {text(facts.prompt)}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{resource('report.css')}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{title}</h1>\n</header>\n<main>\n"
    )
    yield _counts(findings)
    yield _facts(facts)
    scored = findings.anomalous + findings.normal
    if scored:
        yield _histogram(facts, findings)
        yield from _images(facts, findings, scored)
    if findings.errors:
        yield from _errors(findings)
    yield (
        f'</main>\n<footer class="quiet">Written by moeclip {text(facts.version)}.</footer>\n'
        f"<script>\n{resource('report.js')}</script>\n</body>\n</html>\n"
    )


def _counts(findings: Findings) -> str:
    total = findings.anomalous + findings.normal + findings.failed
    numbers = [
        ("all", "Images", total),
        ("anomalous", "Anomalous", findings.anomalous),
        ("normal", "Normal", findings.normal),
        ("failed", "Not readable", findings.failed),
    ]
    tiles = "".join(
        f'<div class="{kind}"><dt>{label}</dt><dd>{number:,}</dd></div>'
        for kind, label, number in numbers
    )
    return f'<dl class="counts">{tiles}</dl>\n'


def _facts(facts: RunFacts) -> str:
    started = f"{facts.started:%Y-%m-%d %H:%M}"
    lines = [
        ("Object", f"<bdi>{text(facts.prompt)}</bdi>"),
        ("Model", f"<bdi>{text(facts.model)}</bdi>"),
        ("Threshold", f"{facts.threshold:.4g}, from {text(facts.threshold_source)}"),
        ("Device", text(facts.device)),
        ("Started", f'<time datetime="{facts.started.isoformat()}">{started}</time>'),
    ]
    items = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in lines)
    return f'<dl class="facts">{items}</dl>\n'


def _histogram(facts: RunFacts, findings: Findings) -> str:
    return (
        "<section>\n<h2>Scores</h2>\n"
        f'<div class="card histogram">{findings.histogram.svg(facts.threshold)}\n'
        '<ul class="key quiet"><li><span class="normal"></span>normal</li>'
        '<li><span class="anomalous"></span>anomalous</li>'
        f"<li>highest bar: {findings.histogram.highest:,}</li></ul></div>\n</section>\n"
    )


def _images(facts: RunFacts, findings: Findings, scored: int) -> Iterator[str]:
    shown = len(findings.entries)
    title = "Images" if shown == scored else f"The {shown:,} most anomalous of {scored:,} images"
    yield f"<section>\n<h2>{title}</h2>\n{_colour_key(facts.threshold)}"
    yield f'<table class="results">\n<thead><tr><th class="thumbnail">Overlay</th>{_heads()}'
    yield "</tr></thead>\n<tbody>\n"
    for entry in findings.entries:
        yield _image(entry, facts.prompt)
    yield "</tbody>\n</table>\n</section>\n"


def _colour_key(threshold: float) -> str:
    scale = ColourScale(threshold)
    mark = min(max(threshold, 0.0), 1.0)
    below, above = np.linspace(0, mark, _GRADIENT_STEPS), np.linspace(mark, 1, _GRADIENT_STEPS)
    values = np.concatenate([below, above[1:]]).tolist()
    stops = ", ".join(f"{scale.css(value)} {value:.2%}" for value in values)
    return (
        '<p class="quiet">Colours show how anomalous each place is, on the same scale for every '
        "image; outlined regions reach the threshold.</p>\n"
        '<div class="scale" role="img" aria-label="Colour scale: nothing is drawn below '
        f'{scale.lowest:.2f}, yellow is near the threshold {threshold:.2f}, dark red is 1.">'
        f'<div class="colours" style="background-image: linear-gradient(to right, {stops})">'
        f'<i style="left: {mark:.2%}"></i></div>'
        '<div class="ends"><span>0</span><span>1</span></div></div>\n'
    )


def _heads() -> str:
    names = ("Image", "Verdict", "Score", "Regions", "Area", "Size")
    numeric = ("Score", "Regions", "Area", "Size")
    return "".join(
        f'<th scope="col"{" class=number" if name in numeric else ""}'
        f"{' aria-sort=descending' if name == 'Score' else ''}>"
        f'<button type="button">{name}</button></th>'
        for name in names
    )


def _image(entry: Entry, prompt: str) -> str:
    row = entry.row
    path = text(row.path)
    # Only a run that mixes products needs the object's name on every line.
    named = row.prompt is not None and row.prompt != prompt
    note = f'<div class="quiet"><bdi>{text(row.prompt or "")}</bdi></div>' if named else ""
    verdict = text(row.verdict or "")
    area = (row.area_fraction or 0.0) * 100
    size = (row.width or 0) * (row.height or 0)
    return (
        f'<tr><td class="thumbnail">{_thumbnail(entry, path)}</td>'
        f'<th scope="row" data-value="{path}"><bdi>{path}</bdi>{note}</th>'
        f'<td data-value="{verdict}"><span class="verdict {verdict}">{verdict}</span></td>'
        f'<td class="number score" data-label="Score" data-value="{row.score}">'
        f"{row.score:.3f}</td>"
        f'<td class="number" data-label="Regions" data-value="{row.regions or 0}">'
        f"{row.regions or 0}</td>"
        f'<td class="number" data-label="Area" data-value="{area}">{area:.2f} %</td>'
        f'<td class="number" data-label="Size" data-value="{size}">'
        f"{row.width} × {row.height}</td></tr>\n"
    )


def _thumbnail(entry: Entry, path: str) -> str:
    if entry.thumbnail is None:
        return '<span class="quiet">no picture</span>'
    source = f"data:image/jpeg;base64,{b64encode(entry.thumbnail).decode()}"
    image = f'<img src="{source}" alt="Overlay of {path}">'
    return f'<a href="{escape(entry.link)}">{image}</a>' if entry.link else image


def _errors(findings: Findings) -> Iterator[str]:
    shown = len(findings.errors)
    title = "Not readable"
    if shown < findings.failed:
        title += f" (the first {shown:,} of {findings.failed:,}; all are in the table of results)"
    yield f'<section>\n<h2>{title}</h2>\n<table class="errors">\n<thead><tr>'
    yield '<th scope="col">Image</th><th scope="col">What is wrong</th></tr></thead>\n<tbody>\n'
    for row in findings.errors:
        path, error = text(row.path), text(row.error or "")
        yield f'<tr><th scope="row"><bdi>{path}</bdi></th><td>{error}</td></tr>\n'
    yield "</tbody>\n</table>\n</section>\n"
