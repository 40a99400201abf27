import io
import itertools
import random
import tracemalloc
from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.images import disk_list
from moeclip_cli.images.discovery import Tally, find_images
from moeclip_cli.images.inputs import LeftOut
from moeclip_cli.images.walk import OUTPUT_MARKER

FILES = (
    "parts/img10.png",
    "parts/img9.PNG",
    "parts/notes.txt",
    "parts/left/a.jpg",
    "parts/left/deep/a.tif",
    "parts/right/a.jpg",
    "parts/right/Thumbs.db",
    "other/scan.dat",
    "other/[1].png",
)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        make(name)


def make(name):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def names(*inputs, **options):
    return [ref.name for ref in find_images(inputs, **options)]


def paths(*inputs, **options):
    return [str(ref.path) for ref in find_images(inputs, **options)]


def refusal(*inputs, **options):
    with pytest.raises(UsageError) as caught:
        find_images(inputs, **options)
    return str(caught.value)


def test_folder():
    expected = ["img9.PNG", "img10.png", "left/a.jpg", "left/deep/a.tif", "right/a.jpg"]
    assert names("parts") == expected
    assert names("./parts/") == expected
    assert paths("parts") == [str(Path("parts") / name) for name in expected]


def test_paths_are_as_the_user_wrote_them(tmp_path):
    assert paths(str(tmp_path / "parts"))[0] == str(tmp_path / "parts/img9.PNG")
    assert paths("other/../parts")[0] == str(Path("other/../parts/img9.PNG"))


def test_current_folder(monkeypatch):
    monkeypatch.chdir("parts/left")
    assert names(".") == paths(".") == ["a.jpg", str(Path("deep/a.tif"))]
    assert names("..")[-1] == "right/a.jpg"


def test_without_recursion():
    assert names("parts", recursive=False) == ["img9.PNG", "img10.png"]


def test_single_file_whatever_its_extension():
    (ref,) = find_images(["other/scan.dat"])
    assert (str(ref.path), ref.name) == (str(Path("other/scan.dat")), "scan.dat")


def test_several_inputs_are_named_from_their_common_folder():
    assert names("parts/right", "parts/left") == ["right/a.jpg", "left/a.jpg", "left/deep/a.tif"]
    assert names("parts/img9.PNG", "other/scan.dat") == ["parts/img9.PNG", "other/scan.dat"]
    assert names("parts/img9.PNG", "parts/img10.png") == ["img9.PNG", "img10.png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("parts/*.png", ["img10.png"]),
        ("parts/img*", ["img9.PNG", "img10.png"]),
        ("parts/*/*.jpg", ["left/a.jpg", "right/a.jpg"]),
        ("parts/**/a.*", ["left/a.jpg", "left/deep/a.tif", "right/a.jpg"]),
        ("parts/l*", ["left/a.jpg", "left/deep/a.tif"]),
        ("*/img?.PNG", ["parts/img9.PNG"]),
        ("other/*.dat", ["scan.dat"]),
        ("other/*", ["[1].png"]),
    ],
)
def test_globs(pattern, expected):
    assert names(pattern) == expected


def test_literal_name_wins_over_the_pattern():
    make("other/1.png")
    assert names("other/[1].png") == ["[1].png"]


def test_absolute_glob(tmp_path):
    assert names(f"{tmp_path}/parts/*/*.jpg") == ["left/a.jpg", "right/a.jpg"]


def test_what_several_inputs_stand_for_comes_once():
    everything = {"img9.PNG", "img10.png", "left/a.jpg", "left/deep/a.tif", "right/a.jpg"}
    for inputs in itertools.permutations(
        ["parts", "parts/left", "parts/img9.PNG", "parts/*.png", "parts/**/a.*"]
    ):
        found = names(*inputs)
        assert len(found) == len(set(found))
        assert set(found) == everything


def test_the_same_input_twice(tmp_path):
    assert len(names("parts", "./parts", str(tmp_path / "parts"))) == 5
    assert names("other/scan.dat", "other/../other/scan.dat") == ["scan.dat"]


def test_inputs_come_in_their_order():
    assert names("parts/right/a.jpg", "parts")[0] == "right/a.jpg"
    assert names("parts", "parts/img9.PNG")[-1] == "img9.PNG"


def test_two_files_never_share_a_name():
    inputs = ["parts", "parts/left/deep", "other/*", "other/scan.dat", "parts/*/a.jpg", "-"]
    listed = "other/gone.png\n/elsewhere/other/gone.png\nparts/../gone.png\n"
    for seed in range(30):
        chosen = random.Random(seed).sample(inputs, 4)
        refs = list(find_images(chosen, stdin=io.StringIO(listed)))
        assert len({ref.name for ref in refs}) == len(refs)
        assert not any(ref.name.startswith(("/", "../")) for ref in refs)


