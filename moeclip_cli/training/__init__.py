"""Training of the adapters."""
