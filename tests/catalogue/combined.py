"""The rest of the catalogue, combined with others: links of a chain, wrappers, sums, and methods of one's own."""

import jax.numpy as jnp
import optax

import nag_optax as no
from oracles.published import maps, outer
from tests.catalogue import chains
from tests.catalogue.row import Published, Row, to_zero


def warm_up(L):
    return lambda k: 0.9 / L * jnp.minimum(1.0, (k.astype(float) + 1) / 20)  # Optax counts in int32


COMBINED = {
    "scale_by_nag": Row(
        chains.chained_direction,
        {"learning_rate": 0.05, "momentum": 0.9},
        "an identity: test_scale_by_nag_in_a_chain_is_nag_and_its_base_iterate_takes_the_learning_rate",
    ),
    "sign": Row(
        chains.mapped_direction,
        {"learning_rate": to_zero(0.2), "momentum": 0.9, "links": (no.maps.sign,)},
        "an identity: test_signum_is_the_sign_of_a_mean",
    ),
    "orthogonalize": Row(
        chains.mapped_direction,
        {"learning_rate": to_zero(0.2), "momentum": 0.9, "links": (no.orthogonalize,)},
        "the polar factor: test_the_axes_say_what_is_a_matrix",
    ),
    "normalize_neurons": Row(
        chains.mapped_direction,
        {"learning_rate": to_zero(0.2), "momentum": 0.9, "links": (no.orthogonalize, no.maps.normalize_neurons)},
        "inside of Muon: test_normuon_is_the_papers",
    ),
    "scale_by_inverse_sqrt_size": Row(
        chains.inverse_sqrt_size_before_nag,
        {"learning_rate": 0.2},
        "a step-size rule: test_inverse_sqrt_size_is_a_step_size_rule",
    ),
    "compensated": Row(
        chains.compensated_nag,
        {"learning_rate": 0.05},
        "a rounding: test_params_land_on_a_neighbour_of_their_target",
    ),
    "stochastic_rounding": Row(
        chains.stochastically_rounded_nag,
        {"learning_rate": 0.05, "seed": 0},
        "a rounding: test_params_land_on_a_neighbour_of_their_target",
    ),
    "decayed": Row(
        chains.decayed_ogm,
        {"learning_rate": 0.5, "weight_decay": 1e-4},
        "a link: test_it_is_that_of_optax_in_front_of_the_learning_rate",
    ),
    "proximally_decayed": Row(
        chains.proximally_decayed_heavy_ball,
        {"learning_rate": 0.05, "weight_decay": 1e-4},
        "a link: test_the_argument_of_a_method_is_the_link",
    ),
    "slow_weights": Row(
        chains.heavy_ball_around_nag,
        {"learning_rate": 0.1, "outer_learning_rate": 0.5},
        "a wrapper: test_the_outer_transformation_sees_the_slow_weights",
    ),
    "lookahead": Row(
        chains.lookahead_around_nag,
        {"learning_rate": 0.1, "slow_step_size": 0.5, "period": 4},
        Published(
            lambda L: no.lookahead(optax.sgd(0.9 / L), 7, 0.4),
            outer.outer_nesterov,
            (0.9, 7, 0.4, 0.0),
        ),
    ),
    "snoo": Row(
        chains.snoo_around_sgd,
        {"learning_rate": 0.3, "outer_learning_rate": 0.7, "outer_momentum": 0.9},
        Published(
            lambda L: no.snoo(optax.sgd(0.9 / L), 0.8, 0.75, period=7),
            outer.outer_nesterov,
            (0.9, 7, 0.8, 0.75),
        ),
    ),
    "diloco": Row(
        chains.diloco_of_one_replica,
        {"learning_rate": 0.3, "outer_learning_rate": 0.7},
        "with all its replicas: test_diloco_is_a_loop_over_replicas",
    ),
    "primal_averaging": Row(
        chains.averaged_sgd,
        {"learning_rate": 0.5, "momentum": 0.9, "interpolation": 0.8},
        "around AdamW: test_averages_around_adamw_are_the_published_sequences",
    ),
    "ema_nesterov": Row(
        chains.ema_nesterov_around_sgd,
        {"learning_rate": 0.5, "lookahead": 0.6, "decay": 0.9},
        Published(
            lambda L: no.ema_nesterov(optax.sgd(0.5 / L), 0.6, 0.95), maps.ema_nesterov, (0.5, lambda k: 0.6, 0.95)
        ),
    ),
    "gpa": Row(
        chains.gpa_around_sgd,
        {"learning_rate": 0.5, "mu_x": 0.9, "mu_y": 0.8},
        Published(lambda L: no.gpa(optax.sgd(0.9 / L), 0.95, 0.7), outer.gpa, (0.9, 0.95, 0.7)),
    ),
    "schedule_free": Row(
        chains.schedule_free_around_sgd,
        {"learning_rate": 1.0, "interpolation": 0.9},
        Published(
            lambda L: no.schedule_free(optax.sgd(warm_up(L)), warm_up(L), weight_power=0.5),
            outer.schedule_free,
            (0.9, 0.9, 0.5, 2.0, 20),
        ),
    ),
    "superpose": Row(
        chains.two_velocities,
        {"learning_rate": 0.05, "momentum": 0.9},
        "an identity: test_one_velocity_and_its_sum_have_the_base_iterate_of_the_sum",
    ),
    "accelerate, coupling": Row(
        chains.constant,
        {"coefficients": no.from_coupling(tau=0.2, tau_next=0.2, mixing=0.1, long_step=0.5, learning_rate=0.1)},
        "any recursion of its shape: test_five_numbers_give_the_published_sequences",
    ),
    "accelerate, momentum and correction": Row(
        chains.constant,
        {"coefficients": no.from_momentum_and_correction(momentum=0.6, correction=0.3, learning_rate=0.1)},
        "any recursion of its shape: test_five_numbers_give_the_published_sequences",
    ),
    "accelerate, two-step": Row(
        chains.constant,
        {"coefficients": no.from_two_step(beta=0.7, alpha=0.1, gamma=0.4, delta=0.3)},
        "any recursion of its shape: test_five_numbers_give_the_published_sequences",
    ),
}
