"""Frozen backbones: one module per family, and a table that recognises weights by their tensors.

To add a family, write a module with its `VisionTower`, a function that reads an `Architecture` off
a state dict and one that builds the `Backbone`, and put its `Family` into `table.FAMILIES`. Nothing
outside this package knows the tensors, prefix tokens or image statistics of a backbone.
"""
