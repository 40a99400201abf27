"""Curves and histograms of an evaluation as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from moeclip_cli.evaluation.results import Curve

_SIDE = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 8, 36
_WIDE, _MIDDLE = 420, 124


def curves_svg(curves: Mapping[str, Curve], x_label: str, y_label: str) -> str:
    """An SVG element with curves in the unit square; the CSS class of a curve is its name.

    Args:
        curves: "image" or "pixel" -> curve.
        x_label: label of the horizontal axis.
        y_label: label of the vertical axis.
    """
    lines = "".join(
        f'<polyline class="curve {name}" points="{_points(curve)}"><title>{name}</title></polyline>'
        for name, curve in curves.items()
    )
    label = f"{y_label} over {x_label}: {' and '.join(curves)}"
    return (
        f'<svg viewBox="0 0 {_SIDE} {_SIDE}" role="img" aria-label="{label}">'
        f"{''.join(_grid())}{lines}"
        f'<text x="{(_x(0) + _x(1)) / 2:.0f}" y="{_SIDE - 4}" text-anchor="middle">{x_label}</text>'
        f'<text transform="translate(12 {(_y(0) + _y(1)) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{y_label}</text></svg>'
    )


def scores_svg(normal: Sequence[int], anomalous: Sequence[int]) -> str:
    """An SVG element with image scores as bars: anomalous images upwards, normal ones downwards.

    Each side is scaled to its own highest bar, so that a few normal images are visible beside many
    anomalous ones. The title of a bar contains its count.

    Args:
        normal: counts of the normal images in equal bins of [0, 1].
        anomalous: counts of the anomalous images in the same bins.
    """
    base = _MIDDLE + 4
    sides = _bars(anomalous, "anomalous", base, up=True) + _bars(normal, "normal", base, up=False)
    x0, x1 = _LEFT, _WIDE - _RIGHT
    ticks = "".join(
        f'<text x="{x0 + tick * (x1 - x0):.0f}" y="{_SIDE - 4}" text-anchor="{anchor}">{tick:g}'
        "</text>"
        for tick, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    )
    label = f"Scores of {sum(anomalous)} anomalous (up) and {sum(normal)} normal images (down)"
    return (
        f'<svg viewBox="0 0 {_WIDE} {_SIDE}" role="img" aria-label="{label}">{sides}'
        f'<line class="axis" x1="{x0}" x2="{x1}" y1="{base}" y2="{base}"/>{ticks}</svg>'
    )


def _bars(counts: Sequence[int], kind: str, base: int, *, up: bool) -> str:
    step = (_WIDE - _LEFT - _RIGHT) / len(counts)
    highest = max(counts)
    bars = []
    for index, count in enumerate(counts):
        if not count:
            continue
        height = max(2.0, count / highest * (_MIDDLE - 16))
        top = base - height if up else base
        low, high = index / len(counts), (index + 1) / len(counts)
        bars.append(
            f'<rect class="{kind}" x="{_LEFT + index * step + 0.5:.1f}" y="{top:.1f}" '
            f'width="{step - 1:.1f}" height="{height:.1f}">'
            f"<title>{low:.3f} to {high:.3f}: {count} {kind}</title></rect>"
        )
    return "".join(bars)


def _grid() -> Iterator[str]:
    for tick in (0.0, 0.5, 1.0):
        x, y = _x(tick), _y(tick)
        yield f'<line class="axis" x1="{x:.0f}" x2="{x:.0f}" y1="{_y(0):.0f}" y2="{_y(1):.0f}"/>'
        yield f'<line class="axis" x1="{_x(0):.0f}" x2="{_x(1):.0f}" y1="{y:.0f}" y2="{y:.0f}"/>'
        yield f'<text x="{x:.0f}" y="{_SIDE - 20}" text-anchor="middle">{tick:g}</text>'
        yield f'<text x="{_x(0) - 5:.0f}" y="{y + 4:.0f}" text-anchor="end">{tick:g}</text>'


def _points(curve: Curve) -> str:
    return " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in zip(curve.x, curve.y, strict=True))


def _x(value: float) -> float:
    return _LEFT + value * (_SIDE - _LEFT - _RIGHT)


def _y(value: float) -> float:
    return _SIDE - _BOTTOM - value * (_SIDE - _TOP - _BOTTOM)
