"""DICOM files for tests."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid


def dicom_file(
    values: NDArray[Any], syntax: str = ExplicitVRLittleEndian, **elements: Any
) -> bytes:
    """The content of a file.

    Args:
        values: (H, W), (H, W, 3), or (frames, H, W) of 8 or 16 bits.
        syntax: transfer syntax; the pixels are stored as they are all the same.
        elements: further elements by keyword, such as WindowCenter.
    """
    dataset = Dataset()
    colour = values.ndim == 3 and values.shape[-1] == 3
    rows, columns = values.shape[:2] if colour else values.shape[-2:]
    bits = values.dtype.itemsize * 8
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    if values.ndim == 3 and not colour:
        dataset.NumberOfFrames = len(values)
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(np.issubdtype(values.dtype, np.signedinteger))
    content = values.tobytes()
    dataset.PixelData = encapsulate([content]) if UID(syntax).is_compressed else content
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return stream.getvalue()


def window_item(centre: float, width: float) -> Dataset:
    """An item of a functional group with a window."""
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = centre, width
    group = Dataset()
    group.FrameVOILUTSequence = [voi]
    return group
