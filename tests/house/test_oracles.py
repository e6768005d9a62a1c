"""The oracles are independent of what is compared with them, and measurement of tests."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(text):
    """Names of the packages that a source imports, wherever in it, and of what it imports by name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import hides where it leads"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize(
    ("folder", "others"),
    [("oracles", {"nag_optax", "benchmarks", "tests"}), ("benchmarks", {"tests"})],
)
def test_a_folder_imports_none_of_the_others(folder, others):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        assert not others & set(imported(path.read_text())), path


def test_an_import_is_found_wherever_it_stands():
    assert set(imported("import numpy as np\ndef f():\n    from nag_optax.prox import l1")) == {"numpy", "nag_optax"}
