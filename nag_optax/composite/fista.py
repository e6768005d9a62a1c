"""FISTA: Nesterov's method for f + g, with a known step.

Beck & Teboulle, SIAM J. Imaging Sciences 2(1), 2009, with s <= 1 / L ::

    x_{k+1} = prox_{s g}(y_k - s grad f(y_k))                           base iterate
    y_{k+1} = x_{k+1} + beta_{k+1} (x_{k+1} - x_k)                      params

The monotone variant (Beck & Teboulle, IEEE Trans. Image Processing 18(11), 2009) keeps x where the new point z is no
better: then y_{k+1} = x_k + (t_k / t_{k+1}) (z - x_k). The restart is that of O'Donoghue & Candes,
https://arxiv.org/abs/1204.3982, with the gradient mapping for a gradient: <y_k - x_{k+1}, x_{k+1} - x_k> > 0.

Where Nesterov's method keeps the velocity, this keeps x itself, in the same memory: the zeros that a prox returns stay
zeros.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import trees
from nag_optax.engine import BaseIterate
from nag_optax.hyperparameters import Scalar, counter, hyperparameter_dtype, increment, scalar_at
from nag_optax.prox import Prox
from nag_optax.schedules import Momentum, as_sequence, nesterov
from nag_optax.validation import check_choice, check_number


class FistaState(NamedTuple):
    """State of `fista`.

    Attributes:
      step: updates so far, int32; drives a schedule of the step size.
      age: updates since the last restart, int32; drives the momentum.
      carry: scalars of the momentum's recursion.
      base: x_k.
      value: f + g at x_k, where the method is monotone.
    """

    step: Array
    age: Array
    carry: Any
    base: BaseIterate
    value: Array


def fista(
    step_size: optax.ScalarOrSchedule,
    prox: Prox | Callable[[Any, Scalar], Any],
    *,
    momentum: Momentum | None = None,
    restart: str | None = "gradient",
    monotone: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Accelerated proximal gradient; ``prox=nag_optax.prox.none()`` is Nesterov's method.

    Without restart F(x_N) - F* <= 2 |x_0 - x*|^2 / (s (N + 1)^2), F = f + g.

    Args:
      step_size: s, at least 0; at most 1 / L for the guarantee.
      prox: an operator of `nag_optax.prox`, or a function ``(params, step) -> params``.
      momentum: as in `nag_optax.nag`; Nesterov's sequence by default. ``schedules.polynomial(a)`` is Chambolle &
        Dossal's, ``schedules.chambolle_pock(...)`` that for strongly convex problems.
      restart: "gradient" or None.
      monotone: never lets F go up. ``update`` then needs ``value_fn=f``, the prox must know its g, and the momentum
        must be the default.

    Returns:
      A gradient transformation for the gradients of f at params; ``update`` needs params. Params are y, and
      `nag_optax.eval_params` returns x, exactly as the prox returned it.

    Raises:
      TypeError: if an argument is of the wrong type.
      ValueError: for a concrete number outside its range, an unknown restart, or what ``monotone`` forbids.

    >>> import nag_optax
    >>> tx = fista(1.0, nag_optax.prox.l1(0.5))
    >>> params = jnp.array([0.0, 0.0])
    >>> updates, state = tx.update(params - jnp.array([2.0, 0.3]), tx.init(params), params)  # f = |x - (2, .3)|^2 / 2
    >>> nag_optax.eval_params(state, optax.apply_updates(params, updates))
    Array([1.5, 0. ], dtype=float32)
    """
    check_number("step_size", step_size, at_least=0)
    check_choice("restart", restart, ("gradient", None))
    if monotone and momentum is not None:
        raise ValueError("momentum must be the default (None) where monotone=True.")
    g = getattr(prox, "value", None)
    if monotone and g is None:
        raise ValueError("prox must know its g where monotone=True: pass nag_optax.prox.Prox(apply, value).")
    sequence = nesterov() if momentum is None else as_sequence(momentum)

    def init(params: Any) -> FistaState:
        dtype = hyperparameter_dtype(params)
        return FistaState(
            step=jnp.zeros((), jnp.int32),
            age=jnp.zeros((), jnp.int32),
            carry=jax.tree.map(lambda c: jnp.asarray(c, dtype), sequence.init()),
            base=BaseIterate(jax.tree.map(jnp.copy, params)),
            value=jnp.asarray(jnp.inf, dtype),
        )

    def update(updates: Any, state: Any, params: Any = None, *, value_fn: Any = None, **extra: Any):
        if params is None:
            raise ValueError("fista needs params: call update(gradients, state, params).")
        dtype = state.value.dtype
        s = scalar_at(step_size, counter(state.step, dtype))
        x, z = state.base.params, prox(trees.plus(params, -s, updates), s)
        _, beta, carry = sequence.step(counter(state.age, dtype), state.carry)
        age, value, x_next = increment(state.age), state.value, z

        move = trees.minus(z, x)  # towards z, and from there on by the momentum
        ahead = trees.plus(z, beta, move)
        if monotone:
            if value_fn is None or g is None:
                raise ValueError("monotone=True needs update(..., value_fn=f).")
            new_value = jnp.asarray(value_fn(z) + g(z), dtype)
            better = ~(new_value > state.value)
            _, t_next = carry
            x_next = trees.where(better, z, x)
            ahead = trees.where(better, ahead, trees.plus(x, beta + 1 / t_next, move))
            value = jnp.where(better, new_value, state.value)
        if restart:
            uphill = trees.inner(trees.minus(params, z), move) > 0
            ahead = trees.where(uphill, x_next, ahead)
            age = jnp.where(uphill, 0, age)
            carry = jax.tree.map(lambda a, b: jnp.where(uphill, a, b), sequence.init(), carry)

        updates = jax.tree.map(lambda a, p: (a - p).astype(p.dtype), ahead, params)
        carry = jax.tree.map(lambda c: jnp.asarray(c, dtype), carry)
        return updates, FistaState(increment(state.step), age, carry, BaseIterate(x_next), value)

    return optax.GradientTransformationExtraArgs(init, update)
