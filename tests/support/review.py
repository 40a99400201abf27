"""An output folder that grows like that of a run, and the server of the page over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moeclip_cli.choices import TableFormat
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.results_table import open_table
from moeclip_cli.review.app import Review
from moeclip_cli.review.labels import LabelJournal
from moeclip_cli.review.results import LiveResults
from moeclip_cli.review.serving import ReviewServer
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import InputLog, describe_batch
from moeclip_cli.runs.run_card import RunCard
from support.samples import save_image
from support.server import Live, Reply

TOKEN = "correct-horse-battery"
THRESHOLD = 0.5


class GrowingRun:
    """A run that scores the images that it is told, with the files of a real one."""

    def __init__(
        self,
        folder: Path,
        table_format: TableFormat = "csv",
        *,
        keep_maps: bool = True,
        moved_to: str | None = None,
        **more: Any,
    ) -> None:
        self.folder, self._keep, self._images = folder, keep_maps, 0
        settings = {
            "model": "standin", "image_size": 70, "scales": [], "prompt": "part",
            "prompt_rules": None, "threshold": THRESHOLD, "threshold_source": "given",
            "max_pixels": 10**8, "table_format": table_format, "heatmaps": None,
            "save_maps": False, **({"keep_maps": True} if keep_maps else {}), **more,
        }  # fmt: skip
        environment = {
            "started": "2026-01-31T14:05:00+00:00", "directory": str(folder.parent),
            "device": "cpu",
        }  # fmt: skip
        if moved_to is not None:
            environment["moved_to"] = moved_to
        self.card = RunCard(folder, settings, environment)
        self.table = open_table(folder, table_format, resume=False)
        self.log = InputLog(folder, resume=False)
        self.files = ImageFiles.of(folder, settings)

    def add(self, *images: tuple[str, float | None], pixels: bool = True) -> None:
        """Append the rows of images with these scores; None for one that cannot be read."""
        self._images += len(images)
        refs = [ImageRef(self.folder.parent / path, path) for path, _ in images]
        for ref in refs if pixels else ():
            if not ref.path.exists():
                ref.path.parent.mkdir(parents=True, exist_ok=True)
                save_image(ref.path, seed=len(ref.name), width=80, height=60)
        for record, (path, score) in zip(describe_batch(refs), images, strict=True):
            self.log.add(replace(record, path=path, scored=score is not None))
            if score is not None and self._keep and pixels:
                self._save_map(path, score)
        self.table.write([row_of(path, score) for path, score in images])

    def _save_map(self, name: str, score: float) -> None:
        values = np.zeros((15, 20), np.float32)
        values[3:9, 4:12] = score
        path = self.files.compact_map(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CompactMap.of(values, THRESHOLD).to_png())

    def finish(self) -> None:
        self.table.close()
        self.log.close()
        summary = {"images": self._images, "seconds": 2.0, "images_per_second": 0.5}
        self.card.finish(summary, {})


def row_of(path: str, score: float | None) -> Row:
    if score is None:
        return Row(path, prompt="part", model="standin", error="The file is damaged.")
    return Row(
        path, score, "anomalous" if score >= THRESHOLD else "normal", THRESHOLD,
        map_max=1.0, image_score=0.0, peak=score, peak_x=24, peak_y=18, map_part=score,
        image_part=0.0, area_fraction=0.1, regions=1, x0=1, y0=1, x1=9, y1=9, width=80, height=60,
        prompt="part", model="standin",
    )  # fmt: skip


class LiveReview(Live):
    """The server of the page over a folder."""

    def __init__(self, folder: Path, language: Any = "en") -> None:
        self.results, self.labels = LiveResults(folder), LabelJournal(folder)
        self.review = Review(self.results, self.labels, TOKEN, language, str)
        super().__init__(partial(ReviewServer, self.review))
        self.url = f"http://127.0.0.1:{self.port}/{TOKEN}/"

    @contextmanager
    def running(self) -> Iterator[LiveReview]:
        with self.labels, super().running():
            yield self

    def get(self, path: str) -> Reply:
        return self.send("GET", f"/{TOKEN}/{path}")

    def post(self, path: str, content: Any) -> Reply:
        return self.send("POST", f"/{TOKEN}/{path}", json.dumps(content))

    def state(self, **known: int) -> dict[str, Any]:
        """What a page that knows so much is told."""
        query = "&".join(f"{name}={value}" for name, value in known.items())
        answer = self.get(f"state?{query}")
        assert answer.status == 200, answer.content
        return answer.json

    def rows(self) -> dict[str, dict[str, Any]]:
        """All images that a new page is told, by path."""
        told = self.state()
        images = [dict(zip(told["fields"], values, strict=True)) for values in told["images"]]
        return {image["path"]: image for image in images}
