"""NAG, Nesterov's accelerated gradient, exact when the learning rate and the momentum vary.

Sutskever, Martens, Dahl & Hinton (ICML 2013), eq. (3)-(4), with theta the base iterate and params the point where the
gradient is taken ::

    v_{k+1}     = mu_k v_k - eps_k grad f(theta_k + mu_k v_k)
    theta_{k+1} = theta_k + v_{k+1}
    params_k    = theta_k + nu_k mu_k v_k                       nu = 1 in the paper

nu is the lookahead strength: 0 is classical momentum, 1 Nesterov's method, above 1 super-acceleration
(https://arxiv.org/abs/2001.06472). Eliminating theta ::

    params_{k+1} = params_k + (1 - nu_k + nu_{k+1} mu_{k+1}) v_{k+1} - nu_k eps_k g_k

The lookahead uses the next momentum mu_{k+1}, where Optax and PyTorch use mu_k: the same method for a constant
momentum, another one for a schedule. With ``velocity="step"`` the buffer is -v, as in the paper. With
``velocity="gradient"`` the learning rate multiplies the buffer, v = -eps_k m, as in Optax and PyTorch: the same for a
constant learning rate, but a change of it rescales all past velocity. With ``velocity="mean"`` the buffer is a running
mean of gradients, gain 1 - mu_k, and v = -eps_k m again: the gauge of Adam, Lion and Muon, with learning rates 1 / (1 -
mu) times as large. There, a change of the momentum does not rescale the velocity.
"""

from collections.abc import Callable
from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.engine.direction import as_direction
from nag_optax.engine.restart import Restart
from nag_optax.links.weight_decay import own_decay
from nag_optax.momenta import Momentum, as_sequence
from nag_optax.scalars import pair_at, scalar_at
from nag_optax.validation import check_choice, number_or_schedule


def nag(
    learning_rate: optax.ScalarOrSchedule,
    momentum: Momentum = 0.9,
    *,
    lookahead: optax.ScalarOrSchedule = 1.0,
    velocity: str = "gradient",
    restart: Restart = None,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any | Callable[[Any], Any] | None = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Nesterov's accelerated gradient; with a constant momentum, exactly ``optax.sgd(learning_rate, momentum,
    nesterov=True)``.

    Args:
      learning_rate: at least 0; a number or an Optax schedule of the update, counted from 0.
      momentum: in [0, 1): a number, an Optax schedule or a sequence from `nag_optax.momenta`. In update k, counted from
        0 (from the last restart), ``momentum(k)`` decays the velocity and the lookahead uses ``momentum(k + 1)``.
      lookahead: at least 0; a number or an Optax schedule. 0 is classical momentum, 1 is Nesterov's method.
      velocity: "gradient" accumulates gradients and applies the current learning rate to the sum; "step" accumulates
        steps, each with its own learning rate; "mean" averages gradients, with weight ``1 - momentum(k)`` of the new
        one.
      restart: None, "gradient", "value" (``update`` then needs ``value=`` or ``value_fn=``), "speed", or a test of
        `nag_optax.restart`.
      weight_decay, mask: decoupled weight decay, see `nag_optax.decayed`.
      accumulator_dtype: of the velocity, see `nag_optax.accelerate`.

    Returns:
      A gradient transformation. Params are the lookahead point; `nag_optax.eval_params` returns the base iterate.

    Raises:
      TypeError: in ``init``, for parameters that are neither floating nor complex.
      ValueError: in ``update``, for a missing ``value`` or missing params.

    >>> import jax, jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, momenta, nag
    >>> curvature = jnp.array([1.0, 0.01])
    >>> loss = lambda x: 0.5 * jnp.sum(curvature * x**2)
    >>> tx = nag(learning_rate=1.0, momentum=momenta.nesterov())
    >>> params = jnp.array([1.0, 1.0])
    >>> state = tx.init(params)
    >>> for _ in range(20):
    ...     updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> bool(loss(eval_params(state, params)) <= 2 * 2 / (20 + 1) ** 2)  # 2 L |x_0 - x*|^2 / (k + 1)^2
    True
    """

    def at(rate: Any) -> optax.GradientTransformationExtraArgs:
        rule = nag_rule(rate, momentum, lookahead, velocity)
        return accelerate(rule, restart=restart, accumulator_dtype=accumulator_dtype)

    return own_decay(at, learning_rate, weight_decay, mask)


def scale_by_nag(
    momentum: Momentum = 0.9,
    *,
    lookahead: optax.ScalarOrSchedule = 1.0,
    velocity: str = "gradient",
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Nesterov's momentum without a learning rate, for chains that apply their own:
    ``optax.chain(scale_by_nag(0.9), optax.scale_by_learning_rate(0.1))``.

    Pass that learning rate to `nag_optax.eval_params`. ``restart="value"`` compares ``value=``, never ``value_fn=``.

    Args:
      momentum, lookahead, restart, accumulator_dtype: as in `nag`.
      velocity: "gradient" sums gradients, "mean" averages them, as in `nag`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import scale_by_nag
    >>> tx = scale_by_nag(0.9)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0]  # g + 0.9 m, with m = g
    Array([1.9], dtype=float32)
    """
    check_choice("velocity", velocity, ("gradient", "mean"))  # a step has a learning rate
    rule = nag_rule(1.0, momentum, lookahead, velocity)
    return as_direction(accelerate(rule, restart=restart, accumulator_dtype=accumulator_dtype))


def nag_rule(
    learning_rate: optax.ScalarOrSchedule, momentum: Momentum, lookahead: optax.ScalarOrSchedule, velocity: str
) -> Rule:
    """NAG in five numbers; arguments and errors as in `nag`."""
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    lookahead = number_or_schedule("lookahead", lookahead, at_least=0)
    check_choice("velocity", velocity, ("gradient", "step", "mean"))
    sequence = as_sequence(momentum)

    def numbers(count, age, carry):
        eps = scalar_at(learning_rate, count)
        mu, mu_next, carry = sequence.values(age, carry)
        nu, nu_next = pair_at(lookahead, count)
        gain, outside = {"gradient": (1, eps), "step": (eps, 1), "mean": (1 - mu, eps)}[velocity]
        coefficients = Coefficients(
            decay=mu,
            gain=gain,
            lead=outside * (1 - nu + nu_next * mu_next),
            step_size=nu * outside * gain,
            readout=outside * nu_next * mu_next,
            # By its gain a state says that its velocity is a mean: nothing else in it does.
            hyperparams={"learning_rate": eps, "momentum": mu} | ({"gain": gain} if velocity == "mean" else {}),
        )
        return coefficients, carry

    return Rule(sequence.init, numbers)
