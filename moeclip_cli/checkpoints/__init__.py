"""Reading and writing weights: formats, configuration, hub, built-in model."""
