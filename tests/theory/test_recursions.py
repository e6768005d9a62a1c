"""nag is the published recursion, with everything that may vary varying."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import momenta, nag, scale_by_nag
from nag_optax.evaluation import eval_params
from tests.support import problems, twins
from tests.support.running import run

STEPS = 300


def varying_momentum(t):
    return 0.5 + 0.49 * (t % 50) / 50


def warm_up_and_drop(t):
    """Learning rate in units of 1 / L: from 0 over 50 updates, a tenth after 200."""
    return (t / 50 if t < 50 else 1.0) * (0.1 if t >= 200 else 1.0)


def table(function, scale=1.0):
    """A Python function of t as a schedule: a table that the counter indexes."""
    values = jnp.asarray([scale * function(t) for t in range(STEPS + 2)], jnp.float64)
    return lambda count: values[count]


def compare(method, twin, tolerance=1e-12):
    """Both on both problems, without and with multiplicative gradient noise."""
    for noise in (0.0, 0.5):
        for problem, factors in problems.noisy_problems(STEPS, noise):
            params, base, _ = run(
                method(1 / problem.smoothness),
                lambda x, k, f, problem=problem: f[k] * problem.gradient(x),
                jnp.asarray(problem.start),
                STEPS,
                factors,
            )
            bases, points = twin(
                lambda x, t, p=problem, f=factors: f[t] * p.gradient(x), problem.start, 1 / problem.smoothness
            )
            for ours, theirs in ((params, points), (base, bases)):
                if theirs is not None:
                    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("lookahead", [0.0, 0.3, 1.0, 1.5])
def test_step_velocity_is_sutskevers_recursion_when_learning_rate_and_momentum_vary(lookahead):
    def method(lr):
        return nag(table(warm_up_and_drop, lr), table(varying_momentum), lookahead=lookahead, velocity="step")

    def twin(gradient, start, lr):
        return twins.sutskever(
            gradient, start, varying_momentum, lambda t: lr * warm_up_and_drop(t), lambda t: lookahead, STEPS
        )

    compare(method, twin)


def test_lookahead_may_vary_too():
    def lookahead(t):
        return 1.5 * (t % 30) / 30

    def method(lr):
        return nag(lr, table(varying_momentum), lookahead=table(lookahead), velocity="step")

    def twin(gradient, start, lr):
        return twins.sutskever(gradient, start, varying_momentum, lambda t: lr, lookahead, STEPS)

    compare(method, twin)


@pytest.mark.parametrize("velocity", ["gradient", "step"])
def test_both_velocities_are_exact_nag_under_a_momentum_schedule(velocity):
    def method(lr):
        return nag(lr, momenta.sutskever(0.9), velocity=velocity)

    def twin(gradient, start, lr):
        return twins.sutskever(
            gradient,
            start,
            lambda t: min(1 - 2 ** (-1 - np.log2(t // 250 + 1)), 0.9),
            lambda t: lr,
            lambda t: 1.0,
            STEPS,
        )

    compare(method, twin)


def test_fista_sequence_is_exact():
    betas = [0.0, *twins.fista_momentum(STEPS + 1)]

    def twin(gradient, start, lr):
        return twins.sutskever(gradient, start, lambda t: betas[t], lambda t: lr, lambda t: 1.0, STEPS)

    compare(lambda lr: nag(lr, momenta.nesterov()), twin)


def test_step_velocity_is_keras_and_gradient_velocity_is_torch_under_a_learning_rate_schedule():
    def keras(gradient, start, lr):
        return None, twins.keras_nesterov(gradient, start, 0.9, lambda t: lr * warm_up_and_drop(t), STEPS)

    def torch(gradient, start, lr):
        return None, twins.torch_nesterov(gradient, start, 0.9, lambda t: lr * warm_up_and_drop(t), STEPS)

    compare(lambda lr: nag(table(warm_up_and_drop, lr), 0.9, velocity="step"), keras)
    compare(lambda lr: nag(table(warm_up_and_drop, lr), 0.9, velocity="gradient"), torch)


def test_the_real_torch_sgd_agrees():
    torch = pytest.importorskip("torch")
    problem = problems.Quadratic()
    param = torch.nn.Parameter(torch.tensor(problem.start))
    optimizer = torch.optim.SGD([param], lr=1 / problem.smoothness, momentum=0.9, nesterov=True)
    for t in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = warm_up_and_drop(t) / problem.smoothness
        param.grad = torch.tensor(problem.gradient(param.detach().numpy()))
        optimizer.step()
    method = nag(table(warm_up_and_drop, 1 / problem.smoothness), 0.9)
    params, _, _ = run(method, lambda x, k: problem.gradient(x), jnp.asarray(problem.start), STEPS)
    np.testing.assert_allclose(params[-1], param.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_scale_by_nag_in_a_chain_is_nag_and_its_base_iterate_takes_the_learning_rate():
    problem = problems.Quadratic()
    learning_rate = table(warm_up_and_drop, 1 / problem.smoothness)
    whole = nag(learning_rate, momenta.polynomial())
    parts = optax.chain(scale_by_nag(momenta.polynomial()), optax.scale_by_learning_rate(learning_rate))
    x = y = jnp.asarray(problem.start)
    s, t = whole.init(x), parts.init(y)
    for _ in range(60):
        u, s = whole.update(problem.gradient(x), s, x)
        v, t = parts.update(problem.gradient(y), t, y)
        x, y = optax.apply_updates(x, u), optax.apply_updates(y, v)
    np.testing.assert_allclose(x, y, rtol=1e-13)
    np.testing.assert_allclose(eval_params(s, x), eval_params(t, y, learning_rate=learning_rate), rtol=1e-13)
