"""Choices and defaults that the command line and the library share.

This module imports nothing heavy: the command line reads it before PyTorch is imported.
"""

from __future__ import annotations

from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]
"""Floating-point precision of the vision tower."""

PRECISIONS: dict[Precision, str] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""The name of each precision in settings and on run cards."""

DEFAULT_PRECISION: Precision = "fp32"
"""So that scores agree between devices."""

PrecisionChoice = Literal["auto", Precision]
"""A precision, or "auto": the fastest with the scores of float32 where a command measures it, else
float32."""

PictureFormat = Literal["png", "jpeg"]
"""File format of pictures."""

PictureChoice = Literal["auto", PictureFormat]
"""A format of pictures, or "auto": JPEG above 1 megapixel, else PNG."""

TableChoice = Literal["csv", "jsonl", "parquet", "xlsx"]
"""File format of the results table, whose dialect is chosen apart."""

CsvDialect = Literal["standard", "excel", "excel-de"]
"""Dialect of CSV: RFC 4180; with a byte order mark; with semicolons and decimal commas too."""

TableFormat = Literal[TableChoice, "csv-excel", "csv-excel-de"]
"""File format of the results table with its dialect."""

Language = Literal["en", "de"]
"""Language of a report."""

ExportFormat = Literal["onnx", "openvino"]
"""File format of an exported graph."""

ExportWeights = Literal["fp32", "fp16", "int8"]
"""How an exported graph stores its weights."""

FALSE_ALARMS = 0.05
"""Fraction of normal images that a threshold may call anomalous, by default."""
