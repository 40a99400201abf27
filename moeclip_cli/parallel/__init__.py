"""Processor cores, and several processes that share one training or one benchmark."""
