from __future__ import annotations

import re

from moeclip_cli.evaluation.results import (
    METRICS,
    CategoryResult,
    Evaluation,
    Localised,
    Mistake,
    Ranked,
)
from moeclip_cli.reports.pages.worst_pictures import category_pictures, worst_pictures

ALARMS = "Worst by image score: normal images with the highest scores"
MISSES = "Worst by image score: anomalous images with the lowest scores"
BEST = "Best by image score"
PIXELS = "Worst by pixels"


def evaluation(auroc, mistakes=(), localised=(), ranked=()):
    metrics = dict.fromkeys(METRICS, 50.0) | {"image_auroc": auroc}
    return Evaluation(
        metrics, 0.0, {}, ((1,), (1,)),
        tuple(Mistake(kind, path, 0.5, "AAAA") for kind, path in mistakes),
        localised=tuple(
            Localised("worst localised", path, value, "BBBB") for path, value in localised
        ),
        ranked=tuple(Ranked(kind, path, 0.5, "CCCC") for kind, path in ranked),
    )  # fmt: skip


def result(category, *evaluations, model="mini", protocols=("deployed", "paper")):
    return CategoryResult(
        model, "own", "Own", category, "bolt", 3, 3, 3, (), (),
        dict(zip(protocols, evaluations, strict=False)),
    )  # fmt: skip


def shown(*results):
    """Group -> paths of its pictures."""
    page = "".join(worst_pictures(results))
    groups = re.split(r"<h3>(.*?)</h3>", page)[1:]
    found = [re.findall(r"<bdi>(.*?)</bdi>", group) for group in groups[1::2]]
    return dict(zip(groups[::2], found, strict=True))


def test_a_perfect_ranking_still_shows_the_worst_images():
    ends = [
        ("highest normal", "n.png"), ("lowest anomalous", "a.png"), ("highest anomalous", "c.png"),
        ("lowest normal", "m.png"),
    ]  # fmt: skip
    localised = [("a.png", 27.9), ("b.png", 60.0)]
    perfect = result("bolt", evaluation(100.0, localised=localised, ranked=ends))
    assert shown(perfect) == {
        ALARMS: ["n.png"], MISSES: ["a.png"], BEST: ["c.png", "m.png"], PIXELS: ["a.png", "b.png"],
    }  # fmt: skip
    page = "".join(worst_pictures([perfect]))
    assert page.count("all anomalous images score higher than all normal ones") == 2
    assert '<figcaption>anomalous, <span class="where">bolt</span>, score 0.500' in page
    assert "false alarm<" not in page
    assert "pixel AP 27.9" in page
    assert "<details" not in page
    assert page.count('src="data:image/jpeg;base64,BBBB"') == 2
    assert "best localised" not in page


def test_categories_take_turns_from_the_worst_and_the_number_is_bounded():
    many = [
        result(
            str(auroc),
            evaluation(
                auroc,
                [("false alarm", f"{auroc}/{each}") for each in range(3)]
                + [("miss", f"{auroc}/m")],
                [(f"{auroc}/{each}", auroc + each) for each in range(3)],
                [("lowest anomalous", f"{auroc}/near"), ("highest anomalous", f"{auroc}/best")],
            ),
        )
        for auroc in (90.0, 70.0, 80.0, 60.0)
    ]
    found = shown(*many)
    assert found[ALARMS] == ["60.0/0", "70.0/0", "80.0/0", "90.0/0", "60.0/1", "70.0/1"]
    assert found[MISSES] == [
        "60.0/m", "70.0/m", "80.0/m", "90.0/m", "60.0/near", "70.0/near"
    ]  # fmt: skip
    assert found[BEST] == ["90.0/best", "80.0/best", "70.0/best", "60.0/best"]
    assert found[PIXELS] == found[ALARMS]


def test_an_image_that_several_models_get_wrong_is_shown_once_for_the_worst():
    bad, worse = (evaluation(auroc, [("miss", "a.png")], [("a.png", auroc)]) for auroc in (80, 70))
    results = [result("bolt", bad, model="one"), result("bolt", worse, model="two")]
    assert shown(*results) == {ALARMS: [], MISSES: ["a.png"], PIXELS: ["a.png"]}
    page = "".join(worst_pictures(results))
    assert page.count("bolt, two") == 2
    assert "bolt, one" not in page
    both = shown(result("bolt", bad), result("nut", worse))
    assert both[MISSES] == ["a.png", "a.png"]


def test_images_of_one_label_are_not_called_mistakes():
    """Their extremes are listed below their category, with nothing to compare them with."""
    assert shown(result("bolt", evaluation(None, [("miss", "a.png")]))) == {}
    found = shown(result("bolt", evaluation(None, [("miss", "a.png")], [("b.png", 3.0)])))
    assert found == {PIXELS: ["b.png"]}


def test_nothing_to_show_is_no_section():
    assert list(worst_pictures([])) == []


def test_names_are_harmless():
    page = "".join(worst_pictures([
        result("<b>", evaluation(50.0, [("miss", "<i>.png")])),
        result("c", evaluation(50.0)),
    ]))  # fmt: skip
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;i&gt;.png" in page


def test_a_category_says_which_picture_is_the_best():
    localised = (
        Localised("worst localised", "a.png", 2.0, "AAAA"),
        Localised("best localised", "b.png", 98.0, ""),
    )
    pictures = category_pictures(Evaluation({}, 0.0, {}, ((1,), (1,)), (), localised=localised))
    assert "No image is misranked." in pictures
    assert '<span class="worst-localised">worst localised</span>, pixel AP 2.0' in pictures
    assert '<span class="best-localised">best localised</span>, pixel AP 98.0' in pictures
    assert pictures.count("No picture") == 1
    assert 'loading="lazy"' in pictures
