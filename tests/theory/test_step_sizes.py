"""Long steps are those of the papers, and have the numbers that are published of them."""

import jax
import numpy as np
import optax
import pytest

from nag_optax import step_sizes
from oracles.published import step_sizes as published


def table(schedule, n):
    return np.array(jax.vmap(schedule)(np.arange(n)))


def test_silver_steps_are_the_papers():
    np.testing.assert_allclose(table(step_sizes.silver(), 127), published.silver(127), rtol=1e-13)
    np.testing.assert_allclose(table(step_sizes.silver(4.0), 31), np.array(published.silver(31)) / 4, rtol=1e-13)
    for k in range(1, 8):
        np.testing.assert_allclose(table(step_sizes.silver(), 2**k - 1).sum(), (1 + 2**0.5) ** k - 1, rtol=1e-12)


def test_counters_may_be_narrow_and_full():
    long = step_sizes.long_steps(1000)
    for schedule in (long, step_sizes.silver()):
        for dtype in (np.int8, np.uint8, np.int32, np.int64):
            np.testing.assert_array_equal(
                [schedule(dtype(c)) for c in (0, 1, 4, 100)], table(schedule, 101)[[0, 1, 4, 100]]
            )
    assert float(step_sizes.silver()(np.int8(127))) == pytest.approx(1 + (1 + 2**0.5) ** 6)
    assert float(step_sizes.silver()(np.int32(2**31 - 1))) == pytest.approx(1 + (1 + 2**0.5) ** 30)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 31])
def test_long_steps_are_the_papers(n):
    _, last = published.concatenations(n)[n]
    np.testing.assert_allclose(table(step_sizes.long_steps(n), n), last, rtol=1e-12)
    assert float(step_sizes.long_steps(n, 2.0)(n)) == 0.5  # 1 / L afterwards


# Of the worst cases in Zhang & Jiang, https://arxiv.org/abs/2410.12395.
PUBLISHED = {1: 0.125, 3: 0.042893, 5: 0.024071, 7: 0.016331, 10: 0.010622, 20: 0.004532, 63: 0.001079}


@pytest.mark.parametrize("n", PUBLISHED)
def test_long_steps_have_the_published_worst_cases(n):
    total = table(step_sizes.long_steps(n), n).sum()
    np.testing.assert_allclose(1 / (4 * total + 2), PUBLISHED[n], atol=6e-7)


def test_there_is_no_buffer():
    params = np.ones(3)
    for schedule in (step_sizes.silver(), step_sizes.long_steps(7)):
        assert all(np.ndim(leaf) == 0 for leaf in jax.tree.leaves(optax.sgd(schedule).init(params)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: step_sizes.silver(0.0), "smoothness must be finite, above 0"),
        (lambda: step_sizes.long_steps(0), "horizon must be finite, at least 1"),
        (lambda: step_sizes.long_steps(3, -1.0), "smoothness must be finite, above 0"),
    ],
)
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
