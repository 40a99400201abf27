from __future__ import annotations

from moeclip_cli.evaluation.category_metrics import CategoryMetrics, in_percent, mean_of_defined
from moeclip_cli.evaluation.image_metrics import ImageMetrics
from moeclip_cli.evaluation.pixel_metrics import PixelMetrics


def test_percent_names_every_metric_in_order():
    metrics = CategoryMetrics(ImageMetrics(0.1, 0.2, 0.3), PixelMetrics(0.4, 0.5, 0.7, None))
    assert list(in_percent(metrics).items()) == [
        ("image_auroc", 10.0), ("image_ap", 20.0), ("image_f1_max", 30.0), ("pixel_auroc", 40.0),
        ("pixel_ap", 50.0), ("pixel_pro", None), ("pixel_f1_max", 70.0),
    ]  # fmt: skip


def test_the_mean_ignores_undefined_values():
    assert mean_of_defined([0.5, None, 1.0]) == 0.75
    assert mean_of_defined([None, None]) is None
    assert mean_of_defined([]) is None
