"""Output files that mirror the input tree: one input, one name, safe on every system.

The rule, for an output suffix of `.png`:

- `sub/part.jpg` gives `sub/part.jpg.png`: the suffix is added.
- `sub/part.png` gives `sub/part.png`: it is there already. So that `part.jpg.png` does not meet
  `part.jpg` in this way, only a name without another dot is left alone; `part.jpg.png` gives
  `part.jpg.png.png`.
- `sub/part`, without any extension, gives `sub/part%.png`, out of the way of `part.png`.
- What Windows or a shell would not take is percent-encoded, `10:30.png` as `10%3A30.png`, and so is
  a percent sign itself. A folder above, `..`, becomes the plain folder `.%2E`.
- A name over 255 bytes is cut and ends in `%~` and a digest of the whole.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path, PurePath

# Control characters, what Windows forbids, the escape character, and what is no valid Unicode.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*%\ud800-\udfff]')
_TRAILING = re.compile(r"[. ]\Z")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|\Z)", re.IGNORECASE
)
_LONGEST = 255


def output_path(folder: Path, name: str, suffix: str) -> Path:
    """Where the output of kind `suffix` for the input called `name` goes.

    Different inputs never get the same path, nor one that another needs as a folder.

    Args:
        folder: the folder that mirrors the input tree; use one for each kind of output.
        name: path of the input below the root of its tree, in the system's own notation.
        suffix: what the output's name ends with, e.g. `.png`.
    """
    *folders, last = PurePath(name).parts or ("",)
    # A folder that looks like an output is renamed as an output would be, to stay out of its way.
    mirrored = [
        _shortened(_suffixed(part, suffix), suffix) if part.endswith(suffix) else _shortened(part)
        for part in map(_safe, folders)
    ]
    return folder.joinpath(*mirrored, _shortened(_suffixed(_safe(last), suffix), suffix))


def _safe(part: str) -> str:
    escaped = _UNSAFE.sub(_percent, part)
    escaped = _TRAILING.sub(_percent, escaped)
    return _percent(escaped[0]) + escaped[1:] if _DEVICE.match(escaped) else escaped


def _percent(found: re.Match[str] | str) -> str:
    text = found if isinstance(found, str) else found[0]
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
