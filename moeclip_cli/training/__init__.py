"""Training of the adapters, and of the built-in model from nothing."""
