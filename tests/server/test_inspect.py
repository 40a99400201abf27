"""Pictures in, JSON or an overlay out: the same as from `moeclip score`."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.server import form, png

from moeclip_cli.inspection.profile import Profile
from moeclip_cli.server.products import Product, on_same_network


@pytest.fixture
def rows(moeclip, standin, parts):
    """What `moeclip score --json` prints about some files, by their paths."""
    (parts / "cut.png").write_bytes((parts / "d.png").read_bytes()[:200])
    alone = ["--batch-size", "1"]  # in other batches, the last digit differs
    run = moeclip("score", *standin.options, *alone, "parts", "--prompt", "part", "--json")
    return {Path(row["path"]): row for row in map(json.loads, run.stdout.splitlines())}


def near(found, expected):
    """Whether two JSON values are equal but for what a batch of another size rounds."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            near(found[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(near, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=2e-3, abs=2e-4)
    return found == expected


def test_the_answer_is_the_json_of_score(live, rows):
    server = live()
    for path, row in rows.items():
        reply = server.inspect(path.read_bytes())
        if row["error"] is not None:
            assert reply.problem(422) == row["error"]
            continue
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/json"
        assert near(reply.json, row | {"path": ""})
        assert reply.headers["moeclip-verdict"] == row["verdict"]
        assert float(reply.headers["moeclip-score"]) == reply.json["score"]


def test_a_form_gives_a_list_with_a_row_for_each_file(live, rows):
    body, kind = form({path.name + str(path.parent): path.read_bytes() for path in rows})
    found = live().inspect(body, **{"Content-Type": kind}).json
    assert len(found) == len(rows)
    for each, (path, row) in zip(found, rows.items(), strict=True):
        assert each["path"] == path.name + str(path.parent)
        assert each["error"] == row["error"]
        assert each["score"] == pytest.approx(row["score"], abs=2e-4)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("kind", ["image/png", "application/x-www-form-urlencoded", "nonsense"])
def test_the_content_and_not_its_declared_type_decides(live, picture, chunked, kind):
    body = iter([picture[:50], picture[50:]]) if chunked else picture
    assert live().inspect(body, **{"Content-Type": kind}).status == 200


def test_an_overlay_is_the_one_of_the_result(live, inspector, picture):
    reply = live().inspect(picture, "?overlay=1")
    assert reply.headers["content-type"] == "image/png"
    [result] = inspector.score([picture], prompt="part")
    assert reply.headers["moeclip-verdict"] == result.verdict
    drawn = np.asarray(Image.open(io.BytesIO(reply.content)))
    np.testing.assert_array_equal(drawn, result.overlay(picture))


def test_each_profile_has_its_prompt_and_threshold(live, inspector, picture):
    strict = Profile(0.0, 0.1, 20, "bolt", inspector.settings)
    lax = Profile(1.0, 0.1, 20, "nut", inspector.settings)
    doubtful = dataclasses.replace(lax, unsure_threshold=0.0, unsure_rate=0.5)
    first = Product("part", "part", inspector)
    products = {"part": first}
    for name, profile in (("strict", strict), ("lax", lax), ("doubtful", doubtful)):
        shared = on_same_network([first], profile, device="cpu", precision="auto")
        assert shared.model is inspector.model
        products[name] = Product(name, profile.prompt, shared)
    server = live(products=products)
    found = {name: server.inspect(picture, f"?profile={name}").json for name in products}
    assert found["strict"]["verdict"] == "anomalous"
    assert found["lax"]["verdict"] == "normal"
    assert (found["doubtful"]["verdict"], found["doubtful"]["unsure_threshold"]) == ("unsure", 0)
    counted = 'moeclip_pictures_total{profile="doubtful",verdict="unsure"} 1.0'
    assert counted in server.get("/metrics").content.decode()
    assert {row["prompt"] for row in found.values()} == {"part", "bolt", "nut"}
    assert "?profile=NAME; NAME is one of: part, strict, lax, doubtful" in server.inspect(
        picture
    ).problem(400)
    assert "no profile 'bolt'" in server.inspect(picture, "?profile=bolt").problem(404)


