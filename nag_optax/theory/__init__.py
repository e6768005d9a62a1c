"""Theory as a tool: the step matrix of any linear optimizer, its exact worst case, its dual, its rate on quadratics.

>>> import optax
>>> from nag_optax import theory
>>> theory.step_matrix(optax.sgd(0.5), 2).output  # x_2 = x_0 - 0.5 g_0 - 0.5 g_1
array([0.5, 0.5])
"""

from nag_optax.theory.dual import h_dual
from nag_optax.theory.program import WorstFunction
from nag_optax.theory.quadratics import noise_amplification, rate_on_quadratics
from nag_optax.theory.step_matrix import StepMatrix, step_matrix
from nag_optax.theory.worst_case import WorstCase, worst_case

__all__ = [
    "StepMatrix",
    "WorstCase",
    "WorstFunction",
    "h_dual",
    "noise_amplification",
    "rate_on_quadratics",
    "step_matrix",
    "worst_case",
]
