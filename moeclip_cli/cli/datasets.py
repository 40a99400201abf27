"""`moeclip datasets`: list the 14 datasets, print a dataset's rows, check its files."""

from __future__ import annotations

import csv
import json
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from moeclip_cli.cli import console, options
from moeclip_cli.cli.settings import SettingsCommand
from moeclip_cli.cli.tables import one_line, print_rows
from moeclip_cli.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from moeclip_cli.datasets.catalogue import DatasetSpec
    from moeclip_cli.datasets.check import Report, Tally
    from moeclip_cli.datasets.dataset import Dataset

datasets_app = typer.Typer(
    help="List the 14 datasets and where to get them; check a dataset's files.",
    epilog="Example: moeclip datasets check mvtec --data-root ./data",
)

DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        envvar="MOECLIP_DATA",
        show_envvar=True,
        help="Folder that holds a folder for each dataset.",
        show_default="./data",
    ),
]


class RowFormat(str, Enum):
    """File format of rows."""

    jsonl = "jsonl"
    csv = "csv"


class ListCommand(SettingsCommand):
    """What is set for the table of `moeclip score` does not suit a list."""

    not_settings = (*SettingsCommand.not_settings, "format", "json")


@datasets_app.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """List the 14 datasets and where to get them; check a dataset's files."""
    if ctx.invoked_subcommand is None and isinstance(ctx.command, TyperGroup):
        command = ctx.command.commands["list"]
        with command.make_context("list", [], parent=ctx) as inner:
            command.invoke(inner)


@datasets_app.command("list", cls=ListCommand)
def list_(
    name: Annotated[
        str | None,
        typer.Argument(help="A dataset, a folder or a manifest, to print its rows instead."),
    ] = None,
    data_root: DataRoot = None,
    row_format: Annotated[
        RowFormat | None, typer.Option("--format", "-f", help="Format of rows; jsonl if not said.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list of datasets as JSON.")
    ] = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """List the 14 datasets: domain, licence, where to get them, and where they were found.

    With a NAME, print the dataset's images, one a row: image_path, label (0 normal, 1 anomalous),
    class_name and, where there is one, mask_path, relative to the dataset's folder.

    Example: moeclip datasets list mvtec --data-root ./data --format jsonl
    """
    if name is None:
        if row_format is not None:
            raise UsageError("--format is for the rows of a dataset; name one, or use --json.")
        _list_all(data_root, as_json=as_json)
        return
    if as_json:
        raise UsageError(f"--json lists all datasets; for the rows of {name} use --format jsonl.")

    from moeclip_cli.datasets.opening import open_dataset

    _print_samples(open_dataset(name, data_root), row_format or RowFormat.jsonl)


@datasets_app.command(cls=SettingsCommand)
def check(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Datasets, folders or manifests.")
    ],
    data_root: DataRoot = None,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Check that all files of a dataset are there, whole and paired, and count them.

    Reads every image and mask. Exit codes: 0 nothing is wrong, 4 something is.

    Example: moeclip datasets check mvtec visa --data-root ./data
    """
    from moeclip_cli.datasets.check import check_dataset
    from moeclip_cli.datasets.opening import inspect_dataset
    from moeclip_cli.parallel.cores import choose_workers

    threads = choose_workers(workers)
    wrong = []
    for name in names:
        try:
            dataset, index = inspect_dataset(name, data_root)
        except DatasetError as error:
            if len(names) == 1:
                raise
            console.fail(str(error))
            wrong.append(name)
            continue
        with console.meter(len(dataset.samples), quiet=quiet, what="Checking") as meter:
            report = check_dataset(dataset, index, workers=threads, advance=meter.advance)
        _print_report(report)
        if not report.is_fine:
            wrong.append(name)
    if wrong:
        raise DatasetError(f"Not as expected: {', '.join(wrong)}; the list says what is wrong.")


@datasets_app.command(cls=SettingsCommand)
def synthesize(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or new folder.")],
    categories: Annotated[int, typer.Option(min=1, help="How many to generate.")] = 3,
    images: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Defective images of a category; as many good ones for test and for train.",
            show_default="20; with --normal one for each image",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=32, help="Side of generated images in pixels.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Which images and defects.")] = 0,
    normal: Annotated[
        Path | None,
        typer.Option(help="Plant defects into the normal images in this folder instead."),
    ] = None,
    quiet: options.Quiet = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Write a dataset with planted defects and their masks, in MVTec's layout.

    moeclip train --data DIR and moeclip benchmark DIR read it. With --normal, good parts of your
    own get defects, at their own size and under the folder's name.

    Example: moeclip datasets synthesize ./made --categories 2 --images 10 --size 128
    """
    from moeclip_cli.datasets import synthesize as writing

    if normal is None:
        count = 20 if images is None else images
        with console.meter(3 * count * categories, quiet=quiet, what="Writing") as meter:
            writing.synthesize(
                folder,
                categories=categories,
                images=count,
                size=size,
                seed=seed,
                advance=meter.advance,
            )
    else:
        from moeclip_cli.images.discovery import find_images

        if not normal.is_dir():
            raise UsageError(f"There is no folder {normal}; check what --normal names.")
        found = [(ref.path, ref.name) for ref in find_images([str(normal)], exclude=folder)]
        count = len(found) if images is None else images
        with console.meter(len(found) + count, quiet=quiet, what="Writing") as meter:
            writing.synthesize_from(
                found,
                folder,
                normal.resolve().name,
                images=count,
                seed=seed,
                warn=console.warn,
                advance=meter.advance,
            )
    if not quiet:
        console.note(f"The dataset is in {folder}; try: moeclip train --data {folder}")


def _list_all(data_root: Path | None, *, as_json: bool) -> None:
    from moeclip_cli.datasets.catalogue import AUTHORS_PAGE, CATALOGUE
    from moeclip_cli.datasets.opening import resolve_data_root

    root = resolve_data_root(data_root)
    specs = [(spec, spec.find_folder(root)) for spec in CATALOGUE]
    if as_json:
        content = [_describe(spec, folder) for spec, folder in specs]
        print(json.dumps(content, ensure_ascii=False, indent=2))
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
        f"Looked in {root}; --data-root or MOECLIP_DATA names another folder. All of them are also "
        f"linked, in the layouts that are read here, from {AUTHORS_PAGE}."
    )


