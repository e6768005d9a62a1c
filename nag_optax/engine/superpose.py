"""The sum of several methods on the same gradient.

A method with more than one velocity is a sum of methods with one. The base iterate of the sum is params plus every
part's readout.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from nag_optax.engine.accelerate import AccelerateState
from nag_optax.readings import Question, Readings, joined
from nag_optax.scalars import mixing
from nag_optax.trees import beside, widened
from nag_optax.validation import check_transformation


class SuperpositionState(NamedTuple):
    """State of a sum of accelerated methods.

    Attributes:
      parts: the state of each.
    """

    parts: tuple[AccelerateState, ...]

    def readings(self, question: Question) -> Readings:
        """Returns those of all parts, which add up."""
        return joined(*(part.readings(question) for part in self.parts))


def superpose(*methods: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """Sums the updates of accelerated methods that all see the same gradient.

    Args:
      *methods: made by `nag_optax.accelerate`, without restart: each would test its own move, not the sum.

    Returns:
      A transformation whose updates have the dtype of params (of the gradients where no params are given). They are
      summed in float32 or better.

    >>> import jax.numpy as jnp
    >>> from nag_optax import heavy_ball, superpose
    >>> tx = superpose(heavy_ball(0.1, 0.0), heavy_ball(0.1, 0.9))
    >>> gradient = jnp.ones(())
    >>> updates, state = tx.update(gradient, tx.init(gradient))
    >>> tx.update(gradient, state)[0]  # 0.1, and 0.1 (1 + 0.9)
    Array(-0.29, dtype=float32)
    """

    if not methods:
        raise ValueError("methods must hold at least one method, got none.")
    for method in methods:
        check_transformation("methods", method)

    def init(params: Any) -> SuperpositionState:
        return SuperpositionState(tuple(cast(AccelerateState, method.init(params)) for method in methods))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, SuperpositionState]:
        gradients = jax.tree.map(widened, updates)
        moves, parts = zip(*(m.update(gradients, s) for m, s in zip(methods, state.parts, strict=True)), strict=True)
        like = updates if params is None else beside(updates, params)
        updates = jax.tree.map(lambda p, *u: jnp.asarray(sum(u)).astype(jnp.result_type(p)), like, *moves)
        return updates, SuperpositionState(parts)

    return optax.GradientTransformationExtraArgs(init, update)
