from __future__ import annotations

import json

from moeclip_cli.evaluation.results import (
    METRICS,
    CategoryResult,
    Curve,
    Evaluation,
    Localised,
    Mistake,
    Ranked,
)


def test_a_result_survives_a_round_trip_through_json():
    evaluation = Evaluation(
        metrics=dict.fromkeys(METRICS, 12.5) | {"pixel_pro": None},
        error_bound=0.001,
        curves={"image ROC": Curve((0.0, 1.0), (0.5, 1.0))},
        histogram=((3, 0), (1, 2)),
        mistakes=(Mistake("miss", "bad/1.png", 0.25, "overlay"),),
        localised=(Localised("worst localised", "bad/2.png", 27.9, "overlay"),),
        ranked=(Ranked("lowest normal", "good/1.png", 0.125, "overlay"),),
    )
    result = CategoryResult(
        "model", "mvtec", "MVTec", "bottle", "dark bottle", 3, 3, 3, ("an error",), ("a note",),
        {"paper": evaluation},
    )  # fmt: skip
    assert CategoryResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert not {"shots", "references"} & result.to_dict().keys()


def test_a_result_of_an_earlier_version_has_fewer_images():
    evaluation = Evaluation(dict.fromkeys(METRICS, 12.5), 0.0, {}, ((1,), (2,)), ())
    result = CategoryResult(
        "model", "mvtec", "MVTec", "bottle", "dark bottle", 3, 3, 3, (), (), {"paper": evaluation}
    )
    content = result.to_dict()
    del content["evaluations"]["paper"]["localised"], content["evaluations"]["paper"]["ranked"]
    assert CategoryResult.from_dict(content) == result


def test_few_shot_fields_survive_it_too():
    values = dict.fromkeys(METRICS, 12.5)
    draws = (values, values | {"pixel_pro": None})
    evaluation = Evaluation(values, 0.0, {}, ((1,), (2,)), (), draws)
    result = CategoryResult(
        "model", "mvtec", "MVTec", "bottle", "dark bottle", 3, 3, 3, (), (),
        {"deployed": evaluation}, 2, (("a.png", "b.png"), ("b.png", "c.png")),
    )  # fmt: skip
    assert CategoryResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
