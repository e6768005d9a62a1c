"""Nesterov acceleration for JAX, as pure ``optax.GradientTransformation``s."""

from nag_optax import prox, schedules
from nag_optax.coefficients import Coefficients, Rule, from_coupling, from_momentum_and_correction, from_two_step
from nag_optax.composite.ac_fgm import ac_fgm
from nag_optax.composite.adanag import adanag
from nag_optax.composite.fista import fista
from nag_optax.composite.loop import Status
from nag_optax.composite.minimize import Solution, minimize
from nag_optax.engine import AccelerateState, accelerate
from nag_optax.evaluation import eval_params
from nag_optax.links.inverse_sqrt_size import scale_by_inverse_sqrt_size
from nag_optax.methods.acc_sgd import acc_sgd
from nag_optax.methods.adan import adan
from nag_optax.methods.agg_mo import agg_mo
from nag_optax.methods.agnes import agnes, agnes_constants
from nag_optax.methods.heavy_ball import heavy_ball
from nag_optax.methods.item import item
from nag_optax.methods.linear_coupling import linear_coupling
from nag_optax.methods.mass import mass
from nag_optax.methods.nadam import nadam
from nag_optax.methods.nag import nag, scale_by_nag
from nag_optax.methods.ogm import ogm
from nag_optax.methods.ogm_g import ogm_g
from nag_optax.methods.qhm import qhm
from nag_optax.methods.robust_momentum import robust_momentum
from nag_optax.methods.snag import snag
from nag_optax.methods.strongly_convex_nag import strongly_convex_nag
from nag_optax.methods.triple_momentum import triple_momentum
from nag_optax.precision.compensated import compensated
from nag_optax.precision.stochastic_rounding import stochastic_rounding
from nag_optax.sharding import state_shardings
from nag_optax.superposition import superpose
from nag_optax.wrappers.diloco import diloco
from nag_optax.wrappers.gpa import gpa
from nag_optax.wrappers.lookahead import lookahead
from nag_optax.wrappers.primal_averaging import primal_averaging
from nag_optax.wrappers.schedule_free import schedule_free
from nag_optax.wrappers.slow_weights import slow_weights
from nag_optax.wrappers.snoo import snoo

__version__ = "0.1.0"

__all__ = [
    # train
    "eval_params",
    "nag",
    "scale_by_inverse_sqrt_size",
    "scale_by_nag",
    "schedules",
    # the accelerated family
    "acc_sgd",
    "agg_mo",
    "agnes",
    "agnes_constants",
    "heavy_ball",
    "item",
    "linear_coupling",
    "mass",
    "ogm",
    "ogm_g",
    "qhm",
    "robust_momentum",
    "snag",
    "strongly_convex_nag",
    "triple_momentum",
    # inside adaptive methods
    "adan",
    "nadam",
    # solve
    "Solution",
    "Status",
    "ac_fgm",
    "adanag",
    "fista",
    "minimize",
    "prox",
    # scale: around any optimizer
    "diloco",
    "gpa",
    "lookahead",
    "primal_averaging",
    "schedule_free",
    "slow_weights",
    "snoo",
    "state_shardings",
    # low precision
    "compensated",
    "stochastic_rounding",
    # write your own method in five numbers
    "AccelerateState",
    "Coefficients",
    "Rule",
    "accelerate",
    "from_coupling",
    "from_momentum_and_correction",
    "from_two_step",
    "superpose",
]
