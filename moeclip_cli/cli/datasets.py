"""`moeclip datasets`: list the 14 datasets, print the rows of one, check its files."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from moeclip_cli.cli import console, options
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.parameters import with_options
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.settings import SettingsCommand
from moeclip_cli.cli.tables import one_line, print_rows
from moeclip_cli.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from moeclip_cli.datasets.catalogue import DatasetSpec
    from moeclip_cli.datasets.check import CategoryCounts, CheckReport
    from moeclip_cli.datasets.dataset import Dataset

datasets_app = typer.Typer(
    help="List the 14 datasets and where to get them; check the files of a dataset.",
    epilog="Example: moeclip datasets check mvtec --data-root ./data",
)

RowFormat = Literal["jsonl", "csv"]

# Defective images of a generated category.
_IMAGES = 20


class ListCommand(SettingsCommand):
    """The settings for the table of `moeclip score` do not apply to a list."""

    not_settings = (*SettingsCommand.not_settings, "format", "json")


@datasets_app.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """List the 14 datasets and where to get them; check the files of a dataset."""
    if ctx.invoked_subcommand is None and isinstance(ctx.command, TyperGroup):
        command = ctx.command.commands["list"]
        with command.make_context("list", [], parent=ctx) as inner:
            command.invoke(inner)


@datasets_app.command("list", cls=ListCommand)
def list_(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Dataset, folder or manifest whose rows are printed instead."
        ),
    ] = None,
    data_root: options.DataRoot = None,
    row_format: Annotated[
        RowFormat | None, typer.Option("--format", "-f", help="Format of the rows. Default: jsonl.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list of datasets as JSON.")
    ] = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """List the 14 datasets: domain, licence, where to get them, and where they were found.

    With a NAME, print one row per image: image_path, label (0 normal, 1 anomalous), class_name and,
    if it has a mask, mask_path. Paths are relative to the folder of the dataset.

    Exit codes: 0 done, 2 usage error, 4 dataset not found.

    Example: moeclip datasets list mvtec --data-root ./data --format jsonl
    """
    if name is None:
        if row_format is not None:
            raise UsageError("--format is for the rows of a dataset; name one, or use --json.")
        _list_all(data_root, as_json=as_json)
        return
    if as_json:
        raise UsageError(f"--json lists all datasets; for the rows of {name}, use --format jsonl.")

    from moeclip_cli.datasets.opening import open_dataset

    _print_samples(open_dataset(name, data_root), row_format or "jsonl")


@datasets_app.command(cls=SettingsCommand)
@grouped
def check(
    *,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Datasets, folders or manifests.")
    ],
    data_root: options.DataRoot = None,
    workers: options.Workers = None,
    general: options.GeneralOptions,
) -> None:
    """Check that all files of a dataset exist, are readable and are paired, and count them.

    Reads every image and mask.

    Exit codes: 0 no problems, 2 usage error, 4 problems found.

    Example: moeclip datasets check mvtec visa --data-root ./data
    """
    from moeclip_cli.datasets.check import check_dataset
    from moeclip_cli.datasets.opening import inspect_dataset
    from moeclip_cli.parallel.cores import choose_workers

    threads = choose_workers(workers)
    broken = []
    for name in names:
        try:
            dataset, index = inspect_dataset(name, data_root)
        except DatasetError as error:
            if len(names) == 1:
                raise
            console.fail(str(error))
            broken.append(name)
            continue
        with meter(len(dataset.samples), quiet=general.quiet, label="Checking") as advance:
            report = check_dataset(dataset, index, workers=threads, advance=advance)
        _print_report(report)
        if not report.passed:
            broken.append(name)
    if broken:
        raise DatasetError(f"Problems found: {', '.join(broken)}; see the list of each.")


@dataclass(frozen=True)
class SynthesisOptions:
    """Contents of a generated dataset.

    Attributes:
        categories: number of generated categories.
        images: defective images per category; the same number of good ones for test and for
            training.
        size: side of generated images in pixels.
        seed: random seed of images and defects.
        same_product: draw each category once; its images differ in position, light and noise only,
            like those of one product at a station.
        normal: plant defects into the normal images in this folder instead.
    """

    categories: Annotated[int, typer.Option(min=1)] = 3
    images: Annotated[
        int | None, typer.Option(min=1, show_default=f"{_IMAGES}; with --normal one per image")
    ] = None
    size: Annotated[int, typer.Option(min=32)] = 256
    seed: Annotated[int, typer.Option(min=0)] = 0
    same_product: bool = False
    normal: Path | None = None


@datasets_app.command(cls=SettingsCommand)
@grouped
def synthesize(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Empty or new folder.")],
    content: SynthesisOptions,
    general: options.GeneralOptions,
) -> None:
    """Write a dataset with planted defects and their masks, in MVTec's layout.

    moeclip train --data DIR and moeclip benchmark DIR read it. With --normal, defects are planted
    into your own good parts, at their size and under the name of the folder.

    Exit codes: 0 done, 2 usage error, 4 no usable images.

    Example: moeclip datasets synthesize ./made --categories 2 --images 10 --size 128
    """
    if content.normal is None:
        _generate(folder, content, quiet=general.quiet)
    else:
        _plant_defects(folder, content.normal, content, quiet=general.quiet)
    if not general.quiet:
        console.note(f"The dataset is in {folder}; try: moeclip train --data {folder}")


def _generate(folder: Path, content: SynthesisOptions, *, quiet: bool) -> None:
    from moeclip_cli.datasets.synthesize import synthesize

    count = content.images or _IMAGES
    with meter(3 * count * content.categories, quiet=quiet, label="Writing") as advance:
        synthesize(
            folder,
            categories=content.categories,
            images=count,
            size=content.size,
            seed=content.seed,
            same_product=content.same_product,
            advance=advance,
        )


def _plant_defects(folder: Path, normal: Path, content: SynthesisOptions, *, quiet: bool) -> None:
    from moeclip_cli.datasets.synthesize import synthesize_from
    from moeclip_cli.discovery.source import find_images

    if not normal.is_dir():
        raise UsageError(f"The folder {normal} was not found; check --normal.")
    found = [(Path(str(ref.path)), ref.name) for ref in find_images([str(normal)], exclude=folder)]
    count = content.images or len(found)
    with meter(len(found) + count, quiet=quiet, label="Writing") as advance:
        synthesize_from(
            found,
            folder,
            normal.resolve().name,
            images=count,
            seed=content.seed,
            warn=console.warn,
            advance=advance,
        )


def _list_all(data_root: Path | None, *, as_json: bool) -> None:
    from moeclip_cli.datasets.catalogue import AUTHORS_PAGE, CATALOGUE
    from moeclip_cli.datasets.opening import resolve_data_root

    root = resolve_data_root(data_root)
    specs = [(spec, spec.find_folder(root)) for spec in CATALOGUE]
    if as_json:
        content = [_describe(spec, folder) for spec, folder in specs]
        print(json.dumps(content, indent=2))
        return
    print_rows(
        ("NAME", "DOMAIN", "LICENCE", "FOUND", "WHERE TO GET IT"),
        [
            (
                spec.name,
                spec.domain,
                spec.licence or "not stated",
                "no" if folder is None else str(folder),
                spec.homepage,
            )
            for spec, folder in specs
        ],
    )
    console.note(
        f"Looked in {root}; choose another folder with --data-root or MOECLIP_DATA. {AUTHORS_PAGE} "
        "links to all datasets in the layouts that moeclip reads."
    )


def _describe(spec: DatasetSpec, folder: Path | None) -> dict[str, Any]:
    """Description of a dataset in JSON types."""
    return {
        "name": spec.name,
        "title": spec.title,
        "domain": spec.domain,
        "folders": spec.folders,
        "found": None if folder is None else str(folder),
        "categories": {
            category.name: {
                "description": category.description,
                "normal": category.counts.normal,
                "anomalous": category.counts.anomalous,
            }
            for category in spec.categories
        },
        "masks": spec.masks,
        "licence": spec.licence,
        "homepage": spec.homepage,
        "paper": spec.paper,
    }


def _print_samples(dataset: Dataset, row_format: RowFormat) -> None:
    from moeclip_cli.datasets.dataset import COLUMNS

    if row_format == "jsonl":
        for row in dataset.rows():
            print(json.dumps(row))
        return
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in dataset.rows():
        writer.writerow({name: _unicode(str(value)) for name, value in row.items()})


def _unicode(text: str) -> str:
    """Escape lone surrogates, which come from file names that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _print_report(report: CheckReport) -> None:
    """Print the counts of a dataset, its problems and a summary."""
    dataset = report.dataset
    print_rows(
        ("CATEGORY", "NORMAL", "EXPECTED", "ANOMALOUS", "EXPECTED", "MASKS"),
        [_counts_row(tally) for tally in report.categories],
    )
    if report.problems:
        print_rows(
            ("PROBLEM", "FILE", "MESSAGE"),
            [(p.kind, dataset.relative(p.path), with_options(p.message)) for p in report.problems],
        )
    print(one_line(f"{dataset.title} in {dataset.root}: {_verdict(report)}."))


def _counts_row(tally: CategoryCounts) -> tuple[str, ...]:
    expected = tally.expected
    return (
        tally.category,
        str(tally.found.normal),
        "" if expected is None else str(expected.normal),
        str(tally.found.anomalous),
        "" if expected is None else str(expected.anomalous),
        str(tally.masks),
    )


def _verdict(report: CheckReport) -> str:
    counts = report.total
    found = f"{counts.normal} normal and {counts.anomalous} anomalous images"
    problems = []
    if not report.counts_match:
        problems.append("different numbers than expected")
    if report.problems:
        count = len(report.problems)
        problems.append("1 problem" if count == 1 else f"{count} problems")
    return f"{found}, {', '.join(problems) or 'no problems'}"
