"""What a very large number of images takes: time, storage, network and cost, from measured rates.

    python benchmarks/billion_images.py moeclip-out/run.json --gpus 8 64 --price 2.50
    python benchmarks/billion_images.py --rate 330 --gpus 1 8 64 512

A rate is that of one GPU, or of one machine without any, as `moeclip score` prints it and run.json
records it; with a run.json, the sizes of its files are read, too. Nothing is measured here: the
efficiency of many GPUs, the size of an image and the price are assumptions, which are printed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

_TABLES = ("results.csv", "results.jsonl", "results.parquet", "inputs.jsonl")
_FILES = ("heatmaps", "maps", "compact-maps", "regions")


@dataclass(frozen=True)
class Assumptions:
    """What the table is computed from.

    Attributes:
        images: number of images.
        rate: images per second of one GPU or machine.
        efficiency: share of the rate that each of many reaches.
        image_bytes: size of an image file.
        row_bytes: size of a row in the table and in inputs.jsonl.
        map_bytes: size of the files that are written for an image.
        price: of an hour of one GPU or machine.
        gpus_per_machine: number of GPUs that share a network connection.
    """

    images: float
    rate: float
    efficiency: float
    image_bytes: float
    row_bytes: float
    map_bytes: float
    price: float
    gpus_per_machine: int

    def seconds(self, gpus: int) -> float:
        """Time with this number of GPUs or machines."""
        share = 1.0 if gpus == 1 else self.efficiency
        return self.images / (self.rate * gpus * share)

    def cost_of_a_million(self, gpus: int) -> float:
        """Price of 10^6 images."""
        return self.seconds(gpus) / 3600 * gpus * self.price / self.images * 1e6

    def gigabits(self, gpus: int) -> float:
        """Gbit/s that one machine reads."""
        at_once = min(gpus, self.gpus_per_machine)
        return self.images / self.seconds(gpus) / gpus * at_once * self.image_bytes * 8 / 1e9


def measured(card: Path) -> dict[str, float]:
    """Rate and sizes of a finished run of one GPU or machine."""
    content = json.loads(card.read_text(encoding="utf-8"))
    folder, summary = card.parent, content["summary"]
    images = summary["images"]
    tables = sum(path.stat().st_size for path in map(folder.joinpath, _TABLES) if path.exists())
    paths = (path for name in _FILES for path in (folder / name).rglob("*") if path.is_file())
    return {
        "rate": summary["images_per_second"],
        "row_bytes": tables / images,
        "map_bytes": sum(path.stat().st_size for path in paths) / images,
    }


def duration(seconds: float) -> str:
    """Such as "35.1 days" or "2.3 h"."""
    return f"{seconds / 86400:,.1f} days" if seconds > 2 * 86400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Such as "1.5 TB"."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB"


def report(assumed: Assumptions, gpus: list[int]) -> str:
    """The assumptions and the table, in Markdown."""
    lines = [
        f"{assumed.images:,.0f} images. Assumed: {assumed.rate:g} images/s of one GPU or machine, "
        f"of which {assumed.efficiency:.0%} with several; {size(assumed.image_bytes)} an image, "
        f"read once; {size(assumed.row_bytes)} a row; {size(assumed.map_bytes)} of maps and "
        f"pictures an image; {assumed.price:g} per hour; {assumed.gpus_per_machine} to a machine.",
        "",
        "| GPUs or machines | images/s | time | cost per million | reading, Gbit/s a machine |",
        "| --- | --- | --- | --- | --- |",
    ]
    for count in gpus:
        seconds = assumed.seconds(count)
        lines.append(
            f"| {count} | {assumed.images / seconds:,.0f} | {duration(seconds)} | "
            f"{assumed.cost_of_a_million(count):,.2f} | {assumed.gigabits(count):.2f} |"
        )
    lines += [
        "",
        f"Storage: {size(assumed.images * assumed.row_bytes)} of tables, "
        f"{size(assumed.images * assumed.map_bytes)} of maps and pictures; read over the network: "
        f"{size(assumed.images * assumed.image_bytes)}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("card", nargs="?", type=Path, help="run.json of a run of one GPU")
    parser.add_argument("--images", type=float, default=1e9)
    parser.add_argument("--rate", type=float, help="images/s; default: that of the card")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64, 512])
    parser.add_argument("--gpus-per-machine", type=int, default=8)
    parser.add_argument("--efficiency", type=float, default=0.9)
    parser.add_argument("--image-bytes", type=float, default=300e3)
    parser.add_argument("--row-bytes", type=float, help="default: of the card, else 450")
    parser.add_argument("--map-bytes", type=float, help="default: of the card, else 0")
    parser.add_argument("--price", type=float, default=2.5, help="of a GPU or machine, per hour")
    args = parser.parse_args()
    found = {"row_bytes": 450.0, "map_bytes": 0.0} | (measured(args.card) if args.card else {})
    given = {name: getattr(args, name) for name in ("rate", "row_bytes", "map_bytes")}
    found |= {name: value for name, value in given.items() if value is not None}
    if "rate" not in found:
        parser.error("give a run.json, or --rate")
    assumed = Assumptions(
        images=args.images,
        efficiency=args.efficiency,
        image_bytes=args.image_bytes,
        price=args.price,
        gpus_per_machine=args.gpus_per_machine,
        **found,
    )
    print(report(assumed, args.gpus))


if __name__ == "__main__":
    main()
