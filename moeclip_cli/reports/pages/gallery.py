"""The images below the table of the inspection report: a thumbnail and a score each, in pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from moeclip_cli.reports.pages.html_parts import jpeg_url, text
from moeclip_cli.reports.pages.score_content import ReportContent, Thumbnail
from moeclip_cli.reports.pages.score_images import Places
from moeclip_cli.reports.pages.words import Words

# Thumbnails of a page, which the script shows one at a time.
_PER_PAGE = 120


def gallery(content: ReportContent, places: Places, words: Words) -> Iterator[str]:
    """Yield the thumbnails, and the buttons that turn their pages."""
    shown = len(content.others)
    left = content.total.scored - len(content.entries)
    title = words.other_images.format(words.count(left))
    if shown < left:
        title = words.some_other_images.format(words.count(shown), words.count(left))
    yield f'<section id="others" data-per-page="{_PER_PAGE}">\n<h2>{title}</h2>\n'
    yield (
        f'<nav class="pages" aria-label="{words.other_pages}" hidden>'
        f'<button type="button" class="chip" data-by="-1">← {words.previous_page}</button>'
        f'<output data-shown="{words.page_of}"></output>'
        f'<button type="button" class="chip" data-by="1">{words.next_page} →</button></nav>\n'
    )
    yield '<div class="gallery">\n'
    for other in content.others:
        yield _figure(other, places, words)
    yield "</div>\n</section>\n"


def _figure(other: Thumbnail, places: Places, words: Words) -> str:
    path = places.shown(other.path)
    name, score = text(PurePath(other.path).name), words.decimals(other.score, 3)
    picture = f'<img src="{jpeg_url(other.picture)}" alt="">' if other.picture else ""
    return (
        f'<figure data-kind="{other.verdict}" data-folder="{places.number(other.path)}" '
        f'data-score="{other.score:.9g}" title="{path}">{picture}<figcaption>'
        f"<bdi>{name}</bdi> <b>{score}</b></figcaption></figure>\n"
    )
