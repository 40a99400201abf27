"""The page of `moeclip compare`: what two runs found on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moeclip_cli.inspection.changes import Changes, FolderCounts, Outcome, Pair
from moeclip_cli.reports.pages.html_parts import Document, text

# More rows make a page that no browser likes; the JSON output has all.
_MOST = 2000


def compare_page(found: Changes, a: str, b: str) -> Iterator[str]:
    """Yield the HTML document in pieces.

    Args:
        found: the changes.
        a: the folder of one run.
        b: the folder of the other.
    """
    document = Document("Comparison of two runs")
    yield document.start()
    yield _counts(found.total)
    differences = "; ".join(map(text, found.differences)) or "the same settings"
    yield (
        f'<dl class="facts"><dt>A</dt><dd><bdi>{text(a)}</bdi></dd>'
        f"<dt>B</dt><dd><bdi>{text(b)}</bdi></dd>"
        f"<dt>Settings</dt><dd>{differences}</dd></dl>\n"
    )
    yield from _folders(found)
    yield from _pairs("Verdicts that changed", found.flips)
    yield from _pairs("Scores that moved, with the same verdict", found.moves)
    yield from _outcomes("Only in A", found.only_a)
    yield from _outcomes("Only in B", found.only_b)
    yield document.end()


def _counts(total: FolderCounts) -> str:
    numbers = [
        ("all", "Images in both", total.both),
        ("anomalous", "Verdicts changed", total.flipped),
        ("all", "Scores moved", total.moved),
        ("failed", "In one only", total.only_a + total.only_b),
    ]
    tiles = "".join(
        f'<div class="{kind}"><dt>{label}</dt><dd>{number:,}</dd></div>'
        for kind, label, number in numbers
    )
    return f'<dl class="counts">{tiles}</dl>\n'


def _folders(found: Changes) -> Iterator[str]:
    yield from _table_start(
        "Folders", ("Folder",),
        ("In both", "Verdicts changed", "Scores moved", "Largest move", "Only in A", "Only in B"),
    )  # fmt: skip
    for folder, counts in found.folders.items():
        numbers = (counts.both, counts.flipped, counts.moved)
        yield f"<tr>{_name(folder)}{''.join(map(_count, numbers))}"
        yield f"{_number(counts.furthest)}{_count(counts.only_a)}{_count(counts.only_b)}</tr>\n"
    yield "</tbody>\n</table>\n</section>\n"


def _pairs(title: str, pairs: Sequence[Pair]) -> Iterator[str]:
    if not pairs:
        return
    words, numbers = ("Image", "Verdict A", "Verdict B"), ("Score A", "Score B", "Move")
    yield from _table_start(_limited(title, pairs), words, numbers)
    for pair in pairs[:_MOST]:
        yield f"<tr>{_name(pair.b.path)}{_verdict(pair.a)}{_verdict(pair.b)}"
        yield f"{_number(pair.a.score)}{_number(pair.b.score)}{_number(pair.moved, '+')}</tr>\n"
    yield "</tbody>\n</table>\n</section>\n"


def _outcomes(title: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    if not outcomes:
        return
    yield from _table_start(_limited(title, outcomes), ("Image", "Verdict"), ("Score",))
    for outcome in outcomes[:_MOST]:
        yield f"<tr>{_name(outcome.path)}{_verdict(outcome)}{_number(outcome.score)}</tr>\n"
    yield "</tbody>\n</table>\n</section>\n"


def _limited(title: str, listed: Sequence[object]) -> str:
    return title if len(listed) <= _MOST else f"{title} (first {_MOST:,} of {len(listed):,})"


def _table_start(title: str, words: Sequence[str], numbers: Sequence[str]) -> Iterator[str]:
    yield f'<section>\n<h2>{title}</h2>\n<table class="results plain">\n<thead><tr>'
    for name in words:
        yield f'<th scope="col"><button type="button">{name}</button></th>'
    for name in numbers:
        yield f'<th scope="col" class="number"><button type="button">{name}</button></th>'
    yield "</tr></thead>\n<tbody>\n"


def _name(path: str) -> str:
    return f'<th scope="row" data-value="{text(path)}"><bdi>{text(path)}</bdi></th>'


def _verdict(outcome: Outcome) -> str:
    verdict = outcome.verdict
    return f'<td data-value="{verdict}"><span class="verdict {verdict}">{verdict}</span></td>'


def _count(number: int) -> str:
    return f'<td class="number" data-value="{number}">{number:,}</td>'


def _number(value: float | None, sign: str = "") -> str:
    shown = "" if value is None else f"{value:{sign}.3f}"
    return f'<td class="number" data-value="{"" if value is None else value}">{shown}</td>'
