"""docs/cookbook.md: every block runs, and what the recipes make is what they say."""

import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no

pytest.importorskip("flax.linen")
pytest.importorskip("orbax.checkpoint")
pytest.importorskip("sklearn")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cookbook.md").read_text()
TABLE = (ROOT / "benchmarks" / "results" / "batch-norm-cpu.md").read_text()


@pytest.fixture(scope="module")
def page():
    """What the blocks define, run one after another."""
    names = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sharding info not provided")  # Orbax, of what it reads without a template
        for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
            exec(compile(block, "docs/cookbook.md", "exec"), names)
    return names


def rows(text):
    return [tuple(line.strip("| ").split(" | ")) for line in text.splitlines() if re.match(r"\| 0\.9", line)]


def close(one, other, **tolerances):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerances), one, other)


def test_every_recipe_has_a_block():
    recipes = PAGE.split("\n## ")[1:]
    assert len(recipes) == 10
    assert all("```python\n" in recipe for recipe in recipes)


def test_the_numbers_of_batch_norm_are_those_of_the_benchmark():
    measured = {row[:3]: row[3:5] for row in rows(TABLE.partition("## Test accuracy")[0])}
    cited = rows(PAGE)
    assert 2 * len(cited) == len(measured)
    for setting, step, *numbers in cited:
        at_params, at_base = (measured[setting, step, point] for point in ("params", "base iterate"))
        assert numbers == [at_params[0], *at_base]
        assert at_base[0] <= at_params[0]
    pattern = r"take ([\d.]+) to ([\d.]+) off at the base iterate, and ([\d.]+) to ([\d.]+)\s+at\s+`params`"
    (claimed,) = re.findall(pattern, PAGE)
    differences = [(row[2], row[5].split()[0].lstrip("-")) for row in rows(TABLE.partition("## Test accuracy")[0])]
    at_base, at_params = ([d for at, d in differences if at == point] for point in ("base iterate", "params"))
    assert claimed == (min(at_base), max(at_base), min(at_params), max(at_params))


def test_re_estimated_statistics_are_those_of_the_base_iterate(page):
    outputs = page["xs"][:8] @ np.asarray(page["variables"]["params"]["Dense_0"]["kernel"])
    found = page["statistics_at"](page["variables"]["params"], page["stats"], page["xs"][:8], page["ys"][:8])
    np.testing.assert_allclose(found["BatchNorm_0"]["mean"], outputs.mean(axis=(0, 1)), atol=1e-4)
    np.testing.assert_allclose(found["BatchNorm_0"]["var"], outputs.var(axis=1).mean(axis=0), rtol=1e-3)
    assert not np.allclose(page["base_stats"]["BatchNorm_0"]["var"], page["stats"]["BatchNorm_0"]["var"], rtol=1e-3)


def test_the_sweep_is_optax_s_schedule_for_every_peak(page):
    peak, update = float(page["peaks"][page["best"]]), page["update"]
    tx = no.nag(optax.warmup_cosine_decay_schedule(0.0, peak, 10, 100), 0.9)
    batches = (page["xs"], page["ys"])
    start = (page["start"], tx.init(page["start"]))
    (params, state), _ = jax.lax.scan(lambda carry, batch: (update(tx, *carry, *batch), None), start, batches)
    swept = jax.tree.map(lambda p: p[page["best"]], page["bases"])
    close(swept, no.eval_params(state, params), atol=1e-3)
    with pytest.raises(jax.errors.TracerBoolConversionError):  # when this traces, the page has a sentence too many
        jax.jit(lambda peak: optax.warmup_cosine_decay_schedule(0.0, peak, 10, 100)(5))(0.1)


def test_translated_decay_rests_where_l2_does(page):
    for mu in (0.5, 0.9):
        coupled = page["end"](optax.chain(optax.add_decayed_weights(page["l2"]), no.nag(0.1, mu)))
        translated = page["end"](no.nag(0.1, mu, weight_decay=page["l2"] / (1 - mu)))
        np.testing.assert_allclose(coupled, translated, rtol=1e-3)


def test_the_base_iterate_stays_between_two_accumulated_steps(page):
    accumulating, step = page["accumulating"], page["step"]
    params, state, bases = page["start"], accumulating.init(page["start"]), []
    for x, y in zip(page["xs"][:8], page["ys"][:8], strict=True):
        params, state = step(accumulating, params, state, x, y)
        bases.append(no.eval_params(state, params))
    close(bases[3], bases[6], rtol=0)
    assert not np.allclose(bases[6]["Dense_0"]["kernel"], bases[7]["Dense_0"]["kernel"], atol=1e-6)


def test_only_adapters_have_a_velocity(page):
    adapters = page["begin"]["adapters"]
    tx = optax.partition(
        {"train": no.nag(0.02), "freeze": optax.set_to_zero()}, {"pretrained": "freeze", "adapters": "train"}
    )
    sizes = sum(x.size for x in jax.tree.leaves(tx.init(page["begin"])) if x.ndim)
    assert sizes == sum(x.size for x in jax.tree.leaves(adapters))
    assert "optax.partition" in page["refusal"]
    assert page["loss_fn"](page["adapted"](page["begin"]), page["test_x"], page["test_y"]) == page["loss_fn"](
        page["start"], page["test_x"], page["test_y"]
    )


def test_a_resumed_run_has_the_types_of_one_that_was_not(page):
    tx = optax.chain(optax.clip_by_global_norm(1.0), no.nag(0.1, 0.9))
    assert jax.tree.structure(page["restored"]["state"]) == jax.tree.structure(tx.init(page["start"]))
    assert jax.tree.structure(page["raw"]["state"]) != jax.tree.structure(tx.init(page["start"]))


def test_velocities_outlive_other_options(page):
    reanchored = no.reanchor(page["tx"], page["converted"], page["params"])
    close(reanchored.momentum, page["converted"].momentum, rtol=0)
    assert int(page["converted"].step) == 20
    assert jnp.abs(page["converted"].momentum["Dense_0"]["kernel"]).max() > 0
