"""The catalogue is complete: against the library, the documents, the exact worst cases, and its own words."""

import inspect
import re
import typing
from pathlib import Path

import optax
import pytest

import nag_optax as no
from oracles.worst_cases import ROWS
from tests.catalogue import CATALOGUE, KINDS, PARAMETER_FREE, REDUCING, Published
from tests.support.public import public

ROOT = Path(__file__).parents[2]
DOCUMENTS = {name: (ROOT / name).read_text() for name in ("docs/choose.md", "docs/methods.md")}
TEST_FILES = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}


def methods(rows):
    """The transformations that have a row."""
    return {name.partition(",")[0] for name in rows}


# Against the library.


def returned(function):
    """The types that a function says it returns; a class returns itself."""
    if inspect.isclass(function):
        return (function,)
    annotation = typing.get_type_hints(function)["return"]  # a KeyError is a function that does not say
    return (annotation, *typing.get_args(annotation))


def transformations(module):
    """Names of what returns a gradient transformation when it is called."""
    return {
        name
        for name, member in public(module)
        if (inspect.isroutine(member) or inspect.isclass(member))
        and any(inspect.isclass(kind) and issubclass(kind, optax.GradientTransformation) for kind in returned(member))
    }


def differences(module, rows):
    """What has no row, and what is no transformation of the module."""
    return transformations(module) ^ methods(rows)


def test_every_public_transformation_has_a_row_and_every_row_is_public():
    assert not differences(no, CATALOGUE)
    assert len(methods(CATALOGUE)) > 30


def forgotten(learning_rate: float) -> optax.GradientTransformation:
    return optax.sgd(learning_rate)


def perhaps(learning_rate: float | None) -> optax.GradientTransformationExtraArgs | None:
    return optax.sgd(learning_rate) if learning_rate else None


def mute(learning_rate):
    return optax.sgd(learning_rate)


@pytest.mark.parametrize("function", [forgotten, perhaps])
def test_a_forgotten_transformation_is_noticed(monkeypatch, function):
    monkeypatch.setattr(no, function.__name__, function, raising=False)
    monkeypatch.setattr(no, "__all__", [*no.__all__, function.__name__])
    assert function.__name__ in differences(no, CATALOGUE)


def test_a_public_function_that_does_not_say_what_it_returns_is_noticed(monkeypatch):
    monkeypatch.setattr(no, "mute", mute, raising=False)
    monkeypatch.setattr(no, "__all__", [*no.__all__, "mute"])
    with pytest.raises(KeyError, match="return"):
        differences(no, CATALOGUE)


@pytest.mark.parametrize("name", ["nag", "ogm", "diloco"])
def test_a_missing_row_is_noticed(name):
    assert name in differences(no, {row: CATALOGUE[row] for row in CATALOGUE if name not in methods([row])})


def test_a_row_that_is_not_public_is_noticed():
    assert "adamw" in differences(no, {**CATALOGUE, "adamw, of Optax": CATALOGUE["nag"]})


def test_the_groups_are_made_of_rows():
    assert PARAMETER_FREE | REDUCING | set(KINDS) <= set(CATALOGUE) and len(set(KINDS)) == len(KINDS)


# Against the documents.


def called(document):
    """Names that the tables of a document print as calls, in their columns headed "call": `name` or `name(...)`."""
    column = None
    for line in document.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if not line.startswith("|"):
            column = None
        elif "call" in cells:
            column = cells.index("call")
        elif column is not None:
            for code in re.findall(r"`(.+?)`", cells[column]):
                yield from re.findall(r"(?<![\w.])[a-z_]\w*(?=\()", code) or re.findall(r"^[a-z_]\w*$", code)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_name_in_a_table_of_methods_is_public(name):
    """And every transformation among them has a row, since every public one has."""
    assert set(called(DOCUMENTS[name])) <= {name for name, _ in public(no)}


def test_the_tables_of_methods_name_the_whole_catalogue():
    assert methods(CATALOGUE) <= set(called(DOCUMENTS["docs/methods.md"]))


def test_calls_are_found_in_a_table():
    table = """
| you know | call | evaluate |
|---|---|---|
| `no` | `nag(lr, momenta.nesterov())`, `qhm`; `agnes(**agnes_constants(L))` with `restart="x"` | `nor(1)` |
"""
    assert list(called(table)) == ["nag", "qhm", "agnes", "agnes_constants"]


# Against the exact worst cases, and its own words.


def test_every_exact_worst_case_is_attained_by_one_row():
    claimed = [case for row in CATALOGUE.values() if isinstance(row.guarantee, tuple) for case in row.guarantee]
    of_schedules = ["silver steps, f", "long steps, f"]  # for optax.sgd
    assert sorted(claimed + of_schedules) == sorted(ROWS)


@pytest.mark.parametrize("name", CATALOGUE)
def test_words_name_a_test_that_exists(name):
    """What stands for a recursion or an exact worst case is a test, by its name or that of its file."""
    row = CATALOGUE[name]
    assert row.published and isinstance(row.published, Published | str)
    for words in (row.published, row.guarantee):
        if isinstance(words, str):
            tests = re.findall(r"test_\w+", words)
            assert tests, words
            for test in tests:
                found = (test == path.stem or f"def {test}(" in text for path, text in TEST_FILES.items())
                assert any(found), test
