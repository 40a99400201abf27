from moeclip_cli.reports.done import DonePaths


def test_membership() -> None:
    done = DonePaths(f"{number}.png" for number in range(0, 5000, 2))
    assert len(done) == 2500
    assert all((f"{number}.png" in done) == (number % 2 == 0) for number in range(5000))


def test_nothing_is_in_an_empty_set() -> None:
    assert "" not in DonePaths([])


def test_a_byte_that_is_not_utf8_equals_its_spelling() -> None:
    assert "caf\udce9.png" in DonePaths(["caf\\udce9.png"])
