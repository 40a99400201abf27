"""Datasets: published ones, the user's own and generated ones."""
