"""Checkpoints that an earlier version wrote restore, and training goes on to where it led that version."""

import functools
import warnings
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import pytest

import nag_optax as no

ocp = pytest.importorskip("orbax.checkpoint")
serialization = pytest.importorskip("flax.serialization")
then = pytest.importorskip("tests.data.write_checkpoints")

FOLDER = Path(then.__file__).parent / "checkpoints"
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # names of that time
    KINDS = then.kinds()


def template(name):
    """What the files hold of a kind, before the first update."""
    params, state = then.begin(name, KINDS[name])
    return {"params": params, "state": state, "after": params, "base": params}


@pytest.fixture(scope="module")
def templates():
    return {name: template(name) for name in KINDS} | {"solution": {"state": then.solution()}}


@pytest.fixture(scope="module")
def by_flax(templates):
    return serialization.from_bytes(templates, (FOLDER / "flax.msgpack").read_bytes())


@pytest.fixture(scope="module")
def by_orbax(templates):
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(FOLDER / "orbax", jax.tree.map(ocp.utils.to_shape_dtype_struct, templates))


@pytest.fixture(params=["flax", "orbax"])
def restored(request):
    return request.getfixturevalue(f"by_{request.param}")


@pytest.mark.parametrize("name", KINDS)
def test_training_goes_on_to_where_it_led(name, restored, templates):
    found = restored[name]
    assert jax.tree.structure(found) == jax.tree.structure(templates[name])
    params, state = jax.tree.map(jnp.asarray, (found["params"], found["state"]))
    end = then.advance(name, KINDS[name], params, state, 2)
    chex.assert_trees_all_equal_shapes_and_dtypes(end, (params, state))
    tolerance = 1e-3 if name in ("adanag", "ac_fgm") else 1e-5  # rounding shows at once where it sets the step
    close = functools.partial(chex.assert_trees_all_close, rtol=tolerance, atol=tolerance)
    close(end[0], found["after"])
    close(then.base_iterate(name, *end), found["base"])


def test_a_solution_warms_a_start(restored):
    warm = jax.tree.map(jnp.asarray, restored["solution"]["state"])
    assert isinstance(warm, no.Solution)
    ours = then.solution()
    kept = warm.state._replace(scale=ours.state.scale)  # the unit of the error has become one without units
    chex.assert_trees_all_close(warm._replace(error=ours.error, state=kept), ours, rtol=1e-5)
    assert int(no.minimize(then.loss, warm, prox=no.prox.l1(0.01)).status) == no.Status.CONVERGED
