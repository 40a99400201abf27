"""Score every picture of a folder from Python.

python examples/score_folder.py [FOLDER] [NAME OF THE OBJECT]
"""

import sys
from pathlib import Path

from moeclip_cli import Inspector


def main(folder: Path, prompt: str) -> None:
    inspector = Inspector.load()
    pictures = sorted(path for path in folder.rglob("*") if path.suffix in {".jpg", ".png"})
    for result in inspector.score(pictures, prompt=prompt):
        if result.error:
            print(f"{result.path}: {result.error}")
            continue
        print(f"{result.score:.3f}  {result.verdict:9}  {result.path}")
        for region in result.regions:
            print(f"       x {region.x0} to {region.x1}, y {region.y0} to {region.y1}")


if __name__ == "__main__":
    images = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
    main(images, sys.argv[2] if len(sys.argv) > 2 else "object")
