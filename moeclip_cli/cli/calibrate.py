"""`moeclip calibrate`: a threshold for one product, from images of good parts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer
from rich.text import Text

from moeclip_cli.arguments import require_prompt
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.cli import console, options
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.framing import FramingOptions
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.image_options import FoundImages, ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.product_options import Product
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.tables import one_line
from moeclip_cli.datasets.only_good import require_only_good
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.files import is_present
from moeclip_cli.tiles.framing import Framing

if TYPE_CHECKING:
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.profile import Profile, Rule

# A defective part among the good ones would show up here.
_HIGHEST_SCORES = 5
_PROFILE = "moeclip-profile.json"
_REFERENCE_PROFILE = "profile.moeclip"


@dataclass(frozen=True)
class CalibrationOptions:
    """The profile to write.

    Attributes:
        false_alarms: fraction of good images that may be flagged as anomalous, such as 1% or 0.01.
        unsure_rate: fraction of good images that may be flagged as unsure or anomalous, above that
            of the anomalous ones: adds a lower threshold to the profile. Default: none.
        references: make the good parts references: later images are compared with them. The profile
            contains them.
        split: find the threshold on half of the images, which are not references, with an exact
            guarantee. Default: with 46 images or more, at the default rate.
        add: image, folder or glob pattern of good parts to add to the profile PATH. Can be
            repeated.
        remove: name of a reference to remove from the profile PATH, as `moeclip profile show` lists
            it. Can be repeated.
        profile: profile file to write.
    """

    PANEL: ClassVar[str] = options.OUTPUT

    false_alarms: Annotated[
        float, typer.Option("--false-alarms", "-a", parser=fraction, metavar="FLOAT")
    ] = FALSE_ALARMS
    unsure_rate: Annotated[
        float | None,
        typer.Option(
            "--unsure-rate", "--unsure", parser=fraction, metavar="FLOAT", show_default=False
        ),
    ] = None
    references: bool = False
    split: Annotated[bool | None, typer.Option("--split/--no-split", show_default=False)] = None
    add: Annotated[list[str] | None, typer.Option(show_default=False)] = None
    remove: Annotated[list[str] | None, typer.Option(show_default=False)] = None
    profile: Annotated[
        Path | None,
        typer.Option(show_default=f"{_PROFILE}; with --references {_REFERENCE_PROFILE}"),
    ] = None
    overwrite: options.Overwrite = False
    prompt: options.Prompt = DEFAULT_PROMPT

    def check_rates(self) -> None:
        """Refuse a lower threshold that good images would reach no more often than the upper one.

        Raises:
            UsageError: if its rate is out of range.
        """
        rate = self.unsure_rate
        if rate is not None and not self.false_alarms < rate < 1:
            raise UsageError(
                f"`unsure_rate` must be above the rate of `false_alarms`, "
                f"{self.false_alarms:g}, and below 1, not {rate:g}."
            )

    def target(self) -> Path:
        """The file to write.

        Raises:
            UsageError: if it exists and may not be replaced.
        """
        found = self.profile or Path(_REFERENCE_PROFILE if self.references else _PROFILE)
        if is_present(found, "profile") and not self.overwrite:
            raise UsageError(
                f"{found} already exists. Use --overwrite, or choose another --profile."
            )
        return found


@grouped
def calibrate(
    images: ImageOptions,
    framing: FramingOptions,
    model: ModelOptions,
    calibration: CalibrationOptions,
    run: options.RunOptions,
    general: options.GeneralOptions,
) -> None:
    """Find the threshold for a product from images of good parts, and write it to a profile.

    With --add or --remove, PATH is a profile with references, which is changed.

    A folder with defective images in the layout of a dataset is refused: name the good ones.

    Unreadable images are skipped (exit code 3), but as references they are an error.

    Exit codes: 0 done, 2 usage error, 3 some images could not be read, 4 model not loaded, 130
    interrupted.

    Example: moeclip calibrate ./good/ --references --profile bracket.moeclip
    """
    frames = framing.read()
    if calibration.add or calibration.remove:
        _change(images, frames, model, calibration, run, quiet=general.quiet)
        return
    if calibration.split is not None and not calibration.references:
        raise UsageError("--split is for --references; other profiles need no second half.")
    if calibration.references and model.reference:
        raise UsageError("Use either --references for the images in PATH, or --reference.")
    calibration.check_rates()
    profile, rate = calibration.target(), calibration.false_alarms
    if images.recursive:
        require_only_good(images.paths)
    found = images.find(options.DEFAULT_OUT, quiet=general.quiet)
    require_prompt(calibration.prompt)

    from moeclip_cli.inspection.conformal import images_needed, require_enough, require_rate
    from moeclip_cli.runs.lock import WriterLock

    if calibration.references:
        require_rate(rate)
    else:
        require_enough(len(found), rate)
    model.check(run, compared=calibration.references)
    measure = _compare if calibration.references else _measure
    with WriterLock.of_file(profile, "profile"):
        made, scores, failed = measure(
            images, found, frames, model, calibration, run, quiet=general.quiet
        )
        made.write(profile)
    if not general.quiet:
        _print_result(made, scores)
        if made.false_alarms > rate:
            console.warn(
                f"{made.images} good parts allow {made.false_alarms:.1%} false alarms at best; "
                f"{100 * rate:.3g}% takes {images_needed(rate)}."
            )
        console.note(made.guarantee)
        _note_suspicious(made, profile)
        console.note(f"The profile is in {profile}; use it with --profile {profile}.")
    if failed:
        if general.quiet:
            console.warn(f"{console.counted(failed, 'image')} could not be read.")
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _measure(
    images: ImageOptions,
    found: FoundImages,
    framing: Framing,
    model: ModelOptions,
    calibration: CalibrationOptions,
    run: options.RunOptions,
    *,
    quiet: bool,
) -> tuple[Profile, dict[str, float], int]:
    """The profile without references, the scores by path, and the number of unreadable images."""
    from moeclip_cli.inspection.conformal import conformal_threshold, unsure_threshold
    from moeclip_cli.inspection.profile import Profile

    rate, prompt = calibration.false_alarms, calibration.prompt
    inspector = model.load_inspector(run, quiet=quiet, images=images, framing=framing)
    scores, failed = _score(inspector, [ref.path for ref in found], prompt, run, quiet=quiet)
    good = tuple(sorted(scores.values()))
    threshold = conformal_threshold(good, rate)
    made = Profile(
        threshold, rate, len(good), prompt, inspector.settings, scores=good,
        unsure_threshold=unsure_threshold(good, calibration.unsure_rate),
        unsure_rate=calibration.unsure_rate,
    )  # fmt: skip
    return made, scores, failed


def _compare(
    images: ImageOptions,
    found: FoundImages,
    framing: Framing,
    model: ModelOptions,
    calibration: CalibrationOptions,
    run: options.RunOptions,
    *,
    quiet: bool,
) -> tuple[Profile, dict[str, float], int]:
    """The profile with references, the scores by path, and the number of unreadable images.

    The threshold is from these scores: those of the references or, after a split, of the others.
    """
    from moeclip_cli.inspection.division import divided
    from moeclip_cli.inspection.profile import calibrated

    rate, prompt = calibration.false_alarms, calibration.prompt
    kept, others = divided([ref.path for ref in found], rate, calibration.split)
    inspector = model.load_inspector(
        run,
        quiet=quiet,
        images=images,
        references=kept,
        framing=framing,
    )
    references = inspector.references
    assert references is not None  # noqa: S101
    scores, failed = dict(zip(references.names, references.scores, strict=False)), 0
    if others:
        scores, failed = _score(inspector, others, prompt, run, quiet=quiet)
    rule: Rule = "split" if others else "jackknife+"
    made = calibrated(
        references, scores.values(), prompt, inspector.settings, rule, rate, calibration.unsure_rate
    )
    return made, scores, failed


def _change(
    images: ImageOptions,
    framing: Framing,
    model: ModelOptions,
    calibration: CalibrationOptions,
    run: options.RunOptions,
    *,
    quiet: bool,
) -> None:
    """Add good parts to a profile or remove some, and write it in place or to `--profile`."""
    if len(images.paths) != 1 or calibration.references:
        raise UsageError("With --add or --remove, PATH is the one profile that is changed.")
    if calibration.unsure_rate is not None:
        raise UsageError(
            "With --add or --remove, the rates of the profile stay; omit `unsure_rate`, or "
            "calibrate again."
        )
    require_only_good(calibration.add or ())
    path = Path(images.paths[0])
    target = path if calibration.profile in (None, path) else calibration.target()

    from moeclip_cli.discovery.source import find_images
    from moeclip_cli.inspection.profile import Profile, require_references
    from moeclip_cli.runs.lock import WriterLock

    require_references(Profile.load(path), path)  # before a lock file is made beside any other
    with WriterLock.of_file(target, "profile"):
        profile = require_references(Profile.load(path), path)
        if calibration.remove:
            found = profile.references
            numbers = [found.number(name) for name in calibration.remove]
            profile = profile.updated(found.without(numbers))
        if calibration.add:
            added = [ref.path for ref in find_images(calibration.add)]
            product = Product(profile.prompt, profile=profile)
            inspector = model.load_inspector(
                run, quiet=quiet, images=images, product=product, framing=framing
            )
            profile = profile.updated(inspector.more_references(added))
        profile.write(target)
    if not quiet:
        references = profile.references
        _print_result(profile, dict(zip(references.names, references.scores, strict=True)))
        console.note(profile.guarantee)
        if calibration.remove:
            console.note(
                "The other scores were found while the removed parts were references; calibrate "
                "again from all images for exact ones."
            )
        console.note(f"The profile is in {target}.")


def _note_suspicious(made: Profile, path: Path) -> None:
    """Say how to remove a part that is not good: each suspicious reference, or any image."""
    from moeclip_cli.inspection.profile import ReferenceProfile

    found = made.references.suspicious_names() if isinstance(made, ReferenceProfile) else []
    for name in found:
        command = shlex.join(["moeclip", "calibrate", str(path), "--remove", name])
        console.note(f"If {name} is not a good part, remove it: {command}")
    if not found:
        console.note("If one of these parts is defective, remove its image and calibrate again.")


def _score(
    inspector: Inspector,
    paths: list[ImagePlace],
    prompt: str,
    run: options.RunOptions,
    *,
    quiet: bool,
) -> tuple[dict[str, float], int]:
    """The scores of all readable images, by path, and the number of unreadable images."""
    scores: dict[str, float] = {}
    failed = 0
    results = inspector.score(paths, prompt=prompt, batch_size=run.batch_size, workers=run.workers)
    with meter(len(paths), quiet=quiet) as advance:
        for result in results:
            advance()
            if result.score is not None:
                scores[result.path] = result.score
                continue
            failed += 1
            if not quiet:
                console.warn(f"{result.path}: {result.error}")
    return scores, failed


def _print_result(profile: Profile, scores: dict[str, float]) -> None:
    table = console.plain_table("Highest scores")
    table.add_column("score", justify="right")
    table.add_column("image", overflow="fold")
    for path in sorted(scores, key=lambda path: -scores[path])[:_HIGHEST_SCORES]:
        table.add_row(f"{scores[path]:.3f}", Text(one_line(path)))
    console.print_table(table)
    console.stdout().print(profile.sentence, soft_wrap=True)
    if profile.unsure_threshold == profile.threshold:
        console.warn(
            f"Both thresholds are {profile.threshold:.4f}, so that no image will be unsure; add "
            "good parts, or calibrate with a higher --unsure-rate."
        )
