"""What the catalogue says of a transformation."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

STEPS = 300
"""Of a comparison with a published recursion."""


def to_zero(rate):
    """A learning rate that falls to 0 in 500 updates, for maps: their steps are as long wherever they are taken."""
    return lambda count: rate * jnp.cos(jnp.pi / 2 * jnp.minimum(jnp.asarray(count, jnp.float32) / 500, 1)) ** 2


class Published(NamedTuple):
    """A method beside the recursion that its paper prints.

    Attributes:
      make: ``make(L)``, the method of the library at smoothness L.
      recursion: ``recursion(gradient, start, L, *constants)``, one of `oracles.published`.
      constants: of the recursion.
    """

    make: Callable[[Any], optax.GradientTransformationExtraArgs]
    recursion: Callable[..., Any]
    constants: tuple[Any, ...] = ()


class Row(NamedTuple):
    """A transformation, as the contract trains with it.

    Attributes:
      factory: makes it; where it needs others to train, a chain of `tests.catalogue.chains`.
      arguments: of the factory.
      published: its recursion, or in words why there is none, and which test stands for it.
      guarantee: the exact worst cases of `oracles.worst_cases` that it attains, or a bound in words and the test that
        checks it, or None.
    """

    factory: Callable[..., Any]
    arguments: dict[str, Any]
    published: Published | str
    guarantee: tuple[str, ...] | str | None = None

    def make(self):
        """Returns the transformation."""
        return self.factory(**self.arguments)
