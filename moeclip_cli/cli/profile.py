"""`moeclip profile`: show, check and merge profiles."""

from __future__ import annotations

import json
import shlex
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.bounded_text import shortened
from moeclip_cli.cli import console, options
from moeclip_cli.cli.parameters import Command
from moeclip_cli.cli.tables import print_rows
from moeclip_cli.errors import UsageError
from moeclip_cli.files import is_present

if TYPE_CHECKING:
    from moeclip_cli.inspection.profile import Profile

profile_app = typer.Typer(
    help="Show, check and merge profiles of `moeclip calibrate`.",
    epilog="Example: moeclip profile show bracket.moeclip",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

File = Annotated[Path, typer.Argument(help="Profile file.")]


@profile_app.command(cls=Command)
def show(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: options.Debug = False,
) -> None:
    """Show threshold, guarantee, settings, good scores and references of a profile.

    Exit codes: 0 done, 2 not a profile.

    Example: moeclip profile show bracket.moeclip --json
    """
    from moeclip_cli.inspection.profile import Profile

    content = _describe(Profile.load(file))
    if as_json:
        print(json.dumps(content, indent=2))
        return
    references = content.pop("references")
    scores = content.pop("scores")
    if scores:
        content["scores"] = (
            f"{min(scores):.3f} to {max(scores):.3f}, median {statistics.median(scores):.3f}"
        )
    settings = content.pop("settings")
    rows = [*content.items(), *settings.items()]
    print_rows(("FIELD", "VALUE"), [(name, _shown(value)) for name, value in rows])
    if references:
        print()
        print_rows(("SCORE", "REFERENCE"), [(f"{r['score']:.3f}", r["name"]) for r in references])


@profile_app.command(cls=Command)
def check(
    file: File,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="Model file, if it is not built in.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Check that a profile is valid and fits the model on this machine; name suspicious references.

    Exit codes: 0 the profile can be used, 2 it cannot, 4 model not found.

    Example: moeclip profile check bracket.moeclip
    """
    from moeclip_cli.checkpoints.builtin import (
        BUILTIN,
        BUILTIN_TOWERS,
        builtin_file,
        same_scores,
    )
    from moeclip_cli.checkpoints.formats import file_digest
    from moeclip_cli.inspection.profile import Profile, ReferenceProfile

    profile = Profile.load(file)
    name = str(profile.settings.get("model"))
    if model is None and name in BUILTIN_TOWERS:
        model = builtin_file(BUILTIN_TOWERS[name])
    elif model is None and name in BUILTIN:
        model = builtin_file(BUILTIN[name].checkpoint)
    if model is None:
        raise UsageError(f"The model {name} is not built in; give its file with --model.")
    if not same_scores(file_digest(model), profile.settings.get("model_digest")):
        raise UsageError(f"{model} is not the model of the profile; calibrate again with it.")
    rows = [
        ("profile", file_digest(file)),
        ("model", f"{name}, {profile.settings['model_digest']}"),
        ("threshold", f"{profile.threshold:.4f} ({profile.source})"),
    ]
    if profile.unsure_threshold is not None:
        rows.append(("unsure from", f"{profile.unsure_threshold:.4f} ({profile.unsure_source})"))
    print_rows(("CHECK", "RESULT"), rows)
    if isinstance(profile, ReferenceProfile):
        for remark in profile.references.remarks():
            console.warn(remark)
        for name in profile.references.suspicious_names():
            command = shlex.join(["moeclip", "calibrate", str(file), "--remove", name])
            console.note(f"To remove it: {command}")


@profile_app.command(cls=Command)
def merge(
    first: Annotated[Path, typer.Argument(metavar="A", help="Profile with references.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Profile with references.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Profile file to write.")],
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Join the references and good scores of two profiles with the same settings.

    Exit codes: 0 done, 2 usage error.

    Example: moeclip profile merge monday.moeclip tuesday.moeclip --out both.moeclip
    """
    if is_present(out) and not overwrite:
        raise UsageError(f"{out} already exists. Use --overwrite, or choose another --out.")

    from moeclip_cli.inspection.profile import Profile, require_references

    one, other = (require_references(Profile.load(path), path) for path in (first, second))
    merged = one.merged(other)
    merged.write(out)
    print(merged.sentence)
    console.note(merged.guarantee)


def _describe(profile: Profile) -> dict[str, Any]:
    """A profile in JSON types, without patches; `references` has one entry each."""
    from moeclip_cli.inspection.profile import ReferenceProfile

    content: dict[str, Any] = json.loads(profile.to_json())
    content["source"], content["guarantee"] = profile.source, profile.guarantee
    content["references"] = []
    if isinstance(profile, ReferenceProfile):
        content["references"] = [
            {"name": name, "score": score, "sha256": digest}
            for name, score, digest in zip(
                profile.references.names,
                profile.references.scores,
                profile.references.digests,
                strict=True,
            )
        ]
    return content


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return shortened(value, 200)
