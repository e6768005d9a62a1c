"""Every pair of docs/from_scikit_learn.md, on both sides, in float64: they agree relative to the largest entry."""

import jax
import numpy as np
import pytest

from tests.support import pages

PAGE = pages.read("from_scikit_learn.md")
ACCURACY = 1e-5
"""What the page says."""


@pytest.fixture(scope="module")
def namespace():
    yield pages.define(PAGE, {})  # in float64: the page says so
    jax.config.update("jax_enable_x64", False)


def test_the_document_has_its_pairs():
    assert len(PAGE.pairs) >= 20 and len(PAGE.definitions) >= 5


@pytest.mark.parametrize(("theirs", "ours"), PAGE.pairs)
def test_both_sides_agree(namespace, theirs, ours):
    a, b = (jax.tree.leaves(eval(expression, namespace)) for expression in (theirs, ours))
    for x, y in zip(a, b, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(y, x, rtol=0, atol=ACCURACY * np.abs(x).max())
