"""The look of all pictures, of benchmarks and notebooks: one colour, one meaning, on white.

The colours are those of Okabe and Ito, which colour-blind readers tell apart, and a grey.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from matplotlib.ticker import LogFormatter

GREY = "#767676"  # gradient descent, and nothing else
BLUE = "#0072B2"  # this library: its NAG, and what is built on it
SKY = "#56B4E9"  # Nesterov's method otherwise: as others have it, or with other constants
VERMILION = "#D55E00"  # classical momentum and the heavy ball
AMBER = "#E69F00"  # Adam and AdamW
GREEN, PINK = "#009E73", "#CC79A7"  # what has no colour of its own
BLACK = "#000000"  # bounds, targets and what is true

plt.rcParams |= {"figure.constrained_layout.use": True, "font.size": 9, "legend.fontsize": 8, "legend.frameon": False}
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e8e8e8"}
plt.rcParams |= {"axes.titlelocation": "left", "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.xmargin": 0}
plt.rcParams |= {"axes.axisbelow": True, "legend.title_fontsize": 8}
plt.rcParams |= {"figure.facecolor": "white", "savefig.facecolor": "white", "savefig.transparent": False}

OUTSIDE = {
    "beside": {"loc": "upper left", "bbox_to_anchor": (1, 1)},
    "below": {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15)},
}
"""Places of a legend besides Matplotlib's."""


def finish(ax, title, ylabel, xlabel="step $k$", legend="best", explained=None, **limits):
    """Labels, title, and a legend with a line above it that says what its entries cannot."""
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, **limits)
    ax.legend(title=explained, alignment="left", **OUTSIDE.get(legend, {"loc": legend}))


def draw_seeds(ax, steps, curves, **style):
    """The median of the curves, [seeds, steps], and a band from the smallest to the largest."""
    (line,) = ax.plot(steps, np.median(curves, axis=0), **style)
    ax.fill_between(steps, np.min(curves, axis=0), np.max(curves, axis=0), alpha=0.15, color=line.get_color(), lw=0)


class _Plain(LogFormatter):
    """Labels where `LogFormatter` has room for them, without powers of ten."""

    def __call__(self, x, pos=None):
        return f"{x:g}" if super().__call__(x, pos) else ""


def plain_numbers(ax):
    """Numbers beside a logarithmic axis of loss, which spans little more than a power of ten."""
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(_Plain())


def as_png(figure):
    """The figure, closed, as a PNG of 256 colours, a third of the bytes."""
    figure.savefig(full := io.BytesIO(), dpi=160)
    plt.close(figure)
    palette = PIL.Image.open(full).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    palette.save(small := io.BytesIO(), "png", optimize=True)
    return small.getvalue()
