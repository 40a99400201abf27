"""The pictures of a benchmark's page: the worst of all categories, and those of each one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from moeclip_cli.evaluation.results import CategoryResult, Evaluation, Localised, Mistake
from moeclip_cli.reports.pages.html_parts import text

_SHOWN = 6
_COLOURS = (
    "Colours show the deployed anomaly map; defects of the ground truth are outlined in blue."
)
_LOCALISED = (
    ("worst localised", "Worst localised defects", "least"),
    ("best localised", "Best localised defects", "most"),
)
_GROUPS = (("false alarm", "False alarms"), ("miss", "Misses"))

Shown = Mistake | Localised


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
    groups = [*_misranked(evaluated), *_localised(evaluated)]
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
    return _of_mistakes(evaluation) + _of_localised(evaluation)


def _misranked(evaluated: Sequence[Evaluated]) -> Iterator[str]:
    ranked = [
        (auroc, each)
        for each in evaluated
        if (auroc := each.evaluation.metrics["image_auroc"]) is not None
    ]
    if not ranked:
        return
    in_order = [each for _, each in sorted(ranked, key=lambda pair: pair[0])]
    if not any(each.evaluation.mistakes for each in in_order):
        yield (
            "<h3>False alarms and misses</h3>\n<p>None: in every category, all anomalous images "
            "score higher than all normal ones.</p>\n"
        )
        return
    for kind, title in _GROUPS:
        lists = [
            [(each, shown) for shown in each.evaluation.mistakes if shown.kind == kind]
            for each in in_order
        ]
        how = "Categories with the lowest image AUROC come first."
        yield _group(title, how, lists, in_order)


def _localised(evaluated: Sequence[Evaluated]) -> Iterator[str]:
    for kind, title, agree in _LOCALISED:
        lists = [
            [(each, shown) for shown in each.evaluation.localised if shown.kind == kind]
            for each in evaluated
        ]
        best = kind == "best localised"
        lists = sorted(filter(None, lists), key=lambda shown: shown[0][1].pixel_ap, reverse=best)
        if lists:
            how = f"Anomalous images whose map and mask agree {agree}, by the pixel AP within them."
            yield _group(title, how, lists, evaluated)


def _group(
    title: str,
    how: str,
    lists: Sequence[Sequence[tuple[Evaluated, Shown]]],
    evaluated: Sequence[Evaluated],
) -> str:
    """The first picture of each list, then the second of each, up to the limit.

    An image of which several models or protocols make the same mistake is shown once.
    """
    chosen: dict[tuple[str, str, str], tuple[Evaluated, Shown]] = {}
    for turn in zip_longest(*lists):
        for pair in filter(None, turn):
            chosen.setdefault((*pair[0].place, pair[1].path), pair)
    figures = "".join(
        _figure(shown, _where(each, evaluated), lazy=False)
        for each, shown in islice(chosen.values(), _SHOWN)
    )
    content = f'<div class="pictures">{figures}</div>\n' if figures else "<p>None.</p>\n"
    return f'<h3>{title}</h3>\n<p class="quiet">{how}</p>\n{content}'


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


def _of_mistakes(evaluation: Evaluation) -> str:
    if not evaluation.mistakes:
        return '<p class="quiet">No image is misranked.</p>\n'
    return (
        '<p class="quiet">The most misranked images. A false alarm is a normal image that scores '
        "at least as high as an anomalous one; a miss is an anomalous image that scores no higher "
        f"than a normal one. {_COLOURS}</p>\n{_row(evaluation.mistakes)}"
    )


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
        f"score {shown.score:.3f}"
        if isinstance(shown, Mistake)
        else f"pixel AP {shown.pixel_ap:.1f}"
    )
    return (
        f"<figure>{picture}<figcaption>{label}, {value}<br><bdi>{path}</bdi></figcaption></figure>"
    )
