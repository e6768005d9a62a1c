"""The contestants of `benchmarks.update`: Optax, ``nag`` in every precision, and PyTorch."""

import jax.numpy as jnp
import optax

from nag_optax import compensated, momenta, nag, stochastic_rounding

PEER = "optax.sgd(nesterov=True)"
WIDTHS = {"float32": 4, "bfloat16": 2}


def optax_nesterov(**options):
    """The peer."""
    return lambda: optax.sgd(0.1, 0.9, nesterov=True, **options)


def ours(*links, **options):
    """``nag``, and what may follow it."""
    return lambda: optax.chain(nag(0.1, 0.9, **options), *links) if links else nag(0.1, 0.9, **options)


def restarting():
    """A sequence and a restart, which sums over all leaves."""
    return nag(0.1, momenta.nesterov(), restart="gradient")


def clipped():
    """A peer that sums over all leaves."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, 0.9, nesterov=True))


BY_JAX = {  # name: (dtype of params and gradients, transformation)
    PEER: ("float32", optax_nesterov()),
    "nag": ("float32", ours()),
    "nag, bfloat16 state": ("float32", ours(accumulator_dtype=jnp.bfloat16)),
    "nag, int8 state": ("float32", ours(accumulator_dtype=jnp.int8)),
    "nag, restart=gradient": ("float32", restarting),
    f"{PEER}, clip_by_global_norm": ("float32", clipped),
    f"{PEER}, float32 accumulator, bfloat16 params": ("bfloat16", optax_nesterov(accumulator_dtype=jnp.float32)),
    "nag, float32 state, bfloat16 params": ("bfloat16", ours(accumulator_dtype=jnp.float32)),
    "nag, bfloat16 params": ("bfloat16", ours()),
    "nag, int8 state, bfloat16 params": ("bfloat16", ours(accumulator_dtype=jnp.int8)),
    "nag, float32 state, bfloat16 params, stochastic_rounding": (
        "bfloat16",
        ours(stochastic_rounding(0), accumulator_dtype=jnp.float32),
    ),
    "nag, float32 state, bfloat16 params, compensated": (
        "bfloat16",
        ours(compensated(), accumulator_dtype=jnp.float32),
    ),
}
BY_TORCH = {"torch.optim.SGD, foreach": {"foreach": True}, "torch.optim.SGD, fused": {"fused": True}}
COPY = "copy"
COMPILED = {
    PEER: optax_nesterov(),
    "nag": ours(),
    "nag, velocity=step": ours(velocity="step"),
    "nag, nesterov sequence": lambda: nag(0.1, momenta.nesterov()),
    "nag, restart=gradient": restarting,
    f"{PEER}, clip_by_global_norm": clipped,
}
