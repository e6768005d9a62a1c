"""Every public transformation: how it is made, what it is compared with, what it guarantees.

A new method is one row, in ``methods.py`` or ``solving.py``; its name, up to a comma, is that of the transformation.
The contract runs over all rows, ``test_published`` over those with a recursion, and ``tests/house/test_catalogue.py``
sees to it that nothing is missing.
"""

from tests.catalogue.combined import COMBINED
from tests.catalogue.methods import METHODS
from tests.catalogue.row import STEPS, Published, Row
from tests.catalogue.solving import SOLVING

CATALOGUE: dict[str, Row] = METHODS | SOLVING | COMBINED

# One of each kind of state and update: what Optax's wrappers see of the others is the same.
KINDS = [
    "nag",
    "nag, velocity=step",
    "nag, int8 state",
    "nag, restart=value",
    "scale_by_nag",
    "scale_by_inverse_sqrt_size",
    "robust_momentum",
    "agg_mo",
    "adan",
    "fista",
    "optista",
    "pogm",
    "proximal_gradient",
    "adanag",
    "ac_fgm",
    "graal",
    "feg",
    "lookahead",
    "snoo",
    "gpa",
    "schedule_free",
    "lion",
    "muon",
    "muon, neurons",
    "ema_nesterov",
]
# Differences of values and gradients set their steps, so that rounding shows at once.
PARAMETER_FREE = {"adanag", "ac_fgm", "graal"}
# They sum over all leaves, and so over all devices.
REDUCING = (
    PARAMETER_FREE
    | {"fista", "pogm", "muon", "muon, neurons", "orthogonalize", "normalize_neurons"}
    | {name for name in CATALOGUE if "restart" in name}
)

__all__ = ["CATALOGUE", "KINDS", "PARAMETER_FREE", "REDUCING", "STEPS", "Published", "Row"]
