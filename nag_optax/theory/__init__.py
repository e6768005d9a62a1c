"""Theory as a tool: the step matrix of any linear optimizer, its exact worst case, its dual, its rate on quadratics."""

from nag_optax.theory.dual import h_dual
from nag_optax.theory.quadratics import noise_amplification, rate_on_quadratics
from nag_optax.theory.step_matrix import StepMatrix, step_matrix
from nag_optax.theory.worst_case import WorstCase, worst_case

__all__ = [
    "StepMatrix",
    "WorstCase",
    "h_dual",
    "noise_amplification",
    "rate_on_quadratics",
    "step_matrix",
    "worst_case",
]
