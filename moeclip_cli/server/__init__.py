"""Inspection over HTTP: `moeclip serve`."""
