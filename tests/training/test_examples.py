from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from support.samples import save_image
from support.trainings import CONFIG

from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.errors import DatasetError
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.images.resized import resize_to_square
from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.model.preprocessing import Preprocessing
from moeclip_cli.training.batch import prepare, to_batch
from moeclip_cli.training.configuration import Augmentation
from moeclip_cli.training.examples import (
    DatasetExamples,
    GeneratedExamples,
    open_examples,
    split,
)


def make_folder(folder, normal=6, anomalous=6, masks=True):
    for number in range(normal + anomalous):
        kind = "good" if number < normal else "bad"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        save_image(folder / kind / f"{number}.png", seed=number)
        if kind == "bad" and masks:
            (folder / "masks").mkdir(exist_ok=True)
            mask = np.zeros((48, 64), np.uint8)
            mask[10:20, 30:40] = 7
            Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


def opened(folder, **changes):
    return open_examples(replace(CONFIG, data=str(folder), **changes), None, CLIP.preprocessing)


def test_only_an_anomalous_image_without_a_mask_has_no_ground_truth(tmp_path):
    make_folder(tmp_path / "parts", normal=1, anomalous=1, masks=False)
    dataset = DatasetExamples(open_dataset(tmp_path / "parts"), 70, CLIP.preprocessing)
    normal, anomalous = (dataset.load(index) for index in range(2))
    assert normal.ground_truth is normal.mask and not normal.mask.any()
    assert anomalous.label == 1 and anomalous.ground_truth is None


def test_a_folder_is_split_in_proportion_and_reproducibly(tmp_path):
    make_folder(tmp_path / "parts")
    training, held_out = opened(tmp_path / "parts", val_fraction=0.34)
    assert len(training) == 8
    assert [held_out.load(index).label for index in range(len(held_out))] == [0, 0, 1, 1]
    again = opened(tmp_path / "parts", val_fraction=0.34)
    assert again[1].digest == held_out.digest
    assert opened(tmp_path / "parts", val_fraction=0.34, seed=5)[1].digest != held_out.digest
    kept, rest = split(open_dataset(tmp_path / "parts"), 0.34, 111)
    assert set(kept.samples).isdisjoint(rest.samples)


def test_a_mask_is_resized_and_anything_but_0_is_anomalous(tmp_path):
    training, _ = opened(make_folder(tmp_path / "parts"), val_fraction=0.0)
    example = training.load(6)
    assert example.pixels.shape == (70, 70, 3)
    assert example.label == 1
    rows, columns = np.nonzero(example.mask)
    assert (rows.min(), columns.min()) == (15, 33)
    assert set(np.unique(example.mask)) == {0, 1}
    assert not training.load(0).mask.any()


def test_random_numbers_depend_on_seed_epoch_and_index_alone(tmp_path):
    training, _ = opened(make_folder(tmp_path / "parts"), val_fraction=0.0)

    def image(*where, seed=1):
        return prepare(training, *where, Augmentation(), seed)[0]

    first = image(6, 0)
    image(7, 0)
    assert torch.equal(first, image(6, 0))
    assert any(not torch.equal(first, image(6, epoch)) for epoch in (1, 2, 3))
    assert any(not torch.equal(first, image(6, 0, seed=seed)) for seed in (2, 3, 4))


def test_generated_images_do_not_repeat():
    examples = GeneratedExamples(3, 4, 48, CLIP.preprocessing)
    labels = [examples.load(index).label for index in range(4)]
    assert labels == [0, 1, 0, 1]
    assert examples.load(1).mask.any() and not examples.load(0).mask.any()
    assert not np.array_equal(examples.load(1).pixels, examples.load(1, epoch=1).pixels)
    _, held_out = open_examples(CONFIG, None, CLIP.preprocessing)
    training, _ = open_examples(CONFIG, None, CLIP.preprocessing)
    assert not np.array_equal(held_out.load(0).pixels, training.load(0).pixels)


def test_a_batch_has_its_examples_in_order():
    examples = GeneratedExamples(3, 4, 48, CLIP.preprocessing)
    batch = to_batch([prepare(examples, index, 0, Augmentation(), 1) for index in (1, 2)])
    assert batch.images.shape == (2, 3, 48, 48)
    assert batch.masks.shape == (2, 48, 48) and batch.masks.dtype == torch.float32
    assert batch.labels.tolist() == [1, 0]
    assert batch.prompts == ("object", "object")


def test_data_that_cannot_be_trained_on_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(DatasetError, match=r"6 anomalous images .* have no mask .*bad/6\.png"):
        opened(make_folder(tmp_path / "bare", masks=False))
    manifest = tmp_path / "good.csv"
    save_image(tmp_path / "one.png")
    manifest.write_text("image_path,label\none.png,0\n")
    with pytest.raises(DatasetError, match="no anomalous images.*synthesize"):
        opened(manifest)
    with pytest.raises(DatasetError, match="There is no dataset, folder or manifest"):
        opened("no-such-thing")
    few = make_folder(tmp_path / "few", 1, 1)
    with pytest.raises(DatasetError, match="2 images to train on, fewer than one batch of 4"):
        opened(few, batch_size=4, val_fraction=0.0)
    with pytest.raises(DatasetError, match="less than one image"):
        opened(few, val_fraction=0.01)


def test_a_mask_of_another_size_and_a_corrupt_image_are_named(tmp_path):
    folder = make_folder(tmp_path / "parts")
    Image.new("L", (10, 10)).save(folder / "masks" / "6.png")
    (folder / "good" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    examples = DatasetExamples(open_dataset(folder), 70, CLIP.preprocessing)
    with pytest.raises(DatasetError, match=r"6\.png has 10 x 10 pixels, but its image has 64 x 48"):
        examples.load(6)
    with pytest.raises(DatasetError, match=r"0\.png cannot be used"):
        examples.load(0)


def test_images_are_prepared_as_the_backbone_expects():
    other = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.25, 0.5), "bilinear")
    still = Augmentation(
        rotation_p=0.0, translation_p=0.0, horizontal_flip_p=0.0, vertical_flip_p=0.0
    )
    image, _, example = prepare(GeneratedExamples(3, 4, 48, other), 0, 0, still, 1)
    expected = preprocess(example.pixels, 48, other)
    assert torch.allclose(image, expected, atol=1e-6)


def test_files_are_resized_by_the_backbones_filter(tmp_path):
    dataset = open_dataset(make_folder(tmp_path / "parts"))
    for interpolation in ("bicubic", "bilinear"):
        how = replace(CLIP.preprocessing, interpolation=interpolation)
        pixels = np.asarray(Image.open(dataset.samples[0].image))
        expected = resize_to_square(pixels, 70, interpolation)
        assert np.array_equal(DatasetExamples(dataset, 70, how).load(0).pixels, expected)
