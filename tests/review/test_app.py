"""The paths of the page: who may ask, what is told, and pictures."""

from __future__ import annotations

import io
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from support.review import THRESHOLD, TOKEN, GrowingRun
from support.samples import save_image

from moeclip_cli.images.encode import encode_picture
from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.recut import recut_result
from moeclip_cli.inspection.verdicts import Threshold
from moeclip_cli.reports.tables.results_table import read_table
from moeclip_cli.review.cache import BoundedCache
from moeclip_cli.review.labels import LabelJournal


def pixels(answer):
    assert answer.status == 200, answer.content
    assert answer.headers["content-type"] == "image/jpeg"
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)


def test_the_page_runs_only_what_it_contains(growing, serve):
    answer = serve().get("")
    policy = answer.headers["content-security-policy"]
    assert answer.status == 200
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "sha256-" in policy.partition("script-src")[2]
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    html = answer.content.decode()
    assert html.count("<script") == 1
    assert not any(source in html for source in ("<script src", "<link", "https://", "style="))
    assert "Durchsicht: part" not in html


def test_the_page_has_another_language(growing, serve):
    html = serve(language="de").get("").content.decode()
    assert '<html lang="de">' in html
    assert "Durchsicht: part" in html


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", f"/{TOKEN}/state", {}, 200),
        ("GET", f"/{TOKEN}/state", {"Host": "localhost:9000"}, 200),
        ("GET", f"/{TOKEN}", {}, 307),
        ("GET", "/", {}, 403),
        ("GET", "/state", {}, 403),
        ("GET", f"/{TOKEN[:-1]}/state", {}, 403),
        ("GET", f"/{TOKEN}x/state", {}, 403),
        ("GET", "/%ff%00/state", {}, 403),
        ("GET", f"//{TOKEN}/state", {}, 403),
        ("GET", f"/{TOKEN}/state", {"Host": "attacker.example"}, 403),
        ("GET", f"/{TOKEN}/state", {"Host": "127.0.0.1.attacker.example"}, 403),
        ("GET", f"/{TOKEN}/state", {"Host": "attacker.example@127.0.0.1:x["}, 403),
        ("POST", f"/{TOKEN}/label", {"Origin": "http://attacker.example"}, 403),
        ("POST", f"/{TOKEN}/label", {"Origin": "null"}, 403),
        ("POST", f"/{TOKEN}/apply", {"Origin": "http://attacker.example"}, 403),
        ("POST", "/apply", {}, 403),
        ("GET", f"/{TOKEN}/label", {}, 405),
        ("GET", f"/{TOKEN}/nothing", {}, 404),
        ("GET", f"/{TOKEN}/state?images=-1", {}, 400),
    ],
)
def test_only_the_page_itself_is_answered(growing, serve, method, path, headers, status):
    answer = serve().send(method, path, "{}" if method == "POST" else None, headers)
    assert answer.status == status, answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status >= 400:
        answer.problem(status)


@pytest.mark.parametrize(
    "path",
    [
        "picture/9/original/small", "picture/-1/original/small", "picture/1.5/original/small",
        "picture/../run.json", "picture/0/../../run.json", "picture/0/original/..%2f..%2frun.json",
        "picture/%2e%2e%2frun.json/original/small", "picture/0/secret.png/small", "..%2frun.json",
        "picture/0/original/small/../../../run.json", "../out/run.json", "/etc/passwd",
        "picture//etc/passwd/original/small", "picture/0%00/original/small",
    ],
)  # fmt: skip
def test_no_path_leads_to_any_other_file(growing, serve, path):
    server = serve()
    answer = server.get(path)
    answer.problem(404)
    assert b"standin" not in answer.content
    assert b"root:" not in answer.content


