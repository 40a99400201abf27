"""Images as the windows that the network sees of them, cut one after the other.

Only the image that is being cut and the next one are in memory, or just the first if it is large,
and of their windows only as many as wait for the network.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decoding
from moeclip_cli.images.fill import fill_outside
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.image_like import ImageLike, place_and_name
from moeclip_cli.inspection.layout import Layout
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.references import turned
from moeclip_cli.inspection.roi import any_in_cells
from moeclip_cli.inspection.similarity import Similarity
from moeclip_cli.tiles.grid import Box

# Bytes of an image of 50 megapixels. After a larger one, the next image is read only when the
# windows of this one are cut: two of 200 megapixels would take 1.2 GB.
_LARGE = 150_000_000


@dataclass(eq=False)
class WindowedImage:
    """An image that is seen in windows, or the reason why it cannot be scored.

    Attributes:
        item: path, prompt, size, notes and error.
        boxes: its windows.
        digest: SHA-256 of its pixels.
        layout: where the windows come from.
        pixels: (H, W, 3), until its windows are cut.
        moved: where the reference view lies in it, in whose frame the windows are.
    """

    item: PreparedImage
    layout: Layout
    boxes: tuple[Box, ...] = ()
    digest: str = ""
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)
    moved: Similarity | None = None

    @property
    def whole(self) -> bool:
        """True if the network sees the image as it would without a layout."""
        alone = self.layout.roi is None and self.boxes == (self.frame,)
        return alone and self.inside(self.frame) is None

    @property
    def large(self) -> bool:
        """True while its pixels take so much memory that no other image should be read."""
        return self.pixels is not None and self.pixels.nbytes > _LARGE

    @property
    def frame(self) -> Box:
        """The whole image."""
        return Box(0, 0, self.item.width, self.item.height)

    def inside(self, window: Box, shape: tuple[int, int] | None = None) -> NDArray[np.bool_] | None:
        """See `Layout.inside`; of an aligned image, what it shows."""
        width, height = self.item.width, self.item.height
        inside = self.layout.inside(width, height, window, shape)
        if self.moved is None:
            return inside
        covered = self.moved.covered(width, height, window, shape)
        both = covered if inside is None else inside & covered
        return None if both.all() else both


@dataclass(frozen=True, eq=False)
class Window:
    """A window of an image.

    Attributes:
        image: the image.
        box: the part of it.
        item: network inputs of the window, or the error of the image.
        last: whether it is the last window of the image.
    """

    image: WindowedImage
    box: Box
    item: PreparedImage
    last: bool


@dataclass(frozen=True)
class WindowReader:
    """Reads images and cuts their windows.

    Attributes:
        layout: the windows.
        inputs: gives the network inputs of a window (h, w, 3) uint8 RGB.
        max_pixels: images with more pixels are refused.
        decode_seconds: limit on the time to decode an image.
    """

    layout: Layout
    inputs: Callable[[NDArray[np.uint8]], tuple[NDArray[Any], ...]]
    max_pixels: int
    decode_seconds: float

    def windows(
        self,
        images: Iterable[ImageLike],
        prompt: Callable[[ImageLike], str],
        *,
        workers: int,
        ahead: int,
        owner: Callable[[WindowedImage], PreparedImage] = lambda image: image.item,
        degrees: float = 0,
    ) -> Generator[Window, None, None]:
        """The windows of all images, in order. An image with an error has one.

        Args:
            images: as for `Inspector.score`.
            prompt: the name of the object on an image.
            workers: threads that cut windows; 0 for none. One more reads the next image.
            ahead: number of windows to cut ahead.
            owner: the image after a comparison with the references.
            degrees: angle by which each image is turned.
        """
        free = threading.Event()  # cleared while a large image is in memory
        free.set()

        def read(image: ImageLike) -> WindowedImage:
            free.wait()
            found = self._read(image, prompt(image), degrees)
            if found.large:
                free.clear()
            return found

        reading = prefetch(images, read, workers=min(workers, 1), ahead=1)
        with closing(reading) as read_images:
            try:
                for image in read_images:
                    image.item = owner(image)
                    with closing(self._windows_of(image, workers, ahead)) as windows:
                        yield from windows
                    large, image.pixels = image.large, None
                    if large:
                        free.set()
            finally:
                free.set()  # else the reading thread would never end

    def _windows_of(
        self, image: WindowedImage, workers: int, ahead: int
    ) -> Generator[Window, None, None]:
        if image.pixels is not None and image.item.error is None:
            return self._cut(image, image.pixels, workers, ahead)
        return (window for window in [Window(image, Box(0, 0, 0, 0), image.item, last=True)])

    def _read(self, image: ImageLike, prompt: str, degrees: float) -> WindowedImage:
        source, path = place_and_name(image)
        layout = self.layout
        try:
            layout = layout.for_image(path)
            with decoding(
                source, max_pixels=self.max_pixels, decode_seconds=self.decode_seconds
            ) as decoded:
                pixels = decoded.pixels
            height, width = pixels.shape[:2]
            moved = None if layout.view is None else layout.view.locate(pixels)
            boxes = tuple(layout.boxes(width, height))
        except ImageError as error:
            item = PreparedImage(path, prompt, error=str(error), temporary=error.temporary)
            return WindowedImage(item, layout)
        item = PreparedImage(path, prompt, (), width, height, decoded.notes)
        digest = pixel_digest(pixels)
        found = WindowedImage(item, layout, boxes, digest, turned(pixels, degrees), moved)
        if moved is not None:
            found.boxes = tuple(box for box in boxes if _shows_any(found, box))
            if not found.boxes:
                empty = "The image shows no pixel of the region; check `region` and `align`."
                return WindowedImage(PreparedImage(path, prompt, error=empty), layout)
        return found

    def _cut(
        self, image: WindowedImage, pixels: NDArray[np.uint8], workers: int, ahead: int
    ) -> Generator[Window, None, None]:
        def cut(box: Box) -> Window:
            whole = image.item
            if image.moved is None:
                part = pixels[box.y0 : box.y1, box.x0 : box.x1]
            else:
                part = image.moved.cut(pixels, box)
            inside = image.inside(box)
            if inside is not None:
                part = fill_outside(part, inside)
            inputs = self.inputs(part)
            item = PreparedImage(
                whole.path,
                whole.prompt,
                inputs,
                box.width,
                box.height,
                owner=whole.owner,
                inside=None if inside is None else any_in_cells(inside, *inputs[0].shape[:2]),
            )
            return Window(image, box, item, last=box is image.boxes[-1])

        # A thread for a single window would only cost time.
        threads = workers if len(image.boxes) > 1 else 0
        return prefetch(image.boxes, cut, workers=threads, ahead=ahead)


def _shows_any(image: WindowedImage, box: Box) -> bool:
    inside = image.inside(box)
    return inside is None or bool(inside.any())


def cut_window_batches(
    windows: Iterable[Window], size: int, ends_batch: Callable[[], bool] | None
) -> Iterator[list[Window]]:
    """Batches of at most `size` windows, cut where the batches of their images would be.

    Therefore the windows in a batch depend on the images of one batch alone, as for whole images.

    Args:
        windows: of images in order.
        size: maximum number of windows in a batch, and of images that share batches.
        ends_batch: called once for each image, in order; True to end the batch after it.
    """
    batch: list[Window] = []
    images = 0
    for window in windows:
        batch.append(window)
        ends = False
        if window.last:
            images += 1
            ends = (ends_batch is not None and ends_batch()) or images == size
            images = 0 if ends else images
        if ends or len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def pixel_digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of an image (H, W, 3), by which a reference is recognised.

    That of the network input would be the same for images that differ in a few pixels only.
    """
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
