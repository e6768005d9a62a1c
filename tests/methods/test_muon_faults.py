"""Muon has none of the faults of another implementation, one by one."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import maps, muon, muon_table, orthogonalize, scale_by_nag
from nag_optax.maps import MatrixAxes
from tests.support.matrices import NETWORK, axes, normal, run


class TestOfTwelveFaults:
    """Those of ``optax.contrib.muon`` 0.2.8, in its own order."""

    def test_named_polynomials_exist(self):
        assert all(muon(0.1, polynomial=name) for name in ("quintic", "polar_express"))

    def test_any_number_of_rows_is_taken_as_given(self):
        x = normal(4, 6)
        for rows in (maps.POLAR_EXPRESS, maps.POLAR_EXPRESS[:3], maps.QUINTIC * 2):
            (ours,), _ = run(
                muon(1.0, polynomial=rows, scale=None, dtype=jnp.float32, fallback=optax.sgd(1)), 0 * x, [x]
            )
            np.testing.assert_allclose(-ours, maps.polar_factor(x, rows, jnp.float32), atol=1e-5)

    def test_the_fallback_is_the_documented_adamw(self):
        b = normal(16)
        (ours,), (theirs,) = (
            run(tx, {"bias": b}, [{"bias": b}])[0]
            for tx in (muon(0.1, weight_decay=0.01), optax.adamw(0.1, b2=0.95, weight_decay=0.01))
        )
        chex.assert_trees_all_close(ours, theirs, rtol=1e-6)

    def test_names_route_and_the_table_says_so(self):
        table = muon_table(NETWORK, axes).splitlines()
        assert [line.split()[0] for line in table if "muon" in line] == ["['dense']['kernel']", "['layers']['kernel']"]
        assert "3 matrices, 8 inputs, 16 outputs" in "".join(table)
        _, state = run(muon(0.1, axes=axes), NETWORK, [NETWORK])
        trained = jax.tree_util.tree_leaves_with_path(state.matrices.direction.momentum)
        assert {jax.tree_util.keystr(path) for path, _ in trained} == {"['dense']['kernel']", "['layers']['kernel']"}

    def test_no_stack_is_guessed(self):
        for call in (muon(0.1).init, muon_table):
            with pytest.raises(ValueError, match=r"\['layers'\]\['kernel'\] has more than one reading"):
                call(NETWORK)

    def test_matrices_of_a_stack_do_not_see_one_another(self):
        stack = normal(5, 6, 10)
        (whole,), _ = run(muon(0.1, axes=MatrixAxes(1, 2), neurons=0.9), 0 * stack, [stack])
        for i in range(5):
            (alone,), _ = run(muon(0.1, axes=MatrixAxes(0, 1), neurons=0.9), 0 * stack[i], [stack[i]])
            np.testing.assert_allclose(whole[i], alone, atol=2e-3)

    def test_complex_matrices_are_conjugated(self):
        x = normal(4, 6) + 1j * normal(4, 6)
        (ours,), _ = run(muon(1.0, polynomial="polar_express", dtype=jnp.float32), 0 * x, [x])
        np.testing.assert_allclose(ours @ ours.conj().T, 0.04 * 6 * np.eye(4), atol=1e-4)

    def test_singular_vectors_stay(self):
        x = normal(6, 10)
        (ours,), _ = run(muon(1.0, dtype=jnp.float32), 0 * x, [x])
        u, _, vh = np.linalg.svd(np.asarray(x, float), full_matrices=False)
        core = -u.T @ np.asarray(ours, float) @ vh.T
        assert abs(core - np.diag(np.diag(core))).max() < 1e-4

    @pytest.mark.parametrize("size", [1e-12, 1e-20, 1e-30])
    def test_small_gradients_move_as_far(self, size):
        x = normal(6, 10)
        (small,), (large,) = (run(muon(1.0), 0 * x, [g])[0] for g in (size * x, x))
        np.testing.assert_allclose(small, large, atol=0.03)

    def test_a_tree_of_matrices_needs_no_axes(self):
        tree = {"a": normal(3, 4), "b": [normal(5, 5)]}
        tx = optax.chain(scale_by_nag(0.95), orthogonalize(), optax.scale_by_learning_rate(0.1))
        chex.assert_tree_all_finite(run(tx, tree, [tree])[0])

    def test_the_momentum_may_be_a_schedule_or_injected(self):
        x, warm_up = normal(6, 10), optax.linear_schedule(0.5, 0.95, 3)
        gradients = normal(5, 6, 10)
        scheduled, _ = run(muon(0.1, warm_up), x, gradients)
        injected, _ = run(
            optax.inject_hyperparams(
                lambda learning_rate, momentum: muon(learning_rate, lambda k: momentum), hyperparam_dtype=jnp.float32
            )(0.1, 0.95),
            x,
            gradients,
        )
        plain, _ = run(muon(0.1, 0.95), x, gradients)
        chex.assert_trees_all_close(injected, plain, atol=1e-6)
        assert abs(scheduled[-1] - plain[-1]).max() > 0

    def test_the_state_is_one_buffer_and_scalars(self):
        _, state = run(muon(0.1), {"w": normal(6, 10)}, [])
        buffers = [leaf for leaf in jax.tree.leaves(state) if leaf.ndim]
        assert [leaf.shape for leaf in buffers] == [(6, 10)]

    def test_the_fallback_has_settings_of_its_own(self):
        params = {"kernel": normal(4, 6), "bias": normal(6)}
        tx = muon(0.1, weight_decay=0.5, fallback=optax.sgd(1.0))
        (moved,), _ = run(tx, params, [jax.tree.map(jnp.zeros_like, params)])
        chex.assert_trees_all_close(moved, {"kernel": 0.95 * params["kernel"], "bias": params["bias"]}, rtol=1e-6)

    @pytest.mark.parametrize("accumulator_dtype", [None, jnp.bfloat16, jnp.float32])
    @pytest.mark.parametrize("gradient_dtype", [jnp.bfloat16, jnp.float32])
    def test_dtypes_stay_for_ever(self, accumulator_dtype, gradient_dtype):
        params = {"kernel": normal(4, 6, dtype=jnp.bfloat16), "bias": normal(6, dtype=jnp.bfloat16)}
        tx = muon(0.1, accumulator_dtype=accumulator_dtype, fallback=optax.sgd(0.1))
        gradients = jax.tree.map(lambda p: p.astype(gradient_dtype), params)
        state = tx.init(params)
        updates, after = tx.update(gradients, state, params)
        chex.assert_trees_all_equal_dtypes(state, after)
        chex.assert_trees_all_equal_dtypes(updates["kernel"], params["kernel"])
