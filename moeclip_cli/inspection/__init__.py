"""Inspection: one result for each image."""
