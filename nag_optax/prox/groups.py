"""Groups of coordinates that overlap."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_optax.prox.dual import Blocks
from nag_optax.prox.operator import Prox, per_leaf
from nag_optax.validation import check_integer


def overlapping_groups(groups: Any, strength: Any = 1.0, max_steps: int = 2000) -> Prox:
    """g(x) = sum of strength |x_group|_2 over groups that may overlap, in the last axis of each leaf.

    Zeros make up a union of groups. A coordinate in no group is free. Where groups are disjoint, this is
    `nag_optax.prox.group_lasso`.

    The operator is an iteration, FISTA on the dual, as in `nag_optax.prox.total_variation_2d`: it ends about where the
    dtype's accuracy does, each call starts anew, and the derivative is implicit.

    Args:
      groups: booleans [n_groups, n], or for each group the indices of its coordinates, from 0. They are constants.
      strength: at least 0: a scalar, an array [n_groups] of weights, or a pytree like params of them.
      max_steps: at least 1: the most steps of the iteration, and of that for the derivative.

    Raises:
      TypeError: for ``groups`` of anything else.
      ValueError: for a group that is empty or names a coordinate twice; for a leaf whose last axis does not fit.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import overlapping_groups
    >>> overlapping_groups([[0, 1, 2], [2, 3, 4]])(jnp.array([0.1, 0.2, 0.3, 3.0, 4.0])).round(3)
    Array([0. , 0. , 0. , 2.4, 3.2], dtype=float32)

    References:
      Jenatton, Mairal, Obozinski & Bach, Proximal methods for hierarchical sparse coding, JMLR 12, 2011.
    """
    members, size = _members(groups)
    check_integer("max_steps", max_steps, at_least=1)
    coordinate, group = np.concatenate(members), np.repeat(np.arange(len(members)), [len(m) for m in members])

    def block_sum(y):
        return jax.ops.segment_sum(jnp.sum(y, 0), group, len(members))[group][None]

    blocks = Blocks(lambda x: x[:, coordinate], block_sum, float(np.bincount(coordinate).max()))
    covered = np.unique(coordinate)

    def vector(x):
        if not x.ndim or x.shape[-1] <= covered[-1] or (size is not None and x.shape[-1] != size):
            wanted = f"{size}" if size is not None else f"at least {covered[-1] + 1}"
            raise ValueError(f"groups must fit the last axis of each leaf, got shape {x.shape}, wanted {wanted}.")
        return x

    def radii(s, x):
        return jnp.broadcast_to(jnp.asarray(s, jnp.finfo(x.dtype).dtype), (*x.shape[:-1], len(members)))

    def shrink(x, radius):  # what is free is no measure of accuracy
        mine = blocks.prox(jnp.zeros_like(x).at[covered].set(x[covered]), radius[group][None], max_steps)
        return x.at[covered].set(mine[covered])

    def prox(x, step_size, s):
        return jnp.vectorize(shrink, signature="(n),(g)->(n)")(vector(x), radii(step_size * s, x))

    def value(x, s):
        of_vector = jnp.vectorize(lambda x, s: blocks.value(x, s[group][None]), signature="(n),(g)->()")
        return jnp.sum(of_vector(vector(x), radii(s, x)))

    return per_leaf(prox, value, strength=strength)


def _members(groups: Any) -> tuple[list[Any], int | None]:
    """The coordinates of each group, and of how many if that is known."""
    what = "groups must be booleans [n_groups, n], or a list of lists of indices"
    try:
        rows = [np.asarray(group) for group in groups]
    except (TypeError, ValueError) as error:  # no sequence, or one that is traced
        raise TypeError(f"{what}, got {groups!r}.") from error
    if not rows:
        raise ValueError(f"{what}, got none.")
    masks = all(row.dtype == bool and row.ndim == 1 for row in rows)
    if masks and len({row.size for row in rows}) > 1:
        raise ValueError(f"{what}, got rows of different lengths.")
    members = [np.flatnonzero(row) for row in rows] if masks else rows
    for row in members:
        if row.size and not (row.ndim == 1 and np.issubdtype(row.dtype, np.integer)):
            raise TypeError(f"{what}, got {row!r}.")
        if not row.size or row.min() < 0 or len(np.unique(row)) < len(row):
            raise ValueError(f"groups must name some coordinates, from 0 and none twice, got {row!r}.")
    return members, rows[0].size if masks else None
