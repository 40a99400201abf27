"""Several processes that share one training or one benchmark."""
