import pytest
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.stem import ConvStem, InstanceNorm, gabor_filters, standardise


@pytest.fixture
def stem():
    torch.manual_seed(0)
    return ConvStem(48, edges=12, channels=(16, 24)).eval()


@pytest.mark.parametrize("size", [80, 96, 224])
def test_one_token_for_each_16_pixels(stem, size):
    assert stem(torch.randn(2, 3, size, size)).shape == (2, 48, size // 16, size // 16)


def test_an_image_does_not_depend_on_the_others_of_its_batch(stem):
    images = torch.randn(5, 3, 96, 96)

    together = stem(images)
    alone = torch.cat([stem(image[None]) for image in images])

    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_brightness_and_contrast_matter_only_to_the_exposure(stem):
    image = torch.randn(1, 3, 96, 96)
    other = image * 3 + 0.7

    torch.testing.assert_close(stem(image), stem(other), atol=1e-3, rtol=1e-3)

    torch.nn.init.normal_(stem.exposure.out.weight)
    brightened = stem(image + 0.7) - stem(image)
    assert brightened.abs().amax() > 1e-2
    torch.testing.assert_close(
        brightened, stem.exposure(image + 0.7) - stem.exposure(image), atol=1e-3, rtol=1e-3
    )


def test_a_uniform_image_gives_finite_tokens(stem):
    assert stem(torch.full((1, 3, 96, 96), 0.3)).isfinite().all()


def test_shapes_are_read_off_a_backbone(stem):
    state = {f"visual.conv1.{name}": value for name, value in stem.state_dict().items()}

    again = ConvStem.from_state(state)
    again.load_state_dict(stem.state_dict())

    image = torch.randn(1, 3, 96, 96)
    torch.testing.assert_close(again(image), stem(image))
    assert "visual.conv1.weight" not in state


def test_a_backbone_without_stem_is_refused():
    with pytest.raises(ModelError, match=r"visual\.conv1\.edges\.weight"):
        ConvStem.from_state({"visual.conv1.project.weight": torch.zeros(4, 4, 2, 2)})


def channels_last(batch, channels, side):
    # Far from zero, where careless sums of squares lose most digits.
    x = 3 + torch.randn(batch, channels, side, side)
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def norm():
    torch.manual_seed(0)
    norm = InstanceNorm(12)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    return norm


def test_instance_norm_is_torchs_exactly(norm):
    x = channels_last(2, 12, 100)
    expected = torch.nn.InstanceNorm2d(12, affine=True).double()
    expected.load_state_dict(norm.state_dict())

    torch.testing.assert_close(norm(x).double(), expected(x.double()), atol=5e-6, rtol=0)


def test_instance_norm_leaves_channels_last(norm):
    assert norm(channels_last(2, 12, 10)).is_contiguous(memory_format=torch.channels_last)


def test_instance_norm_has_float32_statistics_in_half_precision(norm):
    x = channels_last(2, 12, 100).bfloat16()

    found = norm.bfloat16()(x)

    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), norm.float()(x.float()), atol=0.03, rtol=0.01)


def test_standardised_images_have_mean_0_and_deviation_1():
    image = standardise(torch.rand(2, 3, 32, 32) * 0.1 + 4)

    torch.testing.assert_close(image.mean(dim=(2, 3)), torch.zeros(2, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(image.std(dim=(1, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)


def test_filters_ignore_uniform_light_and_have_unit_length():
    filters = gabor_filters(24, 7)

    torch.testing.assert_close(filters.sum(dim=(1, 2, 3)), torch.zeros(24), atol=1e-5, rtol=0)
    torch.testing.assert_close(filters.flatten(1).norm(dim=1), torch.ones(24))


def test_layers_that_do_not_fit_are_refused_before_anything_is_built(stem):
    state = {f"visual.conv1.{name}": value for name, value in stem.state_dict().items()}
    # A stem of these widths would take terabytes.
    state["visual.conv1.stages.0.down.weight"] = torch.ones(1_000_000, 1, 1, 1)
    state["visual.conv1.stages.1.down.weight"] = torch.ones(1_000_000, 1, 1, 1)
    with pytest.raises(ModelError, match="stem do not fit each other"):
        ConvStem.from_state(state)
