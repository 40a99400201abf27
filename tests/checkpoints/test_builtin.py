from __future__ import annotations

from pathlib import Path

import pytest

from moeclip_cli.checkpoints import builtin
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError


def test_files_in_the_package_come_before_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, beside = tmp_path / "package", tmp_path / "beside"
    package.mkdir()
    beside.mkdir()
    monkeypatch.setattr(builtin, "FOLDERS", (package, beside))
    (beside / "x").write_bytes(b"checkout")
    assert builtin.builtin_file("x") == beside / "x"
    (package / "x").write_bytes(b"installed")
    assert builtin.builtin_file("x") == package / "x"


def test_a_missing_file_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin, "FOLDERS", (tmp_path,))
    with pytest.raises(ModelError, match="lacks x; reinstall moeclip"):
        builtin.builtin_file("x")


def test_the_default_model_is_built_in() -> None:
    assert builtin.DEFAULT_MODEL in builtin.BUILTIN


@pytest.mark.parametrize("name", builtin.BUILTIN)
def test_the_built_in_models_ignore_prompts(name: str) -> None:
    path = builtin.builtin_file(builtin.BUILTIN[name].checkpoint)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.config.prompt, checkpoint.text_width) == ("object", None)


def test_earlier_digests_stand_for_files_that_are_there() -> None:
    names = [file for model in builtin.BUILTIN.values() for file in model.files]
    digests = {file_digest(builtin.builtin_file(name)) for name in names}
    assert set(builtin.EARLIER_DIGESTS.values()) <= digests
    assert not digests & builtin.EARLIER_DIGESTS.keys()
    for earlier, present in builtin.EARLIER_DIGESTS.items():
        assert builtin.same_scores(earlier, present)
    assert not builtin.same_scores(*list(builtin.EARLIER_DIGESTS)[:2])
