"""How the contestants of `benchmarks.convex` are called: a function of a tolerance to (x, steps, products).

Products with the matrix are what a step costs: f one, f and its gradient two. Who does not tell says None.
"""

import warnings
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.convex_problem import jaxopt
from nag_optax import minimize

MAX_STEPS = 20_000
OURS, SCREENED, PEER = "nag_optax", "nag_optax, screen=True", "JAXopt"


def ours(problem):
    """`minimize`, which counts its products."""

    @jax.jit
    def solve(start, tol):
        found = minimize(problem.loss, start, linear=problem.matrix, prox=problem.prox, tol=tol, max_steps=MAX_STEPS)
        return found.params, found.steps, found.state.gradients + found.state.values

    start = jnp.zeros(problem.matrix.shape[1])

    def call(tol):
        x, steps, products = jax.block_until_ready(solve(start, tol))
        return x, int(steps), int(products)

    return call


def screened(problem):
    """`minimize` on working sets, called as a person calls it, outside of jit; its products are of many sizes."""
    start = jnp.zeros(problem.matrix.shape[1])

    def call(tol):
        found = minimize(
            problem.loss,
            start,
            linear=problem.matrix,
            prox=problem.prox,
            tol=tol,
            stop="gap",
            max_steps=MAX_STEPS,
            screen=True,
        )
        return jax.block_until_ready(found.params), int(found.steps), None

    return call


def theirs(problem):
    """JAXopt's solver, and a function that counts its products, by a callback in a run of its own: it does not say."""
    products = Counter()

    @jax.custom_vjp
    def counted(x):
        jax.debug.callback(lambda: products.update(n=1))
        return problem.matrix @ x

    def back(_, cotangent):
        jax.debug.callback(lambda: products.update(n=1))
        return (problem.matrix.T @ cotangent,)

    counted.defvjp(lambda x: (counted(x), None), back)

    def solver(product):
        def solve(start, tol):
            run = jaxopt.ProximalGradient(
                lambda x: problem.loss(product(x)), problem.jaxopt_prox, tol=tol, maxiter=MAX_STEPS
            )
            found = run.run(start, None)
            return found.params, found.state.iter_num

        return jax.jit(solve)

    plain, counting = solver(lambda x: problem.matrix @ x), solver(counted)

    start = jnp.zeros(problem.matrix.shape[1])

    def call(tol):
        x, steps = jax.block_until_ready(plain(start, tol))
        return x, int(steps), None

    def count(tol):
        products.clear()
        jax.block_until_ready(counting(start, tol))
        jax.effects_barrier()
        return products["n"]

    return call, count


def other(solve):
    """A solver that says nothing but its solution."""

    def call(tol):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged to this tolerance
            return np.asarray(solve(tol)), None, None

    return call
