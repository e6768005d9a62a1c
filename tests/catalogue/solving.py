"""The rows of what solves: composite problems, problems without a step size, fixed points and games."""

import nag_optax as no
from nag_optax import momenta
from oracles.published import accelerated, anchored
from tests.catalogue.row import Published, Row

SOLVING = {
    "fista": Row(
        no.fista,
        {"step_size": 0.5, "prox": no.prox.none()},
        Published(lambda L: no.fista(1 / L, no.prox.none(), restart=None), accelerated.nag),
        ("FISTA, f + g at x_N",),
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
    "graal": Row(
        no.graal,
        {"smoothness": 1.0},
        "it needs values of the loss, and rounding decides after fifty steps: test_graal_takes_the_published_steps",
    ),
    "feg": Row(
        no.feg,
        {"learning_rate": 1.0},
        Published(lambda L: no.feg(1 / L), anchored.feg),
        "4 L^2 R^2 / N^2: test_the_bound_of_feg_is_never_exceeded",
    ),
    "halpern": Row(
        no.halpern,
        {"step_size": 1.0},
        Published(lambda L: no.halpern(2 / L), anchored.of_gradients),
        ("Halpern, |x_N - T(x_N)|^2", "APPM, |y_N - J(y_N)|^2"),
    ),
    "optista": Row(
        no.optista,
        {"smoothness": 1.0, "horizon": 500, "prox": no.prox.none()},
        "with a prox: test_optista_takes_the_published_steps",
        ("OptISTA, f + g at y_N",),
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
}
