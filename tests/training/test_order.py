from __future__ import annotations

from moeclip_cli.training.order import Order


def test_every_epoch_has_every_image_once_in_its_own_order():
    order = Order(images=12, batch_size=4, seed=1)
    epochs = [[i for step in order.step_indices(epoch) for i in step] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert order.step_indices(1) == order.step_indices(1)
    assert order.step_indices(0) != Order(12, 4, seed=2).step_indices(0)


def test_processes_share_each_batch():
    order = Order(images=13, batch_size=4, seed=1)
    assert order.steps_per_epoch == 3
    whole = order.step_indices(0)
    shares = [order.step_indices(0, process, 2) for process in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == whole


def test_the_images_left_out_differ_from_epoch_to_epoch():
    order = Order(images=5, batch_size=4, seed=1)
    shown = [set(order.step_indices(epoch)[0]) for epoch in range(8)]
    assert all(len(images) == 4 for images in shown)
    assert len({frozenset(images) for images in shown}) > 1
