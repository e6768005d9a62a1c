"""Docstrings: every example can be copied into an empty session, and every argument is spoken of."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import types

import pytest

import nag_optax

MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(nag_optax.__path__, "nag_optax.")
    if info.name != "nag_optax.schedules"  # a former name, which warns
]
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = {
    test.name: test for module in (nag_optax, *MODULES) for test in FINDER.find(module, globs={}) if test.examples
}


NEEDS = {"nag_optax.theory.worst_case.worst_case": "clarabel"}  # of an extra


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_can_be_copied(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    printed = []
    runner = doctest.DocTestRunner()
    runner.run(EXAMPLES[name], out=printed.append, clear_globs=False)
    assert not runner.failures, "".join(printed)


def public_functions():
    """The functions of `nag_optax` and of its public modules, by name."""
    for module in (nag_optax, nag_optax.prox, nag_optax.momenta, nag_optax.links, nag_optax.restart):
        for name in getattr(module, "__all__", None) or vars(module):
            value = getattr(module, name)
            here = hasattr(module, "__all__") or getattr(value, "__module__", None) == module.__name__
            if isinstance(value, types.FunctionType) and here and not name.startswith("_"):
                yield f"{module.__name__}.{name}", value


FUNCTIONS = dict(public_functions())


PUBLIC = {name: getattr(nag_optax, name) for name in nag_optax.__all__} | FUNCTIONS


@pytest.mark.parametrize("name", PUBLIC)
def test_there_is_an_example_of_everything_that_is_public(name):
    assert ">>>" in (PUBLIC[name].__doc__ or "") or name.endswith("restart.as_test")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_in_the_docstring(name):
    function = FUNCTIONS[name]
    doc = inspect.getdoc(function) or ""
    module = inspect.getmodule(function).__doc__ or ""
    parameters = [p for p in inspect.signature(function).parameters if p not in ("self", "kwargs")]
    unsaid = [p for p in parameters if not re.search(rf"\b{p}\b", doc + module)]
    assert not unsaid, unsaid


def test_no_docstring_line_says_what_is_said_once():
    """The argument text and the errors that all methods share stand in `accelerate` and in the package's docstring."""
    sources = {module.__name__: inspect.getsource(module) for module in MODULES}
    for name, source in sources.items():
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        for doc in (ast.get_docstring(function) or "" for function in functions):
            assert "as in `nag_optax.accelerate`" not in doc and "if a number is none" not in doc, name
