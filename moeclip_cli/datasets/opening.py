"""Opening a dataset by its name or path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from moeclip_cli.datasets.catalogue import CATALOGUE, DatasetSpec, find_spec
from moeclip_cli.datasets.dataset import Dataset
from moeclip_cli.datasets.index import Index
from moeclip_cli.datasets.manifest import read_manifest
from moeclip_cli.datasets.user_folder import index_folder
from moeclip_cli.errors import DatasetError

DATA_ROOT_VARIABLE = "MOECLIP_DATA"
DEFAULT_DATA_ROOT = Path("data")


def open_dataset(name_or_path: str | Path, data_root: Path | None = None) -> Dataset:
    """Open a dataset and check that all its files exist, without reading the images.

    Args:
        name_or_path: name of one of the 14 datasets, looked up in `data_root`, or path of a
            folder or manifest. A string that is both is taken as the name. See
            `moeclip_cli.datasets.user_folder` for the layouts of folders and
            `moeclip_cli.datasets.manifest` for manifests; their domain is "industrial".
        data_root: folder of the 14 datasets; by default `$MOECLIP_DATA`, else `./data`.

    Raises:
        DatasetError: if the dataset is not found, has another layout, or lacks a mask or a listed
            file.
    """
    dataset, index = inspect_dataset(name_or_path, data_root)
    if index.problems:
        first, *others = index.problems
        more = f" (and {len(others)} more)" if others else ""
        raise DatasetError(
            f"{dataset.title} in {dataset.root} is incomplete: {dataset.relative(first.path)}: "
            f"{first.message}{more}; 'moeclip datasets check {name_or_path}' lists all problems."
        )
    return dataset


def inspect_dataset(
    name_or_path: str | Path, data_root: Path | None = None
) -> tuple[Dataset, Index]:
    """Open a dataset like `open_dataset`, but return problems in the index instead of raising.

    Raises:
        DatasetError: if the dataset is not found or has another layout.
    """
    if isinstance(name_or_path, str) and (spec := find_spec(name_or_path)) is not None:
        return _open_published(spec, name_or_path, resolve_data_root(data_root))
    path = Path(name_or_path)
    try:
        is_file, is_folder = path.is_file(), path.is_dir() and str(name_or_path) != ""
    except OSError as error:
        raise DatasetError(f"{path} cannot be opened: {error.strerror}.") from error
    if is_file:
        return _user_dataset(path.stem, path.parent, read_manifest(path))
    if not is_folder:
        raise _not_found(str(name_or_path))
    name = path.resolve().name
    spec = find_spec(name)
    if spec is not None and (index := spec.index(path)).samples:
        return _published_dataset(spec, path, index)
    return _user_dataset(name, path, index_folder(path))


def resolve_data_root(data_root: Path | None) -> Path:
    """Return `data_root` if it is given, else `$MOECLIP_DATA`, else `./data`."""
    return data_root or Path(os.environ.get(DATA_ROOT_VARIABLE) or DEFAULT_DATA_ROOT)


def _open_published(spec: DatasetSpec, name: str, data_root: Path) -> tuple[Dataset, Index]:
    folder = spec.find_folder(data_root)
    if folder is None:
        folders = " or ".join(spec.folders)
        hint = f" (for the folder {name} itself, write ./{name})" if Path(name).is_dir() else ""
        raise DatasetError(
            f"{spec.title} was not found: there is no folder {folders} in {data_root}{hint}; "
            f"{spec.where_to_get}, and set `data_root` or {DATA_ROOT_VARIABLE} to the folder that "
            "contains it."
        )
    index = spec.index(folder)
    if not index.samples:
        raise DatasetError(
            f"{folder} does not have the layout of {spec.title} "
            f"({_expected_files(spec)}); {spec.where_to_get}."
        )
    return _published_dataset(spec, folder, index)


def _published_dataset(spec: DatasetSpec, folder: Path, index: Index) -> tuple[Dataset, Index]:
    dataset = Dataset(
        name=spec.name,
        title=spec.title,
        domain=spec.domain,
        root=folder,
        samples=index.samples,
        prompts=spec.prompts,
        expected=spec.expected,
        training=index.training,
    )
    return dataset, index


def _user_dataset(name: str, root: Path, index: Index) -> tuple[Dataset, Index]:
    categories = dict.fromkeys(sample.category for sample in index.samples)
    prompts: Mapping[str, str] = {category: category.replace("_", " ") for category in categories}
    dataset = Dataset(
        name, name, "industrial", root, index.samples, prompts, training=index.training
    )
    return dataset, index


def _not_found(name: str) -> DatasetError:
    known = [spec.name for spec in CATALOGUE]
    close = difflib.get_close_matches(name.casefold(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"the known names are {', '.join(known)}."
    return DatasetError(f"There is no dataset, folder or manifest called '{name}'; {hint}")


def _expected_files(spec: DatasetSpec) -> str:
    return f"in {spec.subfolder}: {spec.layout.expects}" if spec.subfolder else spec.layout.expects
