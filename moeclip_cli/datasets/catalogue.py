"""Catalogue of the paper's 14 datasets: names, folders, layouts, sizes, prompts, sources."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from moeclip_cli.datasets import layouts
from moeclip_cli.datasets.csv_rows import read_csv
from moeclip_cli.datasets.dataset import Counts
from moeclip_cli.datasets.folders import subfolders
from moeclip_cli.datasets.index import Index
from moeclip_cli.datasets.layouts import Layout
from moeclip_cli.model.config import Domain

AUTHORS_PAGE = "https://github.com/CoCoRessa/MoECLIP"
"""Page with download links for all 14 datasets in the layouts used here."""

_BMAD = "https://github.com/DorisBao/BMAD"
_BMAD_PAPER = "Bao et al., BMAD: Benchmarks for Medical Anomaly Detection, CVPR Workshops 2024"
_POLYPS = "https://figshare.com/articles/figure/Polyp_DataSet_zip/21221579"


@dataclass(frozen=True)
class Category:
    """A category of a published dataset.

    Attributes:
        name: name in the authors' lists.
        description: the paper's prompt for it.
        counts: number of images in the test split.
    """

    name: str
    description: str
    counts: Counts


@dataclass(frozen=True)
class DatasetSpec:
    """Description of a published dataset.

    Attributes:
        name: name on the command line.
        title: name in the paper's tables.
        domain: scoring domain.
        folders: possible names of its folder; case, "-", "_" and spaces are ignored.
        layout: layout of its files.
        homepage: page to get it from.
        paper: publication.
        licence: licence stated by its publishers; None if none is known.
        subfolder: subfolder in which the layout starts.
        masks: True if its anomalous images have masks.
    """

    name: str
    title: str
    domain: Domain
    folders: tuple[str, ...]
    layout: Layout
    homepage: str
    paper: str
    licence: str | None = None
    subfolder: str = ""
    masks: bool = True

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories, in the paper's order."""
        return _categories()[self.title]

    @property
    def prompts(self) -> dict[str, str]:
        """Description by category."""
        return {category.name: category.description for category in self.categories}

    @property
    def expected(self) -> dict[str, Counts]:
        """Number of images in the test split, by category."""
        return {category.name: category.counts for category in self.categories}

    @property
    def where_to_get(self) -> str:
        """Clause on where to get the dataset, for error messages."""
        if self.homepage == AUTHORS_PAGE:
            return f"get it from {AUTHORS_PAGE}"
        return f"get it from {self.homepage} or, in the layout used here, from {AUTHORS_PAGE}"

    def find_folder(self, data_root: Path) -> Path | None:
        """Return its folder in `data_root`; earlier names in `folders` take precedence."""
        by_key = {_key(folder.name): folder for folder in reversed(subfolders(data_root))}
        return next((by_key[key] for key in self.keys if key in by_key), None)

    def index(self, folder: Path) -> Index:
        """Return the samples of the test split in a folder."""
        names = [category.name for category in self.categories]
        return self.layout.index(folder / self.subfolder, names, self.masks)

    @property
    def keys(self) -> tuple[str, ...]:
        """Normalised forms of all its names."""
        return tuple(dict.fromkeys(map(_key, (*self.folders, self.name, self.title))))


def find_spec(name: str) -> DatasetSpec | None:
    """Return the published dataset with a name or folder name, ignoring case; None if unknown."""
    return next((spec for spec in CATALOGUE if _key(name) in spec.keys), None)


def published_around(folder: Path) -> str | None:
    """Name of the published dataset whose folder this is or lies directly in; None if neither.

    Own data there, such as one category or a manifest of some images, are a part of it.
    """
    here = folder.resolve()
    spec = find_spec(here.name) or find_spec(here.parent.name)
    return None if spec is None else spec.name


def _key(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.casefold())


@functools.cache
def _categories() -> Mapping[str, tuple[Category, ...]]:
    columns = ("dataset", "category", "description", "normal", "anomalous")
    categories: dict[str, tuple[Category, ...]] = {}
    with as_file(files("moeclip_cli.datasets") / "categories.csv") as path:
        for _, row in read_csv(path, columns):
            counts = Counts(int(row["normal"]), int(row["anomalous"]))
            category = Category(row["category"], row["description"], counts)
            categories[row["dataset"]] = (*categories.get(row["dataset"], ()), category)
    return categories


