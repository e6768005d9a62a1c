"""What the notebooks share: a run, and how a figure is shown and kept."""

import functools
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from IPython.display import Image

from benchmarks.pictures import as_png
from nag_optax import eval_params


def show(figure):
    """The figure, as wide as a page."""
    return Image(as_png(figure), width=820)


def keep(picture, name):
    """The picture; written into the folder that ``KEEP_IMAGES`` names, such as the README's ``docs/images``, if it is
    set: another Matplotlib draws other bytes, and whoever reads a notebook changes no file.
    """
    if folder := os.environ.get("KEEP_IMAGES"):
        Path(folder, name).write_bytes(picture.data)
    return picture


@functools.partial(jax.jit, static_argnames=("tx", "loss", "steps", "read"))
def run(tx, loss, x0, steps, read=eval_params):
    """Params, and ``read(state, params)``, after 0, 1, ..., ``steps`` updates."""
    tx = optax.with_extra_args_support(tx)

    def body(carry, _):
        x, state = carry
        updates, state = tx.update(jax.grad(loss)(x), state, x, value_fn=loss)
        x = optax.apply_updates(x, updates)
        return (x, state), (x, read(state, x))

    state = tx.init(x0)
    _, later = jax.lax.scan(body, (x0, state), length=steps)
    return jax.tree.map(lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b]), (x0, read(state, x0)), later)