def test_a_page_is_told_what_it_does_not_know_yet(growing, serve):
    server = serve()
    first = server.state()
    assert len(first["images"]) == 4
    assert (first["state"], first["threshold"], first["maps"]) == ("interrupted", THRESHOLD, True)
    assert first["recut"]["command"].startswith("moeclip recut ")
    growing.add(("c/5.png", 0.7))
    server.post("label", {"image": 1, "label": "bad"})
    known = {"epoch": first["epoch"], "images": 4, "labels": first["revision"]}
    told = server.state(**known)
    assert [values[1] for values in told["images"]] == ["c/5.png"]
    assert told["labels"] == [[1, "bad"]]
    again = server.state(epoch=told["epoch"], images=5, labels=told["revision"])
    assert (again["images"], again["labels"]) == ([], [])
    assert len(server.state(**{**known, "epoch": 99})["images"]) == 5
    assert server.rows()["a/2.png"]["label"] == "bad"


def test_two_pages_at_once_lose_no_label(growing, serve, tmp_path):
    server = serve()
    start = threading.Barrier(2)

    def give(label):
        start.wait(60)
        return [
            server.post("label", {"image": number % 3, "label": label}).status
            for number in range(30)
        ]

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(give, ("good", "bad")))
    assert statuses == [[200] * 30] * 2
    lines = (tmp_path / "out/labels.csv").read_text().splitlines()[1:]
    assert len(lines) == 60
    last = {line.split(",")[0]: line.split(",")[1] for line in lines}
    assert {path: row["label"] for path, row in server.rows().items() if row["label"]} == last


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"image": 9, "label": "good"}, 404),
        ({"image": "a/1.png", "label": "good"}, 404),
        ({"image": True, "label": "good"}, 404),
        ({"image": 0, "label": "fine"}, 400),
        ({"image": 0}, 400),
        ({"image": 0, "label": "good", "was": "bad"}, 409),
        ([0, "good"], 400),
        ({"image": 0, "label": "good", "more": "x" * 10_000}, 413),
    ],
)
def test_what_is_no_label_is_refused(growing, serve, tmp_path, content, status):
    server = serve()
    server.post("label", content).problem(status)
    assert (tmp_path / "out/labels.csv").read_text().splitlines() == ["path,label,time"]


def test_pictures_are_the_image_and_what_recut_would_draw(growing, serve, tmp_path):
    server = serve()
    original = pixels(server.get("picture/0/original/large"))
    with Image.open(tmp_path / "a/1.png") as file:
        image = np.asarray(file.convert("RGB"))
    assert np.abs(original - image).mean() < 3
    row = next(iter(read_table(growing.folder, "csv")))
    kept = CompactMap.from_png(growing.files.compact_map("a/1.png").read_bytes())
    for threshold in (0.3, 0.95):
        drawn = server.get(f"picture/0/overlay/large?threshold={threshold}")
        expected = recut_result(row, Threshold(threshold), None, kept).overlay(image)
        assert drawn.content == encode_picture(expected, "jpeg", 88)
    assert pixels(server.get("picture/0/map/large")).shape == (240, 320, 3)
    assert max(pixels(server.get("picture/0/original/small")).shape) <= 144
    server.get("picture/0/overlay/large?threshold=nan").problem(400)
    server.get("picture/0/overlay/huge").problem(404)
    server.get("picture/3/overlay/large").problem(404)


def test_the_legend_is_in_the_language_of_the_page(serve, tmp_path):
    save_image(tmp_path / "1.png", seed=1, width=400, height=300)
    run = GrowingRun(tmp_path / "out")
    run.add(("1.png", 0.9))
    drawn = serve(language="de").get("picture/0/overlay/large")
    result = recut_result(
        next(iter(read_table(run.folder, "csv"))),
        Threshold(THRESHOLD),
        None,
        CompactMap.from_png(run.files.compact_map("1.png").read_bytes()),
    )
    with Image.open(tmp_path / "1.png") as file:
        image = np.asarray(file.convert("RGB"))
    expected = result.overlay(image, legend="Wert: 0,900")
    assert drawn.content == encode_picture(expected, "jpeg", 88)
    assert (expected != result.overlay(image)).any()


