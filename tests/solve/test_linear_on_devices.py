"""minimize(linear=) with the rows of A over devices: by sharding, and inside of shard_map."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from nag_optax import Status, losses, minimize, prox
from tests.support.composite_problems import lasso, least_squares

PROBLEM = lasso(40, 60, 0.1)
X, Y, S = PROBLEM.X, PROBLEM.y, PROBLEM.strength


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_rows_over_devices(axis_type):
    expected = minimize(least_squares(jnp.asarray(X), jnp.asarray(Y)), jnp.zeros(60), prox=prox.l1(S)).params
    mesh = jax.make_mesh((8,), ("rows",), axis_types=(axis_type,))
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        A = jax.device_put(jnp.asarray(X, jnp.float32), NamedSharding(mesh, P("rows", None)))
        y = jax.device_put(jnp.asarray(Y, jnp.float32), NamedSharding(mesh, P("rows")))
        start = jax.device_put(jnp.zeros(60), NamedSharding(mesh, P()))

        def solve(A, y, start):
            return minimize(losses.squared(y), start, prox=prox.l1(S), linear=A)

        for found in (jax.jit(solve)(A, y, start), solve(A, y, start)):
            assert found.status == Status.CONVERGED
            np.testing.assert_allclose(found.params, expected, atol=1e-4)


@pytest.mark.parametrize("devices", ["one problem over all", "a problem on each"])
def test_inside_of_shard_map(devices):
    mesh = jax.make_mesh((4,), ("i",), axis_types=(AxisType.Auto,))
    together = devices == "one problem over all"

    def solve(A, y):
        def fun(z):
            value = 0.5 * jnp.sum((z - y) ** 2)
            return jax.lax.psum(value, "i") if together else value

        found = minimize(fun, jnp.zeros(60), prox=prox.l1(S), linear=A, tol=1e-5)
        return found.params[None], found.status[None]

    data = jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.float32)
    params, status = jax.jit(jax.shard_map(solve, mesh=mesh, in_specs=P("i"), out_specs=P("i")))(*data)
    assert set(status.tolist()) <= {Status.CONVERGED, Status.STALLED}
    for i, ours in enumerate(params):
        part = slice(None) if together else slice(10 * i, 10 * i + 10)
        expected = minimize(least_squares(data[0][part], data[1][part]), jnp.zeros(60), prox=prox.l1(S), tol=1e-5)
        np.testing.assert_allclose(ours, expected.params, atol=1e-3)
