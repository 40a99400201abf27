"""What a command does on disk: an output folder claimed, filled and finished."""
