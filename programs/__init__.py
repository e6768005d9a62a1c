"""Long runs with a command line: ``python -m programs.NAME``."""
