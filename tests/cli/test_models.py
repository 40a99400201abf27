from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from support import hostile_pickles
from support.hub_server import HubServer, running_hub
from support.standins import authors_checkpoint, backbone_state
from typer.testing import CliRunner, Result

from moeclip_cli.checkpoints import builtin
from moeclip_cli.checkpoints.checkpoint import read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig, Threshold
from moeclip_cli.cli.models import models_app
from moeclip_cli.cli.parameters import with_options
from moeclip_cli.errors import ModelError, MoeclipError, UsageError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.config import NetworkConfig


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with running_hub() as server:
        server.use(monkeypatch, tmp_path / "hub-cache")
        yield server


@pytest.fixture(scope="module")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backbone") / "tiny-clip.pt"
    torch.save(backbone_state(), path)
    return path


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    torch.save(authors_checkpoint(), tmp_path / "epoch_1.pth")
    return tmp_path / "epoch_1.pth"


@pytest.fixture
def built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    config = CheckpointConfig(
        NetworkConfig(layers=(2, 4), rank=2, image_size=96),
        BackboneRef("moeclip-mini"),
        threshold=Threshold(0.41, "1 % false alarms on held-out \x1b[31mnormal images"),
        training={"data": "generated textures", "steps": 1200, "before": {"steps": 7}},
    )
    adapters = Adapters(config.network, 32, 24, 16)
    write_checkpoint(folder / "moeclip-mini.safetensors", config, adapters.state_dict())
    (folder / "moeclip-small.safetensors").write_bytes(b"adapters")
    (folder / "moeclip-mini-backbone.safetensors").write_bytes(b"towers")
    (folder / "dinov2-vits14.safetensors").write_bytes(b"tower")
    monkeypatch.setattr(builtin, "FOLDERS", (folder,))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(models_app, [str(argument) for argument in arguments])


