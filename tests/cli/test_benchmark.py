from __future__ import annotations

import csv
import html.parser
import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from support.benchmark_data import build_all, own_folder
from support.browser import needs_chromium, page_after
from typer.testing import CliRunner

from moeclip_cli.runs.lock import WriterLock

OUT = Path("moeclip-benchmark")
FILES = ("results.json", "results.csv", "results.md", "report.html")
PIXEL_ONLY = ("ColonDB", "ClinicDB", "CVC-300", "Kvasir", "Endo")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return build_all(tmp_path_factory.mktemp("data"))


@pytest.fixture
def benchmark(moeclip, standin):
    def run(*args, **kwargs):
        return moeclip("benchmark", *args, *standin.options, "--workers", "1", **kwargs)

    return run


def read(out=OUT):
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def find(out=OUT, **wanted):
    """The values of the only line with these places."""
    (line,) = [
        line
        for line in read(out)["lines"]
        if all(line[name] == value for name, value in wanted.items())
    ]
    return line["values"]


def comparable(out):
    """The files of a run without the time and the folder it was started in and its command line."""
    environment = read(out)["card"]["environment"]
    texts = {name: (out / name).read_text(encoding="utf-8") for name in FILES}
    for name, text in texts.items():
        text = text.replace(environment["started"], "STARTED")
        text = re.sub(rf"{re.escape(environment['directory'])}(?=[\n<\",])", "DIRECTORY", text)
        texts[name] = re.sub(r"pytest[^\n<,]*|moeclip benchmark [^\n<,]*", "COMMAND", text)
    return texts


def test_all_14_datasets_end_to_end_with_the_built_in_model(moeclip, tree):
    options = [
        "--compare", "--protocol", "both", "--device", "cpu", "--image-size", "128",
        "--model", "moeclip-mini",
    ]  # fmt: skip
    result = moeclip("benchmark", "--all", "--data-root", tree, *options)
    assert result.exit_code == 0, result.stderr
    content = read()
    means = [line for line in content["lines"] if line["kind"] == "mean"]
    assert len(means) == 2 * 15
    for line in means:
        values = line["values"]
        image = [value for name, value in values.items() if name.startswith("image")]
        pixel = [value for name, value in values.items() if name.startswith("pixel")]
        if line["dataset"] in PIXEL_ONLY:
            assert image == [None] * 3
        else:
            assert all(0 <= value <= 100 for value in image)
        if line["dataset"] == "Head CT":
            assert pixel == [None] * 4
        else:
            assert all(0 <= value <= 100 for value in pixel)
    variants = {line["category"] for line in content["lines"] if line["dataset"] == "DTD-Synthetic"}
    assert "Woven_001" in variants
    assert len(variants - {"mean"}) == 12
    published = {line["model"] for line in content["lines"] if line["kind"] == "published"}
    assert len(published) == 7
    assert find(dataset="MVTec", model="MoECLIP")["image_auroc"] == 93.9
    ours = find(dataset="MVTec", kind="mean", protocol="paper")["image_auroc"]
    difference = find(dataset="MVTec", kind="difference", protocol="paper - MoECLIP published")
    assert difference["image_auroc"] == pytest.approx(ours - 93.9, abs=1e-5)
    assert difference["image_f1_max"] is None
    for title in ("Brain MRI", "All datasets", "image AUROC"):
        assert title in result.stdout
    assert "MVTec is not the published test split: bottle has 2 normal" in result.stderr
    assert "\x1b" not in result.stdout


def test_the_paper_prompts_and_counts_are_on_the_card(benchmark, tree):
    assert benchmark("headct", "--data-root", tree).exit_code == 0
    content = read()
    (category,) = content["categories"]
    assert category["prompt"] != "headct"
    assert (category["normal"], category["anomalous"], category["masks"]) == (2, 2, 0)
    assert "no pixel metrics" in category["notes"][0]
    (model,) = content["card"]["models"]
    assert len(model["digest"]) == 64
    assert model["configuration"]["network"]["experts"] == 4
    assert content["card"]["datasets"][0]["expected"] == [100, 100]
    assert content["card"]["settings"]["precision"] == "float32"
    for name in FILES:
        text = (OUT / name).read_text(encoding="utf-8")
        assert model["digest"] in text
        assert "cpu" in text
    with (OUT / "results.csv").open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream))
    assert row["pixel_auroc"] == ""
    assert float(row["image_auroc"]) == find(kind="category")["image_auroc"]
    assert " - |" in (OUT / "results.md").read_text(encoding="utf-8")


