"""Total variation of images and overlapping groups: the dual's solution, its end, and its derivative."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from nag_optax import minimize, prox
from nag_optax.prox import images

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

CHAIN = [[0, 1, 2], [2, 3, 4], [4, 5, 6], [0, 6]]
NESTED = [[0, 1, 2, 3, 4, 5, 6], [1, 2], [2], [5, 6]]


def image(shape=(9, 8), seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, *shape))
    steps = np.where(np.add.outer(np.arange(shape[0]), np.arange(shape[1])) > shape[0], 2.0, 0.5)
    return steps * (1 + 0.5j if dtype is complex else 1) + 0.4 * (noise[0] + (1j * noise[1] if dtype is complex else 0))


def differences(x):
    """Down and right, as a matrix times the pixels, in NumPy."""
    h, w = x.shape
    down, right = np.zeros((2, h, w), x.dtype)
    down[:-1], right[:, :-1] = x[1:] - x[:-1], x[:, 1:] - x[:, :-1]
    return np.stack([down, right])


def by_many_steps(v, strength, isotropic, steps=20_000):
    """Projected gradient steps on the dual, accelerated but without a restart."""
    p = before = np.zeros((2, *v.shape), v.dtype)

    def primal(p):
        down, right = p
        x = v.copy()
        x[:-1] += down[:-1]
        x[1:] -= down[:-1]
        x[:, :-1] += right[:, :-1]
        x[:, 1:] -= right[:, :-1]
        return x

    for k in range(steps):
        ahead = p + k / (k + 4) * (p - before)
        before, p = p, ahead + differences(primal(ahead)) / 8
        size = np.sqrt((abs(p) ** 2).sum(0)) if isotropic else abs(p)
        p = p / np.maximum(size / strength, 1)
    return primal(p)


def by_blocks(v, groups, strengths, sweeps=2000):
    """Block-coordinate ascent: each group's dual in turn, exactly."""
    x, duals = v.copy(), [np.zeros(len(g), v.dtype) for g in groups]
    for _ in range(sweeps):
        for i, (g, s) in enumerate(zip(groups, strengths, strict=True)):
            whole = x[g] + duals[i]
            duals[i] = whole * min(1, s / max(np.linalg.norm(whole), 1e-300))
            x[g] = whole - duals[i]
    return x


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("dtype", [float, complex])
def test_total_variation_is_what_many_steps_find(isotropic, dtype):
    v = image(dtype=dtype)
    x = prox.total_variation_2d(0.2, isotropic)(jnp.asarray(v), 1.5)
    np.testing.assert_allclose(x, by_many_steps(v, 0.3, isotropic), atol=1e-6)


@pytest.mark.parametrize("isotropic", [True, False])
def test_total_variation_is_the_argmin_of_its_value(isotropic):
    operator, v = prox.total_variation_2d(0.3, isotropic), image((4, 5))

    def objective(flat):
        x = flat.reshape(v.shape)
        square = differences(x) ** 2
        return ((x - v) ** 2).sum() / 2 + 0.3 * np.sqrt(square.sum(0) if isotropic else square).sum()

    best = operator(jnp.asarray(v))
    assert operator.value is not None
    np.testing.assert_allclose(
        objective(np.asarray(best).ravel()), operator.value(best) + ((best - v) ** 2).sum() / 2, atol=1e-12
    )
    found = scipy_minimize(objective, np.asarray(best).ravel(), method="Powell", options={"maxiter": 3}).fun
    assert found >= objective(np.asarray(best).ravel()) - 1e-9


def test_one_row_is_a_signal():
    v = jnp.asarray(image((1, 40)))
    for image_, signal in ((v, v), (v.T, v)):
        x = prox.total_variation_2d(0.5)(image_).reshape(v.shape)
        np.testing.assert_allclose(x, prox.total_variation_1d(0.5)(signal), atol=1e-10)


