"""What the catalogue says of a transformation."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optax

STEPS = 300
"""Of a comparison with a published recursion."""


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
