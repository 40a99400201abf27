import itertools
import threading
import time

import pytest

from moeclip_cli.images.pipeline import prefetch


@pytest.fixture
def loading_threads():
    """The loading threads that this test has started and that have not ended."""
    before = set(threading.enumerate())

    def started():
        others = set(threading.enumerate()) - before
        return [thread for thread in others if thread.name.startswith("moeclip-load")]

    return started


def slow_double(number):
    time.sleep(0.002 * (number % 3))
    return 2 * number


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("ahead", [1, 50])
def test_results_keep_the_order_of_the_items(workers, ahead, loading_threads):
    results = list(prefetch(range(30), slow_double, workers=workers, ahead=ahead))
    assert results == [2 * number for number in range(30)]
    assert loading_threads() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_no_items(workers):
    assert list(prefetch([], slow_double, workers=workers, ahead=4)) == []


def test_endless_input_is_read_at_most_ahead_items_in_advance(loading_threads):
    taken = itertools.count()
    seen = []

    def items():
        for number in taken:
            seen.append(number)
            yield number

    stream = prefetch(items(), slow_double, workers=3, ahead=5)
    for index in range(30):
        assert next(stream) == 2 * index
        assert len(seen) <= index + 1 + 5
    stream.close()
    assert loading_threads() == []


def test_items_are_loaded_in_parallel():
    both_loading = threading.Barrier(2, timeout=10)
    list(prefetch(range(2), lambda _: both_loading.wait(), workers=2, ahead=2))


def test_next_item_is_loaded_while_the_caller_works():
    loaded = threading.Event()

    def load(number):
        if number == 1:
            loaded.set()
        return number

    stream = prefetch(range(3), load, workers=1, ahead=1)
    next(stream)
    assert loaded.wait(10)
    stream.close()


def test_zero_workers_load_in_the_calling_thread():
    threads = set(prefetch(range(3), lambda _: threading.current_thread(), workers=0, ahead=1))
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("workers", [0, 3])
def test_exception_is_raised_at_its_place_in_the_order(workers, loading_threads):
    def load(number):
        if number == 4:
            raise KeyError("four")
        return number

    results = []
    with pytest.raises(KeyError, match="four"):
        for result in prefetch(range(100), load, workers=workers, ahead=10):
            results.append(result)
    assert results == [0, 1, 2, 3]
    assert loading_threads() == []


def test_exception_from_the_input(loading_threads):
    def items():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(prefetch(items(), slow_double, workers=2, ahead=2))
    assert loading_threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_interruption_ends_the_threads_and_drops_waiting_items(error, loading_threads):
    started = []

    def load(number):
        started.append(number)
        time.sleep(0.01)
        return number

    stream = prefetch(range(10_000), load, workers=2, ahead=1000)
    next(stream)
    with pytest.raises(error):
        stream.throw(error())
    assert loading_threads() == []
    assert len(started) < 100


def test_unused_iterator_starts_no_threads(loading_threads):
    prefetch(range(5), slow_double, workers=2, ahead=2)
    assert loading_threads() == []


@pytest.mark.parametrize(("workers", "ahead"), [(-1, 1), (1, 0), (0, 0)])
def test_invalid_arguments(workers, ahead):
    with pytest.raises(ValueError, match="at least"):
        prefetch([], slow_double, workers=workers, ahead=ahead)
