"""Compensated params, at the end of a chain.

Kahan's summation: what rounding a parameter has left out is kept, in the parameter's own dtype, and added to the next
update. Together they have twice the digits (Zamirai et al., 2020, https://arxiv.org/abs/2010.06192, section 4.2).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nag_optax.links.landing import check_params, is_low, landing
from nag_optax.readings import Readings


class CompensatedState(NamedTuple):
    """State of `compensated`.

    Attributes:
      residual: what params lack, a pytree like params; a scalar 0 where a parameter has float32 or better.
    """

    residual: Any

    def anchored(self, old: Any) -> "CompensatedState":
        """Returns this new state: what rounding left out belongs to the old params."""
        return self

    def follow(self, readings: Readings) -> Readings:
        """Returns them as they are: rounding leaves the point alone."""
        return readings


def compensated() -> optax.GradientTransformation:
    """Updates, for the end of a chain, that ``optax.apply_updates`` turns into params whose rounding errors are kept.

    Returns:
      A transformation whose updates are float32 for parameters of at most 16 bits, and pass others through. Params must
      be given to ``update``.

    Raises:
      ValueError: in ``update``, if params are missing.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import compensated
    >>> tx = optax.chain(optax.sgd(1e-4), compensated())
    >>> params = jnp.ones((), jnp.bfloat16)
    >>> state = tx.init(params)
    >>> for _ in range(100):
    ...     updates, state = tx.update(jnp.ones_like(params), state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> params, abs(params + state[1].residual - 0.99) < 1e-4
    (Array(0.988281, dtype=bfloat16), Array(True, dtype=bool))
    """

    def init(params: Any) -> CompensatedState:
        return CompensatedState(jax.tree.map(lambda p: jnp.zeros_like(p) if is_low(p) else jnp.zeros(()), params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, CompensatedState]:
        check_params("compensated", params)

        def land(p, u, residual):
            if not is_low(p):
                return u, residual
            target, update_to = landing(p, u.astype(jnp.float32) + residual)
            rounded = target.astype(p.dtype)
            return update_to(rounded), (target - rounded).astype(p.dtype)

        structure = jax.tree.structure(params)
        pairs = structure.flatten_up_to(jax.tree.map(land, params, updates, state.residual))
        updates, residual = (structure.unflatten([pair[i] for pair in pairs]) for i in (0, 1))
        return updates, CompensatedState(residual)

    return optax.GradientTransformation(init, update)
