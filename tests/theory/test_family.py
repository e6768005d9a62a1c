"""The accelerated family: published recursions, exact worst cases, and the identities between methods."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import problems
import pytest
from running import run

import nag_optax as no
from nag_optax import eval_params, schedules

STEPS = 300


def trajectory(tx, problem, factors, output="base"):
    """Params and an output after every update, [STEPS + 1, size]."""

    def body(carry, factor):
        params, state = carry
        updates, state = tx.update(factor * problem.gradient(params), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), (params, eval_params(state, params, output=output))

    start = jnp.asarray(problem.start)
    return jax.jit(lambda f: jax.lax.scan(body, (start, tx.init(start)), f)[1])(jnp.asarray(factors))


def close(ours, theirs, tolerance=1e-10):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def everywhere():
    """Both problems, without and with multiplicative gradient noise."""
    return [(p, f) for noise in (0.0, 0.5) for p, f in problems.oracles(STEPS, noise)]


# Twins: generators of (params, base iterate) after every update, from the papers' own sequences.


def heavy_ball_twin(gradient, x, L, alpha=0.3, beta=0.8):
    before = x
    for k in range(STEPS):
        x, before = x - alpha / L * gradient(x, k) + beta * (x - before), x
        yield x, x


def qhm_twin(gradient, y, L, alpha=0.5, beta=0.95, nu=0.6):
    m = 0 * y
    for k in range(STEPS):
        g = gradient(y, k)
        m = beta * m + (1 - beta) * g
        y = y - alpha / L * ((1 - nu) * g + nu * m)
        yield y, y


def ogm_twin(gradient, y, L):
    x, theta = y, 1.0
    for k in range(STEPS):
        theta_next = (1 + np.sqrt(1 + 4 * theta**2)) / 2
        x_next = y - gradient(y, k) / L
        y = x_next + (theta - 1) / theta_next * (x_next - x) + theta / theta_next * (x_next - y)
        x, theta = x_next, theta_next
        yield y, x


def three_sequences(gradient, x, L, numbers):
    """x, y, z with (tau, mixing, long step, short step) of step k."""
    z = x
    for k in range(STEPS):
        tau, mixing, long, short = numbers(k)
        y = (1 - tau) * x + tau * z
        g = gradient(y, k)
        x, z = y - short * g, (1 - mixing) * z + mixing * y - long * g
        tau = numbers(k + 1)[0]
        yield (1 - tau) * x + tau * z, x


def triple_momentum_twin(gradient, x, L, q=1e-3):
    """The paper's own two-step form; its output is tested through the worst cases."""
    rho = 1 - np.sqrt(q)
    alpha, beta, gamma = (1 + rho) / L, rho**2 / (2 - rho), rho**2 / ((1 + rho) * (2 - rho))
    xi = before = x
    for k in range(STEPS):
        y = xi + gamma * (xi - before)
        g = gradient(y, k)
        xi, before = xi + beta * (xi - before) - alpha * g, xi
        yield xi + gamma * (xi - before), y - g / L


def robust_momentum_twin(gradient, x, L, kappa=1e3, rho=0.98):
    alpha = kappa * (1 - rho) ** 2 * (1 + rho) / L
    beta, gamma = kappa * rho**3 / (kappa - 1), rho**3 / ((kappa - 1) * (1 - rho) ** 2 * (1 + rho))
    xi = before = x
    for k in range(STEPS):
        y = xi + gamma * (xi - before)
        g = gradient(y, k)
        xi, before = xi + beta * (xi - before) - alpha * g, xi
        yield xi + gamma * (xi - before), y - g / L


def item_twin(gradient, x, L, q=0.1):
    def numbers(k):
        return 1 - betas[k], q * deltas[k], deltas[k] / L, 1 / L

    A, betas, deltas = 0.0, [], []
    for _ in range(STEPS + 1):
        root = np.sqrt((1 + A) * (1 + q * A))
        A_next = ((1 + q) * A + 2 * (1 + root)) / (1 - q) ** 2
        betas.append(A / ((1 - q) * A_next))
        deltas.append((1 + root) / (1 + q + q * A))
        A = min(A_next, 1e250)  # where it would overflow, the numbers have long converged
    return three_sequences(gradient, x, L, numbers)


