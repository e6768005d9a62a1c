"""docs/extend.md: every block is at most fifteen lines, and what it makes does what the page says."""

import re
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import extend

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
PARAMS = jnp.asarray([1.0, -2.0])


@pytest.fixture(scope="module")
def page():
    """What the blocks define, run one after another."""
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/extend.md", "exec"), names)
    return names


def train(tx, steps=20, curvature=(1.0, 0.01)):
    params, state, bases = PARAMS, tx.init(PARAMS), []
    for _ in range(steps):
        updates, state = tx.update(jnp.asarray(curvature) * params, state, params)
        params = optax.apply_updates(params, updates)
        bases.append(no.eval_params(state, params))
    return jnp.stack(bases), params, state


def test_every_block_is_short():
    assert len(BLOCKS) >= 8
    assert max(len([line for line in block.splitlines() if line]) for block in BLOCKS) <= 15


def test_every_type_of_extend_is_on_the_page_or_in_its_docstring():
    unsaid = [name for name in extend.__all__ if not re.search(rf"\b{name}\b", f"{PAGE}{extend.__doc__}")]
    assert set(unsaid) <= {"BaseIterate", "Question", "Reading", "Readings", "joined", "Problem"}, unsaid
    assert all(getattr(extend, name).__doc__ for name in unsaid if name != "Readings")


def test_the_method_is_nag_with_that_momentum(page):
    ours = train(page["my_method"](0.5))[0]
    theirs = train(no.nag(0.5, lambda k: k / (k + 3)))[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    train(page["my_method"](0.1, restart="gradient", accumulator_dtype=jnp.int8))


def test_the_sequence_is_nesterov_s(page):
    values = no.momenta.tabulate(page["general"](0.01), 200)
    np.testing.assert_allclose(values[-1], (1 - 0.1) / (1 + 0.1), rtol=1e-4)
    np.testing.assert_allclose(
        no.momenta.tabulate(page["general"](0.0), 50), no.momenta.tabulate(no.momenta.nesterov(), 50), atol=1e-5
    )


def test_the_restart_test_restarts(page):
    tx = no.nag(1.0, no.momenta.nesterov(), restart=page["patient"](3))
    ages = []
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(60):
        updates, state = tx.update(jnp.asarray([1.0, 0.01]) * params, state, params)
        params = optax.apply_updates(params, updates)
        ages.append(int(state.age))
    assert 0 in ages


def test_the_solver_method_converges(page):
    assert page["solution"].status == no.Status.CONVERGED
    np.testing.assert_allclose(page["solution"].params, [1.5, 0.0], atol=1e-5)


def test_the_prox_is_the_argmin(page):
    v, s = jnp.asarray([2.0, 0.3]), 0.7
    x, grid = page["l0"](0.5)(v, s), jnp.linspace(-3, 3, 6001)
    objective = 0.5 * (jnp.abs(grid[:, None]) > 1e-4) + (grid[:, None] - v) ** 2 / (2 * s)
    np.testing.assert_allclose(x, grid[objective.argmin(0)], atol=1e-3)
    np.testing.assert_array_equal(page["sparse"].params, [2.0, 0.0])


def test_the_state_is_found_through_wrappers_and_jit(page):
    for tx in (page["tx"], optax.chain(optax.clip(9.0), page["tx"]), optax.MultiSteps(page["tx"], 1)):
        updates, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
        moved = optax.apply_updates(PARAMS, updates)
        chex.assert_trees_all_close(jax.jit(no.eval_params)(state, moved), moved - 0.1 * PARAMS)
        chex.assert_trees_all_close(no.eval_params(state, moved, output="far"), moved - PARAMS)


def test_the_later_link_halves_the_way(page):
    np.testing.assert_allclose(train(page["chained"])[0], train(no.nag(0.1))[0], rtol=1e-5)
