"""The contestants of `benchmarks.training`: what a popular article compares, what else is used, and ``nag``."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import optax

from nag_optax import momenta, nag

PAPER_STEPS, PERIOD, SHORTEST_PERIOD = 750_000, 250, 10
"""Of Sutskever et al. (2013): all updates, and those of every momentum of its schedule. In a shorter training the
latter shrink in proportion, but to no less than ten: if the momentum rises faster, the network stays where its code
says nothing (docs/evidence.md).
"""


class Method(NamedTuple):
    """An optimizer whose learning rate is to be found.

    Attributes:
      make: (learning rate, steps of the training) to the transformation.
      rate: the middle of the learning rates that are tried, relative to gradient descent's; or, for methods that
        normalise the gradient, itself.
      normalised: whether it does.
      like: the method whose learning rate it takes over, instead of one of its own.
      at_base: whether it is tested at the base iterate.
    """

    make: Callable[[float, int], optax.GradientTransformation]
    rate: float
    normalised: bool = False
    like: str | None = None
    at_base: bool = False


def of_rate(make, *args, **options):
    """An optimizer that does not depend on the length of the training."""
    return lambda rate, steps: make(rate, *args, **options)


def scheduled(max_momentum, rate, steps, *, dropped=False, **options):
    """``nag`` under the schedule of Sutskever et al., perhaps with their drop to 0.9 near the end."""
    momentum = momenta.sutskever(max_momentum, max(SHORTEST_PERIOD, PERIOD * steps // PAPER_STEPS))
    if dropped:
        momentum = optax.join_schedules([momentum, optax.constant_schedule(0.9)], [steps - steps // 20])
    return nag(rate, momentum, **options)


ARTICLE = {
    "gradient descent": Method(of_rate(optax.sgd), 1.0),
    "momentum 0.9": Method(of_rate(optax.sgd, 0.9), 0.1),
    "Adagrad": Method(of_rate(optax.adagrad), 0.03, normalised=True),
    "Adadelta": Method(of_rate(optax.adadelta), 1.0, normalised=True),
    "Optax's Nesterov 0.9": Method(of_rate(optax.sgd, 0.9, nesterov=True), 0.1),
}
"""The peers of the target: the article's, and NAG as Optax has it."""

ADAM = "Adam"
PEERS = ARTICLE | {ADAM: Method(of_rate(optax.adam), 0.002, normalised=True)}

NAG = {
    "nag 0.9": Method(of_rate(nag, 0.9), 0.1, at_base=True),
    "nag to 0.99": Method(partial(scheduled, 0.99), 0.03, at_base=True),
    "nag t_k, restart": Method(of_rate(nag, momenta.nesterov(), restart="gradient"), 0.03, at_base=True),
}

LARGER = (0.99, 0.995, 0.999)
DROPPED = ", late drop"
TABLE = {
    **{f"nag to {m}": Method(partial(scheduled, m), 0.03, at_base=True) for m in LARGER},
    **{f"momentum to {m}": Method(partial(scheduled, m, lookahead=0.0), 0.03, at_base=True) for m in LARGER},
    **{
        f"nag to {m}{DROPPED}": Method(partial(scheduled, m, dropped=True), 0.03, like=f"nag to {m}", at_base=True)
        for m in LARGER
    },
}
"""What the tables of Sutskever et al. add; their columns of momentum 0.9 are above."""