@pytest.mark.parametrize("groups", [CHAIN, NESTED])
def test_groups_are_what_coordinate_ascent_finds(groups):
    v, weights = np.random.default_rng(1).standard_normal(8), np.sqrt([len(g) for g in groups])
    x = prox.overlapping_groups(groups, 0.4 * weights)(jnp.asarray(v), 0.7)
    np.testing.assert_allclose(x, by_blocks(v, groups, 0.28 * weights), atol=1e-10)
    assert x[7] == v[7]  # in no group


def test_groups_may_be_masks_and_vectors_a_stack_of_complex_numbers():
    rng = np.random.default_rng(2)
    v = rng.standard_normal((2, 3, 7)) + 1j * rng.standard_normal((2, 3, 7))
    masks = np.array([np.isin(np.arange(7), g) for g in CHAIN])
    x = prox.overlapping_groups(masks, 0.6)(jnp.asarray(v))
    for row, vector in zip(x.reshape(6, 7), v.reshape(6, 7), strict=True):
        np.testing.assert_allclose(row, by_blocks(vector, CHAIN, [0.6] * 4), atol=1e-10)


def test_disjoint_groups_are_group_lasso():
    v = jnp.asarray(np.random.default_rng(3).standard_normal((4, 6)))
    mine, known = prox.overlapping_groups([[0, 1, 2], [3, 4, 5]], 0.9), prox.group_lasso(0.9)
    parts = v.reshape(4, 2, 3)
    np.testing.assert_allclose(mine(v, 1.3), known(parts, 1.3).reshape(v.shape), atol=1e-14)
    assert mine.value and known.value
    np.testing.assert_allclose(mine.value(v), known.value(parts), rtol=1e-14)


MAKERS = {
    "isotropic": (lambda s: prox.total_variation_2d(s), image()),
    "anisotropic": (lambda s: prox.total_variation_2d(s, isotropic=False), image()),
    "complex": (lambda s: prox.total_variation_2d(s, isotropic=False), image((5, 4), dtype=complex)),
    "groups": (lambda s: prox.overlapping_groups(CHAIN, s), np.random.default_rng(4).standard_normal(7)),
}
every = pytest.mark.parametrize("name", ["isotropic", "anisotropic", "groups"])


@pytest.mark.parametrize("name", MAKERS)
def test_derivatives_in_params_and_strength(name, strength=0.2):
    make, v = MAKERS[name]
    rng = np.random.default_rng(5)
    direction = rng.standard_normal(v.shape) * (1 + 1j if np.iscomplexobj(v) else 1)
    call = jax.jit(lambda v, s: make(s)(v, 1.0))
    point, along = (jnp.asarray(v), jnp.asarray(strength)), (jnp.asarray(direction), jnp.asarray(0.2))
    _, tangent = jax.jit(lambda: jax.jvp(call, point, along))()
    h = 1e-6
    ahead, behind = (call(v + t * direction, strength + t * 0.2) for t in (h, -h))
    np.testing.assert_allclose(tangent, (ahead - behind) / (2 * h), atol=1e-6)
    weights = jnp.asarray(rng.standard_normal(v.shape)).astype(tangent.dtype)
    of_v, of_s = jax.jit(lambda: jax.vjp(call, *point)[1](weights))()
    np.testing.assert_allclose((weights * tangent).sum().real, (of_v * direction).sum().real + of_s * 0.2, rtol=1e-9)


@every
def test_a_strength_of_zero_changes_nothing(name):
    make, v = MAKERS[name]
    x, tangent = jax.jit(lambda v: jax.jvp(lambda v: make(0.0)(v, 1.0), (v,), (v,)))(jnp.asarray(v))
    np.testing.assert_allclose(x, v, atol=1e-15)
    np.testing.assert_allclose(tangent, v, atol=1e-15)
    np.testing.assert_array_equal(jax.jit(make(0.3).apply)(jnp.zeros_like(v), 1.0), 0)


