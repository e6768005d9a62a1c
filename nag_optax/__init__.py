"""Nesterov acceleration for JAX, as pure ``optax.GradientTransformation``s.

Every argument that is a concrete number is checked before the first step. The error names the argument: a TypeError for
the wrong type, a ValueError for a value outside the range in the docstring. "Raises" lists only other errors.
"""

import importlib
from typing import Any

from nag_optax import extend, links, losses, maps, momenta, prox, step_sizes, theory
from nag_optax.anchoring import reanchor
from nag_optax.averaging.ema_nesterov import ema_nesterov
from nag_optax.averaging.gpa import gpa
from nag_optax.averaging.primal_averaging import primal_averaging
from nag_optax.averaging.schedule_free import schedule_free
from nag_optax.conversion import from_optax
from nag_optax.engine import restart
from nag_optax.engine.accelerate import AccelerateState, accelerate
from nag_optax.engine.coefficients import (
    Coefficients,
    Rule,
    from_coupling,
    from_momentum_and_correction,
    from_two_step,
)
from nag_optax.engine.superpose import superpose
from nag_optax.evaluation import eval_params, velocity
from nag_optax.links import compensated, decayed, stochastic_rounding
from nag_optax.maps.orthogonalize import orthogonalize
from nag_optax.maps.router import muon_table
from nag_optax.measuring import diagnostics
from nag_optax.methods.ac_fgm import ac_fgm
from nag_optax.methods.acc_sgd import acc_sgd
from nag_optax.methods.adan import adan
from nag_optax.methods.adanag import adanag
from nag_optax.methods.agg_mo import agg_mo
from nag_optax.methods.agnes import agnes, agnes_constants
from nag_optax.methods.feg import feg
from nag_optax.methods.fista import fista
from nag_optax.methods.graal import graal
from nag_optax.methods.halpern import halpern
from nag_optax.methods.heavy_ball import heavy_ball
from nag_optax.methods.item import item
from nag_optax.methods.lazy_nag import LazyNag, lazy_nag
from nag_optax.methods.linear_coupling import linear_coupling
from nag_optax.methods.lion import lion
from nag_optax.methods.mass import mass
from nag_optax.methods.muon import muon
from nag_optax.methods.nadam import nadam
from nag_optax.methods.nag import nag, scale_by_nag
from nag_optax.methods.nag_g import nag_g
from nag_optax.methods.ogm import ogm
from nag_optax.methods.ogm_g import ogm_g
from nag_optax.methods.optista import optista
from nag_optax.methods.pogm import pogm
from nag_optax.methods.proximal_gradient import proximal_gradient
from nag_optax.methods.qhm import qhm
from nag_optax.methods.robust_momentum import robust_momentum
from nag_optax.methods.signum import signum
from nag_optax.methods.snag import snag
from nag_optax.methods.strongly_convex_nag import strongly_convex_nag
from nag_optax.methods.triple_momentum import triple_momentum
from nag_optax.outer.diloco import diloco
from nag_optax.outer.lookahead import lookahead
from nag_optax.outer.slow_weights import slow_weights
from nag_optax.outer.snoo import snoo
from nag_optax.renamed import say_once
from nag_optax.restoring import restore_state
from nag_optax.sharding import state_shardings
from nag_optax.solve.minimize import minimize
from nag_optax.solve.path import path
from nag_optax.solve.result import Solution, Status

__version__ = "0.1.0"

__all__ = [
    # train
    "decayed",
    "diagnostics",
    "eval_params",
    "from_optax",
    "momenta",
    "nag",
    "reanchor",
    "restart",
    "restore_state",
    "scale_by_nag",
    "velocity",
    # the accelerated family
    "acc_sgd",
    "agg_mo",
    "agnes",
    "agnes_constants",
    "heavy_ball",
    "item",
    "linear_coupling",
    "mass",
    "nag_g",
    "ogm",
    "ogm_g",
    "qhm",
    "robust_momentum",
    "snag",
    "step_sizes",
    "strongly_convex_nag",
    "theory",
    "triple_momentum",
    # fixed points and games
    "feg",
    "halpern",
    # inside adaptive methods
    "adan",
    "nadam",
    # behind a map
    "LazyNag",
    "lazy_nag",
    "lion",
    "maps",
    "muon",
    "muon_table",
    "orthogonalize",
    "signum",
    # solve
    "Solution",
    "Status",
    "ac_fgm",
    "adanag",
    "fista",
    "graal",
    "losses",
    "minimize",
    "optista",
    "path",
    "pogm",
    "prox",
    "proximal_gradient",
    # scale: around any optimizer
    "diloco",
    "ema_nesterov",
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
    # write your own: a method in five numbers, and what else one may plug in
    "AccelerateState",
    "Coefficients",
    "Rule",
    "accelerate",
    "extend",
    "from_coupling",
    "from_momentum_and_correction",
    "from_two_step",
    "links",
    "superpose",
]


def __getattr__(name: str) -> Any:
    """Former names."""
    if name == "schedules":
        say_once("nag_optax.schedules", "nag_optax.momenta")  # here, where the caller's line is in sight
        return importlib.import_module("nag_optax.schedules")
    if name == "scale_by_inverse_sqrt_size":
        say_once("nag_optax.scale_by_inverse_sqrt_size", "nag_optax.links.scale_by_inverse_sqrt_size")
        return links.scale_by_inverse_sqrt_size
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
