"""The pictures of a benchmark's page: worst and best of all categories, and of each one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from moeclip_cli.evaluation.results import (
    CategoryResult,
    Evaluation,
    Localised,
    Mistake,
    MistakeKind,
    Ranked,
    RankedKind,
)
from moeclip_cli.reports.pages.html_parts import text

_SHOWN = 6
_COLOURS = (
    "Colours show the deployed anomaly map; defects of the ground truth are outlined in blue."
)
_LOCALISED = (
    ("worst localised", "Worst by pixels", "least"),
    ("best localised", "Best by pixels", "most"),
)
_WORST: tuple[tuple[MistakeKind, RankedKind, str, str], ...] = (
    (
        "false alarm",
        "highest normal",
        "Worst by image score: normal images with the highest scores",
        "A false alarm scores at least as high as an anomalous image of its category.",
    ),
    (
        "miss",
        "lowest anomalous",
        "Worst by image score: anomalous images with the lowest scores",
        "A miss scores no higher than a normal image of its category.",
    ),
)
_BEST: tuple[RankedKind, ...] = ("highest anomalous", "lowest normal")
_NO_MISTAKE = (
    "None is misranked: in every category, all anomalous images score higher than all normal ones."
)

Shown = Mistake | Ranked | Localised
_Pair = tuple["Evaluated", Shown]


@dataclass(frozen=True)
class Evaluated:
    """An evaluation and its place.

    Attributes:
        result: of a model on a category.
        protocol: of the evaluation.
        evaluation: with the pictures.
    """

    result: CategoryResult
    protocol: str
    evaluation: Evaluation

    @property
    def place(self) -> tuple[str, str]:
        """Dataset and category."""
        return self.result.title, self.result.category


def worst_pictures(results: Sequence[CategoryResult]) -> Iterator[str]:
    """Yield the section with the worst and best pictures of a benchmark: at most 6 of each kind.

    Empty if there is nothing to show: no category with both labels, and no masks.
    """
    evaluated = [
        Evaluated(result, protocol, evaluation)
        for result in results
        for protocol, evaluation in result.evaluations.items()
    ]
    groups = [*_by_score(evaluated), *_localised(evaluated)]
    if not groups:
        return
    yield '<section id="worst">\n<h2>Worst and best pictures</h2>\n'
    yield (
        f'<p class="quiet">At most {_SHOWN} of each kind, in turn from each category. '
        f"{_COLOURS}</p>\n"
    )
    yield from groups
    yield "</section>\n"


def category_pictures(evaluation: Evaluation) -> str:
    """The pictures of one evaluation, as HTML."""
    return _of_scores(evaluation) + _of_localised(evaluation)


def _by_score(evaluated: Sequence[Evaluated]) -> Iterator[str]:
    ranked = [
        (auroc, each)
        for each in evaluated
        if (auroc := each.evaluation.metrics["image_auroc"]) is not None
    ]
    if not ranked:
        return
    in_order = [each for _, each in sorted(ranked, key=lambda pair: pair[0])]
    for mistake, other, title, meaning in _WORST:
        mistakes = [_of_kind(each, each.evaluation.mistakes, mistake) for each in in_order]
        others = [_of_kind(each, each.evaluation.ranked, other) for each in in_order]
        if any(mistakes):
            how = f"{meaning} Categories with the lowest image AUROC come first."
        else:
            how = _NO_MISTAKE
        # What is wrong comes before what is nearly so.
        yield _group(title, how, chain(_in_turn(mistakes), _in_turn(others)), evaluated)
    best = [
        [pair for kind in _BEST for pair in _of_kind(each, each.evaluation.ranked, kind)]
        for each in reversed(in_order)
    ]
    if any(best):
        how = (
            "The anomalous image with the highest and the normal one with the lowest score. "
            "Categories with the highest image AUROC come first."
        )
        yield _group("Best by image score", how, _in_turn(best), evaluated)


def _localised(evaluated: Sequence[Evaluated]) -> Iterator[str]:
    for kind, title, agree in _LOCALISED:
        lists = [_of_kind(each, each.evaluation.localised, kind) for each in evaluated]
        best = kind == "best localised"
        lists = sorted(filter(None, lists), key=_pixel_ap, reverse=best)
        if lists:
            how = f"Anomalous images whose map and mask agree {agree}, by the pixel AP within them."
            yield _group(title, how, _in_turn(lists), evaluated)


def _pixel_ap(pairs: Sequence[_Pair]) -> float:
    first = pairs[0][1]
    assert isinstance(first, Localised)  # noqa: S101
    return first.pixel_ap


def _of_kind(each: Evaluated, pictures: Iterable[Shown], kind: str) -> list[_Pair]:
    return [(each, shown) for shown in pictures if shown.kind == kind]


def _in_turn(lists: Iterable[Sequence[_Pair]]) -> Iterator[_Pair]:
    """The first picture of each list, then the second of each."""
    for turn in zip_longest(*lists):
        yield from filter(None, turn)


def _group(title: str, how: str, pairs: Iterable[_Pair], evaluated: Sequence[Evaluated]) -> str:
    """A row of pictures, the first ones up to the limit.

    An image of which several models or protocols make the same mistake is shown once.
    """
    chosen: dict[tuple[str, str, str], _Pair] = {}
    for pair in pairs:
        chosen.setdefault((*pair[0].place, pair[1].path), pair)
    figures = "".join(
        _figure(shown, f"{_mark(shown)}{_where(each, evaluated)}", lazy=False)
        for each, shown in islice(chosen.values(), _SHOWN)
    )
    content = f'<div class="pictures">{figures}</div>\n' if figures else "<p>None.</p>\n"
    return f'<h3>{title}</h3>\n<p class="quiet">{how}</p>\n{content}'


def _mark(shown: Shown) -> str:
    """What the row of a picture does not say about it, as HTML."""
    if isinstance(shown, Mistake):
        return f"{_kind(shown)}, "
    return f"{shown.kind.split()[1]}, " if shown.kind in _BEST else ""


def _where(each: Evaluated, evaluated: Sequence[Evaluated]) -> str:
    """Category, and what else distinguishes the evaluations of this page, as HTML."""
    result = each.result
    parts = [result.category]
    if len({other.result.title for other in evaluated}) > 1:
        parts.insert(0, result.title)
    if len({other.result.model for other in evaluated}) > 1:
        parts.append(result.model)
    if len({other.result.shots for other in evaluated}) > 1:
        parts.append(f"{result.shots}-shot")
    if len({other.protocol for other in evaluated}) > 1:
        parts.append(each.protocol)
    return f'<span class="where">{text(", ".join(parts))}</span>'


def _of_scores(evaluation: Evaluation) -> str:
    pictures: tuple[Shown, ...] = (*evaluation.mistakes, *evaluation.ranked)
    if not evaluation.mistakes:
        head = "No image is misranked."
    else:
        head = (
            "The most misranked images. A false alarm is a normal image that scores at least as "
            "high as an anomalous one; a miss is an anomalous image that scores no higher than a "
            "normal one."
        )
    if evaluation.ranked:
        head += " Other images with the highest and lowest scores of each label are shown, too."
    row = f" {_COLOURS}</p>\n{_row(pictures)}" if pictures else "</p>\n"
    return f'<p class="quiet">{head}{row}'


def _of_localised(evaluation: Evaluation) -> str:
    if not evaluation.localised:
        return ""
    return (
        '<p class="quiet">The worst localised anomalous images, and the best one, by the pixel AP '
        f"within the image. {_COLOURS}</p>\n{_row(evaluation.localised)}"
    )


def _row(pictures: Sequence[Shown]) -> str:
    figures = "".join(_figure(shown, _kind(shown), lazy=True) for shown in pictures)
    return f'<div class="pictures">{figures}</div>\n'


def _kind(shown: Shown) -> str:
    return f'<span class="{shown.kind.replace(" ", "-")}">{shown.kind}</span>'


def _figure(shown: Shown, label: str, *, lazy: bool) -> str:
    """A picture with a label, as HTML, its value and its path."""
    path = text(shown.path)
    loading = ' loading="lazy"' if lazy else ""
    picture = (
        f'<img src="data:image/jpeg;base64,{shown.overlay}" alt="Overlay of {path}"{loading}>'
        if shown.overlay
        else '<span class="quiet">No picture</span>'
    )
    value = (
        f"pixel AP {shown.pixel_ap:.1f}"
        if isinstance(shown, Localised)
        else f"score {shown.score:.3f}"
    )
    return (
        f"<figure>{picture}<figcaption>{label}, {value}<br><bdi>{path}</bdi></figcaption></figure>"
    )
