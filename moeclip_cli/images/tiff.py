"""TIFF headers, which decide between Pillow and OpenCV as the reader of the pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

from moeclip_cli.errors import ImageError

_BITS, _COMPRESSION, _PHOTOMETRIC = 258, 259, 262
_WIDTH, _HEIGHT, _CHANNELS, _PLANES = 256, 257, 277, 284
_PAGE_TYPE, _SUBPAGES, _DNG_VERSION = 254, 330, 50706
_EXTRA_CHANNELS, _SAMPLE_FORMAT = 338, 339
_CHUNKS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles

_CMYK = 5

# Raw photos are TIFF files whose first page is a preview, or the values of a sensor.
_RAW_PHOTOMETRICS = (32803, 34892)
_RAW_COMPRESSIONS = (32767, 34713, 65535)  # Sony, Nikon, Pentax
_REDUCED = 1
_UNSIGNED, _FLOAT = 1, 3
_PREMULTIPLIED_ALPHA, _ALPHA = 1, 2


@dataclass(frozen=True)
class TiffHeader:
    """The first page of a TIFF file.

    Attributes:
        width, height: size in pixels, as stored.
        channels: values per pixel.
        bits: bits per value; the maximum if channels differ.
        unsigned: True if values are unsigned integers.
        floating: True if values are floating-point numbers.
        planar: True if the channels are stored one after the other.
        alpha: True if a fourth channel is alpha, which is the default.
        white_is_zero: True if a grey image is stored inverted.
        cmyk: True if the channels are printing inks.
        compressed: True if the pixels are compressed.
        complete: True if all pixel data is within the file.
        more_pages: True if another page follows.
    """

    width: int
    height: int
    channels: int
    bits: int
    unsigned: bool
    floating: bool
    planar: bool
    alpha: bool
    white_is_zero: bool
    cmyk: bool
    compressed: bool
    complete: bool
    more_pages: bool

    @property
    def needs_opencv(self) -> bool:
        """True if Pillow would reject the pixels or truncate each value to 8 bits."""
        return self.bits > 8 and not self.cmyk and (self.channels > 1 or self.bits > 32)

    def require_readable(self) -> None:
        """Reject files that both Pillow and OpenCV would misread.

        Raises:
            ImageError: if the file is truncated or of a variant that neither library reads.
        """
        if not self.complete and (self.compressed or self.needs_opencv):
            raise ImageError("The TIFF file is truncated; copy or export it again.")
        odd_floats = self.floating and self.bits not in (32, 64)
        odd_channels = self.needs_opencv and (self.planar or self.channels not in (1, 3, 4))
        if odd_floats or odd_channels:
            layout = "separate planes" if self.planar and self.channels > 1 else "pixels"
            numbers = "floating-point numbers" if self.floating else "integers"
            raise ImageError(
                f"This TIFF variant ({layout} of {self.channels} x {self.bits}-bit {numbers}) is "
                "not supported; save it as PNG or as an ordinary grey or RGB TIFF."
            )


def read_tiff_header(stream: BinaryIO, page: int = 1) -> TiffHeader:
    """Read the header of a page, by default the first.

    Raises:
        ImageError: if the file is a raw photo, or has no such page.
        Exception: of nearly any type from Pillow's parser, if the header is corrupt.
    """
    stream.seek(0)
    start = stream.read(16)
    big = start[2:4] in (b"+\0", b"\0+")
    tags = TiffImagePlugin.ImageFileDirectory_v2(start if big else start[:8])
    stream.seek(tags.next)
    tags.load(stream)
    for number in range(1, page):
        if not tags.next:
            raise ImageError(f"The TIFF file has no page {page}, but {number} only.")
        stream.seek(tags.next)
        tags.load(stream)
    if start[8:10] == b"CR" or _is_raw_photo(tags):
        raise ImageError("This is a raw photo, which is not supported; convert it to PNG or TIFF.")
    size = os.fstat(stream.fileno()).st_size
    sample_format = _numbers(tags.get(_SAMPLE_FORMAT, _UNSIGNED))[0]
    photometric = tags.get(_PHOTOMETRIC)
    return TiffHeader(
        width=int(tags[_WIDTH]),
        height=int(tags[_HEIGHT]),
        channels=int(tags.get(_CHANNELS, 1)),
        bits=max(_numbers(tags.get(_BITS, 1))),
        unsigned=sample_format == _UNSIGNED,
        floating=sample_format == _FLOAT,
        planar=tags.get(_PLANES, 1) == 2,
        alpha=_numbers(tags.get(_EXTRA_CHANNELS, _ALPHA))[-1] in (_PREMULTIPLIED_ALPHA, _ALPHA),
        white_is_zero=photometric == 0,
        cmyk=photometric == _CMYK,
        compressed=tags.get(_COMPRESSION, 1) != 1,
        complete=_is_complete(tags, size),
        more_pages=tags.next != 0,
    )


def _is_raw_photo(tags: Any) -> bool:
    has_preview = _PAGE_TYPE in tags and int(tags[_PAGE_TYPE]) & _REDUCED and _SUBPAGES in tags
    return (
        _DNG_VERSION in tags
        or bool(has_preview)
        or tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRICS
        or tags.get(_COMPRESSION) in _RAW_COMPRESSIONS
    )


def _is_complete(tags: Any, size: int) -> bool:
    for offsets, counts in _CHUNKS:
        if offsets in tags and counts in tags:
            chunks = zip(_numbers(tags[offsets]), _numbers(tags[counts]), strict=False)
            return all(offset + count <= size for offset, count in chunks)
    return True


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
