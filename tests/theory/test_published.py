"""Every method of the library takes the steps that its paper prints."""

import itertools

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from tests.catalogue import CATALOGUE, STEPS, Published
from tests.support.problems import noisy_problems
from tests.support.running import close, trajectory

METHODS = {name: row.published for name, row in CATALOGUE.items() if isinstance(row.published, Published)}


@pytest.mark.parametrize("name", METHODS)
def test_method_takes_the_published_steps(name):
    make, recursion, constants = METHODS[name]
    for noise in (0.0, 0.5):
        for problem, factors in noisy_problems(STEPS, noise):
            L, gradient = problem.smoothness, lambda x, k, p=problem, f=factors: f[k] * p.gradient(x)
            points = list(itertools.islice(recursion(gradient, problem.start, L, *constants), STEPS))
            params, base, outputs = trajectory(make(L), problem.gradient, problem.start, factors)
            close(params, np.array([y for y, _, _ in points]))
            close(base, np.array([x for _, x, _ in points]))
            if points[0][2] is not None and "z" in outputs:
                close(outputs["z"], np.array([z for _, _, z in points]))


def test_agg_mo_applies_the_current_learning_rate_to_all_velocities():
    tx = no.agg_mo(optax.piecewise_constant_schedule(1.0, {1: 0.5}), (0.0, 0.9))
    g = jnp.ones(1)
    _, state = tx.update(g, tx.init(g))
    np.testing.assert_allclose(tx.update(g, state)[0], -0.25 * (1 + 1.9), rtol=1e-12)


def test_nadam_is_the_one_of_pytorch():
    torch = pytest.importorskip("torch")
    for problem, factors in noisy_problems(100, 0.5):
        theirs = torch.tensor(problem.start, requires_grad=True)
        optimizer = torch.optim.NAdam([theirs], lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)
        points = []
        for factor in factors:
            theirs.grad = torch.tensor(factor * problem.gradient(theirs.detach().numpy()))
            optimizer.step()
            points.append(theirs.detach().numpy().copy())
        tx = no.nadam(0.01, weight_decay=0.1)
        close(trajectory(tx, problem.gradient, problem.start, factors)[0], np.array(points), 1e-9)
