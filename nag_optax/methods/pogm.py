"""POGM, the proximal optimized gradient method: OGM for f + g.

Taylor, Hendrickx & Glineur, https://arxiv.org/abs/1512.07516, with t_0 = 1, t_{k+1} = (1 + sqrt(1 + 4
t_k^2)) / 2 and s <= 1 / L ::

    u_{k+1} = x_k - s grad f(x_k)
    z_{k+1} = u_{k+1} + beta (u_{k+1} - y_k) + gamma (u_{k+1} - x_k)
    x_{k+1} = prox_{zeta g}(z_{k+1})                                         params and base iterate
    y_{k+1} = u_{k+1} - (s / zeta) (z_{k+1} - x_{k+1})
    beta = (t_k - 1) / t_{k+1},   gamma = t_k / t_{k+1},   zeta = s (1 + beta + gamma)

Kim & Fessler, https://arxiv.org/abs/1703.04641, keep u, z and y; since u and z enter by y alone, y is enough. It is a
step along G_k = (x_k - y_{k+1}) / s, a gradient of f at x_k plus one of g at x_{k+1}, and their restart test is <G_k,
y_{k+1} - y_k> > 0: then t is 1 again, and params stay. The last of N steps has 8 instead of 4. Without g it is OGM: x
are its params, y its base iterates.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import trees
from nag_optax.engine.restart import Evidence, Restart, as_test
from nag_optax.prox import Prox
from nag_optax.prox.foreign import check_prox, check_steps
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, mixing, scalar_at
from nag_optax.validation import check_integer, look_ahead, number_or_schedule


class PogmState(NamedTuple):
    """State of `pogm`.

    Attributes:
      step: updates so far, int32; drives a schedule of the step size, and counts to the horizon.
      age: updates since the last restart, int32.
      t: t_k.
      y: y_k, a pytree like params.
      base: x_k.
      reference: the scalar that the restart test compares with; unused without restart.
    """

    step: Array
    age: Array
    t: Array
    y: Any
    base: BaseIterate
    reference: Array

    def measured(self) -> dict[str, Array]:
        """Returns the counters by name."""
        return {"step": self.step, "age": self.age}

    def anchored(self, old: "PogmState") -> "PogmState":
        """Returns this new state with the old counter: the momentum restarts at the new params."""
        return self._replace(step=old.step)


def pogm(
    step_size: optax.ScalarOrSchedule,
    prox: Prox | Callable[[Any, Scalar], Any],
    *,
    horizon: int | None = None,
    restart: Restart = "gradient",
) -> optax.GradientTransformationExtraArgs:
    """The proximal optimized gradient method for f + g.

    With its horizon N and without restart, its worst case is close to the smallest, that of `nag_optax.optista`: F(x_N)
    - F* <= c |x_0 - x*|^2 / s with c = 1/6, 0.0721, 0.0429, 0.0290 for N = 1, 2, 3, 4, found numerically; F = f + g. It
    keeps two buffers.

    Args:
      step_size: s, at least 0; at most 1 / L for the guarantee.
      prox: an operator of `nag_optax.prox`, or a function ``(params, step_size) -> params``.
      horizon: N, at least 1: update N takes the last step, and further ones begin anew from there. None for no last
        step; then the worst case is about that of FISTA.
      restart: see `nag_optax.accelerate`. "value" compares F, computed from ``value_fn=f`` if the prox knows its g, or
        the given ``value=``.

    Returns:
      A gradient transformation for the gradients of f at params, which for complex params are the conjugates of those
      of ``jax.grad``, as everywhere in Optax; ``update`` needs params. Params are x, and
      `nag_optax.eval_params` returns x exactly as the prox returned it.

    Raises:
      TypeError: for a projection instead of a prox: see `nag_optax.prox.from_projection`.
      ValueError: in ``update``, if params are missing.

    >>> import jax.numpy as jnp, optax, nag_optax
    >>> from nag_optax import pogm
    >>> tx = pogm(1.0, nag_optax.prox.l1(0.5), horizon=1)
    >>> params = jnp.array([0.0, 0.0])
    >>> updates, state = tx.update(params - jnp.array([2.0, 0.3]), tx.init(params), params)  # f = |x - (2, .3)|^2 / 2
    >>> nag_optax.eval_params(state, optax.apply_updates(params, updates))
    Array([2.25, 0.  ], dtype=float32)
    """
    step_size = number_or_schedule("step_size", step_size, at_least=0)
    check_prox("prox", prox)
    if horizon is not None:
        check_integer("horizon", horizon, at_least=1)
    test = as_test(restart)
    g = getattr(prox, "value", None)

    def init(params: Any) -> PogmState:
        dtype = hyperparameter_dtype(params)
        look_ahead(lambda: scalar_at(step_size, counter(jnp.zeros((), jnp.int32), dtype)))
        check_steps("prox", prox, params)
        x, y = (trees.copied(params) for _ in range(2))
        step, age = (jnp.zeros((), jnp.int32) for _ in range(2))
        reference = jnp.asarray(test.reference if test else 0, dtype)
        return PogmState(step, age, jnp.ones((), dtype), y, BaseIterate(x), reference)

    @mixing
    def update(updates: Any, state: Any, params: Any = None, *, value_fn: Any = None, **extra: Any):
        if params is None:
            raise ValueError("pogm needs params: call update(gradients, state, params).")
        gradient, dtype = updates, state.t.dtype
        params, y = trees.beside(gradient, params), trees.beside(gradient, state.y)
        y = trees.where(state.step == 0, params, y)  # also if somebody has put them elsewhere
        s, t = scalar_at(step_size, counter(state.step, dtype)), state.t
        last = state.step + 1 == (horizon or 0)
        t_next = (1 + jnp.sqrt(1 + jnp.where(last, 8, 4) * t**2)) / 2
        beta, gamma = (t - 1) / t_next, t / t_next
        length = 1 + beta + gamma
        u = trees.plus(params, -s, gradient)
        z = trees.plus(trees.plus(u, beta, trees.minus(u, y)), -gamma * s, gradient)
        x_next = prox(z, length * s)
        y_next = trees.plus(u, -1 / length, trees.minus(z, x_next))
        begins, reference = last, state.reference

        def objective() -> Array:
            if value_fn is None or g is None:
                raise ValueError("pogm needs update(..., value_fn=f) and a prox that knows its g, or value=.")
            return jnp.asarray(value_fn(x_next) + g(x_next), dtype)

        if test:
            given = extra.get("value")
            evidence = Evidence(
                updates=state.step,
                age=state.age,
                reference=reference,
                slope=lambda: trees.inner(trees.minus(params, y_next), trees.minus(y_next, y)),
                squared_speed=lambda: trees.squared_norm(trees.minus(x_next, params)),
                value=lambda: objective() if given is None or value_fn is not None else given,
                gradients=gradient,
                params=params,
                extra=extra,
            )
            restarts, reference = test.verdict(evidence)
            begins = restarts | last
        age = jnp.where(begins, 0, increment(state.age))
        t = jnp.asarray(jnp.where(begins, 1, t_next), dtype)

        updates = jax.tree.map(lambda a, p: (a - p).astype(p.dtype), x_next, params)
        base = BaseIterate(trees.filled(x_next, state.base.params))
        y = trees.filled(y_next, state.y)
        return updates, PogmState(increment(state.step), age, t, y, base, jnp.asarray(reference, dtype))

    return optax.GradientTransformationExtraArgs(init, update)
