"""Compensated params, at the end of a chain.

Kahan's summation: what rounding a parameter has left out is kept, in the parameter's own dtype, and added to the next
update. Together they have twice the digits (Zamirai et al., 2020, https://arxiv.org/abs/2010.06192, section 4.2).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nag_optax.links.landing import as_low, is_low, landed, landing, params_of
from nag_optax.readings import Readings
from nag_optax.scalars import hyperparameter_dtype, mixing
from nag_optax.trees import beside, filled
from nag_optax.validation import leaf_name


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
      A transformation of the updates of params of 16 bits, which passes others through. Updates keep their dtype, so
      that `optax.apply_if_finite` may stand around the chain or inside. Params must be given to ``update``.

    Raises:
      TypeError: in ``update``, if params have another dtype than in ``init``.
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
        hyperparameter_dtype(params)
        return CompensatedState(
            jax.tree.map(lambda p: jnp.zeros_like(p) if is_low(p) else jnp.zeros((), jnp.result_type(p)), params)
        )

    @mixing
    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, CompensatedState]:
        params, part = params_of("compensated", updates, params), beside(updates, state.residual)
        _check_dtypes(params, part)

        @jax.jit  # traced once for all leaves of a shape
        def land(p, u, residual):
            if not is_low(p):
                return u, residual
            target, update_to = landing(p, u, residual.astype(jnp.float32))
            u = update_to(as_low(target, p.dtype))
            return u, (target - landed(p, u)).astype(p.dtype)

        structure = jax.tree.structure(params)
        pairs = structure.flatten_up_to(jax.tree.map(land, params, updates, part))
        updates, residual = (structure.unflatten([pair[i] for pair in pairs]) for i in (0, 1))
        return updates, CompensatedState(filled(residual, state.residual))

    return optax.GradientTransformation(init, update)


def _check_dtypes(params: Any, residual: Any) -> None:
    """Raises TypeError where a parameter has another dtype than in ``init``: its residual would be lost in silence."""
    pairs = zip(jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(residual), strict=True)
    for (path, p), r in pairs:
        if (is_low(p) or is_low(r)) and jnp.result_type(p) != r.dtype:
            raise TypeError(
                f"params at {leaf_name(path)} have changed from {r.dtype} to {jnp.result_type(p)} since init: add "
                "updates with optax.apply_updates, which casts."
            )
