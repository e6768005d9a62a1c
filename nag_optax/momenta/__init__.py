"""Momentum sequences: how much velocity Nesterov's method keeps in each update.

Convention: ``momentum(k)`` decays the velocity in update k, counted from 0; the lookahead of that update uses
``momentum(k + 1)``. The sequences of convex optimisation start from rest: ``momentum(0) = momentum(1) = 0``, so that
the first update is a gradient step.

Sequences with a closed form are plain Optax schedules, functions of the count. `nesterov` is a recursion, so it is a
`MomentumSequence`, which carries scalars from update to update. Pass either as ``nag(learning_rate, momentum=...)``.

>>> from nag_optax import momenta, nag
>>> tx = nag(0.1, momentum=momenta.nesterov())
"""

from nag_optax.momenta.convex import chambolle_pock, nesterov, polynomial, strongly_convex
from nag_optax.momenta.deep import dozat, sutskever
from nag_optax.momenta.sequence import Momentum, MomentumSequence, as_sequence, tabulate

__all__ = [
    "Momentum",
    "MomentumSequence",
    "as_sequence",
    "chambolle_pock",
    "dozat",
    "nesterov",
    "polynomial",
    "strongly_convex",
    "sutskever",
    "tabulate",
]
