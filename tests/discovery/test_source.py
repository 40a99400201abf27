import io
import itertools
import random
import tracemalloc
from pathlib import Path

import pytest

from moeclip_cli.discovery import disk_list
from moeclip_cli.discovery.inputs import SkippedPath
from moeclip_cli.discovery.source import SourceCounts, find_images
from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.errors import UsageError

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


def error_for(*inputs, **options):
    with pytest.raises(UsageError) as caught:
        find_images(inputs, **options)
    return str(caught.value)


def test_folder():
    expected = ["img9.PNG", "img10.png", "left/a.jpg", "left/deep/a.tif", "right/a.jpg"]
    assert names("parts") == expected
    assert names("./parts/") == expected
    assert paths("parts") == [str(Path("parts") / name) for name in expected]


def test_paths_keep_the_users_spelling(tmp_path):
    assert paths(str(tmp_path / "parts"))[0] == str(tmp_path / "parts/img9.PNG")
    assert paths("other/../parts")[0] == str(Path("other/../parts/img9.PNG"))


def test_current_folder(monkeypatch):
    monkeypatch.chdir("parts/left")
    assert names(".") == paths(".") == ["a.jpg", str(Path("deep/a.tif"))]
    assert names("..")[-1] == "right/a.jpg"


def test_without_recursion():
    assert names("parts", recursive=False) == ["img9.PNG", "img10.png"]


def test_single_file_is_read_regardless_of_its_extension():
    (ref,) = find_images(["other/scan.dat"])
    assert (str(ref.path), ref.name) == (str(Path("other/scan.dat")), "scan.dat")


def test_names_are_relative_to_the_common_folder_of_all_inputs():
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


def test_existing_name_with_wildcards_is_not_a_pattern():
    make("other/1.png")
    assert names("other/[1].png") == ["[1].png"]


def test_absolute_glob(tmp_path):
    assert names(f"{tmp_path}/parts/*/*.jpg") == ["left/a.jpg", "right/a.jpg"]


def test_overlapping_inputs_yield_each_image_once():
    everything = ["img10.png", "img9.PNG", "left/a.jpg", "left/deep/a.tif", "right/a.jpg"]
    for inputs in itertools.permutations(
        ["parts", "parts/left", "parts/img9.PNG", "parts/*.png", "parts/**/a.*"]
    ):
        assert sorted(names(*inputs)) == everything


def test_repeated_input_is_read_once(tmp_path):
    assert len(names("parts", "./parts", str(tmp_path / "parts"))) == 5
    assert names("other/scan.dat", "other/../other/scan.dat") == ["scan.dat"]


def test_images_follow_the_order_of_the_inputs():
    assert names("parts/right/a.jpg", "parts")[0] == "right/a.jpg"
    assert names("parts", "parts/img9.PNG")[-1] == "img9.PNG"


def test_names_are_unique():
    inputs = ["parts", "parts/left/deep", "other/*", "other/scan.dat", "parts/*/a.jpg", "-"]
    listed = "other/gone.png\n/elsewhere/other/gone.png\nparts/../gone.png\n"
    for seed in range(30):
        sample = random.Random(seed).sample(inputs, 4)
        refs = list(find_images(sample, stdin=io.StringIO(listed)))
        assert len({ref.name for ref in refs}) == len(refs)
        assert not any(ref.name.startswith(("/", "../")) for ref in refs)


def test_iterations_can_be_repeated_or_simultaneous():
    source = find_images(["parts", "-"], stdin=io.StringIO("other/scan.dat\n"))
    first = list(source)
    assert list(source) == first
    assert list(zip(source, source, strict=True)) == [(ref, ref) for ref in first]


def test_files_created_later_are_found():
    source = find_images(["parts"])
    make("parts/new.png")
    assert source.counts().images == 6


def test_counts_and_skipped_files():
    source = find_images(["parts"])
    assert source.counts() == SourceCounts(images=5, other_files=2, unreadable_folders=0)
    assert list(source.skipped()) == [
        SkippedPath(Path("parts/notes.txt")),
        SkippedPath(Path("parts/right/Thumbs.db")),
    ]


