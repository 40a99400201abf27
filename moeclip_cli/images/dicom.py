"""DICOM files: one frame as a viewer shows it, windowed as the file says."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError, MissingExtraError
from moeclip_cli.extras import require_extra
from moeclip_cli.images.high_bit_depth import scale_to_8_bits

DICOM = "DICOM"

# Values beyond every window, to find the range that a window maps to.
_BEYOND = 1e9

# Functional groups of multi-frame files, and the elements in them that a plain file has itself.
_GROUPS = ("FrameVOILUTSequence", "PixelValueTransformationSequence")
_PLUGINS = "pip install python-gdcm"
_PLUGINS_OF_HTJ2K = "pip install pylibjpeg pylibjpeg-openjpeg"


def read_header(stream: BinaryIO) -> Any:
    """The elements of a file without its pixels.

    Raises:
        ImageError: if pydicom is not installed, or the file has no image that it can decompress.
        Exception: of several types, if the file is corrupt.
    """
    try:
        require_extra("pydicom", "dicom")
    except MissingExtraError as error:
        raise ImageError(f"This is a DICOM file; {error}", temporary=True) from error
    import pydicom

    stream.seek(0)
    header = pydicom.dcmread(stream, stop_before_pixels=True)
    if "Rows" not in header or "Columns" not in header:
        raise ImageError("This DICOM file contains no image, but a report or other data.")
    _require_decoder(header.file_meta.TransferSyntaxUID)
    return header


def frame_count(header: Any) -> int:
    """Number of frames."""
    return max(1, int(header.get("NumberOfFrames", 1) or 1))


def read_frame(
    stream: BinaryIO, header: Any, number: int
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """One frame as 8-bit values.

    Args:
        stream: the file.
        header: of the file.
        number: of the frame; the first has 1.

    Returns:
        (H, W) grey or (H, W, 3) RGB, and notes on the window.

    Raises:
        Exception: of several types, if the file is corrupt.
    """
    from pydicom.pixels import apply_color_lut, pixel_array

    stream.seek(0)
    values = pixel_array(stream, index=number - 1)
    photometric = str(header.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, header)
    if values.ndim == 3:
        return (values, ()) if values.dtype == np.uint8 else scale_to_8_bits(values)
    return _grey(values, _transforms(header, number), inverted=photometric == "MONOCHROME1")


def _grey(
    values: NDArray[Any], header: Any, *, inverted: bool
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    from pydicom.pixels import apply_modality_lut, apply_presentation_lut, apply_voi_lut

    values = apply_modality_lut(values, header)
    window = _window(header)
    if window is None:
        pixels, notes = (values, ()) if values.dtype == np.uint8 else scale_to_8_bits(values)
    else:
        seen = apply_voi_lut(values, header)
        if "VOILUTSequence" in header:
            low, high = 0.0, 2.0 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1
        else:
            low, high = apply_voi_lut(np.array([-_BEYOND, _BEYOND]), header).tolist()
        scaled = (seen - low) * (255 / ((high - low) or 1))
        pixels, notes = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), (window,)
    if "PresentationLUTSequence" in header:
        pixels, _ = scale_to_8_bits(apply_presentation_lut(pixels, header))
        notes += ("presentation LUT of the file",)
    elif inverted or header.get("PresentationLUTShape") == "INVERSE":
        pixels, notes = 255 - pixels, (*notes, "stored inverted (MONOCHROME1)")
    return pixels, notes


def _window(header: Any) -> str | None:
    """The note on how the file says that it wants to be seen; None if it does not."""
    if "VOILUTSequence" in header:
        return "VOI LUT of the file"
    if "WindowCenter" not in header or "WindowWidth" not in header:
        return None
    if header.WindowCenter is None or header.WindowWidth is None:
        return None
    centre, width = (_first(header[name].value) for name in ("WindowCenter", "WindowWidth"))
    return f"window of the file: centre {float(centre):g}, width {float(width):g}"


def _first(value: Any) -> Any:
    return value[0] if getattr(value, "__len__", None) and not isinstance(value, str) else value


def _transforms(header: Any, number: int) -> Any:
    """The header with the window and the scale of a frame, which multi-frame files keep apart."""
    groups = list(header.get("SharedFunctionalGroupsSequence", ()))
    frames = header.get("PerFrameFunctionalGroupsSequence", ())
    groups += frames[number - 1 : number]
    found = [item for group in groups for name in _GROUPS for item in group.get(name, ())]
    if not found:
        return header
    from pydicom import Dataset

    merged = Dataset(header)
    merged.file_meta = header.file_meta
    for item in found:
        merged.update(item)
    return merged


def _require_decoder(syntax: Any) -> None:
    """Refuse pixels whose compression needs another package.

    Raises:
        ImageError: naming it.
    """
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise ImageError(
            f"The pixels of this DICOM file are stored as {syntax.name}, which is not supported; "
            "convert it to PNG or TIFF."
        ) from error
    if not decoder.is_available:
        install = _PLUGINS_OF_HTJ2K if "High-Throughput" in syntax.name else _PLUGINS
        raise ImageError(
            f"The pixels of this DICOM file are compressed as {syntax.name}; to read them, run: "
            f"{install}",
            temporary=True,
        )
