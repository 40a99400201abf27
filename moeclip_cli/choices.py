"""Choices and defaults that the command line and the library share.

This module imports nothing heavy: the command line reads it before PyTorch is imported.
"""

from __future__ import annotations

from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]
"""Floating-point precision of the vision tower."""

PrecisionChoice = Literal["auto", Precision]
"""A precision, or "auto" for the default."""

PictureFormat = Literal["png", "jpeg"]
"""File format of pictures."""

PictureChoice = Literal["auto", PictureFormat]
"""A format of pictures, or "auto": JPEG above 2 megapixels, else PNG."""

TableFormat = Literal["csv", "jsonl", "parquet"]
"""File format of the results table."""

Language = Literal["en", "de"]
"""Language of a report."""

ExportFormat = Literal["onnx"]
"""File format of an exported graph."""

ExportWeights = Literal["fp32", "fp16", "int8"]
"""How an exported graph stores its weights."""

FALSE_ALARMS = 0.05
"""Fraction of normal images that a threshold may call anomalous, by default."""