def test_unreadable_folder_is_skipped(public_folder, without_rights, monkeypatch):
    monkeypatch.chdir(public_folder)
    make("parts/a.png")
    make("parts/locked/b.png")
    Path("parts/locked").chmod(0)
    with without_rights():
        source = find_images(["parts"])
        assert [ref.name for ref in source] == ["a.png"]
        assert source.counts() == SourceCounts(1, 0, 1)
        assert list(source.skipped()) == [SkippedPath(Path("parts/locked"), "Permission denied")]
        assert "parts/locked cannot be read: Permission denied" in error_for("parts/locked")


def test_results_of_earlier_runs_are_skipped():
    make(f"parts/old-results/{OUTPUT_MARKER}")
    make("parts/old-results/heatmaps/img9.png")
    make("parts/moeclip-out/heatmaps/img9.png")
    options = {"exclude": Path("parts/moeclip-out")}
    assert len(names("parts", **options)) == 5
    assert not any("moeclip-out" in name for name in names("parts/**/*.png", **options))
    assert names("parts/old-results/heatmaps", **options) == ["img9.png"]


def test_output_folder_cannot_be_the_input():
    assert "both the input and the output folder; choose another `out`" in error_for(
        "parts", exclude=Path("./parts/left/..")
    )


def test_list_on_standard_input():
    stdin = io.StringIO("parts/img9.PNG\r\n\nother/scan.dat\ngone.png\n")
    refs = list(find_images(["-"], stdin=stdin))
    assert [ref.name for ref in refs] == ["parts/img9.PNG", "other/scan.dat", "gone.png"]
    assert refs[2].path == Path("gone.png")


def test_default_stream_is_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"parts/img9.PNG\n")))
    assert names("-") == ["img9.PNG"]


def test_broken_link_counts_as_an_image():
    Path("parts/broken.png").symlink_to("gone")
    assert "broken.png" in names("parts")
    assert names("parts/broken.png") == ["broken.png"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (["prats"], "File or folder not found: prats; did you mean parts?"),
        (["parts/lefd/a.jpg"], "did you mean parts/left?"),
        (["parts/img9.PNG/x"], "File or folder not found: parts/img9.PNG/x"),
        (["zzzzzz"], "check the spelling and the current folder ("),
        (["gone/*.png"], "File or folder not found: gone"),
        (["parts/*.gif"], "No file matches parts/*.gif; check the pattern, and quote it"),
        (["parts", "parts/*.gif"], "No file matches parts/*.gif"),
        (["parts/right/*.?b"], "No images found in parts/right/*.?b: 1 file was skipped"),
        ([""], "An input is an empty string"),
        ([], "No input was given"),
        (["a\0b"], "cannot be opened"),
        (["x" * 5000], "cannot be opened: File name too long."),
    ],
)
def test_invalid_inputs(inputs, words):
    assert words in error_for(*inputs)


def test_folders_without_images():
    Path("empty").mkdir()
    assert error_for("empty") == "No images found in empty: the folder is empty."
    make("texts/a.txt")
    make("texts/b.txt")
    assert "2 files were skipped for lack of an image extension; name a file directly" in error_for(
        "texts"
    )
    make("nested/sub/a.png")
    assert "set `recursive` to search them" in error_for("nested", recursive=False)


def test_empty_standard_input():
    assert "Standard input contains no paths" in error_for("-", stdin=io.StringIO("\n"))


def test_memory_does_not_grow_with_the_number_of_images(monkeypatch):
    monkeypatch.setattr(disk_list, "_CHUNK_BYTES", 500)

    def peak(count):
        listed = io.StringIO("\n".join(f"folder/{number}.png" for number in range(count)))
        tracemalloc.start()
        try:
            assert sum(1 for _ in find_images(["-"], stdin=listed)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Minimum of several runs, because Python occasionally enlarges its own tables.
    few, many = (min(peak(count) for _ in range(3)) for count in (200, 800))
    assert many < 1.2 * few
