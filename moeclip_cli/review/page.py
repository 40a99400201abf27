"""The HTML of the review page; everything that changes is filled in by its script."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files

from moeclip_cli.choices import Language
from moeclip_cli.inspection.verdicts import VERDICTS
from moeclip_cli.reports.pages.html_parts import Document, text
from moeclip_cli.reports.pages.languages import WORDS
from moeclip_cli.reports.pages.words import Words
from moeclip_cli.review.words import REVIEW_WORDS, ReviewWords

_SCRIPTS = ("state.js", "threshold.js", "list.js", "viewer.js", "main.js")


def review_page(prompt: str, language: Language) -> tuple[str, str]:
    """The page and its content security policy.

    Args:
        prompt: name of the object.
        language: of the texts.
    """
    words, own = WORDS[language], REVIEW_WORDS[language]
    document = Document(
        own.review.format(text(prompt)),
        ("report.css", "score.css"),
        (),
        _resource("review.css"),
        language,
        "".join(map(_resource, _SCRIPTS)),
        served=True,
    )
    parts = (
        document.start(),
        _head(words, own),
        _filters(words, own),
        f'<div class="panes">\n{_list(own)}{_viewer(words, own)}</div>\n',
        document.end(),
    )
    return "".join(parts), document.policy


def _resource(name: str) -> str:
    return files("moeclip_cli.review").joinpath(name).read_text(encoding="utf-8")


def _head(words: Words, own: ReviewWords) -> str:
    """The state of the run, the threshold, and what the labels say about it."""
    known = {
        "decimal": words.decimal,
        "thousands": words.thousands,
        "overlay_of": words.overlay_of,
        "no_picture": words.no_picture,
        "verdicts": {name: words.verdict_name(name) for name in (*VERDICTS, "unreadable")},
        "labels": {"good": own.good, "bad": own.bad, "unsure": own.unsure},
    }
    texts = escape(json.dumps(own.script | known))
    return (
        f'<div id="words" data-words="{texts}" hidden></div>\n'
        '<p id="state" class="quiet" role="status"></p>\n'
        '<p id="message" role="alert" hidden></p>\n'
        f'<details id="threshold" class="card" open><summary>{own.try_threshold} '
        '<b id="at"></b> <span id="counts" class="quiet"></span></summary>\n'
        f'<div class="slide"><input id="slider" type="range" min="0" max="1" step="0.005" '
        f'aria-label="{own.try_threshold}">'
        f'<input id="exact" type="number" min="0" max="1" step="any" '
        f'aria-label="{own.try_threshold}">'
        f'<button type="button" class="chip" id="reset" hidden>{own.reset}</button></div>\n'
        '<p id="quality" class="quiet"></p>\n'
        '<p id="recut" class="quiet" hidden>'
        f'<button type="button" class="chip" id="apply" aria-describedby="why" disabled>'
        f'{own.apply}</button> <span id="why"></span> '
        f"<span>{own.in_terminal} <code></code> "
        f'<button type="button" class="chip copy">{own.copy}</button></span></p>\n'
        '<p id="applied" class="quiet" role="status" hidden><span></span> '
        '<button type="button" class="chip" id="back"></button></p>\n'
        '<p id="references" class="quiet">'
        f'<button type="button" class="chip" id="make" disabled>{own.make_references}</button> '
        f"<span></span> <span hidden>{own.to_use} <code></code> "
        f'<button type="button" class="chip copy">{own.copy}</button></span></p>\n'
        "</details>\n"
    )


def _filters(words: Words, own: ReviewWords) -> str:
    kinds = (
        ("all", words.all), ("anomalous", words.anomalous), ("unsure", words.unsure),
        ("normal", words.normal), ("unreadable", words.unreadable),
    )  # fmt: skip
    chips = "".join(
        f'<button type="button" class="chip" data-show="{kind}" '
        f'aria-pressed="{"true" if kind == "all" else "false"}">{label}</button>'
        for kind, label in kinds
    )
    labels = (
        ("", own.any_label), ("none", own.unlabelled), ("good", own.good), ("bad", own.bad),
        ("unsure", own.unsure), ("differ", own.differ),
    )  # fmt: skip
    orders = ("highest", own.highest), ("lowest", own.lowest), ("order", own.order)
    return (
        f'<div class="filters" role="group" aria-label="{words.show}">{chips}'
        f"{_select('label', own.label, labels)}"
        f"{_select('folder', words.folder, (('', words.all_folders),))}"
        f"{_select('sort', own.sort, orders)}"
        f'<input id="search" type="search" placeholder="{own.search}" aria-label="{own.search}">'
        '<output id="shown" class="quiet"></output></div>\n'
    )


def _select(name: str, label: str, options: tuple[tuple[str, str], ...]) -> str:
    items = "".join(f'<option value="{value}">{shown}</option>' for value, shown in options)
    return f'<select id="{name}" aria-label="{label}">{items}</select>'


def _list(own: ReviewWords) -> str:
    return (
        f'<div id="list" role="listbox" tabindex="0" aria-label="{own.list_name}">'
        '<div id="rows" role="presentation"></div><p id="none" class="quiet" hidden></p></div>\n'
    )


def _viewer(words: Words, own: ReviewWords) -> str:
    kinds = ("original", words.original), ("overlay", words.overlay), ("map", own.map)
    pictures = "".join(
        f'<button type="button" class="chip" data-kind="{kind}" aria-pressed="false">{label}'
        "</button>"
        for kind, label in kinds
    )
    labels = (("good", own.good, "g"), ("bad", own.bad, "b"), ("unsure", own.unsure, "u"))
    chips = "".join(
        f'<button type="button" class="chip {label}" data-label="{label}" aria-pressed="false" '
        f'aria-keyshortcuts="{key}">{shown} <kbd>{key}</kbd></button>'
        for label, shown, key in labels
    )
    return (
        f'<section id="viewer" aria-label="{own.viewer_name}">\n'
        f'<div class="bar"><span role="group" aria-label="{own.pictures}">{pictures}</span>'
        f'<a id="full" target="_blank" rel="noreferrer">{words.full_size}</a>'
        f'<button type="button" class="chip" data-do="enlarge">{own.enlarge}</button>'
        f'<button type="button" class="chip" data-do="close">{words.close}</button></div>\n'
        '<div class="picture"><img id="picture" alt="" hidden><p id="problem" hidden></p></div>\n'
        '<p class="facts-of"><bdi id="path"></bdi> <span id="verdict" class="verdict"></span> '
        '<span id="facts" class="quiet"></span></p>\n'
        '<p id="note" class="quiet" hidden></p>\n'
        f'<div class="bar" role="group" aria-label="{own.label}">'
        f'<button type="button" class="chip" data-do="previous">← {words.previous}</button>{chips}'
        f'<button type="button" class="chip" data-do="undo" aria-keyshortcuts="z Control+z">'
        f"{own.undo} <kbd>z</kbd></button>"
        f'<button type="button" class="chip" data-do="next">{words.next} →</button></div>\n'
        f'<label class="quiet"><input id="advance" type="checkbox" checked> {own.advance}</label>\n'
        f'<p class="quiet keys">{own.keys}</p>\n'
        '<p id="said" class="unseen" aria-live="polite"></p>\n</section>\n'
    )
