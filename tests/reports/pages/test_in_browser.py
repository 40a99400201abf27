"""The report of a scoring run in a real browser: pages of images, filters, paper."""

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from support.browser import needs_chromium, page_after, printed

from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.reports.pages.report_text import ReportText
from moeclip_cli.reports.pages.score_content import RunFacts
from moeclip_cli.reports.pages.score_report import ReportWriter, thumbnail_of

pytestmark = needs_chromium

THRESHOLD = 0.9
FACTS = RunFacts(
    model="moeclip-mini",
    prompt="Prüfstück",
    threshold=AppliedThreshold(THRESHOLD, "checkpoint"),
    good_parts=0,
    device="cpu",
    started=datetime(2026, 1, 31, 14, 5),
    version="1.2.3",
    text=ReportText(language="de"),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 images in two folders, of which 30 are anomalous and 10 are in the table."""
    return written(tmp_path_factory.mktemp("report"), FACTS)


def written(folder: Path, facts: RunFacts) -> Path:
    picture = np.full((30, 40, 3), 120, np.uint8)
    writer = ReportWriter(folder, facts, keep=10)
    for number in range(300):
        score = (number + 0.5) / 300
        verdict = facts.threshold.verdict(score)
        writer.add(
            Row(
                path=f"{'ab'[number % 2]}/teil_{number:03}.png",
                score=score,
                verdict=verdict,
                threshold=THRESHOLD,
                peak=score,
                peak_x=7,
                peak_y=9,
                width=40,
                height=30,
            ),
            lambda: picture,
            np.zeros((4, 4), np.float32),
            thumbnail=thumbnail_of(picture),
        )
    writer.close()
    return writer.path


def shown(html: str) -> list[str]:
    """Names of the thumbnails that are not hidden."""
    figures = re.findall(r"<figure([^>]*)>.*?<bdi>(.*?)</bdi>", html)
    return [name for attributes, name in figures if "hidden" not in attributes]


def numbers(names: list[str]) -> list[int]:
    return [int(re.sub(r"\D", "", name)) for name in names]


def test_thumbnails_are_shown_a_page_at_a_time(report: Path, tmp_path: Path) -> None:
    first = page_after(report, "", tmp_path)
    assert numbers(shown(first)) == list(range(289, 169, -1))
    assert "1 bis 120 von 290" in first
    forward = "document.querySelector('#others [data-by=\"1\"]').click();"
    last = page_after(report, 2 * forward, tmp_path)
    assert numbers(shown(last)) == list(range(49, -1, -1))
    assert "241 bis 290 von 290" in last
    assert page_after(report, 3 * forward, tmp_path) == last.replace(2 * forward, 3 * forward)


def test_chip_folder_and_tried_threshold_choose_the_thumbnails(
    report: Path, tmp_path: Path
) -> None:
    anomalous = "document.querySelector('[data-show=anomalous]').click();"
    html = page_after(report, anomalous, tmp_path)
    assert numbers(shown(html)) == list(range(289, 269, -1))
    folder = (
        "const folder = document.querySelector('.filters select'); folder.value = '1';"
        "folder.dispatchEvent(new Event('change'));"
    )
    html = page_after(report, anomalous + folder, tmp_path)
    assert numbers(shown(html)) == list(range(289, 269, -2))
    slide = (
        "const slider = document.querySelector('.try input'); slider.value = 0.95;"
        "slider.dispatchEvent(new Event('input'));"
    )
    html = page_after(report, anomalous + slide, tmp_path)
    assert numbers(shown(html)) == list(range(289, 284, -1))
    assert "15 auffällig, 285 normal" in html


def test_the_band_has_a_chip_and_stays_when_a_threshold_is_tried(tmp_path: Path) -> None:
    # The score of image 239, 0.798333..., lies below the band and in the same bin of 0.001.
    threshold = AppliedThreshold(THRESHOLD, "given", unsure=0.7985, unsure_source="given")
    page = written(tmp_path, replace(FACTS, threshold=threshold))
    chip = "document.querySelector('[data-show=unsure]').click();"
    slide = (
        "const slider = document.querySelector('.try input'); slider.value = 0.85;"
        "slider.dispatchEvent(new Event('input'));"
    )
    html = page_after(page, chip + slide, tmp_path)
    assert numbers(shown(html)) == list(range(254, 239, -1))
    assert "Bei 0,850: 45 auffällig, 15 unsicher, 240 normal." in html
    assert "moeclip recut OUT --threshold 0.850 --unsure 0.7985" in html


def test_the_printed_page_has_counts_images_and_no_controls(report: Path, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    pdf = pypdf.PdfReader(printed(report, tmp_path))
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())
    assert 2 <= len(pdf.pages) <= 10
    assert "Prüfung: Prüfstück" in text
    assert "90,0 %" in text
    assert "teil_299.png" in text
    assert "0,998" in text
    assert "Andere Schwelle ausprobieren" not in text
    assert "Vorige Seite" not in text
