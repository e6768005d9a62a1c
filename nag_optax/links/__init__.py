"""Links of a chain outside the engine: they act on pytrees, and hold no velocity.

>>> import optax
>>> from nag_optax import links, scale_by_nag
>>> tx = optax.chain(scale_by_nag(0.9), links.scale_by_inverse_sqrt_size(), optax.scale_by_learning_rate(0.1))
"""

from nag_optax.links.compensated import compensated
from nag_optax.links.inverse_sqrt_size import scale_by_inverse_sqrt_size
from nag_optax.links.stochastic_rounding import stochastic_rounding
from nag_optax.links.weight_decay import decayed, proximally_decayed

__all__ = [
    "compensated",
    "decayed",
    "proximally_decayed",
    "scale_by_inverse_sqrt_size",
    "stochastic_rounding",
]