def strongly_convex_twin(gradient, x, L, q=0.01):
    def numbers(k):
        return taus[k], q * deltas[k], deltas[k] / L, 1 / L

    A, taus, deltas = 0.0, [], []
    for _ in range(STEPS + 1):
        A_next = (2 * A + 1 + np.sqrt(4 * A + 4 * q * A**2 + 1)) / (2 * (1 - q))
        taus.append((A_next - A) * (1 + q * A) / (A_next + 2 * q * A * A_next - q * A**2))
        deltas.append((A_next - A) / (1 + q * A_next))
        A = A_next
    return three_sequences(gradient, x, L, numbers)


def linear_coupling_twin(gradient, x, L):
    return three_sequences(gradient, x, L, lambda k: (2 / (k + 2), 0, (k + 2) / (2 * L), 1 / L))


def acc_sgd_twin(gradient, y, L, kappa=1000.0, xi=10.0, c0=0.7):
    lr, w = 0.5 / L, y
    alpha = 1 - c0**2 * xi / kappa
    beta = 1 - alpha
    zeta = c0 / (c0 + beta)
    for k in range(STEPS):
        g = gradient(y, k)
        w = alpha * w + beta * y - beta * (lr * kappa / c0) * g
        x = y - lr * g
        y = zeta * x + (1 - zeta) * w
        yield y, x


def mass_twin(gradient, u, L, alpha=0.05, kappa=12.0):
    lr, w = 0.5 / L, u
    gamma, delta = (1 - alpha) / (1 + alpha), lr / (alpha * kappa)
    compensation = (lr - alpha * delta) / (1 + alpha)
    for k in range(STEPS):
        g = gradient(u, k)
        w_next = u - lr * g
        u = (1 + gamma) * w_next - gamma * w + compensation * g
        w = w_next
        yield u, w


def agnes_twin(gradient, x, L, alpha=0.2, eta=0.5, rho=0.9):
    v = 0 * x
    y = x
    for k in range(STEPS):
        g = gradient(y, k)
        x, v = y - eta / L * g, rho * (v - g)
        y = x + alpha / L * v
        yield y, x


def snag_twin(gradient, x, L, q=1e-3, growth=2.0):
    s = np.sqrt(q) / growth
    return three_sequences(gradient, x, L, lambda k: (s / (1 + s), s, 1 / (growth * np.sqrt(q) * L), 1 / (growth * L)))


TWINS = {
    "heavy_ball": (lambda L: no.heavy_ball(0.3 / L, 0.8), heavy_ball_twin),
    "qhm": (lambda L: no.qhm(0.5 / L, 0.95, 0.6), qhm_twin),
    "ogm": (lambda L: no.ogm(1 / L), ogm_twin),
    "triple_momentum": (lambda L: no.triple_momentum(L, 1e-3 * L), triple_momentum_twin),
    "robust_momentum": (lambda L: no.robust_momentum(L, 1e-3 * L, 0.98), robust_momentum_twin),
    "item": (lambda L: no.item(L, 0.1 * L), item_twin),
    "strongly_convex_nag": (lambda L: no.strongly_convex_nag(L, 0.01 * L), strongly_convex_twin),
    "linear_coupling": (lambda L: no.linear_coupling(1 / L), linear_coupling_twin),
    "acc_sgd": (lambda L: no.acc_sgd(0.5 / L), acc_sgd_twin),
    "mass": (lambda L: no.mass(0.5 / L), mass_twin),
    "agnes": (lambda L: no.agnes(0.2 / L, 0.5 / L, 0.9), agnes_twin),
    "snag": (lambda L: no.snag(L, 1e-3 * L, 2.0), snag_twin),
}


@pytest.mark.parametrize("name", TWINS)
def test_method_is_its_published_recursion(name):
    make, twin = TWINS[name]
    for problem, factors in everywhere():
        params, base = trajectory(make(problem.smoothness), problem, factors)
        points = list(twin(lambda x, k, p=problem, f=factors: f[k] * p.gradient(x), problem.start, problem.smoothness))
        close(params, np.array([y for y, _ in points]))
        close(base, np.array([x for _, x in points]))


