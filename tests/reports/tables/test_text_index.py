from moeclip_cli.reports.tables.text_index import TextIndex


def test_only_members_are_in_the_index() -> None:
    paths = TextIndex(f"{number}.png" for number in range(0, 5000, 2))
    assert len(paths) == 2500
    assert all((f"{number}.png" in paths) == (number % 2 == 0) for number in range(5000))


def test_an_empty_index_has_no_members() -> None:
    assert "" not in TextIndex([])
    assert TextIndex([]).take("") is None


def test_an_undecodable_byte_equals_its_escaped_spelling() -> None:
    assert "caf\udce9.png" in TextIndex(["caf\\udce9.png"])


def test_each_occurrence_is_taken_once_and_in_order() -> None:
    index = TextIndex(["b", "a", "b", "c", "b"])
    assert [index.take(text) for text in "abbbbd"] == [1, 0, 2, 4, None, None]
    assert "b" in index
