"""The report of `moeclip benchmark` as a page."""

from __future__ import annotations

import html.parser

import pytest
from support.benchmark_data import OUT, build_all, own_folder, read
from support.browser import needs_chromium, page_after


def test_the_page_begins_with_pictures_though_the_ranking_is_perfect(moeclip, tmp_path):
    made = ["--categories", "1", "--images", "4"]
    assert moeclip("datasets", "synthesize", "made", *made).exit_code == 0
    result = moeclip("benchmark", "--data", "made", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    (category,) = read()["categories"]
    evaluation = category["evaluations"]["deployed"]
    assert evaluation["metrics"]["image_auroc"] == 100
    assert evaluation["mistakes"] == []
    kinds = [each["kind"] for each in evaluation["localised"]]
    assert kinds == ["worst localised"] * 3 + ["best localised"]
    values = [each["pixel_ap"] for each in evaluation["localised"]]
    assert values == sorted(values)
    assert [each["kind"] for each in evaluation["ranked"]] == [
        *["highest normal"] * 3, *["lowest anomalous"] * 3, "highest anomalous", "lowest normal",
    ]  # fmt: skip
    assert "overlay" not in evaluation["localised"][0].keys() | evaluation["ranked"][0].keys()
    page = (OUT / "report.html").read_text(encoding="utf-8")
    first, _, rest = page.partition("<h2>Summary</h2>")
    assert first.count('<img src="data:image/jpeg;base64,') == 12
    assert f"pixel AP {values[0]:.1f}" in first
    assert evaluation["localised"][0]["path"] in first
    assert "<details" not in first
    assert rest.count('<img src="data:image/jpeg;base64,') == 12
    assert len(page) < 600_000


class Cells(html.parser.HTMLParser):
    """The texts of a table's rows."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._table, self._inside, self._cell = table, False, False

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self._inside = dict(attrs).get("id") == self._table
        elif self._inside and tag == "tr":
            self.rows.append([])
        self._cell = self._inside and tag == "td"
        if self._cell:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data


@needs_chromium
def test_the_page_sorts_in_a_browser(benchmark, tmp_path):
    build_all(tmp_path / "data", names=("btad", "mvtec"))
    assert benchmark("btad", "mvtec").exit_code == 0
    click = (
        "[...document.querySelectorAll('#dataset-1-categories button')]"
        ".find((button) => button.textContent === 'pixel PRO').click();"
    )
    shown = page_after(OUT / "report.html", click, tmp_path)
    cells = Cells("dataset-1-categories")
    cells.feed(shown)
    *rows, mean = [row for row in cells.rows if row]
    assert mean[0] == "mean"
    shown_pro = [(row[0], float(row[8])) for row in rows]
    expected = {
        line["category"]: line["values"]["pixel_pro"]
        for line in read()["lines"]
        if line["kind"] == "category" and line["dataset"] == "MVTec"
    }
    assert len(shown_pro) == 15
    assert [pro for _, pro in shown_pro] == sorted((pro for _, pro in shown_pro), reverse=True)
    for category, pro in shown_pro:
        assert pro == pytest.approx(expected[category], abs=0.0501)
    assert [category for category, _ in shown_pro] != list(expected)


def test_names_from_folders_are_harmless_on_the_page(benchmark, tmp_path):
    folder = own_folder(tmp_path / "<b>=1+1|`x`")
    result = benchmark("--data", folder, "--prompt", "<script>alert(1)</script>")
    assert result.exit_code == 0, result.stderr
    page = (OUT / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert "\\<b\\>" in (OUT / "results.md").read_text(encoding="utf-8")
