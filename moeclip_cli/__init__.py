"""moeclip: zero-shot visual inspection with MoECLIP."""

__version__ = "0.1.0"
