"""The page in a real browser: keys, labels, filters, a threshold, and many rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.browser import browsing, needs_chromium
from support.review import GrowingRun

pytestmark = needs_chromium

LINES = "[...document.querySelectorAll('.line')]"
NAMES = (
    f"{LINES}.sort((a, b) => a.offsetTop - b.offsetTop)"
    ".map((line) => line.querySelector('bdi').textContent)"
)
SELECTED = "document.querySelector('.line[aria-selected=true] bdi')?.textContent"
SAVED = "document.querySelectorAll('.label:not(:empty)').length"


def text(page, selector):
    return page.run(f"document.querySelector('{selector}').textContent")


def slide(page, value):
    page.run(
        "(() => { const slider = document.querySelector('#slider');"
        f"slider.value = {value}; slider.dispatchEvent(new Event('input')); }})()"
    )


def choose(page, name, value):
    page.run(
        f"(() => {{ const choice = document.querySelector('#{name}');"
        f"choice.value = '{value}'; choice.dispatchEvent(new Event('change')); }})()"
    )


@pytest.fixture
def page(tmp_path):
    with browsing(tmp_path) as found:
        yield found


def test_a_run_is_labelled_with_keys_while_it_goes_on(page, growing, serve, tmp_path):
    server = serve()
    page.open(server.url)
    page.wait(f"{LINES}.length === 4")
    assert page.run(NAMES) == ["b/4.png", "a/1.png", "b/3.png", "a/2.png"]
    for key, name in (("j", "a/1.png"), ("ArrowDown", "b/3.png"), ("k", "a/1.png")):
        page.press(key)
        assert page.run(SELECTED) == name
    page.wait("document.querySelector('#picture').naturalWidth === 80")

    page.press("b")  # and goes to the next one
    page.press("g")
    page.press("u")
    page.wait("images.every((image) => !image.waiting)")
    labels = {path: row["label"] for path, row in server.rows().items()}
    assert labels == {"a/1.png": "bad", "b/3.png": "good", "a/2.png": "unsure", "b/4.png": ""}
    assert "Precision 50.0 % (1 of 2), recall 100.0 % (1 of 1)" in text(page, "#quality")
    page.press("z", control=True)
    page.wait("images.every((image) => !image.waiting)")
    assert server.rows()["a/2.png"]["label"] == ""
    assert page.run(SELECTED) == "a/2.png"

    assert page.run("document.querySelector('[data-show=unsure]').hidden")
    slide(page, 0.7)
    assert text(page, "#counts") == "1 anomalous, 2 normal, 1 unreadable"
    assert "Precision 100.0 % (1 of 1)" in text(page, "#quality")
    assert text(page, "#why") == "The run must be finished first."
    assert page.run("document.querySelector('#apply').disabled")
    page.wait("document.querySelector('#picture').src.includes('threshold=0.7')")

    page.run("document.querySelector('[data-show=normal]').click()")
    assert page.run(NAMES) == ["b/3.png", "a/2.png"]
    choose(page, "label", "good")
    assert page.run(NAMES) == ["b/3.png"]
    choose(page, "label", "")
    choose(page, "folder", page.run("[...document.querySelector('#folder').options][1].value"))
    assert page.run(NAMES) == ["a/2.png"]

    growing.add(("a/5.png", 0.3), ("c/6.png", 0.95))
    growing.finish()
    page.wait("document.querySelector('#state').textContent === 'Images: 6 (finished)'")
    assert page.run(NAMES) == ["a/5.png", "a/2.png"]
    assert text(page, "#recut code").endswith("/out --threshold 0.7")
    page.run("document.querySelector('#apply').click()")
    page.wait("run.threshold === 0.7 && document.querySelector('#recut').hidden")
    assert text(page, "#applied span") == "Threshold 0.700 applied; verdicts changed: 1."
    assert text(page, "#back") == "Undo: back to 0.500"
    assert server.rows()["b/3.png"]["verdict"] == "normal"
    server.post("label", {"image": 4, "label": "bad"})  # in another window
    page.wait("images[4].label === 'bad'")

    page.open(server.url)
    page.wait(f"{LINES}.length === 6")
    assert page.run(SAVED) == 3
    page.press("z")  # what was done before
    page.wait("images[2].label === '' && !images[2].waiting")
    assert (tmp_path / "out/labels.csv").read_text().count("\n") == 7


def test_of_ten_thousand_images_a_few_are_in_the_page(page, serve, tmp_path):
    run = GrowingRun(tmp_path / "out", keep_maps=False, unsure_threshold=0.2)
    names = [f"{number:05}.png" for number in range(10_000)]
    scores = [(number + 0.5) / 10_000 for number in range(10_000)]
    run.add(*zip(names, scores, strict=True), pixels=False)
    run.finish()
    page.open(serve().url)
    page.wait("images.length === 10000")
    assert text(page, "#shown") == "10,000 of 10,000 images"
    most = page.run("Math.ceil(list.clientHeight / HEIGHT) + 1 + 2 * MARGIN")
    assert page.run(f"{LINES}.length") <= most < 30
    page.run("list.scrollTop = 5000 * HEIGHT")
    page.wait(f"{NAMES}.includes('04999.png')")
    shown = page.run(NAMES)
    assert len(shown) <= most
    assert all(int(one[:5]) == int(other[:5]) + 1 for one, other in pairwise(shown))
    page.press("End")
    page.wait(f"{SELECTED} === '00000.png'")
    page.press("Home")
    assert page.run(SELECTED) == "09999.png"
    slide(page, 0.25)
    assert text(page, "#counts") == "7,500 anomalous, 500 unsure, 2,000 normal, 0 unreadable"
    assert "--threshold 0.25 --unsure 0.2" in text(page, "#recut code")
    page.run("document.querySelector('#search').value = '0123'")
    page.run("document.querySelector('#search').dispatchEvent(new Event('input'))")
    found = [f"{number:05}.png" for number in (*range(1239, 1229, -1), 123)]
    assert page.run(NAMES) == found
    assert page.run("document.querySelectorAll('*').length") < 500
