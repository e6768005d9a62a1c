"""What the library claims, measured: run a file as ``python -m benchmarks.NAME`` from the root of the repository."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "examples"))  # whose files import each other by name
