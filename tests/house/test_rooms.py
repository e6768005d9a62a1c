"""Who may import whom: programs and examples are reached as a user does, and no file edits the path of imports."""

from pathlib import Path

import pytest

from tests.support.imports import imported

ROOT = Path(__file__).parents[2]
FORBIDDEN = {  # what the files of a folder do not import
    "nag_optax": {"benchmarks", "examples", "oracles", "programs", "tests", "trainer"},
    "oracles": {"benchmarks", "examples", "nag_optax", "programs", "tests", "trainer"},
    "trainer": {"benchmarks", "examples", "oracles", "programs", "tests"},
    "programs": {"benchmarks", "examples", "oracles", "programs", "tests"},
    "benchmarks": {"examples", "programs", "tests"},
    "notebooks": {"examples", "programs", "tests"},
    "tests": {"examples", "programs"},
}
FLOORS = ("command_line", "data", "networks", "parallel", "run", "image_classifier", "language_model")
"""Of the trainer, each of which imports only from those before it."""
PATH_EDITS = (".".join(("sys", "path")), "_".join(("syspath", "prepend")))
FOLDERS = (*FORBIDDEN, "docs", "examples")
TEXTS = [
    ROOT / ".ci" / "run",
    *(path for ending in ("md", "toml") for path in ROOT.glob(f"*.{ending}")),
    *(path for folder in FOLDERS for ending in ("ipynb", "md", "py") for path in (ROOT / folder).rglob(f"*.{ending}")),
]


def test_the_files_are_found():
    assert len(TEXTS) > 100 and {path.relative_to(ROOT).parts[0] for path in TEXTS} >= {*FOLDERS}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_point_one_way(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        found = {name.split(".")[0] for name in imported(path)} & FORBIDDEN[folder]
        assert not found, f"{path} imports {found}"


def test_the_trainer_has_floors():
    for path in sorted((ROOT / "trainer").rglob("*.py")):
        floor = path.relative_to(ROOT / "trainer").with_suffix("").parts[0]
        below = [] if floor == "__init__" else FLOORS[: FLOORS.index(floor) + 1]
        for name in imported(path):
            home, *rest = name.split(".")
            assert home != "trainer" or rest[0] in below, f"{path} imports {name}"


def test_no_file_edits_the_path():
    for path in TEXTS:
        assert not any(edit in path.read_text() for edit in PATH_EDITS), path
