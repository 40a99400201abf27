"""Devices, CPU cores, and processes that share one training or benchmark run."""
