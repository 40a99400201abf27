"""Image discovery: from files, folders, patterns and lists to image references, in order."""
