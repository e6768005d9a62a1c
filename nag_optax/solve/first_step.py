"""How long the first step of a line search is."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.curvature import along_gradient
from nag_optax.solve.linear import pairing
from nag_optax.solve.method import Problem


class FirstStep(NamedTuple):
    """Attributes:
    size: 1 / curvature along the gradient.
    gradients: how many gradients it took to see it.
    values: how many images, or values of f alone.
    """

    size: Array
    gradients: int
    values: int


def first_step(problem: Problem, params: Any, image: Any) -> FirstStep:
    """From the bound of f's curvature, if it has one; else from a second gradient, at a distance f / |grad f|^2."""
    f, slope = problem.value_and_slope(image)
    gradient = problem.gradient(params, slope)
    images = int(problem.linear is not None)
    if problem.curvature is None:
        curvature = along_gradient(lambda x: problem.value_and_gradient(x)[1], params, f, gradient)
        return FirstStep(1 / curvature, 2, images)
    if problem.linear is None:
        curvature = jnp.asarray(problem.curvature)
    else:
        image = problem.linear.moved(params, gradient)
        curvature = problem.curvature * pairing(image, image, f) / trees.squared_norm(gradient)
    return FirstStep(1 / jnp.where((curvature > 0) & jnp.isfinite(curvature), curvature, 1), 1, images)
