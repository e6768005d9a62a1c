"""A regularisation path: the same problem at many strengths."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nag_optax.prox import Prox, l1
from nag_optax.solve.compiled import known
from nag_optax.solve.minimize import minimize
from nag_optax.solve.result import Solution
from nag_optax.validation import check_boolean, check_takes


def path(
    fun: Callable[..., Any],
    init_params: Any,
    strengths: Any,
    *,
    prox: Callable[[Any], Prox] = l1,
    vectorized: bool = False,
    **options: Any,
) -> Solution:
    """The solutions of f + g at many strengths of g, by one compilation (of every call, if vectorized).

    Args:
      fun: as in `nag_optax.minimize`.
      init_params: where the first strength begins (each of them, if vectorized).
      strengths: an array [n, ...] or a list, or a pytree of such arrays. From the largest to the smallest, each
        solution is a good start for the next one.
      prox: ``prox(strength)`` returns the operator, as `nag_optax.prox.l1` does; strength is an entry of ``strengths``.
      vectorized: whether all are solved at once, by ``jax.vmap``, each from ``init_params``: quicker where problems are
        small, and as slow as the slowest.
      **options: of `nag_optax.minimize`.

    Returns:
      A `Solution` whose every array has a leading axis of length n.

    Raises:
      TypeError: if ``prox`` is no function of a strength.
      ValueError: if ``strengths`` hold no strength, or arrays of different length.

    >>> import jax.numpy as jnp
    >>> from nag_optax import path
    >>> solutions = path(lambda w: jnp.sum((w - jnp.array([2.0, 0.5])) ** 2) / 2, jnp.zeros(2), jnp.array([1.0, 0.2]))
    >>> [[round(float(x), 3) for x in row] for row in solutions.params]
    [[1.0, 0.0], [1.8, 0.3]]
    """
    check_boolean("vectorized", vectorized)
    if isinstance(prox, Prox):
        raise TypeError("prox must be a function of a strength that returns an operator, not an operator itself.")
    check_takes("prox", prox, 1, "a function of a strength that returns an operator, such as nag_optax.prox.l1")
    strengths = jnp.asarray(strengths) if isinstance(strengths, list) else jax.tree.map(jnp.asarray, strengths)
    shapes = [x.shape for x in jax.tree.leaves(strengths)]
    lengths = {shape[0] if shape else 0 for shape in shapes}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            "strengths must be arrays with a leading axis of the same length, at least 1, or a list of numbers; got "
            f"{type(strengths).__name__} of shapes {shapes}."
        )

    def solve(start: Any, strength: Any) -> Solution:
        return minimize(fun, start, prox=prox(strength), **options)

    if vectorized:
        return jax.jit(jax.vmap(lambda strength: solve(init_params, strength)))(strengths)
    if known((init_params, strengths, options.get("args"))):
        return _one_after_another(solve, init_params, strengths, *lengths)

    def step(start: Any, strength: Any) -> tuple[Any, Solution]:
        solution = solve(start, strength)
        return solution.params, solution

    start = init_params.params if isinstance(init_params, Solution) else init_params
    return jax.lax.scan(step, start, strengths)[1]


def _one_after_another(solve: Callable[[Any, Any], Solution], start: Any, strengths: Any, number: int) -> Solution:
    """Each from the solution before it, by the program of the first; for those whose numbers are known."""
    solutions: list[Solution] = []
    for i in range(number):
        solutions.append(solve(solutions[-1] if solutions else start, jax.tree.map(lambda x, i=i: x[i], strengths)))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *solutions)
