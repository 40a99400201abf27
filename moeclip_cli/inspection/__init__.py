"""The main job: images in, one result each out."""
