"""The contestants of `benchmarks.maps`: AdamW, Muon as Optax has it, Lion, `nag`, and this library's methods with maps.

All learning rates rise over the first twentieth of a training and fall to 0 by a cosine. What is no hidden matrix is
trained with the same learning rate by AdamW in ours, and by NAdamW in Optax' (its ``nesterov`` is for both).
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from benchmarks.methods import Method
from nag_optax import ema_nesterov, gpa, lion, maps, muon, nag, orthogonalize, snoo
from nag_optax.maps import MatrixAxes
from nag_optax.validation import leaf_name

DECAY = 0.01
ADAMW, OPTAX, MUON = "AdamW", "optax.contrib.muon", "muon"


def axes(path, leaf):
    """Matrix axes of the networks of the tasks: those of Flax' attention and convolutions are no matter of names."""
    ndim = jnp.ndim(leaf)
    if "attention" in path and ndim == 3:  # [width, heads, size] of queries, keys and values; [heads, size, width]
        return MatrixAxes((0, 1), 2) if "out" in path else MatrixAxes(0, (1, 2))
    if ndim == 4:
        return MatrixAxes((0, 1, 2), 3)
    return maps.hidden_matrices(path, leaf)


def risen(rate, steps):
    """The schedule of all learning rates."""
    return optax.warmup_cosine_decay_schedule(0.0, rate, max(1, steps // 20), steps)


def scheduled(make):
    """A method of a learning rate, under the schedule."""
    return lambda rate, steps: make(risen(rate, steps))


def optax_muon(rate):
    """With the router that makes it as good as it gets: the matrices that ours has, and the same scale."""

    def numbers(params):
        def of_leaf(path, leaf):
            found = axes(leaf_name(path), leaf)
            return None if found is None else optax.contrib.MuonDimensionNumbers(found.inputs, found.outputs)

        return jax.tree_util.tree_map_with_path(of_leaf, params)

    return optax.contrib.muon(
        rate,
        weight_decay=DECAY,
        adam_b2=0.95,
        adam_weight_decay=DECAY,
        muon_weight_dimension_numbers=numbers,
        consistent_rms=0.2,
    )


def our_muon(rate, **options):
    """Muon in float32, as Optax computes it on the same machine."""
    return muon(rate, axes=axes, dtype=jnp.float32, weight_decay=DECAY, **options)


def mapped_gradients(rate):
    """The map before the acceleration: a base iterate, of gradients that are biased."""
    return optax.partition(
        {
            True: optax.chain(orthogonalize(axes, dtype=jnp.float32, scale="rms"), nag(rate, 0.95, velocity="mean")),
            False: optax.adamw(rate, b2=0.95, weight_decay=DECAY),
        },
        lambda params: jax.tree_util.tree_map_with_path(lambda p, x: axes(leaf_name(p), x) is not None, params),
    )


def ahead(rate, steps, beta=0.6):
    """EMA-Nesterov with the lookahead of the runs that it comes from."""
    of_rate = risen(1.0, steps)

    def lookahead(k):
        return beta * of_rate(k) * ((k >= 0.15 * steps) & (k < 0.76 * steps))

    return ema_nesterov(our_muon(risen(rate, steps)), lookahead)


CONTESTANTS = {
    ADAMW: Method(scheduled(partial(optax.adamw, b2=0.95, weight_decay=DECAY)), 0.003, normalised=True),
    OPTAX: Method(scheduled(optax_muon), 0.003, normalised=True),
    "optax.lion": Method(scheduled(partial(optax.lion, weight_decay=10 * DECAY)), 0.0005, normalised=True),
    "nag 0.9": Method(scheduled(partial(nag, momentum=0.9)), 0.1, at_base=True),
    "lion": Method(scheduled(partial(lion, weight_decay=10 * DECAY)), 0.0005, normalised=True, like="optax.lion"),
    MUON: Method(scheduled(our_muon), 0.003, normalised=True),
    "muon, no lookahead": Method(scheduled(partial(our_muon, lookahead=0.0)), 0.003, normalised=True),
    "muon, polar express": Method(
        scheduled(partial(our_muon, polynomial=maps.POLAR_EXPRESS[:5])), 0.003, normalised=True, like=MUON
    ),
    "muon, neurons": Method(scheduled(partial(our_muon, neurons=0.95)), 0.003, normalised=True, like=MUON),
    "nag of mapped gradients": Method(scheduled(mapped_gradients), 0.003, normalised=True),
    "ema_nesterov(muon)": Method(ahead, 0.003, normalised=True, at_base=True),
    "gpa(muon)": Method(scheduled(lambda rate: gpa(our_muon(rate), 0.97, 0.7)), 0.003, normalised=True, at_base=True),
    "snoo(muon)": Method(
        scheduled(lambda rate: snoo(our_muon(rate), 0.8, 0.5, period=20)), 0.003, normalised=True, at_base=True
    ),
}
