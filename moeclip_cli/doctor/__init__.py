"""Checks of `moeclip doctor`: installed packages, hardware, folders and the built-in model."""
