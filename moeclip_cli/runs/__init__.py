"""Runs on disk: output folders, run cards, and the work of score, heatmap and benchmark."""
