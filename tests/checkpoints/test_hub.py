from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from packaging.version import Version
from support.hub_server import HubServer, point_hub_at

from moeclip_cli.checkpoints.hub import cached_files, fetch
from moeclip_cli.checkpoints.hub_reference import HubReference, parse_reference
from moeclip_cli.errors import ModelError, UsageError

REPO = "someone/adapters"
BIG = os.urandom(300_000)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("hf://a/b", HubReference("a/b")),
        ("hf://a/b/x.pth", HubReference("a/b", "x.pth")),
        ("hf://a/b/in/side/x.pth@v1.0", HubReference("a/b", "in/side/x.pth", "v1.0")),
        ("hf://a/b@refs/pr/1", HubReference("a/b", None, "refs/pr/1")),
    ],
)
def test_references_are_read_and_written(text: str, reference: HubReference) -> None:
    assert parse_reference(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://a", "hf://a/", "hf://a/b/", "hf://a/b@", "hf://a/b/../c", "hf://../b/c",
     "hf://a/b@../c", "hf://a/b/x y", "hf://a/b/x\n", "https://a/b", "hf://a/b//x", "hf:/a/b"],
)  # fmt: skip
def test_invalid_references_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form hf://"):
        parse_reference(text)


def test_a_file_is_fetched_once(hub: HubServer) -> None:
    hub.add(REPO, "in/x.pth", BIG)
    path = fetch(parse_reference(f"hf://{REPO}/in/x.pth"))
    assert path.read_bytes() == BIG
    hub.requests.clear()
    assert fetch(parse_reference(f"hf://{REPO}/in/x.pth")) == path
    assert hub.requests == []


def test_refreshing_downloads_a_changed_file(hub: HubServer) -> None:
    reference = parse_reference(f"hf://{REPO}/x.pth")
    hub.add(REPO, "x.pth", b"old")
    fetch(reference)
    hub.add(REPO, "x.pth", b"new")
    assert fetch(reference).read_bytes() == b"old"
    assert fetch(reference, refresh=True).read_bytes() == b"new"
    assert fetch(reference).read_bytes() == b"new"


def test_revisions_are_kept_apart(hub: HubServer) -> None:
    hub.add(REPO, "x.pth", b"main")
    hub.add(REPO, "x.pth", b"first", revision="v1")
    commit = hub.commit(REPO, "v1")
    assert fetch(parse_reference(f"hf://{REPO}/x.pth@v1")).read_bytes() == b"first"
    assert fetch(parse_reference(f"hf://{REPO}/x.pth")).read_bytes() == b"main"
    hub.requests.clear()
    assert fetch(parse_reference(f"hf://{REPO}/x.pth@{commit}")).read_bytes() == b"first"
    assert hub.requests == []


def test_the_only_checkpoint_of_a_repository_is_found(hub: HubServer) -> None:
    hub.add(REPO, "README.md", b"# Adapters")
    hub.add(REPO, "weights/x.safetensors", b"weights")
    assert fetch(parse_reference(f"hf://{REPO}")).read_bytes() == b"weights"


def test_several_checkpoints_are_listed(hub: HubServer) -> None:
    hub.add(REPO, "a.pth", b"a")
    hub.add(REPO, "b.safetensors", b"b")
    with pytest.raises(ModelError, match=r"has a.pth, b.safetensors; name the file"):
        fetch(parse_reference(f"hf://{REPO}"))


def test_a_repository_without_checkpoint_is_refused(hub: HubServer) -> None:
    hub.add(REPO, "README.md", b"# Adapters")
    with pytest.raises(ModelError, match="has no .safetensors or .pth file"):
        fetch(parse_reference(f"hf://{REPO}"))


def test_a_missing_file_is_answered_with_those_that_are_there(hub: HubServer) -> None:
    hub.add(REPO, "x.pth", b"x")
    with pytest.raises(ModelError, match=r"has no file y.pth; it has x.pth"):
        fetch(parse_reference(f"hf://{REPO}/y.pth"))


def test_a_missing_repository_and_revision_are_told_apart(hub: HubServer) -> None:
    with pytest.raises(ModelError, match=f"Repository {REPO} not found at {hub.url}"):
        fetch(parse_reference(f"hf://{REPO}/x.pth"))
    hub.add(REPO, "x.pth", b"x")
    with pytest.raises(ModelError, match="has no revision 'v9'"):
        fetch(parse_reference(f"hf://{REPO}/x.pth@v9"))


