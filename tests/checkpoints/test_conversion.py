from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.standins import authors_checkpoint

from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.conversion import BackboneChoice, convert
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.moeclip import MoECLIP

SMALL = AuthorsOptions(image_size=70)


def test_a_local_backbone_gives_depth_and_digest(
    tmp_path: Path, authors_file: Path, backbone_file: Path
) -> None:
    target = tmp_path / "out.safetensors"
    written = convert(authors_file, target, SMALL, BackboneChoice(weights=backbone_file))
    assert written.path == target
    assert written.config.network.layers == (2, 4, 6, 8)
    assert written.config.backbone == BackboneRef("tiny-clip", digest=file_digest(backbone_file))
    assert written.config.training == {
        "epoch": 1,
        "converted_from": "epoch_1.pth",
        "converted_sha256": file_digest(authors_file),
    }
    theirs = read_checkpoint(authors_file)
    assert written.tensors.keys() == theirs.tensors.keys()
    assert all(torch.equal(written.tensors[n], theirs.tensors[n]) for n in theirs.tensors)


def test_a_named_backbone_gives_depth_and_tag(tmp_path: Path) -> None:
    torch.save(authors_checkpoint("large"), tmp_path / "x.pth")
    written = convert(tmp_path / "x.pth", tmp_path / "out", AuthorsOptions(), BackboneChoice())
    assert written.config.network.layers == (6, 12, 18, 24)
    assert written.config.backbone == BackboneRef("ViT-L-14-336", "openai")
    other = BackboneChoice("ViT-L-14", "laion400m_e32")
    written = convert(
        tmp_path / "x.pth", tmp_path / "out", AuthorsOptions(layers=(1, 2, 3, 4)), other
    )
    assert written.config.network.layers == (1, 2, 3, 4)
    assert written.config.backbone == BackboneRef("ViT-L-14", "laion400m_e32")


@pytest.mark.parametrize(
    ("layers", "moe_layers"), [(None, (6, 8)), ((1, 3, 5, 7), (1, 2, 3, 4, 6))]
)
def test_adapters_apart_from_the_levels(
    tmp_path: Path,
    backbone_file: Path,
    layers: tuple[int, ...] | None,
    moe_layers: tuple[int, ...],
) -> None:
    """As with --moe_layers of the authors' code: any number of adapters, always four levels."""
    torch.save(authors_checkpoint(adapters=len(moe_layers)), tmp_path / "x.pth")
    options = AuthorsOptions(image_size=70, layers=layers, moe_layers=moe_layers)
    choice = BackboneChoice(weights=backbone_file)
    written = convert(tmp_path / "x.pth", tmp_path / "out", options, choice)
    assert written.config.network.layers == (layers or (2, 4, 6, 8))
    assert written.config.network.moe_layers == moe_layers
    loaded = load_model(str(tmp_path / "out"), backbone_weights=backbone_file).network
    assert isinstance(loaded, MoECLIP)
    assert len(loaded.adapters.moe) == len(moe_layers)
    found = loaded.levels(torch.randn(1, 3, 70, 70))
    assert (len(found.tokens), len(found.routing)) == (4, len(moe_layers))


def test_the_levels_named_again_are_no_other_blocks(
    tmp_path: Path, authors_file: Path, backbone_file: Path
) -> None:
    options = AuthorsOptions(image_size=70, moe_layers=(2, 4, 6, 8))
    written = convert(
        authors_file, tmp_path / "out", options, BackboneChoice(weights=backbone_file)
    )
    assert written.config.network.moe_layers is None


def test_an_adapter_behind_the_last_level_is_refused(tmp_path: Path, backbone_file: Path) -> None:
    torch.save(authors_checkpoint(adapters=1), tmp_path / "x.pth")
    options = AuthorsOptions(image_size=70, layers=(1, 2, 3, 4), moe_layers=(5,))
    with pytest.raises(ModelError, match="no effect: the last level is block 4"):
        convert(
            tmp_path / "x.pth", tmp_path / "out", options, BackboneChoice(weights=backbone_file)
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (BackboneChoice(), r"does not fit the backbone ViT-L-14-336 \(openai\).*width 128"),
        (BackboneChoice("ViT-L-41"), "did you mean .*ViT-L-14"),
        (BackboneChoice("ViT-L-14", "laion"), "it has openai, laion400m_e31"),
        (BackboneChoice("ViT-H-14"), "choose one with `pretrained`"),
    ],
)
def test_a_wrong_backbone_is_refused_and_nothing_written(
    tmp_path: Path, authors_file: Path, choice: BackboneChoice, sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        convert(authors_file, tmp_path / "out", AuthorsOptions(), choice)
    assert not list(tmp_path.iterdir())


def test_a_tag_and_a_file_exclude_each_other(
    tmp_path: Path, authors_file: Path, backbone_file: Path
) -> None:
    choice = BackboneChoice(pretrained="openai", weights=backbone_file)
    with pytest.raises(UsageError, match="not both"):
        convert(authors_file, tmp_path / "out", SMALL, choice)


def test_an_image_size_that_the_patches_do_not_tile_is_refused(
    tmp_path: Path, authors_file: Path, backbone_file: Path
) -> None:
    with pytest.raises(ModelError, match="multiple of the patch size 14"):
        convert(
            authors_file,
            tmp_path / "out",
            AuthorsOptions(image_size=71),
            BackboneChoice(weights=backbone_file),
        )


def test_a_converted_file_is_not_converted_again(
    tmp_path: Path, authors_file: Path, backbone_file: Path
) -> None:
    choice = BackboneChoice(weights=backbone_file)
    convert(authors_file, tmp_path / "once", SMALL, choice)
    with pytest.raises(ModelError, match="configuration of its own"):
        convert(tmp_path / "once", tmp_path / "twice", SMALL, choice)