CATALOGUE = (
    DatasetSpec(
        name="mvtec",
        title="MVTec",
        domain="industrial",
        folders=("MVTec", "mvtec_ad", "mvtec_anomaly_detection"),
        layout=layouts.MVTEC,
        homepage="https://www.mvtec.com/company/research/datasets/mvtec-ad",
        paper="Bergmann et al., MVTec AD, CVPR 2019",
        licence="CC BY-NC-SA 4.0",
    ),
    DatasetSpec(
        name="visa",
        title="VisA",
        domain="industrial",
        folders=("VisA", "VisA_20220922"),
        layout=layouts.VISA,
        homepage="https://github.com/amazon-science/spot-diff",
        paper="Zou et al., SPot-the-Difference, ECCV 2022",
        licence="CC BY 4.0",
    ),
    DatasetSpec(
        name="btad",
        title="BTAD",
        domain="industrial",
        folders=("BTAD", "BTech_Dataset_transformed"),
        layout=layouts.MVTEC,
        homepage="https://github.com/pankajmishra000/VT-ADL",
        paper="Mishra et al., VT-ADL, ISIE 2021",
        licence="CC BY-SA 4.0",
    ),
    DatasetSpec(
        name="rsdd",
        title="RSDD",
        domain="industrial",
        folders=("RSDD",),
        layout=layouts.MVTEC_SINGLE,
        subfolder="Metal15",
        homepage=AUTHORS_PAGE,
        paper="Gan et al., A Hierarchical Extractor-Based Visual Rail Surface Inspection System, "
        "IEEE Sensors Journal 2017",
    ),
    DatasetSpec(
        name="dtd-synthetic",
        title="DTD-Synthetic",
        domain="industrial",
        folders=("DTD-Synthetic",),
        layout=layouts.MVTEC_VARIANTS,
        homepage="https://drive.google.com/drive/folders/10OyPzvI3H6llCZBxKxFlKWt1Pw1tkMK1",
        paper="Aota et al., Zero-shot versus Many-shot: Unsupervised Texture Anomaly Detection, "
        "WACV 2023",
    ),
    DatasetSpec(
        name="brain",
        title="Brain MRI",
        domain="medical",
        folders=("Brain",),
        layout=layouts.BMAD,
        homepage=_BMAD,
        paper=_BMAD_PAPER,
    ),
    DatasetSpec(
        name="liver",
        title="Liver CT",
        domain="medical",
        folders=("Liver",),
        layout=layouts.BMAD,
        homepage=_BMAD,
        paper=_BMAD_PAPER,
    ),
    DatasetSpec(
        name="retina",
        title="Retina OCT",
        domain="medical",
        folders=("Retina", "Retina_RESC"),
        layout=layouts.BMAD,
        homepage=_BMAD,
        paper=_BMAD_PAPER,
    ),
    DatasetSpec(
        name="headct",
        title="Head CT",
        domain="medical",
        folders=("headct",),
        layout=layouts.MVTEC_SINGLE,
        masks=False,
        homepage="https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage",
        paper="Kitamura, Head CT - hemorrhage, Kaggle 2018",
    ),
    DatasetSpec(
        name="colondb",
        title="ColonDB",
        domain="medical",
        folders=("Colon_colonDB", "CVC-ColonDB"),
        layout=layouts.IMAGES_AND_MASKS,
        homepage=_POLYPS,
        paper="Bernal et al., Towards Automatic Polyp Detection with a Polyp Appearance Model, "
        "Pattern Recognition 2012",
    ),
    DatasetSpec(
        name="clinicdb",
        title="ClinicDB",
        domain="medical",
        folders=("Colon_clinicDB", "CVC-ClinicDB"),
        layout=layouts.IMAGES_AND_MASKS,
        homepage=_POLYPS,
        paper="Bernal et al., WM-DOVA Maps for Accurate Polyp Highlighting in Colonoscopy, "
        "Computerized Medical Imaging and Graphics 2015",
    ),
    DatasetSpec(
        name="cvc300",
        title="CVC-300",
        domain="medical",
        folders=("Colon_cvc300",),
        layout=layouts.IMAGES_AND_MASKS,
        homepage=_POLYPS,
        paper="Vázquez et al., A Benchmark for Endoluminal Scene Segmentation of Colonoscopy "
        "Images, Journal of Healthcare Engineering 2017",
    ),
    DatasetSpec(
        name="kvasir",
        title="Kvasir",
        domain="medical",
        folders=("Colon_Kvasir", "Kvasir-SEG"),
        layout=layouts.IMAGES_AND_MASKS,
        homepage=_POLYPS,
        paper="Jha et al., Kvasir-SEG: A Segmented Polyp Dataset, MMM 2020",
        licence="research and education only",
    ),
    DatasetSpec(
        name="endo",
        title="Endo",
        domain="medical",
        folders=("Endo",),
        layout=layouts.IMAGES_AND_MASKS,
        subfolder="test dataset",
        homepage="https://endotect.com",
        paper="Hicks et al., The EndoTect 2020 Challenge, ICPR Workshops 2021",
    ),
)
