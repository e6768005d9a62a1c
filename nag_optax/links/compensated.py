"""Compensated params, at the end of a chain.

Kahan summation: the rounding error of a parameter is kept, in the parameter's own dtype, and added to the next update.
Together they have twice the digits (Zamirai et al., 2020, https://arxiv.org/abs/2010.06192, section 4.2).
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
      residual: the rounding error of params, a pytree like params; a scalar 0 for a parameter in float32 or better.
    """

    residual: Any

    def anchored(self, old: Any) -> "CompensatedState":
        """Returns this new state: the rounding error belongs to the old params."""
        return self

    def follow(self, readings: Readings) -> Readings:
        """Returns them unchanged: rounding does not move the point."""
        return readings


def compensated() -> optax.GradientTransformation:
    """Keeps the rounding errors of 16-bit params and adds them to later updates; the last link of a chain.

    Returns:
      A transformation of the updates of 16-bit params; updates of other params pass through. Updates keep their dtype,
      so `optax.apply_if_finite` may wrap the chain or be inside it. Apply them with ``optax.apply_updates``. ``update``
      needs params.

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
