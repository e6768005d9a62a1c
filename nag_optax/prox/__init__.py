"""Proximal operators: the other half of a composite problem f + g.

``prox(params, step_size)`` is the point that minimises ``g(x) + |x - params|^2 / (2 step_size)``. The functions here
make such operators on pytrees: common penalties and constraints of statistics and signal processing, and rules to
combine them. Each docstring gives g. Strengths may be traced: under ``jax.jit``, ``jax.vmap`` and ``jax.grad`` they are
ordinary arguments.

Complex leaves keep their phase, with the inner product Re <v, x>: in l1, l2_squared, elastic_net, huber (of moduli),
group_lasso, overlapping_groups, l2_norm, linf_norm, nuclear_norm, total_variation_2d, psd_cone, l0, rank, and the
projections of Optax onto a ball. Rules that combine operators take what those take. Where real numbers are meant, a
complex leaf raises an error. l0, rank, sparse_simplex, l1_sphere and l2_sphere are not convex; all others are.

Projections are those of Optax where it has them. You can also pass your own function ``(params, step_size) -> params``.

>>> import jax.numpy as jnp
>>> from nag_optax import prox
>>> prox.l1(0.5)(jnp.array([2.0, 0.3]))
Array([1.5, 0. ], dtype=float32)
"""

from nag_optax.prox.affine_set import affine_set
from nag_optax.prox.box_section import box_section
from nag_optax.prox.calculus import conjugate, masked, scaled, sum_over_leaves, translated
from nag_optax.prox.cones import psd_cone, second_order_cone
from nag_optax.prox.constraints import box, from_projection, non_negative, simplex
from nag_optax.prox.groups import overlapping_groups
from nag_optax.prox.images import total_variation_2d
from nag_optax.prox.isotonic import isotonic
from nag_optax.prox.non_convex import l0, rank
from nag_optax.prox.non_convex_sets import l1_sphere, l2_sphere, sparse_simplex
from nag_optax.prox.nuclear_norm import nuclear_norm
from nag_optax.prox.operator import Conjugate, Prox, none
from nag_optax.prox.penalties import (
    elastic_net,
    group_lasso,
    huber,
    l1,
    l2_norm,
    l2_squared,
    linf_norm,
    non_negative_l1,
)
from nag_optax.prox.polyhedron import polyhedron
from nag_optax.prox.positive import kullback_leibler, log_barrier
from nag_optax.prox.quadratic import quadratic
from nag_optax.prox.slope import slope
from nag_optax.prox.total_variation import total_variation_1d
from nag_optax.prox.transport import birkhoff, transport

__all__ = [
    "Conjugate",
    "Prox",
    "affine_set",
    "birkhoff",
    "box",
    "box_section",
    "conjugate",
    "elastic_net",
    "from_projection",
    "group_lasso",
    "huber",
    "isotonic",
    "kullback_leibler",
    "l0",
    "l1",
    "l1_sphere",
    "l2_norm",
    "l2_sphere",
    "l2_squared",
    "linf_norm",
    "log_barrier",
    "masked",
    "non_negative",
    "non_negative_l1",
    "none",
    "nuclear_norm",
    "overlapping_groups",
    "polyhedron",
    "psd_cone",
    "quadratic",
    "rank",
    "scaled",
    "second_order_cone",
    "simplex",
    "slope",
    "sparse_simplex",
    "sum_over_leaves",
    "total_variation_1d",
    "total_variation_2d",
    "translated",
    "transport",
]
