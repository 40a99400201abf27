import torch
from mini.losses import dice, focal, ranking


def test_losses_are_small_for_correct_and_large_for_wrong_maps():
    target = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    weight = torch.ones_like(target)
    correct = (target * 2 - 1)[None] * 20

    assert focal(correct, target, weight) < 1e-6
    assert focal(-correct, target, weight) > 1
    assert dice(correct.sigmoid(), target, weight) < 0.01
    assert dice((-correct).sigmoid(), target, weight) > 1


def test_patches_without_weight_are_ignored():
    target = torch.tensor([[1.0, 0]])
    weight = torch.tensor([[1.0, 0]])
    difference = torch.tensor([[[20.0, 20.0]]])

    assert focal(difference, target, weight) < 1e-6
    assert dice(difference.sigmoid(), target, weight) < 1e-6


def test_the_ranking_loss_is_lower_for_the_correct_order():
    label = torch.tensor([1.0, 0, 1, 0])

    correct = ranking(torch.tensor([0.9, 0.1, 0.8, 0.2]), label)
    wrong = ranking(torch.tensor([0.1, 0.9, 0.2, 0.8]), label)

    assert correct < 0.01 < wrong
    assert ranking(torch.tensor([0.5, 0.5]), torch.zeros(2)) == 0