@every
def test_a_large_strength_ends_in_rounding(name):
    make, v = MAKERS[name]
    x = make(1e6)(jnp.asarray(v))
    np.testing.assert_allclose(x, 0 if name == "groups" else np.full_like(v, v.mean()), atol=1e-12)


@every
def test_float32_and_vmap(name):
    make, v = MAKERS[name]
    narrow = jnp.asarray(v, jnp.complex64 if np.iscomplexobj(v) else jnp.float32)
    strengths = jnp.asarray([0.1, 0.3], jnp.float32)
    batch = jax.jit(jax.vmap(lambda s: make(s)(narrow, 1.0)))(strengths)
    assert batch.dtype == narrow.dtype
    for s, x in zip((0.1, 0.3), batch, strict=True):
        np.testing.assert_allclose(x, make(s)(jnp.asarray(v)), atol=1e-4)


def test_images_of_a_stack_end_by_themselves_and_have_their_strengths():
    v = jnp.stack([jnp.asarray(image(seed=seed)) for seed in range(3)])
    strengths = jnp.asarray([0.1, 0.0, 0.3])
    operator = prox.total_variation_2d(strengths)
    x = jax.jit(operator.apply)(v, 1.0)
    values = 0
    for i, s in enumerate(strengths):
        one = prox.total_variation_2d(s)
        np.testing.assert_allclose(x[i], one(v[i]), atol=1e-9)
        assert one.value
        values += one.value(v[i])
    assert operator.value
    np.testing.assert_allclose(operator.value(v), values)


def test_an_offset_costs_no_digits():
    v = image().astype(np.float32)
    x = prox.total_variation_2d(0.3)(jnp.asarray(v))
    np.testing.assert_allclose(prox.total_variation_2d(0.3)(jnp.asarray(v + 1000)) - 1000, x, atol=5e-4)


def test_it_ends_when_its_gap_does_and_at_max_steps():
    v = jnp.asarray(image() - image().mean())[None]
    run = images._ISOTROPIC.solve(v, jnp.asarray(0.3), 5000)
    assert run.steps < 2000 and 0 <= run.gap <= 1e-15 * (v**2).sum()
    assert images._ISOTROPIC.solve(v, jnp.asarray(0.3), 7).steps == 7


def test_it_serves_minimize():
    target = jnp.asarray(image())
    solution = minimize(
        lambda x: ((x - target) ** 2).sum() / 2, jnp.zeros_like(target), prox=prox.total_variation_2d(0.3), tol=1e-8
    )
    np.testing.assert_allclose(solution.params, prox.total_variation_2d(0.3)(target), atol=1e-6)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"total_variation_2d needs images, got shape \(3,\)"):
        prox.total_variation_2d()(jnp.ones(3))
    with pytest.raises(TypeError, match="isotropic must be True or False"):
        prox.total_variation_2d(1.0, cast(Any, 0))
    with pytest.raises(ValueError, match="strength must broadcast"):
        prox.total_variation_2d(jnp.ones(3))(jnp.ones((2, 4, 4)))
    for shape in ((), (6,)):
        with pytest.raises(ValueError, match="groups must fit the last axis of each leaf"):
            prox.overlapping_groups(CHAIN)(jnp.ones(shape))
    with pytest.raises(ValueError, match="wanted 3"):
        prox.overlapping_groups(np.eye(3, dtype=bool))(jnp.ones(4))
    for wrong in ([[0, 0]], [[]], [[-1]], np.array([[0, 1, 1], [1, 1, 0]])):
        with pytest.raises(ValueError, match="groups must name some coordinates, from 0 and none twice"):
            prox.overlapping_groups(wrong)
    for wrong in (3, [0, 1], "ab", [[0.5]], None):
        with pytest.raises(TypeError, match="groups must be booleans"):
            prox.overlapping_groups(wrong)
