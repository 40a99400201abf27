from __future__ import annotations

from moeclip_cli.training.metrics_file import MetricsFile


def test_rows_are_appended_and_later_ones_removed_on_resume(tmp_path):
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path, ["loss", "auroc"], keep_until=0)
    for step in (10, 20, 30):
        file.add(step, {"loss": step / 3, "auroc": None})
    assert path.read_text().splitlines() == [
        "step,loss,auroc", "10,3.33333,", "20,6.66667,", "30,10,",
    ]  # fmt: skip
    MetricsFile(path, ["loss", "auroc"], keep_until=20).add(30, {"loss": 1.0, "auroc": 0.5})
    assert path.read_text().splitlines()[2:] == ["20,6.66667,", "30,1,0.5"]


def test_an_incomplete_row_is_removed(tmp_path):
    path = tmp_path / "metrics.csv"
    MetricsFile(path, ["loss"], keep_until=0).add(10, {"loss": 1.5})
    with path.open("a") as stream:
        stream.write("2")
    MetricsFile(path, ["loss"], keep_until=100)
    assert path.read_text().splitlines() == ["step,loss", "10,1.5"]
