"""The reference of the documentation: every public name is in it, and nothing that is none."""

import inspect
import re
from pathlib import Path

import pytest

import nag_optax
from tests.support.public import public

PAGES = sorted((Path(__file__).parents[2] / "docs" / "reference").glob("*.md"))
MODULES = [getattr(nag_optax, name) for name in ("links", "momenta", "prox", "restart", "step_sizes", "theory")]
INTERNAL = {"as_test"}  # what methods call, and nobody else has to


def documented():
    """Every name that a directive of the pages documents, in full."""
    for page in PAGES:
        module = None
        for directive, name in re.findall(r"^\.\. (\w+):: ([\w.]+)$", page.read_text(), flags=re.MULTILINE):
            if directive == "currentmodule":
                module = name
            else:
                yield name if directive == "automodule" else f"{module}.{name}"


NAMES = list(documented())


def resolved(name):
    found = nag_optax
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def test_every_public_name_has_a_place():
    assert {f"nag_optax.{name}" for name in nag_optax.__all__} <= set(NAMES)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_of_a_module_has_a_place(module):
    places = {id(resolved(name)) for name in NAMES}
    for name in getattr(module, "__all__", None) or [name for name, _ in public(module)]:
        member = getattr(module, name)
        if inspect.isroutine(member) or inspect.isclass(member):
            assert id(member) in places or name in INTERNAL, name


def test_every_type_that_one_plugs_in_has_a_place():
    places = {id(resolved(name)) for name in NAMES}
    assert not [
        name
        for name in nag_optax.extend.__all__
        if name != "Readings" and id(getattr(nag_optax.extend, name)) not in places
    ]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_documented_twice_or_missing(name):
    assert resolved(name) is not None and NAMES.count(name) == 1
