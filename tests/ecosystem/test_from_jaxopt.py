"""Every pair of docs/from_jaxopt.md, on both sides: a row of a table, or two expressions of a block."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support import pages

PAGE = pages.read("from_jaxopt.md")


@pytest.fixture(scope="module")
def namespace():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAXopt's own
        jaxopt = pytest.importorskip("jaxopt")
    return pages.define(PAGE, {"jaxopt": jaxopt})


def test_the_document_has_its_pairs():
    assert len(PAGE.pairs) >= 30
    assert len(PAGE.definitions) == 1 and all(len(block) >= 5 for block in PAGE.blocks)


@pytest.mark.parametrize("block", ["theirs()", "theirs()\nours = 1"])
def test_half_a_pair_is_noticed(block):
    with pytest.raises((AssertionError, ValueError)):
        pages.pairs(block)


def test_a_name_that_is_defined_twice_is_noticed():
    with pytest.raises(AssertionError, match="'a'"):
        pages.define(pages.Page(["a = 1\nb = 2", "a = 3"], [], []), {})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("theirs", "ours"), PAGE.pairs)
def test_both_sides_agree(namespace, theirs, ours):
    a, b = (jax.tree.leaves(eval(expression, namespace)) for expression in (theirs, ours))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(jnp.asarray(x), y, atol=2e-3)
