"""Where complex numbers meet real ones: mixed trees, images, arguments, transformations, and what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Status, ac_fgm, eval_params, fista, losses, minimize, pogm, prox
from tests.solve.test_complex import Lasso, ista, normal, squares

pytestmark = [
    pytest.mark.usefixtures("float64", "strict_ranks"),
    pytest.mark.filterwarnings("ignore:Casting complex values"),  # of jax 0.5.3, where real numbers meet complex ones
]


def test_trees_of_real_and_complex_leaves():
    rng = np.random.default_rng(4)
    A, B, y = normal(rng, 12, 5), normal(rng, 12, 3), normal(rng, 12)
    mixed = {"c": jnp.zeros(5, complex), "r": jnp.zeros(3)}
    operator = prox.masked(prox.l2_squared(0.5), {"c": True, "r": False})
    fun = losses.squared(y)
    found = minimize(fun, mixed, linear=lambda p: A @ p["c"] + B @ p["r"], prox=operator, tol=1e-13).params
    assert found["r"].dtype == jnp.float64 and found["c"].dtype == complex
    columns = np.concatenate([A, 1j * A, B], 1)  # of real numbers
    ridge = np.sqrt(0.5) * np.eye(13)[:10]
    rows = np.concatenate([columns.real, columns.imag, ridge])
    twin = np.linalg.lstsq(rows, np.concatenate([y.real, y.imag, np.zeros(10)]))[0]
    np.testing.assert_allclose(found["c"], twin[:5] + 1j * twin[5:10], atol=1e-9)
    np.testing.assert_allclose(found["r"], twin[10:], atol=1e-9)


@pytest.mark.parametrize("structured", [True, False])
def test_a_real_image_of_complex_params_and_a_complex_one_of_real_ones(structured):
    rng = np.random.default_rng(5)
    A, y, real = normal(rng, 12, 5), normal(rng, 12), rng.standard_normal(12)

    def solve(fun, linear, start):
        options = {"prox": prox.l2_squared(0.5), "tol": 1e-13}
        if structured:
            found = minimize(fun, start, linear=linear, **options)
            assert -1e-12 <= found.gap <= 1e-9
            return found.params
        image = (lambda x: A @ x) if isinstance(linear, np.ndarray) else linear
        return minimize(lambda x: fun(image(x)), start, **options).params

    found = solve(losses.squared(y), A, jnp.zeros(5))
    twin = np.linalg.solve((A.conj().T @ A).real + 0.5 * np.eye(5), (A.conj().T @ y).real)
    np.testing.assert_allclose(found, twin, atol=1e-9)
    found = solve(losses.squared(real), lambda x: (A @ x).real, jnp.zeros(5, complex))
    rows = np.concatenate([A.real, -A.imag], 1)
    twin = np.linalg.solve(rows.T @ rows + 0.5 * np.eye(10), rows.T @ real)
    np.testing.assert_allclose(found, twin[:5] + 1j * twin[5:], atol=1e-9)


def test_complex_arguments_of_real_params_stay_complex():
    A, y = jnp.asarray(Lasso.A), jnp.asarray(Lasso.y)
    found = minimize(squares, jnp.zeros(20), args=(A, y), prox=prox.l1(1.0), tol=1e-12)
    real, imag = (np.asarray(f(Lasso.A)) for f in (np.real, np.imag))
    rows, target = np.concatenate([real, imag]), np.concatenate([Lasso.y.real, Lasso.y.imag])
    twin = ista(
        lambda x: rows.T @ (rows @ x - target),
        lambda v, s: np.sign(v) * np.maximum(np.abs(v) - s, 0),
        np.zeros(20),
        Lasso.lipschitz,
    )
    np.testing.assert_allclose(found.params, twin, atol=1e-8)


@pytest.mark.parametrize("make", [partial(fista, 1 / Lasso.lipschitz), partial(pogm, 1 / Lasso.lipschitz), ac_fgm])
def test_transformations_take_conjugated_gradients(make):
    tx, x = make(prox.l1(Lasso.strength)), jnp.zeros(20, complex)

    def step(carry, _):
        x, state = carry
        value, gradient = jax.value_and_grad(squares)(x)
        updates, state = tx.update(gradient.conj(), state, x, value=value, value_fn=squares)
        return (optax.apply_updates(x, updates), state), None

    (x, state), _ = jax.jit(lambda: jax.lax.scan(step, (x, tx.init(x)), length=2000))()
    np.testing.assert_allclose(eval_params(state, x), Lasso.solution(), atol=1e-4)


REFUSED = {
    "a complex value": (lambda: {"fun": lambda x: jnp.sum(x**2)}, TypeError, "fun must return a real floating scalar"),
    "a complex g": (
        lambda: {"prox": prox.Prox(lambda x, s: x / (1 + s), lambda x: jnp.sum(x**2) / 2)},
        TypeError,
        "prox must know a real g",
    ),
    "a prox of real numbers": (lambda: {"prox": prox.non_negative()}, TypeError, "non_negative is for real params"),
    "a projection": (lambda: {"prox": optax.projections.projection_l2_ball}, TypeError, "prox must be an operator"),
    "screening": (
        lambda: {"fun": losses.squared(Lasso.y), "linear": Lasso.A, "prox": prox.l1(1.0), "screen": True},
        ValueError,
        "screen=True is for real params",
    ),
    "a linear map that is none": (
        lambda: {"fun": losses.squared(Lasso.y), "linear": lambda x: Lasso.A @ jnp.exp(x)},
        ValueError,
        "linear must be a linear function",
    ),
    "a matrix that does not fit": (lambda: {"linear": Lasso.A[:, :3]}, ValueError, "linear, an array"),
    "more arguments": (lambda: {"fun": lambda x, y: jnp.sum(jnp.abs(x - y))}, TypeError, "fun must be a function"),
    "adanag with a prox": (lambda: {"prox": prox.l1(1.0), "method": "adanag"}, ValueError, "for smooth problems"),
    "a transformation with a prox": (
        lambda: {"prox": prox.l1(1.0), "method": optax.sgd(0.1)},
        ValueError,
        "a transformation knows no prox",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_words(name):
    options, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        minimize(**{"fun": squares, "init_params": jnp.zeros(20, complex), **options()})


ONLY_REAL = {
    "logistic": losses.logistic(jnp.ones(2)),
    "multinomial": losses.multinomial(jnp.ones(2)),
    "squared_hinge": losses.squared_hinge(jnp.ones(2)),
    "huber": losses.huber(jnp.ones(2)),
    "huber of complex targets": losses.huber(jnp.ones(2, complex)),
    "poisson": losses.poisson(jnp.ones(2)),
}


@pytest.mark.parametrize("name", ONLY_REAL)
def test_losses_of_real_predictions_refuse_complex_ones(name):
    predictions = jnp.zeros(2) if "targets" in name else jnp.zeros(2, complex)
    for function in (ONLY_REAL[name], ONLY_REAL[name].conjugate):
        with pytest.raises(TypeError, match="this loss is for real predictions and targets"):
            function(predictions)


def test_complex_targets_of_real_predictions_are_refused():
    with pytest.raises(TypeError, match="targets must be real where predictions are"):
        losses.squared(jnp.ones(2, complex))(jnp.zeros(2))
    with pytest.raises(TypeError, match="labels must be a number"):
        losses.logistic(jnp.ones(2, complex))


@pytest.mark.parametrize("dtype", [float, complex])
def test_a_loss_of_squares_keeps_its_curvature_where_it_is_exact(dtype):
    target = jnp.asarray([0, 1], dtype)
    hessian = jax.jacfwd(jax.grad(lambda t: losses.squared(target)(target + t)))(0.0)
    np.testing.assert_allclose(hessian, 2.0)


def test_complex64_where_float64_is_off():
    jax.config.update("jax_enable_x64", False)  # the fixture switches it off afterwards anyway
    A, y = (x.astype(np.complex64) for x in (Lasso.A, Lasso.y))
    for options in ({}, {"linear": A}):
        fun = losses.squared(y) if options else lambda x: squares(x, A, y)
        found = minimize(fun, np.zeros(20, complex), prox=prox.l1(5.0), **options)
        assert found.params.dtype == jnp.complex64 and found.value.dtype == jnp.float32
        assert found.status in (Status.CONVERGED, Status.STALLED)
        np.testing.assert_allclose(found.params, Lasso.solution(), atol=1e-4)


def test_aux_and_callbacks_see_what_the_user_wrote():
    seen = []
    found = minimize(
        lambda x: (squares(x), {"image": Lasso.A @ x}),
        jnp.zeros(20, complex),
        has_aux=True,
        prox=lambda x, s: x / (1 + s),  # of no known g
        callback=lambda step, value, error: bool(seen.append(float(value))) or step >= 3,
    )
    assert found.status == Status.STOPPED and len(seen) == found.steps == 3
    np.testing.assert_allclose(found.aux["image"], Lasso.A @ np.asarray(found.params), atol=1e-12)


def test_similar_calls_share_a_program():
    from nag_optax.solve import compiled

    before, sizes = set(compiled._programs), []
    for strength in (3.0, 4.0, 5.0):
        minimize(losses.squared(Lasso.y * strength), jnp.ones(20, complex), prox=prox.l1(strength), linear=Lasso.A)
        sizes.append(len(set(compiled._programs) - before))
    assert sizes[0] == sizes[2] <= 2  # programs, and that the problem was checked
