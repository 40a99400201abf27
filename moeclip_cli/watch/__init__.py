"""`moeclip watch`: pictures of a folder are inspected as they arrive, each once."""
