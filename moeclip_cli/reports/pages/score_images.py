"""The images of the inspection report: their overlays and results, and the unreadable ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from moeclip_cli.inspection.result import Row
from moeclip_cli.pictures.colours import ColourScale
from moeclip_cli.reports.common_folder import below
from moeclip_cli.reports.pages.html_parts import jpeg_url, text
from moeclip_cli.reports.pages.score_content import Entry, ReportContent, RunFacts
from moeclip_cli.reports.pages.words import Words

_GRADIENT_STEPS = 32


@dataclass(frozen=True)
class Places:
    """The folders of the images.

    Attributes:
        common: the folder that all are in; "" for none.
        folders: the folders.
    """

    common: str
    folders: tuple[str, ...]

    def shown(self, path: str) -> str:
        """A path without the common part, as HTML."""
        return text(below(path, self.common))

    def number(self, path: str) -> int:
        """The number of the folder of an image."""
        return self.folders.index(os.path.dirname(path))  # noqa: PTH120


def filters(content: ReportContent, places: Places, words: Words) -> str:
    """Chips that choose which images are shown; the script makes them visible."""
    verdicts = reversed(content.histogram.verdicts)
    kinds = [("all", words.all), *((name, getattr(words, name)) for name in verdicts)]
    if content.errors:
        kinds.append(("unreadable", words.unreadable))
    chips = "".join(
        f'<button type="button" class="chip" data-show="{kind}" '
        f'aria-pressed="{"true" if kind == "all" else "false"}">{label}</button>'
        for kind, label in kinds
    )
    folders = ""
    if len(places.folders) > 1:
        options = "".join(
            f'<option value="{number}">{places.shown(folder) or "."}</option>'
            for number, folder in enumerate(places.folders)
        )
        folders = (
            f'<label>{words.folder} <select><option value="">{words.all_folders}</option>'
            f"{options}</select></label>"
        )
    return (
        f'<div class="filters" role="group" aria-label="{words.show}" hidden>{chips}{folders}'
        "</div>\n"
    )


def images(facts: RunFacts, content: ReportContent, places: Places, words: Words) -> Iterator[str]:
    """Yield the table of the images, and the viewer that enlarges them."""
    shown, scored = len(content.entries), content.total.scored
    title = words.images
    if shown < scored:
        title = words.most_anomalous.format(words.count(shown), words.count(scored))
    yield f'<section id="images">\n<h2>{title}</h2>\n{_colour_key(facts, words)}'
    yield f'<table class="results">\n<thead><tr><th class="thumbnail">{words.overlay}</th>'
    yield f"{_heads(words)}</tr></thead>\n<tbody>\n"
    for entry in content.entries:
        yield _image(entry, facts, places, words)
    yield f"</tbody>\n</table>\n</section>\n{_viewer(words)}"


def errors(content: ReportContent, places: Places, words: Words) -> Iterator[str]:
    """Yield the table of the images that could not be read."""
    shown = len(content.errors)
    title = words.unreadable_images
    if shown < content.total.failed:
        failed = words.count(content.total.failed)
        title += f" ({words.first_errors.format(words.count(shown), failed)})"
    yield f'<section id="unreadable">\n<h2>{title}</h2>\n<table class="errors">\n<thead><tr>'
    yield f'<th scope="col">{words.image}</th><th scope="col">{words.error}</th></tr></thead>\n'
    yield "<tbody>\n"
    for row in content.errors:
        yield (
            f'<tr data-kind="unreadable" data-folder="{places.number(row.path)}">'
            f'<th scope="row"><bdi>{places.shown(row.path)}</bdi></th>'
            f"<td>{text(row.error or '')}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n</section>\n"


def colour_rules(threshold: float) -> str:
    """Style rules of the colour key; the policy of the page forbids `style` attributes."""
    scale = ColourScale(threshold)
    mark = min(max(threshold, 0.0), 1.0)
    low, high = np.linspace(0, mark, _GRADIENT_STEPS), np.linspace(mark, 1, _GRADIENT_STEPS)
    values = np.concatenate([low, high[1:]]).tolist()
    stops = ", ".join(f"{scale.css(value)} {value:.2%}" for value in values)
    return (
        f".scale .colours {{ background-image: linear-gradient(to right, {stops}); }}\n"
        f".scale .colours i {{ left: {mark:.2%}; }}\n"
    )


def _colour_key(facts: RunFacts, words: Words) -> str:
    threshold = facts.threshold.value
    ring = words.ring if facts.threshold.unsure is None else words.ring_or_unsure
    lowest = words.decimals(ColourScale(threshold).lowest, 2)
    label = words.colour_scale.format(lowest, words.decimals(threshold, 2))
    return (
        f'<p class="quiet">{words.colours} {ring}</p>\n'
        f'<div class="scale" role="img" aria-label="{label}"><div class="colours"><i></i></div>'
        '<div class="ends"><span>0</span><span>1</span></div></div>\n'
    )


def _heads(words: Words) -> str:
    numeric = (words.score, words.peak, words.regions, words.area, words.size)
    return "".join(
        f'<th scope="col"{" class=number" if name in numeric else ""}'
        f"{' aria-sort=descending' if name == words.score else ''}>"
        f'<button type="button">{name}</button></th>'
        for name in (words.image, words.verdict, *numeric)
    )


def _image(entry: Entry, facts: RunFacts, places: Places, words: Words) -> str:
    row, verdict = entry.row, entry.row.verdict or "normal"
    # Only runs with several prompts show the prompt on every line.
    named = row.prompt is not None and row.prompt != facts.prompt
    note = f'<div class="quiet"><bdi>{text(row.prompt or "")}</bdi></div>' if named else ""
    peak = words.at.format(row.peak_x, row.peak_y)
    size = (row.width or 0) * (row.height or 0)
    cells = [
        (words.score, row.score, f"{words.decimals(row.score or 0, 3)}{_more(row, facts, words)}"),
        (words.peak, row.peak,
         f'{words.decimals(row.peak or 0, 3)}<div class="quiet">{peak}</div>'),
        (words.regions, row.regions, "" if row.regions is None else str(row.regions)),
        (words.area, row.area_fraction,
         "" if row.area_fraction is None else words.percent(row.area_fraction, 2)),
        (words.size, size, f"{row.width} × {row.height}"),
    ]  # fmt: skip
    numbers = "".join(
        f'<td class="number{" score" if label == words.score else ""}" data-label="{label}" '
        f'data-value="{"" if value is None else value}">{shown}</td>'
        for label, value, shown in cells
    )
    return (
        f'<tr data-kind="{verdict}" data-folder="{places.number(row.path)}">'
        f'<td class="thumbnail">{_thumbnail(entry, places, words)}</td>'
        f'<th scope="row" data-value="{text(row.path)}"><bdi>{places.shown(row.path)}</bdi>{note}'
        f'</th><td data-value="{verdict}">{_verdict(verdict, words)}</td>{numbers}</tr>\n'
    )


def _verdict(verdict: str, words: Words) -> str:
    return f'<span class="verdict {verdict}">{words.verdict_name(verdict)}</span>'


def _more(row: Row, facts: RunFacts, words: Words) -> str:
    """The parts of the score, if it has two, and how many good parts score lower."""
    found = ""
    if row.image_part:
        parts = (words.decimals(part or 0, 3) for part in (row.map_part, row.image_part))
        found += f'<div class="quiet">{words.parts.format(*parts)}</div>'
    if row.percentile is not None:
        lower = words.above_good.format(*row.good_parts_below(facts.good_parts).split(" of "))
        found += f'<div class="quiet">{lower}</div>'
    return found


def _thumbnail(entry: Entry, places: Places, words: Words) -> str:
    shown = entry.overlay or entry.original
    if shown is None:
        return f'<span class="quiet">{words.no_picture}</span>'
    path = places.shown(entry.row.path)
    original = f' data-original="{jpeg_url(entry.original)}"' if entry.original else ""
    link = f' data-link="{escape(entry.link)}"' if entry.link else ""
    name = words.overlay_of.format(path) if entry.overlay else path
    return (
        f'<button type="button" class="enlarge" title="{words.enlarge.format(path)}"'
        f'{original}{link}><img src="{jpeg_url(shown)}" alt="{name}"></button>'
    )


def _viewer(words: Words) -> str:
    return (
        f'<dialog id="viewer" aria-label="{words.image}"><div class="bar">'
        f'<button type="button" class="chip" data-do="previous">← {words.previous}</button>'
        f'<button type="button" class="chip" data-do="next">{words.next} →</button>'
        f'<button type="button" class="chip" data-do="switch" data-overlay="{words.overlay}" '
        f'data-original="{words.original}" title="{words.switch}">{words.overlay}</button>'
        f"<a hidden>{words.full_size}</a>"
        f'<button type="button" class="chip" data-do="close">{words.close}</button></div>'
        f'<img alt=""><p><bdi></bdi> <span></span></p><p class="quiet">{words.keys}</p></dialog>\n'
    )
