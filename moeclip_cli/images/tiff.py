"""The header of a TIFF file: what decides who can read its pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

from moeclip_cli.errors import ImageError

_BITS, _COMPRESSION, _PHOTOMETRIC = 258, 259, 262
_WIDTH, _HEIGHT, _CHANNELS, _PLANES = 256, 257, 277, 284
_EXTRA_CHANNELS, _SAMPLE_FORMAT = 338, 339
_CHUNKS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles

_CMYK = 5
_UNSIGNED, _FLOAT = 1, 3
_PREMULTIPLIED_ALPHA, _ALPHA = 1, 2


@dataclass(frozen=True)
class TiffHeader:
    """The first page of a TIFF file.

    Attributes:
        width, height: size in pixels, as stored.
        channels: values per pixel.
        bits: bits per value; the largest, if channels differ.
        unsigned: whether values are unsigned integers.
        floating: whether values are floating-point numbers.
        planar: whether the channels are stored one after the other.
        alpha: whether a fourth channel is transparency, as it is if nothing else is said.
        white_is_zero: whether a grey image is stored as its negative.
        cmyk: whether the channels are printing inks.
        compressed: whether the pixels are compressed.
        complete: whether all pixel data lies within the file.
        more_pages: whether other pages follow.
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
    def beyond_pillow(self) -> bool:
        """Whether Pillow would refuse the pixels or keep only 8 bits of each value."""
        return self.bits > 8 and not self.cmyk and (self.channels > 1 or self.bits > 32)

    def require_readable(self) -> None:
        """Refuses what Pillow and OpenCV would both misread.

        Raises:
            ImageError: if the file is cut short or of a kind that neither library reads.
        """
        if not self.complete and (self.compressed or self.beyond_pillow):
            raise ImageError("The TIFF file is cut short; copy or export it again.")
        odd_floats = self.floating and self.bits not in (32, 64)
        odd_channels = self.beyond_pillow and (self.planar or self.channels not in (1, 3, 4))
        if odd_floats or odd_channels:
            layout = "separate planes" if self.planar and self.channels > 1 else "pixels"
            numbers = "floating-point numbers" if self.floating else "integers"
            raise ImageError(
                f"This kind of TIFF ({layout} of {self.channels} x {self.bits}-bit {numbers}) is "
                "not supported; save it as PNG or as an ordinary grey or RGB TIFF."
            )


def read_tiff_header(stream: BinaryIO) -> TiffHeader:
    """Reads the first page's header; damaged ones raise what Pillow's parser happens to raise."""
    stream.seek(0)
    start = stream.read(8)
    if start[2:4] in (b"+\0", b"\0+"):  # BigTIFF
        start += stream.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    stream.seek(tags.next)
    tags.load(stream)
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


def _is_complete(tags: Any, size: int) -> bool:
    for offsets, counts in _CHUNKS:
        if offsets in tags and counts in tags:
            chunks = zip(_numbers(tags[offsets]), _numbers(tags[counts]), strict=False)
            return all(offset + count <= size for offset, count in chunks)
    return True


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
