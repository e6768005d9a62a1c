"""The benchmark of Muon and its relatives: its router, its schedules and its table."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

pytest.importorskip("flax.nnx")
pytest.importorskip("sklearn")
pytest.importorskip("tqdm")

from benchmarks import map_methods, maps, maps_report, tasks
from benchmarks.outcome import Outcome, Result
from benchmarks.runs import Curve
from nag_optax import eval_params, muon_table


def routed(task):
    """What Muon trains of a task, and what it leaves to AdamW: paths with their numbers of matrices."""
    params = jax.eval_shape(lambda: tasks.TASKS[task]().init(0))
    lines = muon_table(params, map_methods.axes).splitlines()
    return [line for line in lines if "  muon  " in line], [line for line in lines if line.endswith("fallback")]


def test_the_router_knows_the_networks():
    ours, rest = routed("byte transformer")
    assert len(ours) == 4 * 6 and all("1 matrix, " in line for line in ours)
    assert all("embedding" in line or "scale" in line or "bias" in line for line in rest)
    ours, rest = routed("digits CNN")
    assert ours and rest and all("kernel" in line for line in ours)


def test_both_muons_train_the_same_matrices():
    """And take the same first step, in float32."""
    task = tasks.TASKS["byte transformer"]()
    params = task.init(0)
    gradients = jax.tree.map(lambda p: jnp.cos(jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape), params)
    moved = {}
    for name in (map_methods.OPTAX, map_methods.MUON):
        tx = map_methods.CONTESTANTS[name].make(1e-3, 100)
        _, state = jax.jit(tx.update)(gradients, tx.init(params), params)  # the schedule begins at 0
        moved[name], _ = jax.jit(tx.update)(gradients, state, params)

    def near(path, a, b):
        if map_methods.axes(jax.tree_util.keystr(path), a) is not None:
            np.testing.assert_allclose(a, b, atol=2e-2 * abs(np.asarray(b)).max())

    jax.tree_util.tree_map_with_path(near, *moved.values())


def test_the_lookahead_is_that_of_the_recipe():
    steps = 200
    tx = map_methods.ahead(0.01, steps)
    params = {"kernel": jnp.eye(3)}
    state, seen = tx.init(params), []
    for _ in range(steps):
        updates, state = jax.jit(tx.update)(params, state, params)
        params = optax.apply_updates(params, updates)
        seen.append(float(abs(eval_params(state, params)["kernel"] - params["kernel"]).max()) > 0)
    on = np.flatnonzero(seen)
    assert (on[0], on[-1]) == (29, 150)  # from 15 % to 76 %, one update ahead


def test_every_contestant_can_be_made_and_begins_somewhere():
    for method in map_methods.CONTESTANTS.values():
        assert method.make(1e-3, 100) and method.rate > 0
        assert method.like is None or method.like in map_methods.CONTESTANTS
    assert set(maps.STEPS) == set(maps.RATES) <= set(tasks.TASKS)


def test_the_table_compares_with_both_peers():
    def result(last):
        curves = [Curve(np.linspace(2.0 + seed / 100, last, 50), np.full(50, np.nan)) for seed in range(3)]
        return Result(0.1, curves)

    names = {map_methods.ADAMW: result(1.0), map_methods.OPTAX: result(0.9), map_methods.MUON: result(0.5)}
    text = list(maps_report.of_task("t", Outcome(500, 10, names, (map_methods.ADAMW,))))
    (row,) = (line for line in text if line.startswith(f"| {map_methods.MUON} "))
    assert "-0.36 ± " in row and float(row.split("|")[-2]) < 0.75
