"""Names of output files: they mirror the input tree, are unique, and are valid on every system.

The rules, for an output suffix of `.png`:

- `sub/part.jpg` becomes `sub/part.jpg.png`: the suffix is added.
- `sub/part.png` stays `sub/part.png`: it has the suffix already. A name with another dot gets the
  suffix anyway, `part.jpg.png` becomes `part.jpg.png.png`, to differ from the output of `part.jpg`.
- `sub/part`, without an extension, becomes `sub/part%.png`, to differ from the output of
  `part.png`.
- Characters that are invalid on Windows or special in a shell are percent-encoded, `10:30.png` as
  `10%3A30.png`, and so is the percent sign. The parent folder, `..`, becomes `.%2E`.
- A name over 255 bytes is truncated and ends in `%~` and a digest of the full name.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path, PurePath

# Control characters, characters invalid on Windows, the escape character and lone surrogates.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*%\ud800-\udfff]')
_TRAILING = re.compile(r"[. ]\Z")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|\Z)", re.IGNORECASE
)
_LONGEST = 255


def output_path(folder: Path, name: str, suffix: str, others: tuple[str, ...] = ()) -> Path:
    """The path of the output for the input called `name`.

    Different inputs never get the same path, nor a path that is a folder of another output.

    Args:
        folder: the folder that mirrors the input tree; use one for each kind of output.
        name: path of the input relative to the root of its tree, in the system's notation.
        suffix: end of the output's name, e.g. `.png`.
        others: ends that further outputs in the folder may have.
    """
    *folders, last = PurePath(name).parts or ("",)
    # A folder named like an output is renamed like one, so that it differs from that output.
    mirrored = [_mirrored(part, (suffix, *others)) for part in map(_safe, folders)]
    return folder.joinpath(*mirrored, _shortened(_suffixed(_safe(last), suffix), suffix))


def _mirrored(part: str, suffixes: tuple[str, ...]) -> str:
    for suffix in suffixes:
        if part.endswith(suffix):
            return _shortened(_suffixed(part, suffix), suffix)
    return _shortened(part)


def _safe(part: str) -> str:
    escaped = _UNSAFE.sub(_percent, part)
    escaped = _TRAILING.sub(_percent, escaped)
    return _percent(escaped[0]) + escaped[1:] if _DEVICE.match(escaped) else escaped


def _percent(character: re.Match[str] | str) -> str:
    text = character if isinstance(character, str) else character[0]
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _suffixed(part: str, suffix: str) -> str:
    stem = part.removesuffix(suffix)
    if "." not in part:
        return f"{part}%{suffix}"
    return part if stem != part and "." not in stem else part + suffix


def _shortened(part: str, suffix: str = "") -> str:
    if len(part.encode()) <= _LONGEST:
        return part
    end = f"%~{blake2b(part.encode(), digest_size=8).hexdigest()}{suffix}"
    head = part.encode()[: _LONGEST - len(end.encode())].decode(errors="ignore")
    return head + end
