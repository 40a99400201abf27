"""Record the reference of `moeclip benchmark --self-check` after a change of the built-in model.

    python workshop/record_self_check.py

Writes moeclip_cli/evaluation/self_check.json from the numbers of every built-in model on this CPU
in float32, and prints the deviations of the other precisions.
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
    SelfCheckResult,
    measure,
    record_key,
)

FILE = Path(__file__).resolve().parents[1] / "moeclip_cli" / "evaluation" / RECORD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=FILE, help="file to write")
    args = parser.parse_args()
    record = {}
    for name in BUILTIN:
        inspector = Inspector.load(name, device="cpu", precision="fp32")
        measured = measure(inspector, lambda: None)
        record[record_key(inspector)] = measured.to_dict()
        print(f"{name}: {2 * PAIRS} images, {measured.metrics}")
        for precision in ("fp16", "bf16"):
            other = Inspector.load(name, device="cpu", precision=precision)
            comparison = SelfCheckResult(
                measured, measure(other, lambda: None), TOLERANCES[other.dtype]
            )
            print(
                f"  {precision}: a score is off by up to {comparison.score_error:.5f}, a metric by "
                f"{comparison.metric_error:.3f} points; passes: {comparison.passed}"
            )
    args.file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