def test_can_be_iterated_again_and_at_once():
    source = find_images(["parts", "-"], stdin=io.StringIO("other/scan.dat\n"))
    first = list(source)
    assert list(source) == first
    assert list(zip(source, source, strict=True)) == [(ref, ref) for ref in first]


def test_sees_files_that_appear_later():
    source = find_images(["parts"])
    make("parts/new.png")
    assert source.count() == 6


def test_tally_and_what_is_left_out():
    source = find_images(["parts"])
    assert source.count() == 5
    assert source.tally() == Tally(images=5, other_files=2, unreadable_folders=0)
    assert list(source.left_out()) == [
        LeftOut(Path("parts/notes.txt")),
        LeftOut(Path("parts/right/Thumbs.db")),
    ]


def test_unreadable_folder_is_reported_and_the_rest_found(
    public_folder, without_rights, monkeypatch
):
    monkeypatch.chdir(public_folder)
    make("parts/a.png")
    make("parts/locked/b.png")
    Path("parts/locked").chmod(0)
    with without_rights():
        source = find_images(["parts"])
        assert [ref.name for ref in source] == ["a.png"]
        assert source.tally() == Tally(1, 0, 1)
        assert list(source.left_out()) == [LeftOut(Path("parts/locked"), "Permission denied")]
        assert "parts/locked cannot be read: Permission denied" in refusal("parts/locked")


def test_results_of_earlier_runs_are_left_out():
    make(f"parts/old-results/{OUTPUT_MARKER}")
    make("parts/old-results/heatmaps/img9.png")
    make("parts/moeclip-out/heatmaps/img9.png")
    options = {"exclude": Path("parts/moeclip-out")}
    assert len(names("parts", **options)) == 5
    assert not any("moeclip-out" in name for name in names("parts/**/*.png", **options))
    assert names("parts/old-results/heatmaps", **options) == ["img9.png"]


def test_output_folder_cannot_be_the_input():
    assert "both input and output" in refusal("parts", exclude=Path("./parts/left/.."))


def test_list_on_standard_input():
    stdin = io.StringIO("parts/img9.PNG\r\n\nother/scan.dat\ngone.png\n")
    refs = list(find_images(["-"], stdin=stdin))
    assert [ref.name for ref in refs] == ["parts/img9.PNG", "other/scan.dat", "gone.png"]
    assert refs[2].path == Path("gone.png")


def test_list_on_the_real_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"parts/img9.PNG\n")))
    assert names("-") == ["img9.PNG"]


def test_broken_link_and_pipe_fail_later_and_on_their_own():
    Path("parts/broken.png").symlink_to("gone")
    assert "broken.png" in names("parts")
    assert names("parts/broken.png") == ["broken.png"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (["prats"], "There is no file or folder prats; did you mean parts?"),
        (["parts/lefd/a.jpg"], "did you mean parts/left?"),
        (["parts/img9.PNG/x"], "There is no file or folder parts/img9.PNG/x"),
        (["zzzzzz"], "check the spelling, and the current folder, which is"),
        (["gone/*.png"], "There is no file or folder gone"),
        (["parts/*.gif"], "Nothing matches parts/*.gif; check the pattern, and quote it"),
        (["parts", "parts/*.gif"], "Nothing matches parts/*.gif"),
        (["parts/right/*.?b"], "There are no images in parts/right/*.?b; there is 1 other file;"),
        ([""], "An input is empty"),
        ([], "Nothing was named"),
        (["a\0b"], "cannot be opened"),
        (["x" * 5000], "cannot be opened: File name too long."),
    ],
)
def test_wrong_use(inputs, words):
    assert words in refusal(*inputs)


def test_folders_without_images():
    Path("empty").mkdir()
    assert refusal("empty") == "There are no images in empty; the folder is empty."
    make("texts/a.txt")
    assert "there is 1 other file; name it" in refusal("texts")
    make("nested/sub/a.png")
    assert "leave out --no-recursive" in refusal("nested", recursive=False)


def test_empty_standard_input():
    assert "No paths came on standard input" in refusal("-", stdin=io.StringIO("\n"))


def test_memory_does_not_grow_with_the_images(monkeypatch):
    monkeypatch.setattr(disk_list, "_CHUNK", 500)

    def peak(count):
        listed = io.StringIO("\n".join(f"folder/{number}.png" for number in range(count)))
        tracemalloc.start()
        try:
            assert sum(1 for _ in find_images(["-"], stdin=listed)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The least of several, as Python enlarges its own tables now and then.
    few, many = (min(peak(count) for _ in range(3)) for count in (300, 1_200))
    assert many < 1.2 * few
