"""FISTA: Nesterov's method for f + g, with a known step size.

Beck & Teboulle, SIAM J. Imaging Sciences 2(1), 2009, with s <= 1 / L ::

    x_{k+1} = prox_{s g}(y_k - s grad f(y_k))                           base iterate
    y_{k+1} = x_{k+1} + beta_{k+1} (x_{k+1} - x_k)                      params

The monotone variant (Beck & Teboulle, IEEE Trans. Image Processing 18(11), 2009) keeps x if the new point z is no
better: then y_{k+1} = x_k + (t_k / t_{k+1}) (z - x_k). A restart test uses the gradient mapping as the gradient, as in
O'Donoghue & Candes, https://arxiv.org/abs/1204.3982: <y_k - x_{k+1}, x_{k+1} - x_k> > 0.

Instead of the velocity, FISTA stores x itself, in the same memory, so the zeros that a prox returns stay zeros.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import trees
from nag_optax.engine.restart import Evidence, Restart, as_test
from nag_optax.momenta import Momentum, as_sequence, nesterov
from nag_optax.prox import Prox
from nag_optax.prox.foreign import check_prox, check_steps
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, mixing, scalar_at
from nag_optax.validation import check_boolean, look_ahead, number_or_schedule


class FistaState(NamedTuple):
    """State of `fista`.

    Attributes:
      step: updates so far, int32; drives a schedule of the step size.
      age: updates since the last restart, int32; drives the momentum.
      carry: scalars of the momentum's recursion.
      base: x_k.
      value: the scalar to compare with: f + g at x_k if the method is monotone, else the reference of the restart test.
    """

    step: Array
    age: Array
    carry: Any
    base: BaseIterate
    value: Array

    def measured(self) -> dict[str, Array]:
        """Returns the counters by name."""
        return {"step": self.step, "age": self.age}

    def anchored(self, old: "FistaState") -> "FistaState":
        """Returns this new state with the old counter: the momentum restarts at the new params."""
        return self._replace(step=old.step)


def fista(
    step_size: optax.ScalarOrSchedule,
    prox: Prox | Callable[[Any, Scalar], Any],
    *,
    momentum: Momentum | None = None,
    restart: Restart = "gradient",
    monotone: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Accelerated proximal gradient; ``prox=nag_optax.prox.none()`` is Nesterov's method.

    Without restart F(x_N) - F* <= 2 |x_0 - x*|^2 / (s (N + 1)^2), F = f + g.

    Args:
      step_size: s, at least 0; at most 1 / L for the guarantee.
      prox: an operator of `nag_optax.prox`, or a function ``(params, step_size) -> params``.
      momentum: as in `nag_optax.nag`; Nesterov's sequence by default. ``momenta.polynomial(a)`` is Chambolle &
        Dossal's; use ``momenta.chambolle_pock(...)`` for strongly convex problems.
      restart: see `nag_optax.accelerate`. "value" compares F, computed from ``value_fn=f`` if the prox knows its g, or
        the given ``value=``.
      monotone: whether to prevent F from increasing. ``update`` then needs ``value_fn=f``, the prox must know its g,
        the momentum must be the default, and ``restart`` must be "gradient" or None.

    Returns:
      A gradient transformation for the gradients of f at params, which for complex params are the conjugates of those
      of ``jax.grad``, as everywhere in Optax; ``update`` needs params. Params are y, and
      `nag_optax.eval_params` returns x, exactly as the prox returned it.

    Raises:
      TypeError: for a projection instead of a prox: see `nag_optax.prox.from_projection`.
      ValueError: for arguments that ``monotone`` does not allow.

    >>> import jax.numpy as jnp, optax, nag_optax
    >>> from nag_optax import fista
    >>> tx = fista(1.0, nag_optax.prox.l1(0.5))
    >>> params = jnp.array([0.0, 0.0])
    >>> updates, state = tx.update(params - jnp.array([2.0, 0.3]), tx.init(params), params)  # f = |x - (2, .3)|^2 / 2
    >>> nag_optax.eval_params(state, optax.apply_updates(params, updates))
    Array([1.5, 0. ], dtype=float32)
    """
    step_size = number_or_schedule("step_size", step_size, at_least=0)
    check_prox("prox", prox)
    check_boolean("monotone", monotone)
    test = as_test(restart)
    g = getattr(prox, "value", None)
    if monotone:
        _check_monotone(momentum, g, restart)
    sequence = nesterov() if momentum is None else as_sequence(momentum)

    def init(params: Any) -> FistaState:
        dtype = hyperparameter_dtype(params)

        def first() -> Any:
            zero = counter(jnp.zeros((), jnp.int32), dtype)
            return scalar_at(step_size, zero), sequence.values(zero, sequence.init())

        look_ahead(first)
        check_steps("prox", prox, params)
        return FistaState(
            step=jnp.zeros((), jnp.int32),
            age=jnp.zeros((), jnp.int32),
            carry=jax.tree.map(lambda c: jnp.asarray(c, dtype), sequence.init()),
            base=BaseIterate(trees.copied(params)),
            value=jnp.asarray(jnp.inf if monotone or not test else test.reference, dtype),
        )

    @mixing
    def update(updates: Any, state: Any, params: Any = None, *, value_fn: Any = None, **extra: Any):
        if params is None:
            raise ValueError("fista needs params: call update(gradients, state, params).")
        dtype, params = state.value.dtype, trees.beside(updates, params)
        s = scalar_at(step_size, counter(state.step, dtype))
        x = trees.beside(updates, state.base.params)
        # Where the momentum begins, x is where params are, also if somebody has put them elsewhere.
        x = trees.where(state.age == 0, params, x)
        z = prox(trees.plus(params, -s, updates), s)
        _, beta, carry = sequence.values(counter(state.age, dtype), state.carry)
        age, value, x_next = increment(state.age), state.value, z

        def objective() -> Array:
            if value_fn is None or g is None:
                raise ValueError("fista needs update(..., value_fn=f) and a prox that knows its g.")
            return jnp.asarray(value_fn(z) + g(z), dtype)

        move = trees.minus(z, x)  # towards z, and from there on by the momentum
        ahead = trees.plus(z, beta, move)
        if monotone:
            new_value = objective()
            better = ~(new_value > state.value)
            _, t_next = carry
            x_next = trees.where(better, z, x)
            ahead = trees.where(better, ahead, trees.plus(x, beta + 1 / t_next, move))
            value = jnp.where(better, new_value, state.value)
        if test:
            given = extra.get("value")
            evidence = Evidence(
                updates=state.step,
                age=state.age,
                reference=state.value,
                slope=lambda: trees.inner(trees.minus(params, z), move),
                squared_speed=lambda: trees.squared_norm(move),
                value=lambda: objective() if given is None or value_fn is not None else given,
                gradients=updates,
                params=params,
                extra=extra,
            )
            restarts, reference = test.verdict(evidence)
            ahead = trees.where(evidence.just_restarted() if test.late else restarts, x_next, ahead)
            age = jnp.where(restarts, 0, age)
            carry = trees.where(restarts, sequence.init(), carry)
            value = value if monotone else jnp.asarray(reference, dtype)

        updates = jax.tree.map(lambda a, p: (a - p).astype(p.dtype), ahead, params)
        carry = jax.tree.map(lambda c: jnp.asarray(c, dtype), carry)
        base = BaseIterate(trees.filled(x_next, state.base.params))
        return updates, FistaState(increment(state.step), age, carry, base, value)

    return optax.GradientTransformationExtraArgs(init, update)


def _check_monotone(momentum: Any, g: Any, restart: Any) -> None:
    if momentum is not None:
        raise ValueError("momentum must be the default (None) where monotone=True.")
    if g is None:
        raise ValueError("prox must know its g where monotone=True: pass nag_optax.prox.Prox(apply, value).")
    if restart not in ("gradient", None):
        raise ValueError(f"restart must be 'gradient' or None where monotone=True, got {restart!r}.")
