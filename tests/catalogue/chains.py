"""What a transformation that trains nothing by itself needs around it, with keyword arguments for the catalogue."""

import jax
import jax.numpy as jnp
import optax

import nag_optax as no


def chained_direction(learning_rate, momentum):
    """The usual chain around scale_by_nag."""
    return optax.chain(no.scale_by_nag(momentum), optax.scale_by_learning_rate(learning_rate))


def mapped_direction(learning_rate, momentum, links):
    """The usual chain around a map of matrices, which leaves out what is none."""

    def are_matrices(tree):
        return jax.tree.map(lambda x: jnp.ndim(x) == 2, tree)

    link = optax.masked(optax.chain(*(link() for link in links)), are_matrices)
    return optax.chain(no.scale_by_nag(momentum, velocity="mean"), link, optax.scale_by_learning_rate(learning_rate))


def inverse_sqrt_size_before_nag(learning_rate):
    """The usual place of scale_by_inverse_sqrt_size."""
    return optax.chain(no.links.scale_by_inverse_sqrt_size(), no.nag(learning_rate))


def compensated_nag(learning_rate):
    """The usual end of a chain."""
    return optax.chain(no.nag(learning_rate), no.compensated())


def stochastically_rounded_nag(learning_rate, seed):
    """The other end of a chain. The key is one of plain integers: flax.serialization and NumPy know no other."""
    return optax.chain(no.nag(learning_rate), no.stochastic_rounding(jax.random.PRNGKey(seed)))


def decayed_ogm(learning_rate, weight_decay):
    """A method that has no weight decay of its own."""
    return no.decayed(no.ogm(learning_rate), learning_rate, weight_decay)


def proximally_decayed_heavy_ball(learning_rate, weight_decay):
    """Another one, by the function of the learning rate that makes it."""
    return no.links.proximally_decayed(no.heavy_ball, learning_rate, weight_decay)


def constant(coefficients):
    """A method of one's own, with constant numbers."""
    return no.accelerate(no.Rule(tuple, lambda count, age, carry: (coefficients, carry)))


def two_velocities(learning_rate, momentum):
    """Two methods on the same gradient."""
    return no.superpose(no.nag(learning_rate, momentum), no.heavy_ball(learning_rate, 0.0))


def heavy_ball_around_nag(learning_rate, outer_learning_rate):
    """Another method of the library outside, and one inside."""
    return no.slow_weights(no.nag(learning_rate), no.heavy_ball(outer_learning_rate, 0.5), period=3)


def lookahead_around_nag(learning_rate, slow_step_size, period):
    """Slow weights with a plain step outside, around another method of the library."""
    return no.lookahead(no.nag(learning_rate), period, slow_step_size)


def snoo_around_sgd(learning_rate, outer_learning_rate, outer_momentum):
    """Slow weights with Nesterov's method outside."""
    return no.snoo(optax.sgd(learning_rate), outer_learning_rate, outer_momentum, period=3)


def diloco_of_one_replica(learning_rate, outer_learning_rate):
    """A replica that is alone, on a mapped axis of length 1."""
    tx = no.diloco(optax.sgd(learning_rate), outer_learning_rate, axis_name="replica", period=3)

    def update(updates, state, params=None, **extra):
        alone = jax.vmap(
            lambda: tx.update(updates, state, params, **extra), out_axes=None, axis_name="replica", axis_size=1
        )
        return alone()

    return optax.GradientTransformationExtraArgs(tx.init, update)


def averaged_sgd(learning_rate, momentum, interpolation):
    """An average with a constant weight."""
    return no.primal_averaging(optax.sgd(learning_rate), momentum, interpolation)


def ema_nesterov_around_sgd(learning_rate, lookahead, decay):
    """Nesterov's step around gradient descent."""
    return no.ema_nesterov(optax.sgd(learning_rate), lookahead, decay)


def gpa_around_sgd(learning_rate, mu_x, mu_y):
    """An exponential average."""
    return no.gpa(optax.sgd(learning_rate), mu_x, mu_y)


def schedule_free_around_sgd(learning_rate, interpolation):
    """A uniform average, with twice the usual weight of late iterates."""
    return no.schedule_free(optax.sgd(learning_rate), learning_rate, interpolation, weight_power=2.0)
