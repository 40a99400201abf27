"""File name extensions of images, and of files that a person would take for images."""

from __future__ import annotations

# fmt: off
DICOM_EXTENSIONS = (".dcm", ".dicom")

EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif",
    ".pgm", ".ppm", ".pnm", ".pbm", ".heic", ".heif", ".hif", ".avif",
    *DICOM_EXTENSIONS,
)

_OTHER_KINDS = {
    "a raw photo": (
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef",
        ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf",
        ".srw", ".x3f",
    ),
    "a video": (
        ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
        ".webm", ".wmv",
    ),
    "a JPEG 2000 image": (".j2k", ".jp2", ".jpf", ".jpx"),
    "a JPEG XL image": (".jxl",),
    "a Photoshop file": (".psb", ".psd"),
    "an OpenEXR image": (".exr",),
    "a Radiance HDR image": (".hdr",),
    "a Targa image": (".tga",),
}

OTHER_EXTENSIONS = {
    extension: kind for kind, extensions in _OTHER_KINDS.items() for extension in extensions
}
"""Extension -> what files with it are; they are not read, but never left out in silence either."""

PAGED_EXTENSIONS = (
    ".tif", ".tiff", ".gif", ".webp", ".png", ".avif", ".heic", ".heif", ".hif", *DICOM_EXTENSIONS,
    *_OTHER_KINDS["a video"],
)
"""Extensions of files that can have several pages or frames."""
# fmt: on

_LISTED = (*EXTENSIONS, *OTHER_EXTENSIONS)


def is_image_name(name: str) -> bool:
    """Return True if a file name has the extension of an image that can be read.

    Names that start with "._" are excluded: macOS writes such files next to the real ones on disks
    of other systems.
    """
    return name.lower().endswith(EXTENSIONS) and not name.startswith("._")


def is_picture_name(name: str) -> bool:
    """Return True for an image name, and for that of a photo or video that has to be converted."""
    return name.lower().endswith(_LISTED) and not name.startswith("._")
