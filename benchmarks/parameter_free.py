"""Methods without a step size on ten smooth convex problems, told an L that is right and two that are not.

    python -m benchmarks.parameter_free

Their first step is that for 1e8 L, far too short, that for L, and that for L / 1e3, far too long. What counts is
f - f* at the base iterate, relative to that of the start, after as many gradients: an update of ``graal`` takes two.
Beside them stands Nesterov's method, which is told L and cannot do without.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from benchmarks import parameter_free_report
from benchmarks.report import add_out, outputs, publish
from benchmarks.smooth_problems import problems
from nag_optax import ac_fgm, adanag, eval_params, graal, momenta, nag

ESTIMATES = {"1e8 L": 1e8, "L": 1.0, "L / 1e3": 1e-3}
"""What a method is told, in units of L."""
KNOWN = "L"
LONGER = 10
"""Times the budget that a method has to arrive."""
ROUNDING = 1e-15
"""Smaller relative errors are those of f, and count as 0, except where f* is 0 itself."""


class Contestant(NamedTuple):
    """A method.

    Attributes:
      make: ``make(estimate of L)``.
      gradients: of an update.
      told: the estimates that it is run with.
    """

    make: Callable[[Any], optax.GradientTransformationExtraArgs]
    gradients: int = 1
    told: tuple[str, ...] = tuple(ESTIMATES)


CONTESTANTS = {
    "graal": Contestant(graal, gradients=2),
    "adanag": Contestant(adanag),
    "ac_fgm": Contestant(lambda L: ac_fgm(smoothness=L)),
    "nag(1 / L)": Contestant(lambda L: nag(1 / L, momenta.nesterov()), told=(KNOWN,)),
}


def errors(problem, contestant, updates):
    """The relative f - f* after 1, 2, ... updates, [estimates, updates]."""
    value = problem.value
    largest = value(problem.start) - problem.minimum

    def run(estimate):
        tx = contestant.make(estimate * problem.smoothness)

        def body(carry, _):
            params, state = carry
            f, gradient = jax.value_and_grad(value)(params)
            updates, state = tx.update(gradient, state, params, value=f, value_fn=value)
            params = optax.apply_updates(params, updates)
            return (params, state), (value(eval_params(state, params)) - problem.minimum) / largest

        return jax.lax.scan(body, (problem.start, tx.init(problem.start)), length=updates)[1]

    curves = np.asarray(jax.jit(jax.vmap(run))(jnp.asarray([ESTIMATES[told] for told in contestant.told])))
    return np.where((curves < ROUNDING) & (problem.minimum != 0), 0, curves)


def measure(seed, budget):
    """Curves by problem, estimate and method: (gradients, errors)."""
    results = {}
    made = problems(seed)
    with tqdm(total=len(made) * len(CONTESTANTS), desc="runs", leave=False) as bar:
        for name, problem in made.items():
            for method, contestant in CONTESTANTS.items():
                curves = errors(problem, contestant, LONGER * budget // contestant.gradients)
                gradients = contestant.gradients * np.arange(1, curves.shape[1] + 1)
                for told, curve in zip(contestant.told, curves, strict=True):
                    results.setdefault(name, {}).setdefault(told, {})[method] = (gradients, curve)
                bar.update()
    return results


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Methods without a step size on smooth convex problems.")
    parser.add_argument("--gradients", type=int, default=1000, help="the budget, at least 2 (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the problems (default: 0)")
    add_out(parser, ".md", ".csv", ".png")
    arguments = parser.parse_args()
    if arguments.gradients < 2:
        parser.error("--gradients: must be at least 2")
    files = outputs(parser, arguments)
    jax.config.update("jax_enable_x64", True)
    results = measure(arguments.seed, arguments.gradients)
    lines, rows, plot = (
        of(results, arguments.gradients)
        for of in (parameter_free_report.lines, parameter_free_report.rows, parameter_free_report.plot)
    )
    publish(files, lines, rows, plot)


if __name__ == "__main__":
    main()
