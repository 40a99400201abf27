"""Record what `moeclip benchmark --self-check` compares with, after the built-in model changed.

    python benchmarks/record_self_check.py

writes moeclip_cli/evaluation/self_check.json from the model's numbers on this CPU in float32, for
every built-in model and no other, and prints how far the other precisions are off here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from moeclip_cli import Inspector
from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.evaluation.self_check import (
    PAIRS,
    RECORD,
    TOLERANCES,
    Comparison,
    measure,
    record_key,
)

FILE = Path(__file__).resolve().parents[1] / "moeclip_cli" / "evaluation" / RECORD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=FILE, help="the record to write")
    args = parser.parse_args()
    record = {}
    for name in BUILTIN:
        inspector = Inspector.load(name, device="cpu", precision="fp32")
        measured = measure(inspector, lambda: None)
        record[record_key(inspector)] = measured.to_dict()
        print(f"{name}: {2 * PAIRS} images, {measured.metrics}")
        for precision in ("fp16", "bf16"):
            other = Inspector.load(name, device="cpu", precision=precision)
            comparison = Comparison(measured, measure(other, lambda: None), TOLERANCES[other.dtype])
            print(
                f"  {precision}: a score is off by up to {comparison.score_error:.5f}, a metric by "
                f"{comparison.metric_error:.3f} points; passes: {comparison.passed}"
            )
    args.file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
