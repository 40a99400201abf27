"""What a run leaves on disk: tables, pictures and a report."""