IDENTITIES = {
    "AGNES is SNAG with rho = 1 + sigma^2": (
        lambda L: no.agnes(**no.agnes_constants(L, 0.01 * L, 1.5)),
        lambda L: no.snag(L, 0.01 * L, 1 + 1.5**2),
    ),
    "linear coupling is nag with Su, Boyd & Candes' momentum": (
        lambda L: no.linear_coupling(1 / L),
        lambda L: no.nag(1 / L, schedules.polynomial(2)),
    ),
    "robust momentum at its fast end is triple momentum": (
        lambda L: no.robust_momentum(L, 0.01 * L, 0.9),
        lambda L: no.triple_momentum(L, 0.01 * L),
    ),
    "ITEM without strong convexity is OGM": (lambda L: no.item(L, 0.0), lambda L: no.ogm(1 / L)),
    "the non-stationary scheme without strong convexity is FISTA's": (
        lambda L: no.strongly_convex_nag(L, 0.0),
        lambda L: no.nag(1 / L, schedules.nesterov()),
    ),
    "the stationary scheme is nag with a constant momentum": (
        lambda L: no.strongly_convex_nag(L, 0.01 * L, stationary=True),
        lambda L: no.nag(1 / L, schedules.strongly_convex(100.0)),
    ),
    "SNAG without growth is FISTA's": (lambda L: no.snag(L), lambda L: no.nag(1 / L, schedules.nesterov())),
    "MaSS without memory is nag": (lambda L: no.mass(1 / L, 0.05, 1.0), lambda L: no.nag(1 / L, 0.95 / 1.05)),
    "heavy ball is nag without lookahead": (
        lambda L: no.heavy_ball(0.3 / L, 0.9),
        lambda L: no.nag(0.3 / L, 0.9, lookahead=0.0),
    ),
}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_identity(identity):
    one, other = IDENTITIES[identity]
    for problem, factors in everywhere():
        L = problem.smoothness
        for ours, theirs in zip(
            trajectory(one(L), problem, factors), trajectory(other(L), problem, factors), strict=True
        ):
            close(ours, theirs)


def test_nag_is_a_qhm_in_params():
    for problem, factors in everywhere():
        L = problem.smoothness
        close(
            trajectory(no.qhm(10 / L, 0.9, 0.9), problem, factors)[0],
            trajectory(no.nag(1 / L, 0.9), problem, factors)[0],
        )


# Exact worst cases on functions of one variable, from 1, with smoothness 1.


def theta(steps, last=4):
    t = 1.0
    for k in range(steps):
        t = (1 + np.sqrt(1 + (last if k == steps - 1 else 4) * t**2)) / 2
    return t


def theta_0(horizon):
    t = 1.0
    for k in reversed(range(horizon)):
        t = (1 + np.sqrt(1 + (4 if k else 8) * t**2)) / 2
    return t


def item_a(steps, q):
    A = 0.0
    for _ in range(steps):
        A = ((1 + q) * A + 2 * (1 + np.sqrt((1 + A) * (1 + q * A)))) / (1 - q) ** 2
    return A, A / ((1 + q) * A + 2 * (1 + np.sqrt((1 + A) * (1 + q * A)))) * (1 - q)


def quadratic_value(tx, steps, output, curvature=1.0):
    """The output after some steps on curvature x^2 / 2, by value."""

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(curvature * params, state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, state), _ = jax.lax.scan(body, (jnp.ones(()), tx.init(jnp.ones(()))), length=steps)
    return params if output == "params" else eval_params(state, params, output=output)


Q = 0.01
ON_A_QUADRATIC = {
    "OGM, last step": (lambda n: no.ogm(1.0), "last_step", lambda n: 1 / theta(n, last=8) ** 2),
    "OGM, params": (lambda n: no.ogm(1.0), "params", lambda n: 1 / theta(n) ** 2),
    "OGM-G, gradient": (lambda n: no.ogm_g(1.0, n), "params", lambda n: 1 / theta_0(n) ** 2),
    "TMM, z": (lambda n: no.triple_momentum(1.0, Q), "z", lambda n: (1 - Q**0.5) ** (2 * n) / Q),
    "TMM, params": (
        lambda n: no.triple_momentum(1.0, Q),
        "params",
        lambda n: 4 * (1 - Q**0.5) ** (2 * n) / (1 + Q**0.5) ** 2,
    ),
    "ITEM, z": (lambda n: no.item(1.0, Q), "z", lambda n: 1 / (1 + Q * item_a(n, Q)[0])),
    "ITEM, params": (
        lambda n: no.item(1.0, Q),
        "params",
        lambda n: (1 - item_a(n, Q)[1]) ** 2 / (1 + Q * item_a(n, Q)[0]),
    ),
}


