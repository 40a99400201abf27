from __future__ import annotations

import pytest

from moeclip_cli.training.order import Order, parts_of


@pytest.mark.parametrize("images", [12, 13, 15])
def test_every_epoch_has_every_image_once_in_its_own_order(images):
    order = Order(images, batch_size=4, seed=1)
    epochs = [[i for step in order.step_indices(epoch) for i in step] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(images)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert order.step_indices(1) == order.step_indices(1)
    assert order.step_indices(0) != Order(images, 4, seed=2).step_indices(0)


def test_the_last_batch_of_an_epoch_is_smaller():
    order = Order(images=13, batch_size=4, seed=1)
    assert order.steps_per_epoch == 4
    assert [len(step) for step in order.step_indices(2)] == [4, 4, 4, 1]
    assert [order.images_of(step) for step in range(8)] == [4, 4, 4, 1] * 2
    assert [order.images_before(step) for step in (0, 3, 4, 5, 8)] == [0, 12, 13, 17, 26]


@pytest.mark.parametrize("images", [12, 13, 14])
def test_processes_share_each_batch(images):
    order = Order(images, batch_size=4, seed=1)
    whole = order.step_indices(0)
    shares = [order.step_indices(0, process, 2) for process in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == whole
    assert all(len(step) == 2 for share in shares for step in share[:3])
    assert all(0 <= len(a) - len(b) <= 1 for a, b in zip(*shares, strict=True))


def test_equal_parts_weigh_the_same():
    parts = parts_of(8, parts=2, process=1, processes=2)
    assert [part.images for part in parts] == [slice(0, 2), slice(2, 4)]
    assert {(part.weight, part.weight_of_all) for part in parts} == {(1.0, 1.0)}


@pytest.mark.parametrize(("images", "parts", "processes"), [(1, 1, 2), (3, 2, 2), (5, 2, 3)])
def test_weights_turn_means_over_unequal_parts_into_the_mean_over_images(images, parts, processes):
    values = [3.0**number for number in range(images)]
    order = Order(images, batch_size=images, seed=0)
    total = counted = 0.0
    for process in range(processes):
        mine = [values[i] for i in order.step_indices(0, process, processes)[0]]
        for part in parts_of(images, parts, process, processes):
            held = mine[part.images]
            assert bool(held) == (part.weight > 0)
            total += part.weight * sum(held) / max(1, len(held)) / (parts * processes)
            counted += part.weight_of_all / (parts * processes)
    assert total == pytest.approx(sum(values) / images)
    assert counted == pytest.approx(1)
