import pytest
import torch

from moeclip_cli.model.backbones.rarity import Rarity

CHANNELS, POOLED, WIDTH = 12, 10, 16


@pytest.fixture
def rarity():
    """A module that selects in several threads."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield Rarity(CHANNELS, POOLED, WIDTH).eval()
    torch.set_num_threads(threads)


def features(batch=1, grid=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    fine = torch.randn(batch, CHANNELS, 2 * grid, 2 * grid, generator=generator)
    return fine, torch.randn(batch, POOLED, grid, grid, generator=generator)


def test_the_odd_one_out_is_the_farthest(rarity):
    torch.manual_seed(1)
    common, odd = torch.randn(2, Rarity.LENGTH)
    descriptors = common + 0.01 * torch.randn(1, Rarity.HEADS, 36, Rarity.LENGTH)
    descriptors[:, :, 20] = odd

    distances = rarity._distances(descriptors)

    assert distances.shape == (1, 36, rarity.hidden.in_features)
    assert (distances.argmax(1) == 20).all()


def test_one_defect_of_several_patches_is_still_rare(rarity):
    torch.manual_seed(1)
    common, odd = torch.randn(2, Rarity.LENGTH)
    descriptors = common + 0.01 * torch.randn(1, Rarity.HEADS, 100, Rarity.LENGTH)
    flaw = torch.tensor([44, 45, 54, 55])
    descriptors[:, :, flaw] = odd + 0.01 * torch.randn(len(flaw), Rarity.LENGTH)

    distances = rarity._distances(descriptors).view(100, Rarity.HEADS, -1)

    eighth_nearest = distances[:, 0, Rarity.RANKS.index(8)]
    assert sorted(eighth_nearest.topk(4).indices.tolist()) == flaw.tolist()


def test_distances_are_those_of_their_ranks(rarity):
    descriptors = torch.randn(2, Rarity.HEADS, 100, Rarity.LENGTH)

    distances = rarity._distances(descriptors).view(2, 100, Rarity.HEADS, -1)

    one = torch.nn.functional.normalize(descriptors[1, 2], dim=-1)
    cosines = [float(one[7] @ one[other]) for other in range(100) if other != 7]
    ranked = sorted(cosines, reverse=True)
    expected = [1 - ranked[rank - 1] for rank in (1, 2, 4, 8, 12)]
    torch.testing.assert_close(distances[1, 7, 2, :5], torch.tensor(expected))


def test_training_compares_as_scoring_does(rarity):
    """They select the nearest patches in different ways."""
    descriptors = torch.randn(2, Rarity.HEADS, 100, Rarity.LENGTH)
    scored = rarity._distances(descriptors)

    trained = rarity._distances(descriptors.requires_grad_())

    assert torch.equal(scored, trained)
    trained.sum().backward()
    assert descriptors.grad.abs().sum() > 0


def test_an_image_does_not_depend_on_its_neighbours(rarity):
    fine, pooled = features(batch=3)

    together = rarity(fine, pooled)
    alone = rarity(fine[1:2], pooled[1:2])

    assert together.shape == (3, WIDTH, 6, 6)
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)


def test_distances_do_not_depend_on_the_scale_of_the_features(rarity):
    descriptors = torch.randn(1, Rarity.HEADS, 25, Rarity.LENGTH)

    torch.testing.assert_close(
        rarity._distances(descriptors), rarity._distances(7 * descriptors), atol=1e-4, rtol=1e-4
    )


def test_half_precision_compares_in_full(rarity):
    fine, pooled = features()
    expected = rarity(fine, pooled)

    found = rarity.to(torch.bfloat16)(fine.bfloat16(), pooled.bfloat16())

    assert found.dtype == torch.bfloat16
    assert (found.float() - expected).abs().max() < 0.1


def test_the_descriptors_are_learned(rarity):
    fine, pooled = features()

    rarity(fine, pooled).square().sum().backward()

    for parameter in rarity.parameters():
        assert parameter.grad is not None and parameter.grad.any()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_module_computes_from_its_input(rarity):
    rarity.requires_grad_(False)

    traced = torch.jit.trace(rarity, features(seed=0))

    for seed in (0, 1):
        inputs = features(seed=seed)
        torch.testing.assert_close(traced(*inputs), rarity(*inputs), atol=1e-5, rtol=1e-5)


def test_an_exported_module_computes_from_its_input(rarity):
    rarity.requires_grad_(False)

    exported = torch.export.export(rarity, features(seed=0)).module()

    for seed in (0, 1):
        inputs = features(seed=seed)
        torch.testing.assert_close(exported(*inputs), rarity(*inputs), atol=1e-5, rtol=1e-5)
