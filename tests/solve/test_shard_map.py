"""minimize inside of shard_map: a problem on every device, and one problem over all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from nag_optax import Status, minimize, prox
from tests.support.composite_problems import least_squares

rng = np.random.default_rng(0)
X, Y = jnp.asarray(rng.standard_normal((4, 30, 5)), jnp.float32), jnp.asarray(rng.standard_normal((4, 30)), jnp.float32)


METHODS = {
    "full_backtracking": {"prox": prox.l1(0.1)},
    "fista": {"prox": prox.l1(0.1), "method": "fista", "step_size": 0.005},
    "pogm": {"prox": prox.l1(0.1), "method": "pogm", "step_size": 0.005},
    "ac_fgm": {"prox": prox.l1(0.1), "method": "ac_fgm"},
    "adanag": {"method": "adanag"},
    "adam": {"method": optax.adam(0.1)},
}
each_method = pytest.mark.parametrize("method", METHODS)


def solve(fun, method):
    return minimize(fun, jnp.zeros(5), **METHODS[method])


def on_four_devices(function, out):
    mesh = jax.make_mesh((4,), ("i",), axis_types=(AxisType.Auto,))
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=(P("i"), P("i")), out_specs=out))(X, Y)


@each_method
def test_a_problem_on_every_device(method):
    def one(x, y):
        found = solve(least_squares(x[0], y[0]), method)
        return found.params[None], found.status[None]

    params, status = on_four_devices(one, (P("i"), P("i")))
    assert set(status.tolist()) <= {Status.CONVERGED, Status.STALLED}
    for ours, x, y in zip(params, X, Y, strict=True):
        np.testing.assert_allclose(ours, solve(least_squares(x, y), method).params, atol=1e-4)


@each_method
def test_one_problem_over_all_devices(method):
    def shared(x, y):
        found = solve(lambda w: jax.lax.psum(least_squares(x[0], y[0])(w), "i"), method)
        return found.params, found.status

    params, status = on_four_devices(shared, (P(), P()))
    assert status in (Status.CONVERGED, Status.STALLED)
    np.testing.assert_allclose(params, solve(least_squares(X.reshape(-1, 5), Y.reshape(-1)), method).params, atol=1e-4)
