"""From options to what a command works with: images, prompts, inspector."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli.cli import console
from moeclip_cli.errors import UsageError
from moeclip_cli.images.prompts_file import DEFAULT_PROMPT, PromptRules

if TYPE_CHECKING:
    from moeclip_cli.images.discovery import ImageSource, Tally
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.profile import Profile
    from moeclip_cli.runs.stream import Pace

DEFAULT_OUT = Path("moeclip-out")


def open_source(
    paths: list[str],
    *,
    recursive: bool,
    out: Path,
    limit: int | None,
    verbose: bool,
    quiet: bool,
) -> tuple[ImageSource, int]:
    """The images that the arguments stand for, and how many of them `limit` leaves.

    Raises:
        UsageError: if a path does not exist or there are no images.
    """
    from moeclip_cli.images.discovery import find_images

    source = find_images(paths, recursive=recursive, stdin=sys.stdin, exclude=out)
    tally = source.tally()
    if not quiet:
        _mention_left_out(source, tally, verbose)
    return source, tally.images if limit is None else min(tally.images, limit)


def _mention_left_out(source: ImageSource, tally: Tally, verbose: bool) -> None:
    """Nothing is skipped silently: count what is not scored, and name it on request."""
    if verbose:
        for entry in source.left_out():
            reason = entry.reason or "not an image by its extension"
            console.note(f"Left out: {entry.path} ({reason}).")
    elif tally.other_files:
        console.note(
            f"Left out: {tally.other_files} files that are no images by extension "
            "(--verbose names them)."
        )
    if tally.unreadable_folders and not verbose:
        console.warn(
            f"{tally.unreadable_folders} folders could not be listed (--verbose names them)."
        )


def prompt_rule(prompt: str, rules_file: Path | None) -> Callable[[Path], str]:
    """The name of the object on each image: from the rules, else `prompt`.

    Raises:
        UsageError: if the prompt is empty or the file is no set of rules.
    """
    require_prompt(prompt)
    if rules_file is None:
        return lambda path: prompt
    rules = PromptRules.load(rules_file)
    return lambda path: rules.prompt_for(path) or prompt


def require_prompt(prompt: str) -> None:
    """Refuse a prompt that names nothing.

    Raises:
        UsageError: if it is empty.
    """
    if not prompt.strip():
        raise UsageError('The prompt is empty; name the object, e.g. --prompt "metal bracket".')


def read_profile(path: Path | None) -> Profile | None:
    """The profile that the option names.

    Raises:
        UsageError: if there is none in that file.
    """
    if path is None:
        return None
    from moeclip_cli.inspection.profile import Profile

    return Profile.load(path)


def one_prompt(prompt: str, rules_file: Path | None, profile: Profile | None) -> str:
    """The profile's prompt, which need not be typed again, else the one of the command line.

    Raises:
        UsageError: if the command line asks for others than the profile is for.
    """
    if profile is None:
        return prompt
    if rules_file is not None:
        raise UsageError("A profile is for one product; give --profile or --prompts, not both.")
    if prompt not in (DEFAULT_PROMPT, profile.prompt):
        raise UsageError(
            f'The profile is for --prompt "{profile.prompt}", not "{prompt}"; '
            "leave the prompt out, or calibrate again."
        )
    return profile.prompt


def load_inspector(quiet: bool, **options: Any) -> Inspector:
    """Load the inspector that the options describe."""
    from rich.status import Status

    console_ = console.stderr()
    if quiet or not console_.is_terminal:
        return _inspector(**options)
    with Status("Loading the model", console=console_):
        return _inspector(**options)


def pace(inspector: Inspector, batch_size: int | None, workers: int | None) -> Pace:
    """Batch size and threads: the user's, else what suits the device and the CPUs."""
    from moeclip_cli.inspection.device import default_batch_size
    from moeclip_cli.parallel.cores import choose_workers
    from moeclip_cli.runs.stream import Pace

    return Pace(
        default_batch_size(inspector.device) if batch_size is None else batch_size,
        choose_workers(workers),
    )


def _inspector(**options: Any) -> Inspector:
    # Importing torch takes longer than loading a small model.
    from moeclip_cli.inspection.inspector import Inspector

    return Inspector.load(**{key: value for key, value in options.items() if value is not None})