def test_own_data_by_the_scores_that_a_user_gets(benchmark, moeclip, standin, tmp_path):
    folder = own_folder(tmp_path / "brackets")
    result = benchmark("--data", folder, "--prompt", "metal bracket")
    assert result.exit_code == 0, result.stderr
    (category,) = read()["categories"]
    assert category["prompt"] == "metal bracket"
    assert set(category["evaluations"]) == {"deployed"}
    score = ["score", "brackets/good", "brackets/bad", *standin.options]
    moeclip(*score, "--prompt", "metal bracket")
    with Path("moeclip-out/results.csv").open(encoding="utf-8", newline="") as stream:
        scores = [(float(row["score"]), "bad" in row["path"]) for row in csv.DictReader(stream)]
    pairs = [
        (bad > good) + (bad == good) / 2
        for bad, anomalous in scores
        if anomalous
        for good, other in scores
        if not other
    ]
    auroc = category["evaluations"]["deployed"]["metrics"]["image_auroc"]
    assert auroc == pytest.approx(100 * sum(pairs) / len(pairs), abs=1e-4)


def test_several_models_side_by_side(moeclip, standin, tmp_path):
    import torch
    from support.standins import authors_checkpoint

    torch.save(authors_checkpoint("small", seed=1), tmp_path / "other.pth")
    own_folder(tmp_path / "parts")
    args = ["--data", "parts", "--model", "other.pth", *standin.options]
    assert moeclip("benchmark", *args).exit_code == 0
    lines = [line for line in read()["lines"] if line["kind"] == "category"]
    assert [line["model"] for line in lines] == ["other.pth", "standin.pth"]
    assert lines[0]["values"] != lines[1]["values"]


def test_an_unreadable_image_is_left_out_and_named(benchmark, tmp_path):
    folder = own_folder(tmp_path / "parts")
    (folder / "bad" / "1.png").write_bytes(b"not a picture")
    (folder / "masks" / "2.png").write_bytes(b"nor this")
    result = benchmark("--data", folder)
    assert result.exit_code == 3, result.stderr
    (category,) = read()["categories"]
    assert (category["normal"], category["anomalous"]) == (3, 1)
    assert [error.split(":")[0] for error in category["errors"]] == ["bad/1.png", "bad/2.png"]
    assert "bad/1.png" in result.stderr
    assert "2 images were left out" in (OUT / "report.html").read_text(encoding="utf-8")


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


def test_quiet_says_nothing(benchmark, tmp_path):
    result = benchmark("--data", own_folder(tmp_path / "parts"), "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert find(kind="category")["image_auroc"] is not None


def test_limit_takes_both_labels(benchmark, tree):
    assert benchmark("btad", "--data-root", tree, "--limit", "2").exit_code == 0
    for category in read()["categories"]:
        assert (category["normal"], category["anomalous"]) == (1, 1)
    assert "not comparable" in (OUT / "results.md").read_text(encoding="utf-8")


def test_missing_datasets_are_listed_and_not_failed(benchmark, tmp_path):
    build_all(tmp_path / "data", names=("rsdd",))
    result = benchmark("--all")
    assert result.exit_code == 0, result.stderr
    assert "MVTec was not found; get it from https://" in result.stderr
    (tmp_path / "data" / "Endo").mkdir()
    result = benchmark("--all", "--overwrite")
    assert result.exit_code == 4
    assert "Endo" in result.stderr
    assert {line["dataset"] for line in read()["lines"]} == {"RSDD"}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "--all"),
        (["--all"], 4, "None of the 14 datasets is in data. Put their folders (MVTec, VisA"),
        (["mvtek"], 4, "did you mean mvtec?"),
        (["mvtec"], 4, "--data-root or MOECLIP_DATA"),
        (["--data", "nowhere"], 4, "nowhere"),
        (["./parts", "--prompt", " "], 2, "prompt is empty"),
        (["rsdd", "--data-root", "tree", "--strict"], 4, "instead of 387 and 387"),
        (["--data", "parts", "--data", "more/Parts"], 2, "both called"),
        (["--self-check", "mvtec"], 2, "--self-check"),
        (["mvtec", "--precision", "auto", "--processes", "2"], 2, "choose fp32, bf16 or fp16"),
        (["--data", "parts", "--protocol", "papers"], 2, "deployed"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(benchmark, tmp_path, args, code, message):
    own_folder(tmp_path / "parts")
    own_folder(tmp_path / "more" / "Parts")
    build_all(tmp_path / "tree", names=("rsdd",))
    result = benchmark(*args)
    assert result.exit_code == code, result.stderr
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not OUT.exists()


def test_a_finished_run_is_not_overwritten_by_accident(benchmark, moeclip, tmp_path):
    folder = own_folder(tmp_path / "parts")
    benchmark("--data", folder)
    before = (OUT / "results.json").read_bytes()
    refused = benchmark("--data", folder)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (OUT / "results.json").read_bytes() == before
    assert moeclip("verify", OUT).stdout == f"{OUT} is complete: 4 files.\n"
    with WriterLock.of_folder(OUT):
        refused = benchmark("--data", folder, "--overwrite")
    assert refused.exit_code == 2
    assert "Another moeclip" in refused.stderr
    assert benchmark("--data", folder, "--protocol", "paper", "--overwrite").exit_code == 0
    assert find(kind="category")["image_auroc"] is not None


def wait_for(process, count):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        kept = len(list((OUT / "categories").rglob("*.json")))
        if (OUT / "run.json").exists() and kept >= count:
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate())


