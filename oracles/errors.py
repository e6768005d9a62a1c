"""What is judged of a method's last point: ``error(functions, x)``, from |x_0 - x*| = 1 where nothing else is said."""

import jax.numpy as jnp


def value(f, x):
    """f(x_N) - f*, with |x_0 - x*| = 1."""
    return f.value(x)


def squared_distance(f, x):
    """|x_N - x*|^2, with |x_0 - x*| = 1."""
    return x**2


def squared_gradient(f, x):
    """|f'(x_N)|^2, with f(x_0) - f* = 1."""
    return f.gradient(x) ** 2 / f.value(jnp.ones_like(x))


def squared_residual(f, x):
    """|x_N - T(x_N)|^2 of T = 1 - 2 f', with |x_0 - x*| = 1."""
    return (2 * f.gradient(x)) ** 2


def squared_move(f, x):
    """|x_N - J(x_N)|^2 of J = 1 - f', with |x_0 - x*| = 1."""
    return f.gradient(x) ** 2


def normalised_value(f, x):
    """f(x_N) - f*, with f(x_0) - f* + (q/2) |x_0 - x*|^2 = 1."""
    return f.value(x) / (f.value(jnp.ones_like(x)) + f.q / 2)
