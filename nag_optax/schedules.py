"""The former name of `nag_optax.momenta`."""

from nag_optax.momenta import MomentumSequence as Sequence
from nag_optax.momenta import (
    as_sequence,
    chambolle_pock,
    dozat,
    nesterov,
    polynomial,
    strongly_convex,
    sutskever,
    tabulate,
)
from nag_optax.renamed import say_once

__all__ = [
    "Sequence",
    "as_sequence",
    "chambolle_pock",
    "dozat",
    "nesterov",
    "polynomial",
    "strongly_convex",
    "sutskever",
    "tabulate",
]

say_once("nag_optax.schedules", "nag_optax.momenta")
