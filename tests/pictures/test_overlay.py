import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from moeclip_cli.pictures.colours import ColourScale
from moeclip_cli.pictures.overlay import caption, outline, render_overlay

NO_ANOMALY = np.full((37, 37), 0.1, np.float32)


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (before != after).any(axis=-1)


def test_a_picture_without_anomalies_is_unchanged(picture: NDArray[np.uint8]) -> None:
    assert (render_overlay(picture, NO_ANOMALY, 0.5, legend=False) == picture).all()


def test_the_input_is_not_modified(picture: NDArray[np.uint8], defect: NDArray[np.float32]) -> None:
    before = picture.copy()
    render_overlay(picture, defect, 0.5)
    assert (picture == before).all()


def test_the_defect_is_coloured_red(
    picture: NDArray[np.uint8], defect: NDArray[np.float32]
) -> None:
    overlay = render_overlay(picture, defect, 0.5, legend=False)
    assert overlay.shape == picture.shape
    rows, columns = np.nonzero(changed(picture, overlay))
    assert (rows.mean() / 300, columns.mean() / 400) == pytest.approx((0.5, 0.3), abs=0.02)
    red, green, blue = overlay[150, 120].tolist()
    assert red > 1.5 * max(green, blue)


def test_colours_equal_those_of_the_resized_map(
    picture: NDArray[np.uint8], defect: NDArray[np.float32]
) -> None:
    values = cv2.resize(defect, (400, 300), interpolation=cv2.INTER_LINEAR)
    expected = ColourScale(1.5).paint(picture, values)
    # No value is at or above this threshold, so there is no outline.
    painted = render_overlay(picture, defect, 1.5, legend=False)
    assert np.abs(painted.astype(int) - expected).max() <= 1


def test_a_ring_marks_the_peak_if_no_region_reaches_the_threshold() -> None:
    plain = np.full((300, 400, 3), 128, np.uint8)
    probability = np.full((30, 40), 0.1, np.float32)
    probability[22, 31] = 0.2  # the middle of its pixel is at (315, 225)
    ringed = render_overlay(plain, probability, 0.5, legend=False, mark_peak=True)
    rows, columns = np.nonzero((ringed > 200).all(axis=-1))
    assert (columns.mean(), rows.mean()) == pytest.approx((315, 225), abs=1)
    distances = np.hypot(columns - 315, rows - 225)
    assert (distances.min(), distances.max()) == pytest.approx((18, 18), abs=2)
    assert not changed(plain, ringed)[220:230, 310:320].any()
    unmarked = render_overlay(plain, probability, 0.5, legend=False)
    assert (unmarked == plain).all()


def test_no_ring_is_drawn_beside_an_outline(
    picture: NDArray[np.uint8], defect: NDArray[np.float32]
) -> None:
    plain = render_overlay(picture, defect, 0.5)
    assert (render_overlay(picture, defect, 0.5, mark_peak=True) == plain).all()


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_the_outline_is_visible_on_any_background(shade: int, defect: NDArray[np.float32]) -> None:
    plain = np.full((300, 400, 3), shade, np.uint8)
    overlay = render_overlay(plain, defect, 0.5, legend=False).astype(int)
    level = (defect[37] >= 0.5).nonzero()[0][0] / 74 * 400
    crossing = overlay[150, round(level) - 8 : round(level) + 8].mean(axis=-1)
    assert crossing.min() < 60
    assert crossing.max() > 200


def test_every_region_and_hole_is_outlined() -> None:
    region = np.zeros((200, 200), np.uint8)
    cv2.circle(region, (60, 60), 40, 1, 12)
    cv2.circle(region, (150, 150), 20, 1, -1)
    picture = np.full((200, 200, 3), 128, np.uint8)
    outline(picture, region)
    white = (picture > 150).all(axis=-1).astype(np.uint8)
    assert cv2.connectedComponents(white)[0] - 1 == 3


def test_lines_are_wider_on_a_larger_picture(defect: NDArray[np.float32]) -> None:
    def share(side: int) -> float:
        plain = np.zeros((side, side, 3), np.uint8)
        overlay = render_overlay(plain, defect, 0.5, legend=False)
        return float((overlay > 240).all(axis=-1).mean())

    assert share(1600) == pytest.approx(share(800), rel=0.5)


def test_the_legend_does_not_hide_the_defect() -> None:
    picture = np.full((300, 400, 3), 128, np.uint8)
    probability = np.zeros((74, 74), np.float32)
    for corner in (np.s_[50:, :40], np.s_[50:, 40:], np.s_[:24, :40]):
        probability[corner] = 0.9
        bare = render_overlay(picture, probability, 0.5, legend=False)
        panel = changed(bare, render_overlay(picture, probability, 0.5, caption="anomalous: 0.9"))
        hidden = cv2.resize(probability, (400, 300))[panel]
        assert panel.sum() > 1000
        assert hidden.max() < 0.25


@pytest.mark.parametrize(
    ("height", "width", "has_legend"),
    [(200, 200, True), (1200, 1200, True), (60, 200, False), (400, 90, False), (40, 40, False)],
)
def test_the_legend_is_omitted_if_it_does_not_fit(
    height: int, width: int, has_legend: bool
) -> None:
    picture = np.full((height, width, 3), 128, np.uint8)
    overlay = render_overlay(picture, NO_ANOMALY, 0.5, caption="normal: 0.1")
    assert changed(picture, overlay).any() == has_legend


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2, 40_000), (40_000, 20)])
def test_pictures_of_any_shape_are_coloured(
    shape: tuple[int, int], defect: NDArray[np.float32]
) -> None:
    picture = np.full((*shape, 3), 128, np.uint8)
    overlay = render_overlay(picture, np.maximum(defect, 0.3), 0.5)
    assert overlay.shape == picture.shape
    assert changed(picture, overlay).all()


def test_a_single_value_map_and_a_read_only_picture_are_accepted() -> None:
    picture = np.full((30, 40, 3), 128, np.uint8)[:, ::-1]
    picture.setflags(write=False)
    assert changed(picture, render_overlay(picture, np.ones((1, 1), np.float32), 0.5)).all()


def test_the_caption_has_verdict_and_score() -> None:
    assert caption(0.87349, "anomalous") == "anomalous: 0.873"
