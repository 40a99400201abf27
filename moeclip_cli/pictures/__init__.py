"""Pictures of results: overlays, sheets and expert maps."""
