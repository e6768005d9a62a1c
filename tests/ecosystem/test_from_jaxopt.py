"""Every pair of docs/from_jaxopt.md, on both sides: a row of a table, or two expressions of a block."""

import ast
import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "from_jaxopt.md").read_text()
SETUP, *BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", DOCUMENT, flags=re.MULTILINE)


def pairs(block):
    """(theirs, ours) of a block's expressions, by turns."""
    expressions = ast.parse(block).body
    assert all(isinstance(expression, ast.Expr) for expression in expressions), block
    sources = [ast.unparse(expression) for expression in expressions]
    return list(zip(sources[::2], sources[1::2], strict=True))


PAIRS = ROWS + [pair for block in BLOCKS for pair in pairs(block)]


@pytest.fixture(scope="module")
def namespace():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAXopt's own
        jaxopt = pytest.importorskip("jaxopt")
    names = {"jaxopt": jaxopt}
    exec(SETUP, names)
    return names


def test_the_document_has_its_pairs():
    assert len(PAIRS) >= 30
    assert all(len(pairs(block)) >= 5 for block in BLOCKS)


@pytest.mark.parametrize("block", ["theirs()", "theirs()\nours = 1"])
def test_half_a_pair_is_noticed(block):
    with pytest.raises((AssertionError, ValueError)):
        pairs(block)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_both_sides_agree(namespace, theirs, ours):
    a, b = (jax.tree.leaves(eval(expression, namespace)) for expression in (theirs, ours))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(jnp.asarray(x), y, atol=2e-3)