@pytest.mark.parametrize("row", ON_A_QUADRATIC)
def test_worst_case_is_attained_on_the_quadratic_and_exceeded_on_none(row):
    make, output, squared_distance = ON_A_QUADRATIC[row]
    for steps in (1, 2, 5, 10, 20, 33):
        point = jnp.asarray(quadratic_value(make(steps), steps, output))
        np.testing.assert_allclose(point**2, squared_distance(steps), rtol=1e-9)
        curvatures = jnp.linspace(Q, 1, 100)
        others = jnp.asarray(jax.vmap(lambda c, s=steps: quadratic_value(make(s), s, output, c))(curvatures))
        if row != "OGM-G, gradient" and not row.endswith("z"):
            assert (curvatures * others**2).max() <= squared_distance(steps) * (1 + 1e-9)


HUBER = {  # values and worst widths of methods with strong convexity 0.01; the table of design documents
    "ns-SC-FGM": (
        lambda: no.strongly_convex_nag(1.0, Q),
        {1: (0.1649944446, 0.32998889), 5: (0.03270471334, 0.06540942692), 20: (0.002057998760, 0.00411599753)},
    ),
    "ITEM, base iterate": (
        lambda: no.item(1.0, Q),
        {1: (0.1649944446, 0.32998889), 5: (0.01989004473, 0.03978008933), 20: (0.0006629977296, 0.001325995475)},
    ),
}


@pytest.mark.parametrize("row", HUBER)
def test_worst_case_on_a_huber_function(row):
    make, table = HUBER[row]
    for steps, (value, width) in table.items():

        def final(delta, steps=steps):
            gradient = lambda x, k, d: problems.huber_gradient(x, d, Q, jnp)  # noqa: E731
            point = run(make(), gradient, jnp.ones(()), steps, delta)[1][-1]
            return problems.huber(point, delta, Q, jnp)

        np.testing.assert_allclose(final(width), value, rtol=1e-9)
        assert jax.vmap(final)(jnp.geomspace(1e-4, 1, 200)).max() <= value * (1 + 1e-9)


@pytest.mark.parametrize("make", [no.item, no.strongly_convex_nag])
def test_a_hundred_thousand_float32_steps_stay_finite(make):
    jax.config.update("jax_enable_x64", False)
    tx = make(1.0, 1e-3)

    @jax.jit
    def final():
        def body(carry, _):
            params, state = carry
            updates, state = tx.update(jnp.asarray([1.0, 1e-3]) * params, state, params)
            return (params + updates, state), None

        params = jnp.ones(2, jnp.float32)
        return jax.lax.scan(body, (params, tx.init(params)), length=100_000)[0]

    params, state = final()
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves((params, state)))
    assert jnp.abs(params).max() < 1e-6


BAD = [
    (lambda: no.triple_momentum(1.0, 2.0), "strong_convexity must be finite, above 0 and below 1, got 2.0"),
    (lambda: no.item(0.0, 0.0), "smoothness must be finite, above 0, got 0.0"),
    (lambda: no.robust_momentum(1.0, 0.01, 0.5), "rho must be finite, at least 0.9 and at most 0.99, got 0.5"),
    (lambda: no.ogm(-1.0), "learning_rate"),
    (lambda: no.ogm_g(1.0, 0), "horizon must be finite, at least 1, got 0"),
    (lambda: no.agnes(momentum=1.0), "momentum"),
    (lambda: no.snag(1.0, growth=0.5), "growth"),
    (lambda: no.acc_sgd(0.1, small_constant=1.0), "small_constant"),
    (lambda: no.mass(alpha=1.0), "alpha"),
    (lambda: no.qhm(0.1, nu=-1), "nu"),
    (lambda: no.heavy_ball(0.1, 1.0), "momentum"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_constants_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_exceeding_the_horizon_is_an_error_outside_of_jit_and_a_plain_step_inside():
    tx, params = no.ogm_g(0.5, horizon=1), jnp.ones(2)
    _, state = tx.update(params, tx.init(params))
    with pytest.raises(ValueError, match="horizon must be at least the number of updates, got 1 and update 2"):
        tx.update(params, state)
    np.testing.assert_allclose(jax.jit(tx.update)(params, state)[0], -0.5)
