"""The network and nothing else: no files, no command line, no printing."""
