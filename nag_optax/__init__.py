"""Nesterov acceleration for JAX, as pure ``optax.GradientTransformation``s."""

from nag_optax import schedules
from nag_optax.coefficients import Coefficients, Rule, from_coupling, from_momentum_and_correction, from_two_step
from nag_optax.engine import AccelerateState, accelerate
from nag_optax.evaluation import eval_params
from nag_optax.methods.inverse_sqrt_size import scale_by_inverse_sqrt_size
from nag_optax.methods.nag import nag, scale_by_nag

__version__ = "0.1.0"

__all__ = [
    # train
    "eval_params",
    "nag",
    "scale_by_inverse_sqrt_size",
    "scale_by_nag",
    "schedules",
    # write your own method in five numbers
    "AccelerateState",
    "Coefficients",
    "Rule",
    "accelerate",
    "from_coupling",
    "from_momentum_and_correction",
    "from_two_step",
]
