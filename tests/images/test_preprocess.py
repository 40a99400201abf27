import numpy as np
import pytest
import torch
from PIL import Image

from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.images.resized import resize_to_square
from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.model.preprocessing import Preprocessing

MEAN, STD = CLIP.preprocessing.mean, CLIP.preprocessing.std


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_normalises_each_channel():
    pixels = np.full((8, 8, 3), (0, 128, 255), np.uint8)
    expected = [(value / 255 - MEAN[c]) / STD[c] for c, value in enumerate((0, 128, 255))]
    found = preprocess(pixels, 8, CLIP.preprocessing)
    assert found.shape == (3, 8, 8)
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    torch.testing.assert_close(found[:, 3, 4], torch.tensor(expected))


def test_statistics_and_filter_are_those_of_the_backbone():
    pixels = noise(40, 60)
    other = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.25, 0.5), "bilinear")
    resized = Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR)
    expected = (np.asarray(resized) / 255 - other.mean) / other.std
    found = preprocess(pixels, 16, other).permute(1, 2, 0)
    torch.testing.assert_close(found, torch.from_numpy(expected).float())


def test_is_bit_for_bit_what_torch_computes():
    pixels = noise(70, 70)
    unit = torch.from_numpy(pixels).permute(2, 0, 1).float().div(255)
    expected = unit.sub(torch.tensor(MEAN)[:, None, None]).div(torch.tensor(STD)[:, None, None])
    assert torch.equal(preprocess(pixels, 70, CLIP.preprocessing), expected)


def test_pixels_of_the_right_size_pass_unchanged():
    assert np.array_equal(resize_to_square(noise(70, 70), 70, "bicubic"), noise(70, 70))


@pytest.mark.parametrize("shape", [(200, 90), (33, 500), (20, 30), (1, 400), (400, 1), (1, 1)])
def test_resizes_as_pillow_does(shape):
    pixels = noise(*shape)
    expected = Image.fromarray(pixels).resize((70, 70), Image.Resampling.BICUBIC)
    assert np.array_equal(resize_to_square(pixels, 70, "bicubic"), np.asarray(expected))


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = resize_to_square(stripes, 8, "bicubic")[:, 1:-1]
    assert np.abs(inner.astype(int) - 128).max() <= 2


def test_reads_views_and_leaves_them_unchanged():
    pixels = noise(40, 60)
    view = pixels[::-1, ::2]
    view.flags.writeable = False
    expected = preprocess(np.ascontiguousarray(view), 16, CLIP.preprocessing)
    assert torch.equal(preprocess(view, 16, CLIP.preprocessing), expected)
    assert np.array_equal(pixels, noise(40, 60))
