"""Every public transformation, once, for the contract: a factory and its arguments.

A new method is one row. Where a link needs others to train (``scale_by_nag``), the row is the chain.
"""

import jax.numpy as jnp
import optax

import nag_optax
from nag_optax import (
    Rule,
    accelerate,
    from_coupling,
    from_momentum_and_correction,
    from_two_step,
    nag,
    scale_by_inverse_sqrt_size,
    scale_by_nag,
    schedules,
)


def chained_direction(learning_rate, momentum, restart=None):
    """The usual chain around scale_by_nag."""
    return optax.chain(scale_by_nag(momentum, restart=restart), optax.scale_by_learning_rate(learning_rate))


def inverse_sqrt_size_before_nag(learning_rate):
    """The usual place of scale_by_inverse_sqrt_size."""
    return optax.chain(scale_by_inverse_sqrt_size(), nag(learning_rate))


def constant(coefficients):
    """A method of one's own, with constant numbers."""
    return accelerate(Rule(tuple, lambda step, age, carry: (coefficients, carry)))


def lookahead_around_nag(learning_rate, alpha, k):
    """Slow weights with a plain step outside, around another method of the library."""
    return nag_optax.lookahead(nag(learning_rate), k, alpha)


def snoo_around_sgd(learning_rate, outer_learning_rate, outer_momentum):
    """Slow weights with Nesterov's method outside."""
    return nag_optax.snoo(optax.sgd(learning_rate), outer_learning_rate, outer_momentum, period=3)


def gpa_around_sgd(learning_rate, mu_x, mu_y):
    """An exponential average."""
    return nag_optax.gpa(optax.sgd(learning_rate), mu_x, mu_y)


def schedule_free_around_sgd(learning_rate, interpolation):
    """A uniform average, with twice the usual weight of late iterates."""
    return nag_optax.schedule_free(optax.sgd(learning_rate), learning_rate, interpolation, weight_power=2.0)


TRANSFORMATIONS = {
    "nag": (nag, {"learning_rate": 0.05, "momentum": 0.9}),
    "nag, velocity=step": (nag, {"learning_rate": 0.05, "momentum": 0.9, "velocity": "step"}),
    "nag, nesterov sequence": (nag, {"learning_rate": 0.3, "momentum": schedules.nesterov()}),
    "nag, scheduled": (
        nag,
        {"learning_rate": optax.linear_schedule(0.0, 0.05, 10), "momentum": schedules.polynomial(), "lookahead": 0.7},
    ),
    "nag, classical momentum": (nag, {"learning_rate": 0.05, "momentum": 0.9, "lookahead": 0.0}),
    "nag, weight decay": (nag, {"learning_rate": 0.05, "weight_decay": 1e-4}),
    "nag, int8 state": (nag, {"learning_rate": 0.05, "momentum": 0.9, "accumulator_dtype": jnp.int8}),
    "nag, restart=gradient": (
        nag,
        {"learning_rate": 0.3, "momentum": schedules.nesterov(), "restart": "gradient"},
    ),
    "nag, restart=value": (nag, {"learning_rate": 0.3, "momentum": schedules.nesterov(), "restart": "value"}),
    "nag, restart=speed": (nag, {"learning_rate": 0.3, "momentum": schedules.polynomial(), "restart": "speed"}),
    "scale_by_nag": (chained_direction, {"learning_rate": 0.05, "momentum": 0.9}),
    "scale_by_inverse_sqrt_size": (inverse_sqrt_size_before_nag, {"learning_rate": 0.2}),
    "heavy_ball": (nag_optax.heavy_ball, {"learning_rate": 0.05, "momentum": 0.9}),
    "qhm": (nag_optax.qhm, {"learning_rate": 0.5, "momentum": 0.9, "nu": 0.7}),
    "ogm": (nag_optax.ogm, {"learning_rate": 0.5}),
    "ogm, restart=gradient": (nag_optax.ogm, {"learning_rate": 0.5, "restart": "gradient"}),
    "ogm_g": (nag_optax.ogm_g, {"learning_rate": 0.5, "horizon": 500}),
    "triple_momentum": (nag_optax.triple_momentum, {"smoothness": 1.0, "strong_convexity": 0.05}),
    "item": (nag_optax.item, {"smoothness": 1.0, "strong_convexity": 0.05}),
    "robust_momentum": (nag_optax.robust_momentum, {"smoothness": 1.0, "strong_convexity": 0.05, "rho": 0.85}),
    "strongly_convex_nag": (nag_optax.strongly_convex_nag, {"smoothness": 1.0, "strong_convexity": 0.05}),
    "acc_sgd": (nag_optax.acc_sgd, {"learning_rate": 0.5}),
    "mass": (nag_optax.mass, {"learning_rate": 0.5}),
    "agnes": (nag_optax.agnes, {"learning_rate": 0.05, "correction": 0.1, "momentum": 0.9}),
    "snag": (nag_optax.snag, {"smoothness": 1.0, "strong_convexity": 0.05, "growth": 1.5}),
    "linear_coupling": (nag_optax.linear_coupling, {"learning_rate": 0.5}),
    "agg_mo": (nag_optax.agg_mo, {"learning_rate": 0.05, "momenta": (0.0, 0.9)}),
    "adan": (nag_optax.adan, {"learning_rate": 0.05}),
    "nadam": (nag_optax.nadam, {"learning_rate": 0.05}),
    "fista": (nag_optax.fista, {"step_size": 0.5, "prox": nag_optax.prox.none()}),
    "fista, strongly convex": (
        nag_optax.fista,
        {
            "step_size": 0.5,
            "prox": nag_optax.prox.none(),
            "momentum": schedules.chambolle_pock(0.5, 0.05),
            "restart": None,
        },
    ),
    "adanag": (nag_optax.adanag, {"smoothness": 1.0}),
    "ac_fgm": (nag_optax.ac_fgm, {"smoothness": 1.0}),
    "lookahead": (lookahead_around_nag, {"learning_rate": 0.1, "alpha": 0.5, "k": 4}),
    "snoo": (snoo_around_sgd, {"learning_rate": 0.3, "outer_learning_rate": 0.7, "outer_momentum": 0.9}),
    "gpa": (gpa_around_sgd, {"learning_rate": 0.5, "mu_x": 0.9, "mu_y": 0.8}),
    "schedule_free": (schedule_free_around_sgd, {"learning_rate": 1.0, "interpolation": 0.9}),
    "accelerate, coupling": (
        constant,
        {"coefficients": from_coupling(tau=0.2, tau_next=0.2, mixing=0.1, long_step=0.5, learning_rate=0.1)},
    ),
    "accelerate, momentum and correction": (
        constant,
        {"coefficients": from_momentum_and_correction(momentum=0.6, correction=0.3, learning_rate=0.1)},
    ),
    "accelerate, two-step": (constant, {"coefficients": from_two_step(beta=0.7, alpha=0.1, gamma=0.4, delta=0.3)}),
}

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
    "adanag",
    "ac_fgm",
    "lookahead",
    "snoo",
    "gpa",
    "schedule_free",
]
# Differences of values and gradients set their steps, so that rounding shows at once.
PARAMETER_FREE = {"adanag", "ac_fgm"}
# They sum over all leaves, and so over all devices.
REDUCING = PARAMETER_FREE | {"fista"} | {name for name in TRANSFORMATIONS if "restart" in name}
