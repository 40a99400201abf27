"""Opening a dataset by its name or its path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from moeclip_cli.datasets.catalogue import CATALOGUE, DatasetSpec, find_spec
from moeclip_cli.datasets.dataset import Dataset
from moeclip_cli.datasets.index import Index
from moeclip_cli.datasets.manifest import read_manifest
from moeclip_cli.datasets.own import index_folder
from moeclip_cli.errors import DatasetError

DATA_ROOT_VARIABLE = "MOECLIP_DATA"
DEFAULT_DATA_ROOT = Path("data")


def open_dataset(name_or_path: str | Path, data_root: Path | None = None) -> Dataset:
    """Opens a dataset whose files are all there; the images themselves are not read.

    Args:
        name_or_path: the name of one of the 14 datasets, which is looked for in `data_root`; or
            the path of a folder or of a manifest, where a string with no separator that is such a
            name is always the name. See `moeclip_cli.datasets.own` for the layouts that a folder
            may have and `moeclip_cli.datasets.manifest` for manifests. Own data is "industrial".
        data_root: where the 14 datasets lie; by default `$MOECLIP_DATA`, else `./data`.

    Raises:
        DatasetError: if it is not there, is laid out otherwise, or lacks a mask or a listed file.
    """
    dataset, index = inspect_dataset(name_or_path, data_root)
    if index.problems:
        first, *others = index.problems
        more = f" (and {len(others)} more)" if others else ""
        raise DatasetError(
            f"{dataset.title} in {dataset.root} is not complete: {dataset.relative(first.path)}: "
            f"{first.message}{more}; 'moeclip datasets check {name_or_path}' lists all."
        )
    return dataset


def inspect_dataset(
    name_or_path: str | Path, data_root: Path | None = None
) -> tuple[Dataset, Index]:
    """As `open_dataset`, but what is missing is returned, in the index, and not raised.

    Raises:
        DatasetError: if the dataset is not there or is laid out otherwise.
    """
    if isinstance(name_or_path, str) and (spec := find_spec(name_or_path)) is not None:
        return _published(spec, name_or_path, resolve_data_root(data_root))
    path = Path(name_or_path)
    try:
        is_file, is_folder = path.is_file(), path.is_dir() and str(name_or_path) != ""
    except OSError as error:
        raise DatasetError(f"{path} cannot be opened: {error.strerror}.") from error
    if is_file:
        return _own(path.stem, path.parent, read_manifest(path))
    if not is_folder:
        raise _not_found(str(name_or_path))
    name = path.resolve().name
    spec = find_spec(name)
    if spec is not None and (index := spec.index(path)).samples:
        return _dataset(spec, path, index)
    return _own(name, path, index_folder(path))


def resolve_data_root(data_root: Path | None) -> Path:
    """`data_root` if it is given, else `$MOECLIP_DATA`, else `./data`."""
    return data_root or Path(os.environ.get(DATA_ROOT_VARIABLE) or DEFAULT_DATA_ROOT)


def _published(spec: DatasetSpec, name: str, data_root: Path) -> tuple[Dataset, Index]:
    folder = spec.find_folder(data_root)
    if folder is None:
        folders = " or ".join(spec.folders)
        hint = f" (for the folder here, write ./{name})" if Path(name).is_dir() else ""
        raise DatasetError(
            f"{spec.title} was not found, for there is no folder {folders} in {data_root}{hint}; "
            f"{spec.where_to_get}, and name the folder that it lies in with --data-root or "
            f"{DATA_ROOT_VARIABLE}."
        )
    index = spec.index(folder)
    if not index.samples:
        raise DatasetError(
            f"{folder} has no images where {spec.title} has them "
            f"({_join(spec.inside, spec.layout.expects)}); {spec.where_to_get}."
        )
    return _dataset(spec, folder, index)


def _dataset(spec: DatasetSpec, folder: Path, index: Index) -> tuple[Dataset, Index]:
    dataset = Dataset(
        name=spec.name,
        title=spec.title,
        domain=spec.domain,
        root=folder,
        samples=index.samples,
        prompts=spec.prompts,
        expected=spec.expected,
    )
    return dataset, index


def _own(name: str, root: Path, index: Index) -> tuple[Dataset, Index]:
    categories = dict.fromkeys(sample.category for sample in index.samples)
    prompts: Mapping[str, str] = {category: category.replace("_", " ") for category in categories}
    dataset = Dataset(name, name, "industrial", root, index.samples, prompts)
    return dataset, index


def _not_found(name: str) -> DatasetError:
    known = [spec.name for spec in CATALOGUE]
    close = difflib.get_close_matches(name.casefold(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known names are {', '.join(known)}."
    return DatasetError(f"There is no dataset, folder or manifest called '{name}'; {hint}")


def _join(inside: str, expects: str) -> str:
    return f"in {inside}: {expects}" if inside else expects