def test_without_maps_the_overlay_of_the_run_is_shown(serve, tmp_path):
    run = GrowingRun(tmp_path / "out", keep_maps=False, heatmaps="png")
    run.add(("1.png", 0.9), ("2.png", 0.8))
    run.files.save_overlay("1.png", np.full((30, 40, 3), 200, np.uint8))
    server = serve()
    assert pixels(server.get("picture/0/overlay/large")).shape == (30, 40, 3)
    assert "neither a map nor an overlay" in server.get("picture/1/overlay/large").problem(404)
    assert "--keep-maps" in server.get("picture/0/map/large").problem(404)
    assert server.state()["recut"]["options"] == " --verdicts-only --no-heatmaps"
    (tmp_path / "1.png").unlink()
    assert pixels(server.get("picture/0/original/small")).shape == (30, 40, 3)
    assert "missing or has changed" in server.get("picture/0/original/large").problem(404)
    shutil.copy(tmp_path / "out/run.json", tmp_path / "2.png")
    assert "missing or has changed" in server.get("picture/1/original/large").problem(404)


def test_pictures_are_held_in_bounded_memory():
    cache = BoundedCache(100)
    for number in range(20):
        cache.put(number, bytes(30))
        assert cache.get(0) is not None or number > 3
        assert cache.held_bytes <= 100
    assert [number for number in range(20) if cache.get(number)] == [0, 18, 19]
    cache.put("large", bytes(101))
    assert (cache.get("large"), cache.held_bytes) == (None, 90)


def test_images_labelled_good_become_a_profile(moeclip, parts, serve, tmp_path):
    run = GrowingRun(tmp_path / "out", model="dinov2-vits14", image_size=112)
    names = ["parts/d.png", "parts/left/a.png", "parts/left/b.jpg"]
    run.add(*((name, 0.1) for name in (*names, "parts/right/c.bmp")))
    server = serve()
    assert "Label two images" in server.post("references", {}).problem(409)
    for number in range(3):
        server.post("label", {"image": number, "label": "good"})
    assert server.post("references", {}).status == 202
    while (progress := server.state()["references"])["state"] == "working":
        threading.Event().wait(0.05)
    assert progress["state"] == "done", progress
    assert progress["done"] == progress["total"] == 3
    told = progress["made"]
    made = Profile.load(tmp_path / "out/profile.moeclip")
    assert told == {
        "threshold": made.threshold, "rate": made.false_alarms, "images": 3, "left_out": True,
    }  # fmt: skip
    assert progress["command"].endswith(f"--profile {tmp_path / 'out/profile.moeclip'}")

    options = ("--references", "--image-size", 112, "--prompt", made.prompt, "-q")
    assert moeclip("calibrate", *names, *options, "--profile", "same.moeclip").exit_code == 0
    same = Profile.load("same.moeclip")
    assert sorted(made.scores) == pytest.approx(sorted(same.scores), abs=1e-5)
    assert made.settings["image_size"] == same.settings["image_size"] == 112
    assert made.threshold == pytest.approx(same.threshold, abs=1e-5)

    (parts / "d.png").unlink()
    server.post("references", {})
    while (progress := server.state()["references"])["state"] == "working":
        threading.Event().wait(0.05)
    assert progress["state"] == "failed"
    assert "d.png is missing or has changed" in progress["text"]
    assert not (tmp_path / "out/profile-2.moeclip").exists()


def test_a_profile_that_is_being_made_ends_with_the_server(growing, serve):
    server = serve()
    for number in range(2):
        server.post("label", {"image": number, "label": "good"})
    assert server.post("references", {}).status == 202
    server.post("references", {}).problem(409)
    maker = server.review.references
    while maker._process is None:
        threading.Event().wait(0.01)
    maker.stop()
    while maker.progress.state == "working":
        threading.Event().wait(0.01)
    assert maker._process.returncode != 0
    assert "the profile ended" in server.state()["references"]["text"]


def test_labels_of_an_earlier_review_are_shown(growing, serve):
    with LabelJournal(growing.folder) as journal:
        journal.give("a/2.png", "unsure")
        journal.give("elsewhere.png", "good")
    rows = serve().rows()
    assert [row["label"] for row in rows.values()] == ["", "unsure", "", ""]


def test_a_removed_folder_is_told(growing, serve):
    server = serve()
    (growing.folder / "run.json").write_text(json.dumps({"state": "running"}))
    assert "another command" in server.get("state").problem(409)
