import random
import tracemalloc

from moeclip_cli.discovery import ordering
from moeclip_cli.discovery.ordering import natural_key, sort_names


def test_digits_are_ordered_by_value():
    names = ["img10", "img2", "img1", "img02b", "img2b", "img"]
    assert list(sort_names(names)) == ["img", "img1", "img2", "img02b", "img2b", "img10"]


def test_case_is_ignored():
    assert list(sort_names(["b", "A", "a", "B"])) == ["A", "a", "B", "b"]


def test_order_is_independent_of_input_order():
    names = ["a01", "a1", "A1", "a001", "²", "٣", "\udcff", "a" * 250 + "9", "9" * 250]
    expected = list(sort_names(names))
    rng = random.Random(0)
    for _ in range(20):
        rng.shuffle(names)
        assert list(sort_names(names)) == expected


def test_many_names_are_sorted_in_less_memory_than_sorted_needs(monkeypatch):
    monkeypatch.setattr(ordering, "_RUN_LENGTH", 500)
    numbers = list(range(20_250))
    random.Random(0).shuffle(numbers)
    names = sort_names(f"part_{number}.png" for number in numbers)
    assert all(name == f"part_{number}.png" for number, name in enumerate(names))

    def peak(sort):
        tracemalloc.start()
        try:
            assert sum(1 for _ in sort(f"part_{number}.png" for number in numbers)) == 20_250
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(sort_names) < peak(lambda names: sorted(names, key=natural_key)) / 2


def test_no_names():
    assert list(sort_names([])) == []


def test_keys_of_different_names_differ():
    assert natural_key("a01") != natural_key("a1") != natural_key("A1")
