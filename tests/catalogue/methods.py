"""The methods of the catalogue, each with the recursion of its paper and its guarantee."""

import jax.numpy as jnp
import numpy as np
import optax

import nag_optax as no
from nag_optax import momenta
from oracles.published import accelerated, maps, stochastic
from tests.catalogue.row import STEPS, Published, Row, to_zero

OF_CLASS = {"smoothness": 1.0, "strong_convexity": 0.05}


def last_two(path, leaf):
    """Stacks of matrices, and what is none."""
    return no.maps.MatrixAxes(-2, -1) if np.ndim(leaf) >= 2 else None


METHODS = {
    "nag": Row(
        no.nag,
        {"learning_rate": 0.05, "momentum": 0.9},
        Published(lambda L: no.nag(1 / L, momenta.strongly_convex(1e3)), accelerated.constant_nag, (1e-3,)),
    ),
    "nag, nesterov sequence": Row(
        no.nag,
        {"learning_rate": 0.3, "momentum": momenta.nesterov()},
        Published(lambda L: no.nag(1 / L, momenta.nesterov()), accelerated.nag),
        ("NAG t_k, f(x_N)", "NAG t_k, f(y_N)"),
    ),
    "nag, polynomial sequence": Row(
        no.nag,
        {"learning_rate": 0.3, "momentum": momenta.polynomial(3)},
        Published(lambda L: no.nag(1 / L, momenta.polynomial(3)), accelerated.polynomial_nag, (3,)),
        ("NAG (k-1)/(k+2), f(x_N)", "NAG (k-1)/(k+3), f(x_N)"),
    ),
    "nag, velocity=step": Row(
        no.nag,
        {"learning_rate": 0.05, "momentum": 0.9, "velocity": "step"},
        "Sutskever's recursion, with everything that may vary varying: test_recursions",
    ),
    "nag, scheduled": Row(
        no.nag,
        {"learning_rate": optax.linear_schedule(0.0, 0.05, 10), "momentum": momenta.polynomial(), "lookahead": 0.7},
        "Sutskever's recursion, with everything that may vary varying: test_recursions",
    ),
    "nag, classical momentum": Row(
        no.nag,
        {"learning_rate": 0.05, "momentum": 0.9, "lookahead": 0.0},
        "an identity, with heavy_ball: test_identities",
    ),
    "nag, weight decay": Row(
        no.nag,
        {"learning_rate": 0.05, "weight_decay": 1e-4},
        "a link behind nag: test_decoupled_weight_decay",
    ),
    "nag, int8 state": Row(
        no.nag,
        {"learning_rate": 0.05, "momentum": 0.9, "accumulator_dtype": jnp.int8},
        "rounded at random, right in the mean: test_contributions_below_a_unit_are_kept_in_the_mean",
        "the worst cases in the mean, to 0.1 %: test_worst_case_holds_with_a_buffer_of_one_byte",
    ),
    "nag, restart=gradient": Row(
        no.nag,
        {"learning_rate": 0.3, "momentum": momenta.nesterov(), "restart": "gradient"},
        "with the times of restarts: test_gradient_restart_is_odonoghue_and_candes",
    ),
    "nag, restart=value": Row(
        no.nag,
        {"learning_rate": 0.3, "momentum": momenta.nesterov(), "restart": "value"},
        "with the times of restarts: test_value_restart_with_the_function_is_odonoghue_and_candes",
    ),
    "nag, restart=speed": Row(
        no.nag,
        {"learning_rate": 0.3, "momentum": momenta.polynomial(), "restart": "speed"},
        "with the times of restarts: test_speed_restart_is_su_boyd_and_candes",
    ),
    "heavy_ball": Row(
        no.heavy_ball,
        {"learning_rate": 0.05, "momentum": 0.9},
        Published(lambda L: no.heavy_ball(0.3 / L, 0.8), accelerated.heavy_ball, (0.3, 0.8)),
    ),
    "qhm": Row(
        no.qhm,
        {"learning_rate": 0.5, "momentum": 0.9, "nu": 0.7},
        Published(lambda L: no.qhm(0.5 / L, 0.95, 0.6), stochastic.qhm, (0.5, 0.95, 0.6)),
    ),
    "agg_mo": Row(
        no.agg_mo,
        {"learning_rate": 0.05, "momenta": (0.0, 0.9)},
        Published(lambda L: no.agg_mo(0.1 / L, (0.0, 0.9, 0.99)), stochastic.agg_mo, (0.1, (0.0, 0.9, 0.99))),
    ),
    "ogm": Row(
        no.ogm,
        {"learning_rate": 0.5},
        Published(lambda L: no.ogm(1 / L), accelerated.ogm),
        ("OGM, last step, f", "OGM, f(x_N)", "OGM, f(y_N)"),
    ),
    "ogm, restart=gradient": Row(
        no.ogm,
        {"learning_rate": 0.5, "restart": "gradient"},
        "the engine's restart, as nag's: test_gradient_restart_is_odonoghue_and_candes",
    ),
    "ogm_g": Row(
        no.ogm_g,
        {"learning_rate": 0.5, "horizon": 500},
        Published(lambda L: no.ogm_g(1 / L, STEPS), accelerated.ogm_g, (STEPS,)),
        ("OGM-G, |g(y_N)|^2",),
    ),
    "triple_momentum": Row(
        no.triple_momentum,
        OF_CLASS,
        Published(lambda L: no.triple_momentum(L, 1e-3 * L), accelerated.triple_momentum, (1e-3,)),
        ("TMM, f(z_N)", "TMM, |z_N - x*|^2", "TMM, f(y_N)", "TMM, f(x_N)"),
    ),
    "robust_momentum": Row(
        no.robust_momentum,
        {**OF_CLASS, "rho": 0.85},
        Published(lambda L: no.robust_momentum(L, 1e-3 * L, 0.98), accelerated.robust_momentum, (1e-3, 0.98)),
        "a contraction by rho: test_the_lyapunov_function_of_robust_momentum_contracts_by_rho_squared",
    ),
    "item": Row(
        no.item,
        OF_CLASS,
        Published(lambda L: no.item(L, 0.1 * L), accelerated.item, (0.1,)),
        ("ITEM, |z_N - x*|^2", "ITEM, f(y_N)", "ITEM, f(x_N)"),
    ),
    "strongly_convex_nag": Row(
        no.strongly_convex_nag,
        OF_CLASS,
        Published(lambda L: no.strongly_convex_nag(L, 0.01 * L), accelerated.strongly_convex_nag, (0.01,)),
        ("NAG non-stationary, f(x_N)",),
    ),
    "strongly_convex_nag, stationary": Row(
        no.strongly_convex_nag,
        {**OF_CLASS, "stationary": True},
        Published(lambda L: no.strongly_convex_nag(L, 0.01 * L, stationary=True), accelerated.constant_nag, (0.01,)),
        ("NAG constant, f(x_N)", "NAG constant, f(x_N) normalised"),
    ),
    "linear_coupling": Row(
        no.linear_coupling,
        {"learning_rate": 0.5},
        Published(lambda L: no.linear_coupling(1 / L), accelerated.linear_coupling),
        "2 L R^2 / (N + 1)^2, by its potential: test_the_potential_of_linear_coupling_does_not_increase",
    ),
    "acc_sgd": Row(
        no.acc_sgd,
        {"learning_rate": 0.5},
        Published(lambda L: no.acc_sgd(0.5 / L), stochastic.acc_sgd, (0.5, 1000.0, 10.0, 0.7)),
    ),
    "mass": Row(
        no.mass,
        {"learning_rate": 0.5},
        Published(lambda L: no.mass(0.5 / L), stochastic.mass, (0.5, 0.05, 12.0)),
    ),
    "agnes": Row(
        no.agnes,
        {"learning_rate": 0.05, "correction": 0.1, "momentum": 0.9},
        Published(lambda L: no.agnes(0.2 / L, 0.5 / L, 0.9), stochastic.agnes, (0.2, 0.5, 0.9)),
    ),
    "snag": Row(
        no.snag,
        {**OF_CLASS, "growth": 1.5},
        Published(lambda L: no.snag(L, 1e-3 * L, 2.0), stochastic.snag, (1e-3, 2.0)),
    ),
    "adan": Row(
        no.adan,
        {"learning_rate": 0.05},
        Published(
            lambda L: no.adan(0.01, eps=1e-4, weight_decay=0.1),
            stochastic.adan,
            (0.01, 0.98, 0.92, 0.99, 1e-4, 0.1),
        ),
    ),
    "nadam": Row(
        no.nadam,
        {"learning_rate": 0.05},
        Published(lambda L: no.nadam(1e-3, eps=1e-4), stochastic.nadam, (1e-3, 0.9, 0.999, 1e-4, 0.004)),
    ),
    "fista": Row(
        no.fista,
        {"step_size": 0.5, "prox": no.prox.none()},
        Published(lambda L: no.fista(1 / L, no.prox.none(), restart=None), accelerated.nag),
        "2 L R^2 / (N + 1)^2 without restart: test_the_bound_of_fista_is_never_exceeded",
    ),
    "fista, strongly convex": Row(
        no.fista,
        {
            "step_size": 0.5,
            "prox": no.prox.none(),
            "momentum": momenta.chambolle_pock(0.5, 0.05),
            "restart": None,
        },
        "its momentum: test_chambolle_and_pock_s_momentum_keeps_its_recursion_and_its_bound",
        "that of Chambolle & Pock: test_chambolle_and_pock_s_momentum_keeps_its_recursion_and_its_bound",
    ),
    "optista": Row(
        no.optista,
        {"smoothness": 1.0, "horizon": 500, "prox": no.prox.none()},
        "with a prox: test_optista_takes_the_published_steps",
        "L R^2 / (2 (theta_N^2 - 1)), exact: test_the_worst_case_of_optista_is_attained",
    ),
    "pogm": Row(
        no.pogm,
        {"step_size": 0.5, "prox": no.prox.none()},
        "with a prox: test_pogm_takes_the_published_steps",
        "with a horizon, by a semidefinite program: test_the_worst_case_over_all_functions",
    ),
    "proximal_gradient": Row(
        no.proximal_gradient,
        {"step_size": 0.5, "prox": no.prox.none()},
        "with a prox: test_proximal_gradient_takes_its_steps_and_keeps_zeros",
        "with silver steps: test_silver_steps_keep_their_rate_with_a_prox",
    ),
    "adanag": Row(
        no.adanag,
        {"smoothness": 1.0},
        "it needs values of the loss, and rounding decides after fifty steps: test_adanag_takes_the_published_steps",
    ),
    "ac_fgm": Row(
        no.ac_fgm,
        {"smoothness": 1.0},
        "it needs values of the loss, and rounding decides after fifty steps: test_ac_fgm_takes_the_published_steps",
    ),
    "lion": Row(
        no.lion,
        {"learning_rate": to_zero(0.1), "weight_decay": None},
        Published(lambda L: no.lion(1e-3, 0.9, 0.99, weight_decay=None), maps.lion, (1e-3, 0.9, 0.99)),
    ),
    "signum": Row(
        no.signum,
        {"learning_rate": to_zero(0.1), "momentum": 0.9},
        Published(lambda L: no.signum(1e-3, 0.9), maps.signum, (1e-3, 0.9)),
    ),
    "muon": Row(
        no.muon,
        {"learning_rate": to_zero(0.1), "axes": last_two},
        "of matrices: test_a_hundred_steps_are_those_of_the_code",
    ),
    "muon, neurons": Row(
        no.muon,
        {"learning_rate": to_zero(0.1), "axes": last_two, "neurons": 0.9},
        "of matrices: test_normuon_is_the_papers",
    ),
}