TWO = ("mvtec", "rsdd", "--protocol", "both", "--batch-size", "1", "--workers", "1")


@pytest.fixture(scope="module")
def whole(tree, standin, tmp_path_factory):
    """The files of a run that nothing interrupted."""
    from moeclip_cli.cli.app import app

    out = tmp_path_factory.mktemp("whole") / "out"
    args = ["benchmark", *TWO, *standin.options, "--data-root", str(tree), "--out", str(out)]
    assert CliRunner().invoke(app, args, prog_name="moeclip").exit_code == 0
    return comparable(out)


@pytest.mark.parametrize(
    ("finished", "how"), [(0, signal.SIGKILL), (5, signal.SIGKILL), (2, signal.SIGINT)]
)
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_files(
    moeclip, start_moeclip, standin, tree, whole, finished, how
):
    """Stopped at any moment: within the first category, or after some were finished."""
    command = ["benchmark", *TWO, *standin.options, "--data-root", str(tree)]
    process = start_moeclip(*command)
    wait_for(process, finished)
    process.send_signal(how)
    _, errors = process.communicate()
    if how == signal.SIGINT:
        assert process.returncode == 130, errors
        assert "the same command continues from there" in errors
    kept = {path: path.stat().st_mtime_ns for path in (OUT / "categories").rglob("*.json")}
    assert finished <= len(kept) < 16
    assert not (OUT / "results.json").exists()
    other = moeclip(*command, "--limit", "1")
    assert other.exit_code == 2
    assert "limit was None, now it is 1" in other.stderr
    assert moeclip(*command).exit_code == 0
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert comparable(OUT) == whole


def test_a_changed_image_is_evaluated_again_after_a_kill(benchmark, tmp_path):
    folder = own_folder(tmp_path / "parts")
    benchmark("--data", folder)
    card = json.loads((OUT / "run.json").read_text())
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running"}))
    shutil.copy(folder / "good" / "0.png", folder / "bad" / "0.png")
    before = find(kind="category")
    assert benchmark("--data", folder).exit_code == 0
    assert find(kind="category") != before


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
def test_the_page_sorts_in_a_browser(benchmark, tree, tmp_path):
    assert benchmark("btad", "mvtec", "--data-root", tree).exit_code == 0
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


def test_images_are_evaluated_in_tiles(benchmark, tmp_path):
    own_folder(tmp_path / "own")
    data = ("--data", tmp_path / "own")
    assert benchmark(*data, "--out", "whole").exit_code == 0
    result = benchmark(*data, "--tile", 32)
    assert result.exit_code == 0, result.output
    settings = read()["card"]["settings"]
    assert (settings["tile"], settings["overlap"]) == ([32], 0.25)
    assert "tile" not in read(Path("whole"))["card"]["settings"]
    tiled, whole = (read(out)["lines"][0]["values"] for out in (OUT, Path("whole")))
    assert tiled.keys() == whole.keys()
    assert tiled != whole
    assert any(name.startswith("pixel") for name in tiled) and None not in tiled.values()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--mutual",), "--mutual compares whole images; omit --tile."),
        (("--shots", "1"), "--shots compares whole images; omit --tile, or give --reference."),
        (("--self-check",), "--self-check takes one model"),
        (("--smallest", "12px"), "--smallest chooses the tiles"),
    ],
)
def test_tiles_that_mean_nothing_are_refused(benchmark, tmp_path, options, sentence):
    own_folder(tmp_path / "own")
    result = benchmark("--data", tmp_path / "own", "--tile", 40, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
