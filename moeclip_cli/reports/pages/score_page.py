"""report.html of a scoring run as HTML with inline style and script and no external resources."""

from __future__ import annotations

from collections.abc import Iterator

from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.inspection.verdicts import UNSURE
from moeclip_cli.reports.common_folder import below, common_part
from moeclip_cli.reports.pages.gallery import gallery
from moeclip_cli.reports.pages.html_parts import Document, text
from moeclip_cli.reports.pages.languages import WORDS
from moeclip_cli.reports.pages.score_content import ReportContent, RunFacts
from moeclip_cli.reports.pages.score_images import Places, colour_rules, errors, filters, images
from moeclip_cli.reports.pages.threshold_words import threshold_in_words
from moeclip_cli.reports.pages.words import Words

# More folders than these make a table that nobody reads.
_MOST_FOLDERS = 100


def score_page(facts: RunFacts, content: ReportContent) -> Iterator[str]:
    """Yield the HTML document in pieces."""
    words = WORDS[facts.text.language]
    document = Document(
        text(facts.text.title or words.inspection.format(facts.prompt)),
        ("report.css", "score.css"),
        ("report.js", "score.js"),
        colour_rules(facts.threshold.value),
        facts.text.language,
    )
    places = Places(common_part(content.folders), tuple(content.folders))
    yield document.start()
    yield _fields(facts)
    yield _counts(content, words)
    yield from _folders(content, places, words)
    yield _facts(facts, places, words)
    if content.histogram.highest:
        yield _histogram(content, words)
    yield filters(content, places, words)
    if content.entries:
        yield from images(facts, content, places, words)
    if content.others:
        yield from gallery(content, places, words)
    if content.errors:
        yield from errors(content, places, words)
    footer = words.generated.format(text(facts.version))
    yield document.end(f'<footer class="quiet">{footer}</footer>\n')


def _fields(facts: RunFacts) -> str:
    if not facts.text.fields:
        return ""
    items = "".join(
        f"<div><dt>{text(name)}</dt><dd><bdi>{text(value)}</bdi></dd></div>"
        for name, value in facts.text.fields
    )
    return f'<dl class="fields">{items}</dl>\n'


def _counts(content: ReportContent, words: Words) -> str:
    total, verdicts = content.total, content.histogram.verdicts
    numbers = [
        ("rate", words.pass_rate, words.percent(total.pass_rate) if total.images else "-"),
        ("all", words.images, words.count(total.images)),
        *(
            (name, getattr(words, name), words.count(getattr(total, name)))
            for name in reversed(verdicts)
        ),
        ("failed", words.unreadable, words.count(total.failed)),
    ]
    tiles = "".join(
        f'<div class="{kind}"><dt>{label}</dt><dd>{number}</dd></div>'
        for kind, label, number in numbers
    )
    passed = words.passed_of.format(words.count(total.normal), words.count(total.images))
    unread = f" {words.not_passed}" if total.failed else ""
    unsure = f" {words.unsure_not_passed}" if total.unsure else ""
    width = "six" if UNSURE in verdicts else "five"
    return (
        f'<dl class="counts {width}">{tiles}</dl>\n<p class="quiet">{passed}{unsure}{unread}</p>\n'
    )


def _folders(content: ReportContent, places: Places, words: Words) -> Iterator[str]:
    if len(content.folders) < 2:
        return
    listed = list(content.folders.items())
    title = words.folders
    if len(listed) > _MOST_FOLDERS:
        title = words.some_folders.format(_MOST_FOLDERS, words.count(len(listed)))
        listed = sorted(listed, key=lambda item: (-item[1].anomalous, -item[1].unsure))
        listed = listed[:_MOST_FOLDERS]
    unsure = [words.unsure] if UNSURE in content.histogram.verdicts else []
    heads = (words.images, words.passed, *unsure, words.anomalous, words.unreadable)
    yield f'<section>\n<h2>{title}</h2>\n<table class="results plain folders">\n<thead><tr>'
    yield f'<th scope="col"><button type="button">{words.folder}</button></th>'
    for head in (*heads, words.pass_rate):
        yield f'<th scope="col" class="number"><button type="button">{head}</button></th>'
    yield "</tr></thead>\n<tbody>\n"
    for folder, tally in listed:
        name = text(below(folder, places.common) or ".")
        yield f'<tr><th scope="row" data-sort="{name}"><bdi>{name}</bdi></th>'
        between = [tally.unsure] if unsure else []
        for number in (tally.images, tally.normal, *between, tally.anomalous, tally.failed):
            yield f'<td class="number" data-value="{number}">{words.count(number)}</td>'
        rate = words.percent(tally.pass_rate)
        yield f'<td class="number" data-value="{tally.pass_rate:.4f}">{rate}</td></tr>\n'
    yield "</tbody>\n</table>\n</section>\n"


def _facts(facts: RunFacts, places: Places, words: Words) -> str:
    started = f"{facts.started:%Y-%m-%d %H:%M}"
    lines = [
        (words.object, f"<bdi>{text(facts.prompt)}</bdi>"),
        (words.model, f"<bdi>{text(facts.model)}</bdi>"),
        *_thresholds(facts.threshold, words),
        (words.device, text(facts.device)),
        (
            words.started,
            f'<time datetime="{facts.started.isoformat(timespec="seconds")}">{started}</time>',
        ),
    ]
    if places.common:
        lines.insert(0, (words.folder, f"<bdi>{text(places.common)}</bdi>"))
    items = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in lines)
    return f'<dl class="facts">{items}</dl>\n'


def _thresholds(threshold: AppliedThreshold, words: Words) -> Iterator[tuple[str, str]]:
    """The thresholds and their origins in words."""
    for name, value, source in (
        (words.threshold, threshold.value, threshold.source),
        (words.unsure_from, threshold.unsure, threshold.unsure_source),
    ):
        if value is not None:
            yield name, f"{words.decimals(value, 3)}: {text(threshold_in_words(source, words))}"


def _histogram(content: ReportContent, words: Words) -> str:
    histogram = content.histogram
    threshold, unsure = histogram.threshold.value, histogram.threshold.unsure
    back = words.reset.format(words.decimals(threshold, 3))
    band, counts = "", words.counts_at
    if unsure is not None:
        band = f'data-unsure="{unsure}" data-below-unsure="{histogram.below_unsure}" '
        counts = words.counts_with_unsure
    keys = "".join(
        f'<li><span class="{name}"></span>{words.verdict_name(name)}</li>'
        for name in histogram.verdicts
    )
    return (
        f"<section>\n<h2>{words.scores}</h2>\n"
        f'<div class="card histogram" data-bins="{histogram.fine_text}" '
        f'data-threshold="{threshold}" {band}data-label="{words.threshold_at}" '
        f'data-decimal="{words.decimal}" data-thousands="{words.thousands}" '
        f'data-counts="{counts}">{histogram.svg(words)}\n'
        f'<ul class="key quiet">{keys}'
        f"<li>{words.highest_bar}: {words.count(histogram.highest)}</li></ul>\n"
        f'<div class="try" hidden><label>{words.try_threshold} '
        '<input type="range" min="0" max="1" step="0.001"></label>'
        f'<button type="button" class="chip" hidden>{back}</button>'
        '<p class="quiet" hidden><output></output> '
        f"{words.to_apply} <code></code></p></div></div>\n</section>\n"
    )
