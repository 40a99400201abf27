import base64
import hashlib
import io
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.samples import mean_difference

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.reports.pages import score_report
from moeclip_cli.reports.pages.report_text import ReportText
from moeclip_cli.reports.pages.score_content import RunFacts
from moeclip_cli.reports.pages.score_report import ReportWriter, thumbnail_of

FACTS = RunFacts(
    model="moeclip-mini",
    prompt="metal bracket",
    threshold=AppliedThreshold(0.5, "checkpoint"),
    good_parts=0,
    device="cpu",
    started=datetime(2026, 1, 31, 14, 5),
    version="1.2.3",
)
VOID = {"meta", "img", "input"}


class Page(HTMLParser):
    """The elements, attributes and text of a page; fails if its tags are not nested correctly."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.get_starttag_text().endswith("/>") or tag in self.open[-1:]:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def paths(self) -> list[str | None]:
        heads = self.all("th")
        return [head["data-value"] for head in heads if "data-value" in head]


def report(folder: Path, rows: list[Row], *, keep: int = 200, facts: RunFacts = FACTS) -> Page:
    with ReportWriter(folder, facts, keep=keep) as writer:
        for row in rows:
            writer.add(row)
    return Page(writer.path)


def decoded(source: str) -> Image.Image:
    """The picture in a data URL."""
    return Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))


def row(score: float, path: str = "") -> Row:
    verdict = "anomalous" if score >= 0.5 else "normal"
    return Row(
        path=path or f"{score}.png",
        score=score,
        verdict=verdict,
        threshold=0.5,
        peak=score,
        peak_x=7,
        peak_y=9,
        map_part=score,
        image_part=0.0,
    )


def test_the_head_contains_counts_and_facts(tmp_path: Path) -> None:
    rows = [row(0.1), row(0.2), row(0.9), Row(path="bad.png", error="The file is empty.")]
    text = " ".join(report(tmp_path, rows).text.split())
    assert "Pass rate50.0 %Images4Anomalous1Normal2Unreadable1" in text
    for fact in ("metal bracket", "moeclip-mini", "0.500: checkpoint", "cpu"):
        assert fact in text
    assert "2026-01-31 14:05" in text
    assert "moeclip 1.2.3" in text
    assert "bad.pngThe file is empty." in text


def test_a_band_has_counts_chip_column_and_origin(tmp_path: Path) -> None:
    threshold = AppliedThreshold(
        0.5, "given", unsure=0.3, unsure_source="profile: 20% false alarms on 20 good images"
    )
    rows = [
        replace(row(score, path), verdict=threshold.verdict(score))
        for score, path in ((0.1, "a/1"), (0.3, "a/2"), (0.4, "b/3"), (0.9, "b/4"))
    ]
    page = report(tmp_path, rows, facts=replace(FACTS, threshold=threshold))
    text = " ".join(page.text.split())
    assert "Pass rate25.0 %Images4Anomalous1Unsure2Normal1Unreadable0" in text
    assert "Unsure from0.300: set on 20 good images, about 20 of 100 good parts are" in text
    assert "FolderImagesPassedUnsureAnomalousUnreadablePass rate" in text
    assert [each["data-show"] for each in page.all("button") if "data-show" in each] == [
        "all", "anomalous", "unsure", "normal",
    ]  # fmt: skip
    kinds = [each["data-kind"] for each in page.all("tr") if "data-kind" in each]
    assert kinds == ["anomalous", "unsure", "unsure", "normal"]


def test_an_image_that_was_deleted_since_it_was_scored_counts_once(tmp_path: Path) -> None:
    def deleted() -> NDArray[np.uint8]:
        raise ImageError("The file was not found.")

    with ReportWriter(tmp_path, FACTS) as writer:
        writer.add(row(0.9), deleted, np.zeros((4, 4), np.float32))
    page = Page(writer.path)
    assert "Images1Anomalous1Normal0" in " ".join(page.text.split())
    assert page.paths == ["0.9.png"]
    assert "No picture" in page.text


def test_the_most_anomalous_images_are_listed_in_order(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).permutation(100) / 100
    page = report(tmp_path, [row(score) for score in scores.tolist()], keep=5)
    assert page.paths == ["0.99.png", "0.98.png", "0.97.png", "0.96.png", "0.95.png"]
    assert "The 5 most anomalous of 100 images" in page.text


def test_each_image_has_the_place_of_its_peak_and_the_parts_of_its_score(
    tmp_path: Path, scored_row: Row
) -> None:
    text = report(tmp_path, [scored_row]).text
    assert "0.812map 0.465 + image 0.347" in text
    assert "0.930at 20, 30" in text


def test_a_score_without_an_image_part_has_no_parts(tmp_path: Path) -> None:
    assert "+ image" not in report(tmp_path, [row(0.9)]).text


def test_images_with_equal_scores_are_in_input_order(tmp_path: Path) -> None:
    rows = [row(0.7, f"{number}.png") for number in range(6)]
    assert report(tmp_path, rows, keep=3).paths == ["0.png", "1.png", "2.png"]


def test_listed_errors_are_limited_but_counted(tmp_path: Path) -> None:
    rows = [Row(path=f"{number}.png", error="Broken.") for number in range(50)]
    page = report(tmp_path, rows, keep=10)
    assert "first 10 of 50" in page.text
    assert page.text.count("Broken.") == 10


@pytest.mark.parametrize("rows", [[], [Row(path="x.png", error="Broken.")]])
def test_a_run_without_scores_has_a_report(tmp_path: Path, rows: list[Row]) -> None:
    page = report(tmp_path, rows)
    assert f"Images{len(rows)}" in page.text
    assert page.all("svg") == []


def test_the_thumbnail_is_the_overlay_and_links_to_its_file(
    tmp_path: Path, picture: NDArray[np.uint8], defect: NDArray[np.float32], scored_row: Row
) -> None:
    with ReportWriter(tmp_path, FACTS) as writer:
        writer.add(scored_row, lambda: picture, defect, tmp_path / "heatmaps" / "10%3A30 ü.png")
    page = Page(writer.path)
    image, viewer = page.all("img")
    assert viewer == {"alt": ""}
    source = image["src"] or ""
    assert source.startswith("data:image/jpeg;base64,")
    with decoded(source) as thumbnail:
        assert thumbnail.size == (400, 300)
        red, green, blue = thumbnail.convert("RGB").getpixel((120, 150))  # type: ignore[misc]
    assert red > 1.3 * max(green, blue)
    assert image["alt"] == "Overlay of part 1.png"
    (button,) = (each for each in page.all("button") if each.get("class") == "enlarge")
    assert button["data-link"] == "heatmaps/10%253A30%20%C3%BC.png"
    original = decoded(button["data-original"])
    assert original.size == (400, 300)
    assert mean_difference(np.asarray(original), picture) < 5


def test_the_thumbnail_of_an_anomalous_image_without_a_region_has_a_ring(
    tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    calm = np.full((37, 37), 0.1, np.float32)

    def source(verdict: str) -> str | None:
        with ReportWriter(tmp_path, FACTS) as writer:
            writer.add(replace(row(0.9), verdict=verdict), lambda: picture, calm)
        return Page(writer.path).all("img")[0]["src"]

    assert source("anomalous") != source("normal")


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    evil = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>\x1b[31m\udcff\n.png"
    threshold = AppliedThreshold(0.5, evil, unsure=0.4, unsure_source=evil)
    facts = replace(FACTS, prompt=evil, model=evil, threshold=threshold, device=evil)
    rows = [replace(row(0.9, evil), prompt="</td>" + evil), Row(path=evil, error=evil)]
    page = report(tmp_path, rows, facts=facts)
    assert len(page.all("script")) == 1
    assert page.all("img") == [{"alt": ""}]  # of the viewer
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert "\x1b" not in page.source
    assert "<script>alert(1)</script>" in page.text
    assert "␛[31m\\udcff␊.png" in page.text


def test_the_page_makes_no_requests(
    tmp_path: Path, picture: NDArray[np.uint8], defect: NDArray[np.float32], scored_row: Row
) -> None:
    with ReportWriter(tmp_path, FACTS) as writer:
        writer.add(scored_row, lambda: picture, defect)
    page = Page(writer.path)
    assert not re.search(r"\b(src|href)=\"(?!data:)|url\(|@import|https?:", page.source)
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policies[0].startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policies[0]
    assert not any("style" in attributes for _, attributes in page.tags)
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policies[0]


def test_headings_columns_and_drawings_have_accessible_names(tmp_path: Path) -> None:
    page = report(tmp_path, [row(0.9), Row(path="x.png", error="Broken.")])
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == 3
    assert all(head.get("scope") for head in page.all("th") if head.get("class") != "thumbnail")
    assert all(drawing["aria-label"] for drawing in page.all("svg"))
    assert sum("aria-sort" in head for head in page.all("th")) == 1


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UsageError, match=r"Cannot write .*report\.html"):
        report(tmp_path, [])


def test_counts_and_pass_rates_of_each_folder_come_first(tmp_path: Path) -> None:
    rows = [
        row(0.1, "line/a/1.png"),
        row(0.9, "line/a/2.png"),
        row(0.2, "line/b/c/3.png"),
        Row(path="line/b/4.png", error="Broken."),
    ]
    page = report(tmp_path, rows)
    text = " ".join(page.text.split())
    assert text.index("2 of 4 images passed. Unreadable images were not inspected") < 300
    assert "a 2 1 1 0 50.0 %" in " ".join(re.sub(r"<[^>]+>", " ", page.source).split())
    assert [head["data-sort"] for head in page.all("th") if "data-sort" in head] == [
        "a", "b", "b/c",
    ]  # fmt: skip
    assert text.index("Folders") < text.index("Model")
    assert "Folderline" in text.replace(" ", "")
    assert "b/c/3.png" in page.text
    assert "line/b/c/3.png" not in page.text


def test_title_fields_and_language_are_the_users(tmp_path: Path) -> None:
    added = ReportText("Wareneingang <4711>", (("Prüfer", "K. <Ö>"),), "de")
    threshold = AppliedThreshold(0.5, "profile: 5% false alarms on 20 good images")
    facts = replace(FACTS, text=added, threshold=threshold)
    page = report(tmp_path, [row(0.9), row(0.25)], facts=facts)
    assert "Wareneingang <4711>" in page.text
    text = " ".join(page.text.split())
    assert "PrüferK. <Ö>" in text
    assert page.all("html") == [{"lang": "de"}]
    assert "Gutanteil50,0 %" in text
    assert (
        "Schwelle0,500: bestimmt an 20 Gutteilen, etwa 5 von 100 Gutteilen werden beanstandet"
    ) in text
    assert "0,900" in text
    assert "0.900" not in text


def test_the_page_can_count_anew_at_another_threshold(tmp_path: Path) -> None:
    page = report(tmp_path, [row(0.29), row(0.2909), row(0.57), row(1.0)])
    (card,) = (each for each in page.all("div") if each.get("class") == "card histogram")
    assert card["data-bins"] == "290:2 570:1 999:1"
    assert float(card["data-threshold"] or 0) == 0.5


def test_chips_name_the_kinds_that_there_are(tmp_path: Path) -> None:
    page = report(tmp_path, [row(0.9, "a/x.png"), row(0.1, "b/y.png")])
    kinds = [each["data-show"] for each in page.all("button") if "data-show" in each]
    assert kinds == ["all", "anomalous", "normal"]
    assert [each["value"] for each in page.all("option")] == ["", "0", "1"]
    shown = [(each["data-kind"], each["data-folder"]) for each in page.all("tr") if each]
    assert shown == [("anomalous", "0"), ("normal", "1")]
    page = report(tmp_path, [row(0.9), Row(path="x.png", error="Broken.")])
    assert any(each.get("data-show") == "unreadable" for each in page.all("button"))


def test_only_the_first_pictures_are_large(tmp_path: Path, defect: NDArray[np.float32]) -> None:
    large = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    with ReportWriter(tmp_path, FACTS) as writer:
        for number in range(62):
            writer.add(row(0.99 - number / 100), lambda: large, defect)
    page = Page(writer.path)
    sizes = [decoded(each["src"] or "").size for each in page.all("img") if "src" in each]
    assert sizes == [(480, 320)] * 60 + [(256, 171)] * 2


def test_further_images_are_thumbnails_in_descending_order(tmp_path: Path) -> None:
    picture = np.full((300, 600, 3), 90, np.uint8)
    with ReportWriter(tmp_path, FACTS, keep=2) as writer:
        for score in (0.2, 0.9, 0.4, 0.8, 0.3):
            writer.add(row(score), thumbnail=thumbnail_of(picture))
    page = Page(writer.path)
    assert page.paths == ["0.9.png", "0.8.png"]
    assert "The other 3 images" in page.text
    figures = page.all("figure")
    assert [each["data-score"] for each in figures] == ["0.4", "0.3", "0.2"]
    assert {each["data-kind"] for each in figures} == {"normal"}
    sizes = [decoded(each["src"] or "").size for each in page.all("img") if "src" in each]
    assert sizes == [(64, 32)] * 3


def test_a_report_of_5000_images_stays_below_20_megabytes(
    tmp_path: Path, defect: NDArray[np.float32]
) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 190, (30, 40, 3), np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((480, 360)))
    picture = picture + rng.integers(0, 40, picture.shape, np.uint8)
    small = thumbnail_of(picture)
    with ReportWriter(tmp_path, FACTS) as writer:
        for number in range(5000):
            path = f"station 4/tray {number // 100}/bracket_{number:05}.jpg"
            writer.add(row(1 - number / 5000, path), lambda: picture, defect, thumbnail=small)
    assert writer.path.stat().st_size < 20e6
    page = writer.path.read_text(encoding="utf-8")
    assert page.count("bracket_") >= 5000


def test_the_number_of_thumbnails_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_report, "_THUMBNAILS", 3)
    page = report(tmp_path, [row(number / 10) for number in range(10)], keep=2)
    assert "The next 3 of the other 8 images" in page.text
    assert [each["data-score"] for each in page.all("figure")] == ["0.7", "0.6", "0.5"]
