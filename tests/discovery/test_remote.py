import io
import sys
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.discovery import remote
from moeclip_cli.discovery.inputs import SkippedPath
from moeclip_cli.discovery.places import RemoteFile
from moeclip_cli.discovery.remote import fetch, state_of, states_of
from moeclip_cli.discovery.source import find_images
from moeclip_cli.errors import ImageError, MissingExtraError, UsageError


@pytest.fixture
def bucket(memory):
    for name in ("b/img10.png", "b/img9.png", "b/notes.txt", "b/sub/a.jpg", "b/sub/deep/c.tif"):
        memory.pipe(f"/{name}", b"content of " + name.encode())


def found(*inputs, **options):
    return [(str(ref.path), ref.name) for ref in find_images(inputs, **options)]


def test_a_folder_is_listed_like_one_on_disk(bucket):
    assert found("memory://b") == [
        ("memory://b/img9.png", "img9.png"),
        ("memory://b/img10.png", "img10.png"),
        ("memory://b/sub/a.jpg", "sub/a.jpg"),
        ("memory://b/sub/deep/c.tif", "sub/deep/c.tif"),
    ]
    assert found("memory://b/", recursive=False) == found("memory://b")[:2]
    skipped = find_images(["memory://b"]).skipped()
    assert list(skipped) == [SkippedPath(RemoteFile("memory://b/notes.txt"))]


def test_what_several_inputs_contain_is_found_once(bucket):
    inputs = ("memory://b/sub/a.jpg", "memory://b", "memory://b/sub/deep")
    names = [name for _, name in found(*inputs)]
    assert names == ["sub/a.jpg", "img9.png", "img10.png", "sub/deep/c.tif"]


def test_names_of_mixed_inputs_differ(bucket, web):
    save_image(Path("img9.png"))
    host = web.url.removeprefix("http://")
    names = [name for _, name in found("img9.png", "memory://b/img9.png", f"{web.url}/x/img9.png")]
    assert names[1:] == ["memory/b/img9.png", f"http/{host.replace(':', '')}/x/img9.png"]
    assert names[0].endswith("/img9.png")


def test_urls_in_a_list():
    listed = io.StringIO("https://host/a/1.png\nhttps://host/b/1.png?token=x\n")
    assert found("-", stdin=listed) == [
        ("https://host/a/1.png", "a/1.png"),
        ("https://host/b/1.png", "b/1.png"),
    ]


def test_web_pages_are_not_searched(web):
    assert found(f"{web.url}/parts/") == [(f"{web.url}/parts/", "%")]
    assert web.requests == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nowhere://a/b.png", "nowhere:// addresses cannot be read; use https://, s3://"),
        ("memory://none/", None),
    ],
)
def test_what_cannot_be_read_at_all_is_refused(memory, url, sentence):
    if sentence is None:
        assert found(url)  # a row says that it was not found
        return
    with pytest.raises(UsageError, match=sentence):
        find_images([url])


def test_an_empty_folder_is_refused_without_its_password(memory):
    memory.pipe("/b/notes.txt", b"")
    with pytest.raises(UsageError, match="No images found in memory://b: 1 file was skipped"):
        find_images(["memory://b"])


@pytest.mark.parametrize(
    ("missing", "url", "sentence"),
    [
        ("aiohttp", "https://host/a.png", r'aiohttp is not .*: pip install "moeclip\[remote\]"'),
        ("s3fs", "s3://bucket/a.png", r"s3:// addresses need s3fs; install it with: pip install"),
    ],
)
def test_packages_that_are_missing_are_named(monkeypatch, missing, url, sentence):
    monkeypatch.setitem(sys.modules, missing, None)  # makes its import fail
    with pytest.raises(MissingExtraError, match=sentence):
        find_images([url])
    with pytest.raises(ImageError, match=sentence):
        fetch(RemoteFile(url), io.BytesIO(), 1000)


# Content


def content(url, most_bytes=10_000_000):
    stream = io.BytesIO()
    fetch(RemoteFile(url), stream, most_bytes)
    return stream.getvalue()


def error(url, most_bytes=10_000_000):
    with pytest.raises(ImageError) as caught:
        content(url, most_bytes)
    return str(caught.value)


def test_content_is_fetched(web, bucket):
    web.files["/a%20b.png"] = web.files["/%C3%A4.png"] = b"12345" * 500_000
    web.redirects["/old.png"] = "/a%20b.png"
    for name in ("a%20b.png", "a b.png", "old.png", "ä.png"):
        assert content(f"{web.url}/{name}") == b"12345" * 500_000
    assert content("memory://b/img9.png") == b"content of b/img9.png"


def test_signatures_are_sent_as_they_are(web):
    web.files["/c.png"] = b"1"
    content(f"{web.url}/c.png?sig=a%2Fb%3D")
    assert web.requests == ["GET /c.png?sig=a%2Fb%3D"]


def test_failures_of_a_server_are_one_sentence(web, monkeypatch):
    monkeypatch.setattr(remote, "SILENT_SECONDS", 0.2)
    web.statuses = {"/403": 403, "/500": 500}
    web.silent = {"/silent"}
    web.redirects = {"/loop": "/loop"}
    assert error(f"{web.url}/none.png") == "Not found (404); check the address."
    assert error(f"{web.url}/403").startswith("The server denies access (403)")
    assert error(f"{web.url}/500") == "The server answered with an error (500); try again later."
    assert error(f"{web.url}/silent").startswith("The server did not answer for 0 seconds")
    assert error(f"{web.url}/loop") == "The server redirects in a circle; check the address."
    assert error("http://127.0.0.1:1/a.png").startswith("The server cannot be reached: Connection ")
    assert error("memory://none.png") == "Not found; check the address."


def test_endless_and_large_files_are_refused(web, monkeypatch):
    web.endless = {"/endless"}
    web.files["/large"] = bytes(2_000_000)
    assert error(f"{web.url}/endless", 3_000_000).startswith("The file has more than 3 MB")
    assert error(f"{web.url}/large", 1_000_000).startswith("The file has more than 1 MB")
    monkeypatch.setattr(remote, "FETCH_SECONDS", 0.1)
    assert "longer than 0" in error(f"{web.url}/endless", 10**12)


def test_no_error_has_a_password(web):
    url = web.url.replace("http://", "http://kim:s3cret@")
    web.redirects = {"/loop": f"{url}/loop"}
    for path in ("/none.png", "/loop"):
        assert "s3cret" not in error(f"{url}{path}?token=s3cret")


# State


def test_a_changed_file_has_another_state(web, memory):
    web.files["/a.png"], web.files["/b.png"] = b"1", b"1"
    memory.pipe("/a.png", b"1")
    places = [RemoteFile(f"{web.url}/a.png"), RemoteFile("memory://a.png"), Path("none.png")]
    before = states_of(places)
    assert before == states_of(places)
    assert before[0] is not None and before[1] is not None and before[2] is None
    web.files["/a.png"] = b"2"
    memory.pipe("/a.png", b"2")
    after = states_of(places)
    assert after[0] != before[0] and after[1] != before[1]


def test_the_state_of_what_has_no_version_is_unknown(web):
    web.files["/a.png"], web.versions = b"1", False
    assert state_of(RemoteFile(f"{web.url}/a.png")) is None
    assert state_of(RemoteFile(f"{web.url}/none.png")) is None
    assert state_of(RemoteFile("http://127.0.0.1:1/a.png")) is None
