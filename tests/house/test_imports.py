"""The law of the house: imports go down, or stay on a floor without running in a circle."""

import re
import statistics
from pathlib import Path

import pytest

from tests.support.imports import imported

PACKAGE = Path(__file__).parents[2] / "nag_optax"

FOLDERS = {"nag_optax", "oracles", "tests", "benchmarks", "examples", "programs", "trainer"}

FLOORS = [
    {"renamed", "scalars", "validation", "masks", "trees", "readings", "finding"},
    {"momenta", "step_sizes", "evaluation", "measuring", "anchoring", "restoring", "sharding", "curvature"},
    {"engine", "losses", "prox"},
    {"links", "maps", "theory"},
    {"methods"},
    {"solve", "outer", "averaging", "conversion"},
    {"extend", "schedules"},
    {"__init__"},
]


def modules(package):
    """Every file by its module's name, without the package's."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return names


def imports(path, known):
    """The modules of the package that a file imports, also within functions."""
    for name in imported(path):
        if name.split(".")[0] == "nag_optax":
            inside = name.removeprefix("nag_optax").removeprefix(".")
            yield next(m for m in (inside, inside.rpartition(".")[0]) if m in known)


def floor(module):
    return next(number for number, rooms in enumerate(FLOORS) if module.split(".")[0] in rooms)


def climbing(package):
    """Imports from a lower floor to a higher one, in words."""
    files = modules(package)
    return [
        f"{module} imports {other}"
        for module, path in files.items()
        for other in imports(path, files)
        if floor(other) > floor(module)
    ]


def circle(package):
    """The modules of a circle, or nothing."""
    files = modules(package)
    graph = {module: set(imports(path, files)) - {module} for module, path in files.items()}
    while ground := [module for module, needs in graph.items() if not needs]:
        for module in ground:
            del graph[module]
        graph = {module: needs - set(ground) for module, needs in graph.items()}
    return sorted(graph)


def test_no_floor_imports_a_higher_one():
    assert climbing(PACKAGE) == []


def test_no_import_runs_in_a_circle():
    assert circle(PACKAGE) == []


def test_the_law_is_the_one_that_the_design_prints():
    text = (PACKAGE.parent / "docs" / "design.md").read_text()
    printed = dict(re.findall(r"^    (\d)  ([\w, ]+)$", text, flags=re.MULTILINE))
    assert {int(n): set(rooms.split(", ")) for n, rooms in printed.items()} == dict(enumerate(FLOORS, 1))
    for room in set().union(*FLOORS):
        assert re.search(rf"^      .*\b{room}(\.py|/| )", text, flags=re.MULTILINE), room


def test_every_room_has_a_floor_and_there_are_at_most_nine():
    rooms = {module.split(".")[0] for module in modules(PACKAGE)}
    assert rooms == set().union(*FLOORS)
    assert len(FLOORS) <= 9


def test_files_are_short():
    files = [path for path in PACKAGE.parent.rglob("*.py") if path.relative_to(PACKAGE.parent).parts[0] in FOLDERS]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert {path: n for path, n in lengths.items() if n > 250} == {}
    in_five_numbers = [path for path in (PACKAGE / "methods").glob("*.py") if "Rule(" in path.read_text()]
    assert len(in_five_numbers) > 15 and statistics.median(lengths[path] for path in in_five_numbers) <= 65


def copy_with(folder, file, line):
    """A copy of the package with one more line."""
    for path in PACKAGE.rglob("*.py"):
        target = folder / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text() + (f"\n{line}\n" if path == PACKAGE / file else ""))
    return folder


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("scalars.py", "import nag_optax.engine.accelerate"),
        ("engine/accelerate.py", "from nag_optax.methods import nag"),
        ("trees.py", "import importlib\nimportlib.import_module('nag_optax.solve.minimize')"),
        ("prox/penalties.py", "def late():\n    from nag_optax import solve"),
        ("evaluation.py", "from nag_optax.outer.slow_weights import SlowWeightsState"),
    ],
)
def test_an_import_that_climbs_is_found(tmp_path, file, line):
    assert len(climbing(copy_with(tmp_path / "nag_optax", file, line))) == 1


def test_a_circle_is_found(tmp_path):
    line = "from nag_optax.engine.accelerate import accelerate"
    copy = copy_with(tmp_path / "nag_optax", "engine/restart.py", line)
    assert climbing(copy) == []
    assert {"engine.restart", "engine.accelerate"} <= set(circle(copy))