def _describe(spec: DatasetSpec, folder: Path | None) -> dict[str, Any]:
    """All about a dataset, in JSON's types."""
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

    if row_format is RowFormat.jsonl:
        for row in dataset.rows():
            print(_unicode(json.dumps(row, ensure_ascii=False)))
        return
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in dataset.rows():
        writer.writerow({name: _unicode(str(value)) for name, value in row.items()})


def _unicode(text: str) -> str:
    """Text whose lone surrogates, from file names that are not UTF-8, are spelt out.

    In JSON this is the escape that reads back as the same name.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _print_report(report: Report) -> None:
    """The counts of a dataset, what is wrong with it, and a sentence."""
    dataset = report.dataset
    print_rows(
        ("CATEGORY", "NORMAL", "EXPECTED", "ANOMALOUS", "EXPECTED", "MASKS"),
        [_counts_row(tally) for tally in report.tallies],
    )
    if report.problems:
        print_rows(
            ("PROBLEM", "FILE", "WHAT"),
            [(p.kind, dataset.relative(p.path), p.message) for p in report.problems],
        )
    print(one_line(f"{dataset.title} in {dataset.root}: {_verdict(report)}."))


def _counts_row(tally: Tally) -> tuple[str, ...]:
    expected = tally.expected
    return (
        tally.category,
        str(tally.found.normal),
        "" if expected is None else str(expected.normal),
        str(tally.found.anomalous),
        "" if expected is None else str(expected.anomalous),
        str(tally.masks),
    )


def _verdict(report: Report) -> str:
    counts = report.found
    found = f"{counts.normal} normal and {counts.anomalous} anomalous images"
    wrong = []
    if not report.counts_fit:
        wrong.append("not as many as expected")
    if report.problems:
        wrong.append(f"{len(report.problems)} problems" if report.problems[1:] else "1 problem")
    return f"{found}, {', '.join(wrong) or 'nothing is wrong'}"
