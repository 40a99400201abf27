from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.videos import write_video

from moeclip_cli.discovery.places import Page
from moeclip_cli.discovery.source import find_images
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images import video
from moeclip_cli.images.decode import decode
from moeclip_cli.images.paged import PageChoice, PagedImages


def images(*inputs, pages=None, every=None):
    found = find_images(inputs)
    choice = PageChoice.of(pages, every)
    return PagedImages(found, choice, max_pixels=10**7, seconds=20)


def names(*inputs, **options):
    return [ref.name for ref in images(*inputs, **options)]


def pictures(count):
    return [Image.new("RGB", (60, 40), (40 * number, 10, 200)) for number in range(count)]


@pytest.mark.parametrize(
    ("pages", "every", "numbers"),
    [
        ("all", None, [1, 2, 3, 4, 5, 6, 7, 8]),
        (None, 3, [1, 4, 7]),
        ("2-5", None, [2, 3, 4, 5]),
        ("7,1-2, 2", None, [1, 2, 7]),
        ("6-", None, [6, 7, 8]),
        ("2-8", 3, [2, 5, 8]),
        ("9", None, []),
    ],
)
def test_choices(pages, every, numbers):
    assert list(PageChoice.of(pages, every).numbers(8)) == numbers


@pytest.mark.parametrize("pages", ["", "0", "3-1", "first", "1;2", "-3", "1-2-3", "1,"])
def test_bad_choices_are_refused(pages):
    with pytest.raises(UsageError, match=r"`pages` takes all, or numbers and ranges such as"):
        PageChoice.of(pages, None)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.tif", {}), ("b.tif", {"compression": "tiff_lzw"}), ("a.gif", {}), ("a.png", {}),
     ("a.webp", {"lossless": True})],
)  # fmt: skip
def test_pages_are_images_of_their_own(name, options):
    first, *others = pictures(4)
    first.save(name, save_all=True, append_images=others, **options)
    refs = list(images(name, pages="all"))
    assert [str(ref.path) for ref in refs] == [f"{name}#{number}" for number in range(1, 5)]
    for ref, picture in zip(refs, pictures(4), strict=True):
        decoded = decode(ref.path)
        assert np.array_equal(decoded.pixels, np.asarray(picture))
        assert decoded.notes == ()
    assert decode(name).notes[0].startswith("first of ")


def test_pages_of_more_than_8_bits():
    ramp = np.arange(60, dtype=np.uint16)[None, :, None].repeat(40, axis=0).repeat(3, axis=2)
    pages = [ramp * (number + 1) for number in range(3)]
    cv2.imwritemulti("deep.tif", pages)
    notes = [decode(ref.path).notes[0] for ref in images("deep.tif", pages="2-3")]
    assert notes == ["values 0 to 118 scaled to 8 bits", "values 0 to 177 scaled to 8 bits"]


def test_other_images_keep_their_names():
    Path("in").mkdir()
    Image.new("RGB", (60, 40)).save("in/a.png")
    Image.new("RGB", (60, 40)).save("in/b.jpg")
    Image.new("RGB", (60, 40)).save("in/c.tif")
    Path("in/broken.tif").write_bytes(b"II*\0")
    write_video(Path("in/clip.avi"), 5)
    found = images("in", every=2)
    names = ["a.png", "b.jpg", "broken.tif", "c.tif", "clip.avi#1", "clip.avi#3", "clip.avi#5"]
    assert [ref.name for ref in found] == names == [ref.name for ref in found]
    assert len(found) == 7


def test_a_file_without_a_chosen_page_has_a_row_that_says_so():
    first, *others = pictures(2)
    first.save("a.tif", save_all=True, append_images=others)
    (ref,) = images("a.tif", pages="5-6")
    with pytest.raises(ImageError, match=r"The TIFF file has no page 5, but 2 only"):
        decode(ref.path)


def test_pages_of_a_url_are_fetched_once(web):
    first, *others = pictures(3)
    first.save("a.tif", save_all=True, append_images=others)
    web.files["/a.tif"] = Path("a.tif").read_bytes()
    refs = images(f"{web.url}/a.tif", pages="all")
    web.requests.clear()
    shades = [decode(ref.path).pixels[0, 0, 0] for ref in refs]
    assert shades == [0, 40, 80]
    assert len(web.requests) == 1


# Videos


def shades(path, numbers):
    return [round(decode(Page(path, number)).pixels.mean() / 10) for number in numbers]


def test_frames_of_a_video_in_any_order():
    path = Path("clip.avi")
    write_video(path, 20)
    assert len(images("clip.avi", pages="all")) == 20
    assert shades(path, [1, 2, 5, 20, 3, 3, 19]) == [1, 2, 5, 20, 3, 3, 19]
    with pytest.raises(ImageError, match="The video has no frame 21"):
        decode(Page(path, 21))


def test_frames_in_order_are_read_once(monkeypatch):
    write_video(Path("clip.avi"), 9)
    film = video.VideoFile(Path("clip.avi"), lambda: None)
    steps = []
    film.step = lambda: steps.append(film.next)
    assert [round(film.frame(number).mean() / 10) for number in (2, 5, 9)] == [2, 5, 9]
    assert steps == list(range(1, 10))


def test_colours_of_frames_are_rgb():
    write_video(Path("clip.avi"), 1, colour=(200, 30, 30))
    red, green, blue = decode(Page(Path("clip.avi"), 1)).pixels.mean(axis=(0, 1))
    assert red > 170 and green < 60 and blue < 60


def test_a_video_as_an_image_says_how_its_frames_are_scored():
    write_video(Path("clip.mp4"), 3)
    with pytest.raises(ImageError, match="This is a video; set `pages` to all, or `every`"):
        decode("clip.mp4")


def test_limits_hold_for_frames():
    write_video(Path("clip.avi"), 2)
    with pytest.raises(ImageError, match="more than the limit"):
        decode(Page(Path("clip.avi"), 1), max_pixels=1000)


def test_a_video_that_is_corrupt_has_one_row():
    Path("bad.avi").write_bytes(b"RIFF\0\0\0\0AVI " + bytes(500))
    (ref,) = images("bad.avi", pages="all")
    assert ref.name == "bad.avi"
    with pytest.raises(ImageError, match="The video is corrupt"):
        decode(Page(ref.path, 1))
