"""Exported graphs: writing them with PyTorch, and scoring with them without it."""
