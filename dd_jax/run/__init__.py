"""A run: what touches clocks, files, signals and the command line."""
