from __future__ import annotations

from moeclip_cli.evaluation.lines import ALL_DATASETS, Line
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.reports.pages.benchmark_report import legend


def mean(dataset, protocol):
    kind = "published" if protocol == "published" else "mean"
    return Line(kind, dataset, "mean", "mini", protocol, dict.fromkeys(METRICS, 50.0))


def test_means_over_different_datasets_are_told_apart():
    named = ["MVTec", "VisA", ALL_DATASETS]
    same = [mean(title, protocol) for title in named for protocol in ("paper", "published")]
    assert legend(same) == []
    assert legend([mean("bolts", "deployed")]) == []
    own = [*same, mean("bolts", "deployed"), mean(ALL_DATASETS, "deployed")]
    assert legend(own) == [
        "All datasets: means are over different datasets: paper over MVTec and VisA, published "
        "over MVTec and VisA, deployed over bolts. Differences are over the datasets that "
        "both have."
    ]
    many = [mean(str(number), "paper") for number in range(4)]
    assert "paper over 6 datasets, published" in legend([*own, *many])[0]