@pytest.mark.skipif(
    Version(huggingface_hub.__version__) < Version("2.0"),
    reason="huggingface_hub continues a broken download from version 2.0 on",
)
def test_a_broken_download_is_continued(hub: HubServer) -> None:
    hub.add(REPO, "x.pth", BIG)
    hub.broken["x.pth"] = 100_000
    hub.recovers = True
    assert fetch(parse_reference(f"hf://{REPO}/x.pth")).read_bytes() == BIG


def test_a_permanently_broken_download_is_an_error_and_leaves_no_file(hub: HubServer) -> None:
    hub.add(REPO, "x.pth", BIG)
    hub.broken["x.pth"] = 100_000
    with pytest.raises(ModelError, match=rf"{hub.url}/{REPO}/resolve/main/x.pth .*as `model`"):
        fetch(parse_reference(f"hf://{REPO}/x.pth"))
    assert cached_files() == []
    del hub.broken["x.pth"]
    assert fetch(parse_reference(f"hf://{REPO}/x.pth")).read_bytes() == BIG


def test_without_a_network_the_cache_serves(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.add(REPO, "x.pth", b"x")
    path = fetch(parse_reference(f"hf://{REPO}"))
    point_hub_at(dead_address(), monkeypatch, tmp_path / "hub-cache")
    assert fetch(parse_reference(f"hf://{REPO}/x.pth")) == path
    assert fetch(parse_reference(f"hf://{REPO}")) == path


def test_without_a_network_the_sentence_says_how_to_get_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = dead_address()
    point_hub_at(address, monkeypatch, tmp_path)
    with pytest.raises(ModelError) as raised:
        fetch(parse_reference(f"hf://{REPO}/x.pth@v1"), parameter="backbone_weights")
    sentence = str(raised.value)
    assert f"download {address}/{REPO}/resolve/v1/x.pth on a machine with a network" in sentence
    assert "its path as `backbone_weights`" in sentence
    assert "\n" not in sentence


def test_offline_nothing_is_asked(hub: HubServer, start_moeclip, tmp_path) -> None:
    hub.add(REPO, "x.pth", b"x")
    # The client reads these on import only, so that takes a process of its own.
    env = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    process = start_moeclip("models", "pull", f"hf://{REPO}/x.pth", env=env)
    _, message = process.communicate(timeout=60)
    assert process.returncode == ModelError.exit_code
    assert "while HF_HUB_OFFLINE is set: unset it, or download http" in message
    assert hub.requests == []


def test_an_endpoint_other_than_a_hub_is_an_error(hub: HubServer) -> None:
    hub.add(REPO, "x.pth", b"x")
    hub.nonsense = True
    with pytest.raises(ModelError, match="could not be downloaded from"):
        fetch(parse_reference(f"hf://{REPO}/x.pth"))


def test_cached_files_are_listed_with_the_shortest_reference(hub: HubServer) -> None:
    assert cached_files() == []
    hub.add(REPO, "in/x.pth", b"main")
    hub.add(REPO, "in/x.pth", b"first", revision="v1")
    fetch(parse_reference(f"hf://{REPO}/in/x.pth"))
    fetch(parse_reference(f"hf://{REPO}/in/x.pth@v1"))
    fetched = [(file.repo, file.file, file.revision, file.size_bytes) for file in cached_files()]
    assert fetched == [(REPO, "in/x.pth", None, 4), (REPO, "in/x.pth", "v1", 5)]
    assert [file.path.read_bytes() for file in cached_files()] == [b"main", b"first"]


def test_the_environment_chooses_hub_and_cache(hub: HubServer, tmp_path: Path) -> None:
    hub.add(REPO, "x.pth", b"x")
    code = (
        "from moeclip_cli.checkpoints.hub import fetch\n"
        "from moeclip_cli.checkpoints.hub_reference import parse_reference\n"
        f"print(fetch(parse_reference('hf://{REPO}/x.pth')).read_bytes())\n"
        "import sys; print('torch' in sys.modules)"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["b'x'", "False"]
    assert list((tmp_path / "home" / "hub").glob("models--someone--adapters"))


def dead_address() -> str:
    """An address on loopback where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
