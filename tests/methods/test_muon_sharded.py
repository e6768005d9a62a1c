"""Muon on eight devices: states stay where they are, and no more than one leaf is gathered at a time."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from nag_optax import ema_nesterov, maps, muon, state_shardings
from nag_optax.maps import MatrixAxes

SHAPES = {"layers": (8, 16, 64), "layers back": (8, 64, 16), "bias": (8, 64), "kernel": (64, 32), "embed": (96, 16)}
LARGEST = 8 * 16 * 64


def axes(path, leaf):
    return MatrixAxes(1, 2) if "layers" in path and leaf.ndim == 3 else maps.hidden_matrices(path, leaf)


LAYOUTS = {
    "FSDP": {3: P(None, "d"), 2: P("d")},
    "layers": {3: P("d"), 2: P("d")},
    "outputs": {3: P(None, None, "d"), 2: P(None, "d")},
}


@pytest.mark.parametrize("around", [False, True], ids=["muon", "ema_nesterov"])
@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_leaf_is_gathered_at_a_time_and_states_stay(layout, axis_type, around):
    mesh = jax.make_mesh((8,), ("d",), axis_types=(axis_type,))
    rng = np.random.default_rng(0)
    plain = {name: jnp.asarray(rng.standard_normal(shape), jnp.float32) for name, shape in SHAPES.items()}
    tx = muon(0.1, axes=axes, dtype=jnp.float32, neurons=0.95)
    tx = ema_nesterov(tx, 0.5) if around else tx
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        params = jax.tree.map(lambda x: jax.device_put(x, NamedSharding(mesh, LAYOUTS[layout][x.ndim])), plain)
        state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
        update = jax.jit(tx.update)
        updates, after = update(params, state, params)
        hlo = update.lower(params, state, params).compile().as_text()
    expected, _ = tx.update(plain, tx.init(plain), plain)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), updates, expected)
    jax.tree.map(same_place, updates, params)
    jax.tree.map(same_place, after, state)
    assert max(gathered(hlo), default=0) <= LARGEST


def same_place(x, like):
    assert x.ndim == 0 or x.sharding.is_equivalent_to(like.sharding, x.ndim)


def gathered(hlo):
    """Numbers that each all-gather of a program brings together."""
    for line in re.findall(r"= (.*?) all-gather(?:-start)?\(", hlo):
        shapes = re.findall(r"\w+\[([\d,]+)\]", line)
        yield sum(math.prod(map(int, shape.split(","))) for shape in shapes)


def test_the_count_sees_what_is_gathered():
    mesh = jax.make_mesh((8,), ("d",), axis_types=(AxisType.Auto,))
    x = jax.device_put(jnp.ones((16, 32)), NamedSharding(mesh, P("d")))
    hlo = jax.jit(lambda x: 2 * x, out_shardings=NamedSharding(mesh, P())).lower(x).compile().as_text()
    assert list(gathered(hlo)) == [512]
