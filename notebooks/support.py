"""What the notebooks share: a run, and the look of their figures."""

import functools
import io
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax
import PIL.Image
from IPython.display import Image

from nag_optax import eval_params

GREY, ORANGE, BLUE, GREEN, PINK = "#767676", "#D55E00", "#0072B2", "#009E73", "#CC79A7"  # Okabe & Ito's, and a grey
SKY, AMBER, BLACK = "#56B4E9", "#E69F00", "#000000"
plt.rcParams |= {"figure.constrained_layout.use": True, "font.size": 9, "legend.frameon": False}
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e8e8e8"}
plt.rcParams |= {"axes.titlelocation": "left", "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.xmargin": 0}


def finish(ax, title, ylabel, xlabel="step $k$", legend="best", **limits):
    """Labels, title and legend."""
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, **limits)
    ax.legend(loc=legend, fontsize=8)


def show(figure):
    """The figure as a PNG of 256 colours, a third of the bytes."""
    figure.savefig(full := io.BytesIO(), dpi=160)
    plt.close(figure)
    palette = PIL.Image.open(full).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    palette.save(small := io.BytesIO(), "png", optimize=True)
    return Image(small.getvalue(), width=820)


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
