"""Who trains what in Muon: matrices by their polar factor, everything else by another optimizer.

The rule knows names, because shapes do not say it: the table of an embedding is a matrix to look at, and so are the
stacked biases of layers under ``jax.lax.scan``. Where a name does not settle it, the rule refuses to guess.
"""

import re
from typing import Any

import jax
import numpy as np

from nag_optax.maps.matrix_axes import AxesOf, Finder, MatrixAxes, as_finder
from nag_optax.validation import leaf_name

HOW = (
    "say axes=, a function (path, leaf) that returns MatrixAxes(inputs, outputs), or None for what is no matrix, and "
    "asks nag_optax.maps.hidden_matrices about the rest: MatrixAxes(1, 2) for layers in a stack, MatrixAxes(0, 2) for "
    "attention heads, MatrixAxes((0, 1, 2), 3) for a convolution of Flax"
)


def hidden_matrices(path: str, leaf: Any) -> MatrixAxes | None:
    """The matrix axes of a hidden layer, by the names of Flax and Haiku; None for what Muon should leave to another
    optimizer.

    None are: arrays of fewer than two axes; biases, scales and what belongs to a norm; embeddings; heads, which are
    components of the path such as "head" and "lm_head", not "multi_head_attention"; and the taps of depthwise
    convolutions, of two axes below a component with "conv" or of any below one with "depthwise".

    Args:
      path: as ``jax.tree_util.keystr`` writes it, "['dense']['kernel']".
      leaf: an array, or a ``jax.ShapeDtypeStruct``.

    Raises:
      ValueError: for any other array of three axes or more, whose layout a name does not tell.

    >>> import jax.numpy as jnp
    >>> from nag_optax.maps import hidden_matrices
    >>> hidden_matrices("['layers_0']['mlp']['kernel']", jnp.ones((4, 8)))
    MatrixAxes(inputs=0, outputs=1)
    >>> hidden_matrices("['token_embedder']['embedding']", jnp.ones((100, 4))) is None
    True
    """
    components = [part.lower() for part in re.findall(r"\w*[a-zA-Z]\w*", path)]
    leaf_component = next((part for part in reversed(components) if part not in ("value", "raw_value")), "")
    ndim = np.ndim(leaf)
    if (
        ndim < 2
        or re.search("bias|scale|^b$|^offset$", leaf_component)
        or any(re.search(r"norm|embed|depthwise|head\d*(_\d+)?$|^w[tp]e$", part) for part in components)
        or (ndim == 2 and any("conv" in part for part in components))
    ):
        return None
    if ndim > 2:
        raise ValueError(f"the shape {np.shape(leaf)} of {path} has more than one reading as matrices: {HOW}.")
    return MatrixAxes(0, 1)


def are_matrices(axes_of: Finder, params: Any) -> Any:
    """Whether each leaf is a matrix, a pytree of booleans like params.

    Raises:
      ValueError: for a leaf whose layout the rule does not know, or whose axes do not fit.
    """
    return jax.tree_util.tree_map_with_path(lambda path, leaf: axes_of(leaf_name(path), leaf) is not None, params)


def by_name(axes: AxesOf) -> Finder:
    """The function of path and leaf; by default `hidden_matrices`."""
    return as_finder(hidden_matrices if axes is None else axes)


def muon_table(params: Any, axes: AxesOf = None) -> str:
    """Who trains what under `nag_optax.muon`, as a text to print before a training.

    Args:
      params: a pytree of arrays, or of ``jax.ShapeDtypeStruct``.
      axes: as in `nag_optax.muon`.

    Raises:
      ValueError: for a leaf whose layout the rule does not know.

    >>> import jax.numpy as jnp
    >>> from nag_optax import muon_table
    >>> print(muon_table({"dense": {"kernel": jnp.ones((4, 8)), "bias": jnp.ones(8)}, "head": jnp.ones((8, 2))}))
    ['dense']['bias']    (8,)    fallback
    ['dense']['kernel']  (4, 8)  muon      1 matrix, 4 inputs, 8 outputs
    ['head']             (8, 2)  fallback
    """
    axes_of = by_name(axes)
    rows = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name, shape = leaf_name(path), np.shape(leaf)
        found, note = axes_of(name, leaf), ""
        if found is not None:
            count, inputs, outputs = found.of(shape)
            note = f"{count} {'matrix' if count == 1 else 'matrices'}, {inputs} inputs, {outputs} outputs"
        rows.append((name, str(shape), "fallback" if found is None else "muon", note))
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    return "\n".join("  ".join((*map(str.ljust, row, widths), row[3])).rstrip() for row in rows)