def test_a_profile_of_another_network_is_not_put_on_this_one(inspector):
    profile = Profile(0.5, 0.1, 20, "bolt", inspector.settings | {"image_size": 56})
    product = Product("part", "part", inspector)
    assert on_same_network([product], profile, device="cpu", precision="auto") is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?overlay=yes", "overlay must be 0 or 1, not 'yes'"),
        ("?overlays=1", "'overlays' is unknown; the parameters are profile and overlay"),
        ("?overlay=1&overlay=0", "given twice"),
        ("?%22%0A=1", r"'\"\n' is unknown".replace(r"\"", '"')),
    ],
)
def test_a_wrong_parameter_is_refused(live, picture, query, said):
    assert said in live().inspect(picture, query).problem(400)


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"", "image/png", 400, "There is no picture"),
        (b"GIF89", "image/gif", 422, "GIF file is corrupt"),
        (b'{"image": "iVBORw0KGgo="}', "application/json", 415, "not an image in a supported"),
        (b"%PDF-1.7", "image/png", 415, "This is a PDF document"),
        (png()[:-30], "image/png", 422, "PNG file is corrupt"),
        (b"--limit--\r\n", "multipart/form-data; boundary=limit", 400, "There is no picture"),
        (b"nothing", "multipart/form-data; boundary=limit", 400, "not valid multipart/form-data"),
        (b"nothing", "multipart/form-data", 400, "not valid multipart/form-data"),
        (form({"a.png": png()})[0][:-15], form({})[1], 400, "cut off: its last boundary"),
        (
            b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--limit--\r\n',
            form({})[1], 400, "must be a file",
        ),
        (png(), "multipart/mixed; boundary=limit", 415, "multipart/mixed is not supported"),
    ],
)  # fmt: skip
def test_what_is_no_picture_gets_one_sentence(live, body, kind, status, said):
    assert said in live().inspect(body, **{"Content-Type": kind}).problem(status)


def test_compressed_bodies_are_refused(live, picture):
    reply = live().inspect(picture, **{"Content-Encoding": "gzip"})
    assert "Content-Encoding gzip" in reply.problem(415)


def test_an_overlay_is_of_one_picture(live, picture):
    body, kind = form({"a.png": picture})
    assert "one picture" in live().inspect(body, "?overlay=1", **{"Content-Type": kind}).problem(
        400
    )


def test_other_paths_and_methods(live):
    server = live()
    assert server.get("/health").json["status"] == "ok"
    assert server.get("/ready").json == {"status": "ready", "profiles": ["part"]}
    assert "no such path" in server.get("/inspect/").problem(404)
    assert "no such path" in server.get("/%2e%2e/etc/passwd").problem(404)
    refused = server.get("/inspect")
    assert "GET is not allowed here" in refused.problem(405)
    assert refused.headers["allow"] == "POST"


def test_without_the_right_token_only_the_probes_answer(live, picture):
    server = live(token="correct-horse-battery")
    assert server.get("/health").status == server.get("/ready").status == 200
    wrong = [
        {}, {"Authorization": "Bearer wrong"}, {"Authorization": "correct-horse-battery"},
        {"Authorization": "Basic correct-horse-battery"}, {"Authorization": "Bearer "},
        {"Authorization": "Bearer correct-horse-battery "  "x"},
        {"Authorization": "Bearer \xfc"},
    ]  # fmt: skip
    for headers in wrong:
        reply = server.inspect(picture, **headers)
        assert "token is missing or wrong" in reply.problem(401)
        assert reply.headers["www-authenticate"] == "Bearer"
    for path in ("/metrics", "/openapi.json", "/nothing"):
        server.get(path).problem(401)
    for kind in ("Bearer", "bearer"):
        headers = {"Authorization": f"{kind} correct-horse-battery"}
        assert server.inspect(picture, **headers).status == 200
        assert server.get("/metrics", **headers).status == 200


def test_requests_are_counted_and_logged(live, picture):
    server = live()
    server.inspect(picture)
    server.inspect(b"no picture")
    server.get("/secret/of/a/client")
    counts = server.get("/metrics").content.decode()
    assert 'moeclip_requests_total{path="/inspect",status="200"} 1.0' in counts
    assert 'moeclip_requests_total{path="/inspect",status="415"} 1.0' in counts
    assert 'moeclip_requests_total{path="other",status="404"} 1.0' in counts
    assert "secret" not in counts
    assert 'moeclip_pictures_total{profile="part",verdict="error"} 1.0' in counts
    assert "moeclip_ready 1.0" in counts
    assert "process_resident_memory_bytes" in counts
    assert server.lines[0].startswith("POST /inspect 200 ")
