"""Random params, options and wrappers: what every state and update promises, whatever comes together.

    FUZZ_EXAMPLES=5000 python -m pytest tests/contract/test_fuzz.py

runs more of them than the suite does.
"""

import os

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nag_optax as no
from nag_optax import eval_params, momenta
from tests.support.running import point

PARTS = 3
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300")) // PARTS
serialization = pytest.importorskip("flax.serialization")

shapes = st.sampled_from([(), (1,), (3,), (2, 3), (0,), (2, 0), (300,), (2, 129)])
dtypes = st.sampled_from(["float32", "float32", "bfloat16", "float16", "complex64"])
leaves = st.tuples(shapes, dtypes).map(lambda pair: jnp.full(pair[0], 0.5, pair[1]))
trees = st.recursive(
    leaves, lambda t: st.lists(t, min_size=1, max_size=2) | st.dictionaries(st.sampled_from("abc"), t), max_leaves=4
)
real_trees = trees.filter(lambda tree: not any(jnp.iscomplexobj(x) for x in jax.tree.leaves(tree)))
rates = st.sampled_from([0.1, optax.linear_schedule(0.1, 0.0, 3), 0])
betas = st.sampled_from([0.9, 0.0, momenta.nesterov(), momenta.polynomial(), momenta.sutskever(0.9)])
buffers = st.sampled_from([None, "bfloat16", "float32", "int8", "float8_e5m2"])
restarts = st.sampled_from([None, "gradient", "value", "speed", no.restart.every(2)])
decays = st.sampled_from([None, 0.0, 0.01, optax.linear_schedule(0.1, 0.0, 3)])
flags = st.booleans()

METHODS = st.one_of(
    st.builds(
        no.nag,
        rates,
        betas,
        lookahead=st.sampled_from([1.0, 0.0, 0.5]),
        velocity=st.sampled_from(["gradient", "step", "mean"]),
        restart=restarts,
        weight_decay=decays,
        accumulator_dtype=buffers,
    ),
    st.builds(no.ogm, rates, restart=restarts, accumulator_dtype=buffers),
    st.builds(no.item, st.just(1.0), st.just(0.1), restart=restarts, accumulator_dtype=buffers),
    st.builds(no.agg_mo, rates, accumulator_dtype=buffers),
    st.builds(no.nadam, rates, weight_decay=decays, accumulator_dtype=buffers),
    st.builds(no.adan, rates, weight_decay=decays, accumulator_dtype=buffers),
    st.builds(no.fista, rates, st.just(no.prox.none()), restart=st.sampled_from([None, "gradient", "speed"])),
    st.builds(no.pogm, rates, st.just(no.prox.none()), restart=st.sampled_from([None, "gradient", "speed"])),
    st.builds(no.optista, st.just(4.0), st.just(3), st.just(no.prox.none())),
    st.builds(no.proximal_gradient, rates, st.just(no.prox.l1(0.1))),
    st.builds(lambda rate: no.lookahead(optax.sgd(rate), 2), rates),
    st.builds(lambda rate, beta: no.snoo(optax.adam(rate), 0.7, beta, period=2), rates, betas),
    st.builds(lambda rate, buffer: no.gpa(optax.sgd(rate), accumulator_dtype=buffer), rates, buffers),
    st.builds(no.lion, rates, weight_decay=decays, accumulator_dtype=buffers),
    st.builds(no.muon, rates, dtype=st.just("float32"), neurons=st.sampled_from([None, 0.9]), weight_decay=decays),
    st.builds(lambda rate, beta: no.ema_nesterov(optax.sgd(rate), beta), rates, st.sampled_from([0.6, -0.2, 0.0])),
    st.builds(lambda rate: no.decayed(no.heavy_ball(rate), rate, 0.01), rates),
)


def with_update_of(multi_steps):
    """MultiSteps with the extra arguments that its own ``gradient_transformation`` does not take."""
    return optax.GradientTransformationExtraArgs(multi_steps.init, multi_steps.update)


# Around a method: what it makes of it, and whether the base iterate can be read through it.
WRAPPERS = {
    "alone": (lambda tx: tx, True),
    "clipped": (lambda tx: optax.chain(optax.clip(10.0), tx), True),
    "named": (lambda tx: optax.named_chain(("clip", optax.clip(10.0)), ("method", tx)), True),
    "masked": (lambda tx: optax.masked(tx, lambda params: jax.tree.map(lambda p: p.ndim > 0, params)), True),
    "steps": (lambda tx: with_update_of(optax.MultiSteps(tx, 1)), True),
    "finite": (lambda tx: optax.apply_if_finite(tx, 2), True),
    "rounded": (lambda tx: optax.chain(tx, no.compensated()), True),
    "scaled": (lambda tx: optax.chain(tx, optax.scale(0.5)), False),
    "clipped after": (lambda tx: optax.chain(tx, optax.clip(0.01)), False),
}

# Optax's MultiSteps adds up real parts, and its clip refuses complex numbers.
REAL_ONLY = {"steps", "clipped", "named", "clipped after"}


def signature(tree):
    return jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x)), tree)


def step(tx, params, state):
    return tx.update(jax.tree.map(jnp.sin, params), state, params, value=jnp.asarray(1.0), an_unknown_argument=None)


def narrow(dtype):
    return jnp.finfo(dtype).bits <= 16


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_comes_together(part):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.just(part), real_trees if part else trees, METHODS, st.sampled_from(sorted(WRAPPERS)))
    def holds(_, params, method, wrapper):
        if wrapper in REAL_ONLY and any(map(jnp.iscomplexobj, jax.tree.leaves(params))):
            return
        wrap, readable = WRAPPERS[wrapper]
        tx = optax.with_extra_args_support(wrap(method))
        state = tx.init(params)
        updates, after = step(tx, params, state)

        assert jax.tree.structure(after) == jax.tree.structure(state)
        assert signature(after) == signature(state)
        if wrapper != "rounded":  # which lands from float32
            assert signature(updates) == signature(params)

        jitted, compiled = jax.jit(lambda p, s: step(tx, p, s))(params, state)
        moved = optax.apply_updates(params, updates)
        for ours, theirs in zip(jax.tree.leaves(updates), jax.tree.leaves(jitted), strict=True):
            # Of 16 bits, updates to a point differ by a unit in its last place, where a compiler rounds once less.
            rtol, atol = (2e-2, 0.5 * float(jnp.finfo(ours.dtype).eps)) if narrow(ours.dtype) else (1e-5, 1e-6)
            np.testing.assert_allclose(*(np.asarray(x, complex) for x in (ours, theirs)), rtol=rtol, atol=atol)

        if readable:
            base = point(after, moved)
            assert signature(base) == signature(params)
            chex.assert_trees_all_equal(base, point(after, moved))
        elif jax.tree.leaves(params):
            with pytest.raises(ValueError, match=r"later link of the chain|behind a nonlinear map"):
                eval_params(after, moved)

        if wrapper == "named":  # Flax knows no OrderedDict
            return
        restored = serialization.from_bytes(state, serialization.to_bytes(compiled))
        assert jax.tree.structure(restored) == jax.tree.structure(compiled)
        chex.assert_trees_all_equal(restored, compiled)

    holds()
