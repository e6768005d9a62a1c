"""Nonlinear maps of a velocity, as links of a chain: what Muon and Lion put between Nesterov's momentum and params.

>>> import optax
>>> from nag_optax import maps, scale_by_nag
>>> tx = optax.chain(scale_by_nag(0.9), maps.sign(), optax.scale_by_learning_rate(1e-4))
"""

from nag_optax.maps.matrix_axes import MatrixAxes
from nag_optax.maps.neurons import normalize_neurons
from nag_optax.maps.orthogonalize import orthogonalize
from nag_optax.maps.polar_factor import POLAR_EXPRESS, QUINTIC, polar_factor
from nag_optax.maps.router import hidden_matrices
from nag_optax.maps.sign import sign

__all__ = [
    "POLAR_EXPRESS",
    "QUINTIC",
    "MatrixAxes",
    "hidden_matrices",
    "normalize_neurons",
    "orthogonalize",
    "polar_factor",
    "sign",
]
