"""Reports of scoring runs and benchmarks: HTML pages, Markdown, JSON and CSV."""
