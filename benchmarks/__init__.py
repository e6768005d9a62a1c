"""What the library claims, measured: run a file as ``python -m benchmarks.NAME`` from the root of the repository."""
