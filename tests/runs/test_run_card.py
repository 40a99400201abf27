from __future__ import annotations

import pytest
import torch

from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.versions import torch_versions
from moeclip_cli.runs.environment import describe_environment
from moeclip_cli.runs.run_card import CARD, RunCard, read_card


def test_a_card_records_a_run_from_start_to_end(tmp_path):
    folder = tmp_path / "runs" / "one"
    card = RunCard(folder, {"prompt": "Schraube ü"}, {"device": "cpu"})
    assert (folder / OUTPUT_MARKER).exists()
    assert read_card(folder) == {
        "state": "running",
        "settings": {"prompt": "Schraube ü"},
        "environment": {"device": "cpu"},
    }
    card.finish({"images": 3}, {"results.csv": "12ab"})
    finished = read_card(folder)
    assert (finished["state"], finished["summary"]) == ("finished", {"images": 3})
    assert finished["settings"] == {"prompt": "Schraube ü"}


@pytest.mark.parametrize("content", [None, b"", b"[1]", b"{", b"\xff"])
def test_a_file_that_is_not_a_card_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / CARD).write_bytes(content)
    assert read_card(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"^Cannot write .*file"):
        RunCard(tmp_path / "file" / "out", {}, {})


def test_the_environment_has_versions_device_and_command():
    environment = describe_environment("cpu, 1 thread", "moeclip score parts", torch_versions())
    assert environment["torch"] == torch.__version__
    assert environment["command"] == "moeclip score parts"
    assert environment["device"] == "cpu, 1 thread"
    assert environment["started"].endswith("+00:00")
