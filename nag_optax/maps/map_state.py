"""What stands behind a nonlinear map has no base iterate.

With a map phi between a velocity and the params, y' = y - phi(lead m' + step g), no point x has y = x + mu (x - x_prev)
and x' = y - phi(g): the momentum is an estimate of the gradient, and theory speaks about params. So the state of a map
refuses the points of what stands before it in a chain. In front of an acceleration a map does no harm: phi(g) is its
gradient, and the base iterate is exact.
"""

from typing import Any, NamedTuple

import optax

from nag_optax.readings import Readings

NO_POINT = (
    "there is no base iterate behind a nonlinear map (sign, orthogonalize): evaluate at params, or put Nesterov's "
    "method around it, as nag_optax.ema_nesterov does."
)


class MapState(NamedTuple):
    """State of a map: it has none. It refuses the base iterate of the links before it."""

    def follow(self, readings: Readings) -> Readings:
        """Raises ValueError."""
        raise ValueError(NO_POINT)


def as_link(init: Any, update: Any) -> optax.GradientTransformationExtraArgs:
    """A map of updates as a link: ``init(params)`` checks, ``update(updates)`` maps."""

    def begin(params):
        init(params)
        return MapState()

    def move(updates, state, params=None, **extra):
        del params, extra
        return update(updates), state

    return optax.GradientTransformationExtraArgs(begin, move)
