from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from moeclip_cli.images.budget import DecodeBudget


@pytest.fixture
def budget():
    return DecodeBudget(100, reserve=20)


@pytest.fixture
def start(budget):
    """Hold a weight in a thread: start(30) -> an event that is set when it is held."""
    end = threading.Event()

    def hold(weight, held):
        with budget.hold(weight):
            held.set()
            end.wait(10)

    with ThreadPoolExecutor(20) as pool:

        def begin(weight):
            held = threading.Event()
            pool.submit(hold, weight, held)
            return held

        yield begin
        end.set()


def test_a_large_weight_leaves_the_reserve_to_small_ones(budget, start):
    assert start(1000).wait(5)
    assert budget.used == 80
    assert start(10).wait(5)
    assert start(10).wait(5)
    assert not start(1).wait(0.05)
    assert budget.used == 100


def test_large_weights_take_no_reserve_together(budget, start):
    assert start(50).wait(5)
    waiting = start(40)
    assert not waiting.wait(0.05)
    assert start(30).wait(0.05) is False  # in the order in which they ask
    assert start(10).wait(5)


def test_small_weights_take_all_while_no_large_one_waits(budget, start):
    assert all(start(10).wait(5) for _ in range(10))
    assert budget.used == 100


def test_small_weights_do_not_keep_a_large_one_waiting(budget, start):
    with ExitStack() as stack:
        for _ in range(9):
            stack.enter_context(budget.hold(10))
        large = start(80)
        assert not large.wait(0.05)
        small = start(10)
        assert not small.wait(0.05)
    assert large.wait(5)
    assert small.wait(5)
    assert budget.used == 90


def test_everything_is_given_back(budget):
    for weight in (5, 50, 500):
        with pytest.raises(ZeroDivisionError), budget.hold(weight):
            assert budget.used == min(weight, 80)
            raise ZeroDivisionError
        assert budget.used == 0
