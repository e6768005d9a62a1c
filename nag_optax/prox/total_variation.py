"""Total variation of a signal: piecewise constant solutions.

Condat's direct algorithm, https://hal.science/hal-00675043 (IEEE Signal Processing Letters 20(11), 2013): a scan that
holds the lowest and the highest value that the current segment may take, and the slack of both in the dual. It is
exact, and takes about as many passes as there are samples. The derivative is that of the result: on a segment, the mean
of the signal's derivative, plus the threshold's derivative times the segment's two jumps.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.prox.operator import Prox, per_leaf, real_only


def total_variation_1d(strength: Any = 1.0) -> Prox:
    """g(x) = strength * sum of |x_{i+1} - x_i| along the last axis of each leaf (fused LASSO, signal denoising).

    Raises:
      ValueError: when applied to a scalar leaf; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import total_variation_1d
    >>> total_variation_1d(1.0)(jnp.array([0.0, 0.2, 5.0, 5.4]), step_size=1.0)
    Array([0.6, 0.6, 4.7, 4.7], dtype=float32)
    """

    def signal(x):
        if not x.ndim:
            raise ValueError("total_variation_1d needs signals, got a scalar: mask the leaf out.")
        return x

    def prox(x, step_size, s):
        threshold = jnp.broadcast_to(jnp.asarray(step_size * s, x.dtype), x.shape[:-1])
        denoise = _denoise
        for _ in range(signal(x).ndim - 1):
            denoise = jax.vmap(denoise)
        return denoise(x, threshold)

    operator = per_leaf(prox, lambda x, s: jnp.sum(s * jnp.sum(jnp.abs(jnp.diff(signal(x))), -1)), strength=strength)
    return real_only("total_variation_1d", operator)


class _Scan(NamedTuple):
    """Condat's variables: current sample, start of the segment, last samples where it could end by a step down or up,
    the segment's lowest and highest value, their slacks, the values at segment starts, whether it is over.
    """

    k: Array
    start: Array
    last_down: Array
    last_up: Array
    low: Array
    high: Array
    slack_low: Array
    slack_high: Array
    values: Array
    done: Array


@jax.custom_jvp
def _denoise(y: Array, t: Array) -> Array:
    size = y.size
    if size < 2:
        return y

    def begin(scan, at, low, high, slack_low, slack_high):
        return scan._replace(
            k=at,
            start=at,
            last_down=at,
            last_up=at,
            low=low,
            high=high,
            slack_low=slack_low,
            slack_high=slack_high,
        )

    def close(scan, value):
        return scan._replace(values=scan.values.at[scan.start].set(value))

    def step_down(scan):
        at = scan.last_down + 1
        return begin(close(scan, scan.low), at, y[at], y[at] + 2 * t, t, -t)

    def step_up(scan):
        at = scan.last_up + 1
        return begin(close(scan, scan.high), at, y[at] - 2 * t, y[at], t, -t)

    def extend(scan):
        k = scan.k + 1
        length = (k - scan.start + 1).astype(y.dtype)
        slack_low, slack_high = scan.slack_low + y[k] - scan.low, scan.slack_high + y[k] - scan.high
        raise_low, lower_high = slack_low >= t, slack_high <= -t
        return scan._replace(
            k=k,
            low=jnp.where(raise_low, scan.low + (slack_low - t) / length, scan.low),
            high=jnp.where(lower_high, scan.high + (slack_high + t) / length, scan.high),
            slack_low=jnp.where(raise_low, t, slack_low),
            slack_high=jnp.where(lower_high, -t, slack_high),
            last_down=jnp.where(raise_low, k, scan.last_down),
            last_up=jnp.where(lower_high, k, scan.last_up),
        )

    def inside(scan):
        following = y[scan.k + 1]
        down = following + scan.slack_low < scan.low - t
        up = following + scan.slack_high > scan.high + t
        return jax.lax.switch(jnp.where(down, 0, jnp.where(up, 1, 2)), (step_down, step_up, extend), scan)

    def end_down(scan):
        at = jnp.minimum(scan.last_down + 1, size - 1)
        scan = close(scan, scan.low)
        return begin(scan, at, y[at], scan.high, t, y[at] + t - scan.high)._replace(last_up=scan.last_up)

    def end_up(scan):
        at = jnp.minimum(scan.last_up + 1, size - 1)
        scan = close(scan, scan.high)
        return begin(scan, at, scan.low, y[at], y[at] - t - scan.low, -t)._replace(last_down=scan.last_down)

    def end(scan):
        length = (scan.k - scan.start + 1).astype(y.dtype)
        return close(scan, scan.low + scan.slack_low / length)._replace(done=jnp.asarray(True))

    def at_the_end(scan):
        last_sample = scan.start == size - 1
        case = jnp.where((scan.slack_low < 0) & ~last_sample, 0, jnp.where((scan.slack_high > 0) & ~last_sample, 1, 2))
        return jax.lax.switch(case, (end_down, end_up, end), scan)

    zero = jnp.zeros((), jnp.int32)
    first = _Scan(zero, zero, zero, zero, y[0] - t, y[0] + t, t, -t, jnp.full_like(y, jnp.nan), jnp.asarray(False))
    scan = jax.lax.while_loop(
        lambda scan: ~scan.done,
        lambda scan: jax.lax.cond(scan.k < size - 1, inside, at_the_end, scan),
        first,
    )
    starts = jax.lax.cummax(jnp.where(jnp.isnan(scan.values), 0, jnp.arange(size)))
    return scan.values[starts]


@_denoise.defjvp
def _denoise_jvp(primals, tangents):
    (y, t), (dy, dt) = primals, tangents
    x = _denoise(y, t)
    jumps = jnp.sign(jnp.diff(x))
    segment = jnp.cumulative_sum(jnp.abs(jumps).astype(jnp.int32), include_initial=True)
    pull = jnp.zeros_like(x).at[:-1].add(jumps).at[1:].add(-jumps)  # down at a step down, up at a step up
    total, length = (jax.ops.segment_sum(z, segment, x.size) for z in (dy + dt * pull, jnp.ones_like(x)))
    return x, (total / jnp.maximum(length, 1))[segment]
