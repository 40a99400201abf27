from pathlib import Path

import pytest

from moeclip_cli.discovery.places import RemoteFile, anchor_of, is_url, place_of, shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a/b.png", "https://host/a/b.png"),
        ("https://kim:s3cret@host:8443/b.png", "https://host:8443/b.png"),
        ("https://host/image?id=3&size=full", "https://host/image?id=3&size=full"),
        ("https://host/b.png?sv=2024&sig=abc&se=2026", "https://host/b.png?sv=2024&se=2026"),
        ("https://b.s3.host/k.png?X-Amz-Date=1&X-Amz-Signature=f00", "https://b.s3.host/k.png?X-Amz-Date=1"),
        ("https://host/b.png?access_token=1&apiKey=2&password=3", "https://host/b.png"),
        (f"https://host/b.png?jwt={'x' * 41}&n=1", "https://host/b.png?n=1"),
        ("https://host/b.png#part", "https://host/b.png"),
        ("https://kim:pw@[::1/b.png", "https://[::1"),
        ("s3://key:secret@bucket/a?b#c.png", "s3://bucket/a?b#c.png"),
        ("s3://bucket/user@home.png", "s3://bucket/user@home.png"),
    ],
)  # fmt: skip
def test_names_have_no_credentials(url, shown):
    assert shown_url(url) == shown == str(RemoteFile(url))
    assert "s3cret" not in repr(RemoteFile(url))


@pytest.mark.parametrize("text", ["https://host/a.png", "S3://bucket/a.png", "memory://a"])
def test_urls_are_places_of_their_own(text):
    assert is_url(text)
    assert place_of(text) == RemoteFile(text)


@pytest.mark.parametrize("text", ["a.png", r"C:\a.png", "c://a.png", "/a//b.png", "camera:0"])
def test_other_texts_are_paths(text):
    assert place_of(text) == Path(text)


def test_anchors_of_different_urls_differ():
    urls = ["https://h/a/b.png", "https://h/a//b.png", "https://h/a/./b.png", "https://h//a/b.png"]
    anchors = {anchor_of(RemoteFile(url)) for url in urls}
    assert len({Path(anchor) for anchor in anchors}) == len(urls)
    assert anchor_of(RemoteFile("HTTPS://h/a/b.png")) == "https:/h/a/b.png"