def good(*arguments: object) -> str:
    """Standard output of a command that has to succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def refusal(*arguments: object) -> MoeclipError:
    result = run(*arguments)
    assert isinstance(result.exception, MoeclipError), result.output + repr(result.exception)
    assert result.stdout == ""
    return result.exception


def rows(output: str) -> dict[str, str]:
    lines = [line.split("\t") for line in output.splitlines()]
    return {line[0]: line[1] for line in lines}


def test_list_shows_built_in_and_fetched_models(
    hub: HubServer, built_in: Path, theirs: Path
) -> None:
    hub.add("some/adapters", "x.pth", theirs.read_bytes())
    good("pull", "hf://some/adapters")
    header, small, mini, _, fetched = (line.split("\t") for line in good("list").splitlines())
    assert header == ["NAME", "KIND", "SIZE", "FILE"]
    assert small[:2] == ["moeclip-small", "built-in"]
    assert mini[:2] == ["moeclip-mini", "built-in"]
    assert fetched[:2] == ["hf://some/adapters/x.pth", "checkpoint"]
    assert Path(fetched[3]).read_bytes() == theirs.read_bytes()


def test_show_tells_all_about_a_checkpoint(built_in: Path) -> None:
    shown = rows(good("show", "moeclip-mini"))
    checkpoint = read_checkpoint(built_in / "moeclip-mini.safetensors")
    assert shown["sha256"] == checkpoint.digest
    assert shown["parameters"] == str(checkpoint.parameters)
    assert shown["network.layers"] == shown["network.moe_layers"] == "2, 4"
    assert shown["network.fofs"] == "yes"
    assert shown["backbone.name"] == "moeclip-mini"
    assert shown["backbone.pretrained"] == "none"
    assert shown["threshold.value"] == "0.41"
    assert shown["training.data"] == "generated textures"
    assert shown["training.steps"] == "1200"
    assert shown["training.before"] == "in --json"


def test_show_cannot_be_made_to_send_escape_codes(built_in: Path) -> None:
    output = good("show", "moeclip-mini")
    assert "\x1b" not in output
    assert r"held-out \x1b[31mnormal" in output


def test_show_prints_json(built_in: Path) -> None:
    shown = json.loads(good("show", "moeclip-mini", "--json"))
    assert shown["network"]["layers"] == [2, 4]
    assert shown["threshold"]["value"] == 0.41
    assert shown["file_format"] == "moeclip"
    assert shown["training"]["before"] == {"steps": 7}


def test_show_says_what_is_assumed_of_a_pth(theirs: Path) -> None:
    result = run("show", theirs)
    assert rows(result.stdout)["file_format"] == "authors"
    assert "assumed" in result.stderr


def test_show_refuses_what_is_no_checkpoint(tmp_path: Path, backbone_file: Path) -> None:
    evil, proof = tmp_path / "evil.pth", tmp_path / "code-ran"
    hostile_pickles.write_zip(evil, proof)
    assert "could run code" in str(refusal("show", evil))
    assert not proof.exists()
    assert isinstance(refusal("show", backbone_file), ModelError)
    assert "neither a file nor built in" in str(refusal("show", tmp_path / "nowhere.pth"))


def test_pull_prints_the_path_and_asks_for_news(hub: HubServer) -> None:
    hub.add("some/adapters", "x.pth", b"old")
    assert Path(good("pull", "hf://some/adapters/x.pth").strip()).read_bytes() == b"old"
    hub.add("some/adapters", "x.pth", b"new")
    assert Path(good("pull", "hf://some/adapters/x.pth").strip()).read_bytes() == b"new"


def test_pull_fetches_backbones_by_name_and_tag(hub: HubServer) -> None:
    hub.add("timm/vit_large_patch14_clip_336.openai", "open_clip_model.safetensors", b"openai")
    hub.add("timm/vit_base_patch32_clip_224.metaclip_400m", "open_clip_model.safetensors", b"meta")
    assert Path(good("pull", "ViT-L-14-336").strip()).read_bytes() == b"openai"
    path = good("pull", "ViT-B-32", "--pretrained", "metaclip_400m").strip()
    assert Path(path).read_bytes() == b"meta"


def test_pull_knows_the_built_in_backbone(built_in: Path) -> None:
    result = run("pull", "dinov2-vits14")
    assert result.stdout.strip() == str(built_in / "dinov2-vits14.safetensors")
    assert "--pretrained is only for" in str(refusal("pull", "dinov2-vits14", "--pretrained", "x"))


def test_pull_of_the_built_in_model_needs_no_hub(built_in: Path) -> None:
    result = run("pull", "moeclip-mini")
    assert result.stdout.strip() == str(built_in / "moeclip-mini.safetensors")
    assert "nothing to download" in result.stderr


def test_pull_refuses_what_cannot_be_fetched(hub: HubServer) -> None:
    assert "no model 'ViT-L-15'" in str(refusal("pull", "ViT-L-15"))
    assert "not a CLIP ViT" in str(refusal("pull", "RN50"))
    assert "it has openai" in str(refusal("pull", "ViT-L-14-336", "--pretrained", "laion"))
    assert "no/body not found" in str(refusal("pull", "hf://no/body"))
    assert isinstance(refusal("pull", "hf://nobody"), UsageError)
    assert isinstance(refusal("pull", "hf://a/b", "--pretrained", "openai"), UsageError)


def test_convert_writes_what_the_options_say(
    tmp_path: Path, theirs: Path, backbone_file: Path
) -> None:
    target = tmp_path / "out.safetensors"
    printed = good(
        "convert", theirs, target, "--backbone-weights", backbone_file, "--top-k", 1, "--alpha", 3,
        "--levels", "1,3,5,7", "--mix", 0.2, "--no-aggregation", "--quick-gelu",
        "--image-size", 112, "--domain", "medical", "--backbone", "factory-clip",
    )  # fmt: skip
    assert printed.strip() == str(target)
    config = read_checkpoint(target).config
    assert config.network == NetworkConfig(
        layers=(1, 3, 5, 7), rank=4, top_k=1, alpha=3.0, mix=0.2, fofs=False, aggregation=False,
        quick_gelu=True, image_size=112,
    )  # fmt: skip
    assert config.domain == "medical"
    assert config.backbone.name == "factory-clip"


def test_convert_of_a_file_with_adapters_apart_from_the_levels(
    tmp_path: Path, backbone_file: Path
) -> None:
    source, target = tmp_path / "x.pth", tmp_path / "out.safetensors"
    torch.save(authors_checkpoint(adapters=2), source)
    arguments = ("convert", source, target, "--backbone-weights", backbone_file)
    arguments = (*arguments, "--image-size", 70)
    assert "--moe-layers" in with_options(str(refusal(*arguments)))
    assert "--moe-layers" in with_options(str(refusal(*arguments, "--levels", "6,8")))
    result = run(*arguments, "--moe-layers", "6,8")
    assert "adapters after the blocks 6, 8, levels after 2, 4, 6, 8" in result.stderr
    shown = rows(good("show", target))
    assert (shown["network.layers"], shown["network.moe_layers"]) == ("2, 4, 6, 8", "6, 8")


def test_convert_names_a_backbone_by_its_tag(tmp_path: Path) -> None:
    torch.save(authors_checkpoint("large"), tmp_path / "large.pth")
    arguments = ("--backbone", "ViT-L-14", "--pretrained", "laion400m_e31")
    good("convert", tmp_path / "large.pth", tmp_path / "out", *arguments)
    assert read_checkpoint(tmp_path / "out").config.backbone == BackboneRef(
        "ViT-L-14", "laion400m_e31"
    )


def test_convert_replaces_a_file_only_by_force(
    tmp_path: Path, theirs: Path, backbone_file: Path
) -> None:
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"precious")
    arguments = ("convert", theirs, target, "--backbone-weights", backbone_file, "--image-size", 70)
    assert isinstance(refusal(*arguments), UsageError)
    assert target.read_bytes() == b"precious"
    good(*arguments, "--force")
    assert read_checkpoint(target).format == "moeclip"


@pytest.mark.parametrize(
    "arguments",
    [
        ("epoch_1.pth", "epoch_1.pth", "--force"),
        ("epoch_1.pth", "no/folder/out"),
        ("epoch_1.pth", "out", "--levels", "6;12"),
        ("epoch_1.pth", "out", "--mix", "nan"),
    ],
)
def test_convert_refuses_wrong_use(
    theirs: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    before = theirs.read_bytes()
    monkeypatch.chdir(theirs.parent)
    assert isinstance(refusal("convert", *arguments), UsageError)
    assert theirs.read_bytes() == before
    assert [entry.name for entry in theirs.parent.iterdir()] == ["epoch_1.pth"]


def test_convert_refuses_a_missing_file(tmp_path: Path) -> None:
    assert "File not found" in str(refusal("convert", tmp_path / "no.pth", tmp_path / "out"))


@pytest.mark.parametrize("command", ["list", "show", "pull", "convert"])
def test_every_command_has_an_example_in_its_help(command: str) -> None:
    assert f"Example: moeclip models {command}" in good(command, "--help")


def test_help_does_not_import_torch() -> None:
    code = "import moeclip_cli.cli.models, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_terminal_gets_a_table(built_in: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from moeclip_cli.checkpoints import builtin\n"
        "builtin.FOLDERS = (Path(sys.argv[1]),)\n"
        "from moeclip_cli.cli.models import models_app; models_app(['list'])"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(built_in), "TERM": "dumb", "COLUMNS": "60"}
    master, slave = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", code, str(built_in)], stdout=slave, env=environment, check=True
    )
    os.close(slave)
    output = os.read(master, 100_000).decode()
    os.close(master)
    assert "\t" not in output
    assert output.splitlines()[0].split() == ["NAME", "KIND", "SIZE", "FILE"]
