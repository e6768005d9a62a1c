"""Every row of docs/from_jaxopt.md, on both sides."""

import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "from_jaxopt.md").read_text()
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", DOCUMENT, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def namespace():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAXopt's own
        jaxopt = pytest.importorskip("jaxopt")
    names = {"jaxopt": jaxopt}
    (setup,) = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    exec(setup, names)
    return names


def test_the_document_has_its_rows():
    assert len(ROWS) >= 30


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("theirs", "ours"), ROWS)
def test_both_sides_agree(namespace, theirs, ours):
    a, b = (jax.tree.leaves(eval(expression, namespace)) for expression in (theirs, ours))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(jnp.asarray(x), y, atol=2e-3)
