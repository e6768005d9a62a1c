"""The accelerated methods attain their exact worst cases, and never exceed them.

The rows and the functions are those of ``oracles/worst_cases.py``; ``python -m benchmarks.theory`` prints the table.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks.attained import METHODS, largest_on_a_grid, measured
from nag_optax import momenta, nag
from nag_optax.engine import accelerate
from nag_optax.engine.storage.buffer import make_buffer
from oracles.functions import huber
from oracles.largest import nag_on_the_line
from oracles.worst_cases import ROWS, worst_case

every_row = pytest.mark.parametrize("name", ROWS)

# Two semidefinite programs agree with these values, at smoothness 1 and strong convexity 0.01, to 8e-7 relative.
REFERENCE_STEPS = (1, 5, 10, 20)
REFERENCE = {
    "NAG t_k, f(x_N)": (0.1666666667, 0.03489376852, 0.01233511203, 0.003792835881),
    "NAG t_k, f(y_N)": (0.1666666667, 0.03027264642, 0.01102682823, 0.003526653351),
    "NAG (k-1)/(k+2), f(x_N)": (0.1666666667, 0.03571428571, 0.01282051282, 0.003952569170),
    "NAG (k-1)/(k+3), f(x_N)": (0.1666666667, 0.03731343284, 0.01412429379, 0.004570383912),
    "OGM, last step, f": (0.125, 0.01858813666, 0.006286478667, 0.001904434436),
    "OGM, f(x_N)": (0.1666666667, 0.02201434402, 0.00698153395, 0.002021493387),
    "OGM, f(y_N)": (0.1909830056, 0.03403946272, 0.01196977912, 0.003709736993),
    "OGM-G, |g(y_N)|^2": (0.5, 0.07435254665, 0.02514591467, 0.007617737743),
    "dual NAG, |g(y_N)|^2": (0.6666666667, 0.1395750741, 0.04934044811, 0.01517134352),
    "silver steps, f": (0.1306019375, 0.04691816068, 0.01842154232, 0.007469249976),
    "long steps, f": (0.125, 0.02407069216, 0.01062225307, 0.004532477737),
    "FISTA, f + g at x_N": (0.25, 0.03751161149, 0.01264711929, 0.003821827006),
    "OptISTA, f + g at y_N": (0.1666666667, 0.01930585646, 0.00636652471, 0.001911715911),
    "Guler's second, f(x_N)": (0.25, 0.02302824754, 0.007080398028, 0.002029699435),
    "Halpern, |x_N - T(x_N)|^2": (1, 0.1111111111, 0.03305785124, 0.009070294785),
    "APPM, |y_N - J(y_N)|^2": (0.25, 0.02777777778, 0.00826446281, 0.002267573696),
    "NAG constant, f(x_N)": (0.1649944446, 0.1693421186, 0.1062144329, 0.03145910933),
    "NAG constant, f(x_N) normalised": (0.8551960864, 0.5343711050, 0.2828746001, 0.06886293198),
    "NAG non-stationary, f(x_N)": (0.1649944446, 0.03270471334, 0.01024252091, 0.002057998760),
    "TMM, f(z_N)": (40.5, 17.43392201, 6.07883273, 0.7390441471),
    "TMM, |z_N - x*|^2": (81, 34.86784401, 12.15766546, 1.478088294),
    "TMM, f(y_N)": (1.338842975, 0.5763280002, 0.2009531481, 0.02443121147),
    "TMM, f(x_N)": (0.1649944446, 0.3580835489, 0.1487042032, 0.02359710806),
    "ITEM, |z_N - x*|^2": (0.960788158, 0.6627629304, 0.3042233725, 0.04265752912),
    "ITEM, f(y_N)": (0.1865425241, 0.02813415898, 0.006945662711, 0.0007332619604),
    "ITEM, f(x_N)": (0.1649944446, 0.01989004473, 0.005059310613, 0.0006629977296),
}


ENDS_AT_THE_KINK = {"dual NAG, |g(y_N)|^2", "Halpern, |x_N - T(x_N)|^2", "APPM, |y_N - J(y_N)|^2"}
"""There the gradient is judged where it is largest, and what rounding does to it only makes it smaller."""


@every_row
def test_worst_case_has_the_reference_value(name):
    for steps, reference in zip(REFERENCE_STEPS, REFERENCE[name], strict=True):
        np.testing.assert_allclose(worst_case(ROWS[name], 0.01, steps)[0], reference, rtol=1e-9)


@every_row
@pytest.mark.parametrize("q", [0.1, 0.01, 1e-3])
def test_worst_case_is_attained_and_never_exceeded(name, q):
    row = ROWS[name]
    if row.convex and q != 0.01:
        return  # q plays no part
    for steps in (1, 2, 5, 10, 20, 33):
        largest, attained_by = worst_case(row, q, steps)
        for functions in attained_by:
            np.testing.assert_allclose(measured(row, q, steps, functions), largest, rtol=1e-9)
        assert largest_on_a_grid(row, q, steps, attained_by) <= largest * (1 + 1e-9)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.fed not in ("composite", "proximal")])
def test_worst_case_holds_with_a_buffer_of_one_byte(name, monkeypatch):
    """In the mean to 0.1 %, and to 10 % for every entry: half of a block the worst function, half of them others."""
    monkeypatch.setattr(accelerate, "make_buffer", lambda _: make_buffer(jnp.int8))
    row = ROWS[name]
    steps = 20
    largest, (worst, *_) = worst_case(row, 0.01, steps)
    mixed = np.tile([True, False], 2048)
    kinks = np.geomspace(1e-3, 1, mixed.size)
    functions = worst._replace(
        left=np.where(mixed, worst.left, kinks),
        right=np.where(mixed, worst.right, kinks),
        curvature=np.where(mixed, worst.curvature, 1.0),
    )
    errors = measured(row, 0.01, steps, functions, partial(METHODS[row.method]))  # another object: compiled anew
    if name in ENDS_AT_THE_KINK:
        assert errors[mixed].mean() < largest
    else:
        np.testing.assert_allclose(errors[mixed].mean(), largest, rtol=1e-3)
    assert errors.max() < 1.1 * largest


def test_worst_case_of_the_constant_momentum_is_below_its_published_guarantee():
    row = ROWS["NAG constant, f(x_N) normalised"]
    assert all(worst_case(row, q, n)[0] <= (1 - q**0.5) ** n for q in (0.1, 0.01, 1e-3) for n in (1, 2, 5, 20, 33))


def test_worst_case_of_nag_is_below_the_article_s_guarantee():
    row = ROWS["NAG t_k, f(x_N)"]
    assert all(worst_case(row, 0.0, n)[0] <= 2 / (n + 1) ** 2 for n in range(1, 60))


@pytest.mark.parametrize("a", [2.0, 3.0, 4.0, 8.0])
def test_worst_case_of_polynomial_momentum_has_the_documented_closed_form(a):
    for n in (1, 2, 5, 20, 59):
        f, functions = nag_on_the_line(a)(0.0, n)
        np.testing.assert_allclose(f, (a + 2) / (2 * (n**2 + (2 * a + 1) * n + a + 4)), rtol=1e-9)
        errors = measured(
            ROWS["NAG (k-1)/(k+2), f(x_N)"], 0.0, n, functions[0], lambda q, n: nag(1.0, momenta.polynomial(a))
        )
        np.testing.assert_allclose(errors, f, rtol=1e-9)


def test_worst_case_tells_nag_from_the_momentum_of_optax():
    betas = momenta.tabulate(momenta.nesterov(), 7)
    lagged = optax.inject_hyperparams(optax.sgd)(1.0, momentum=lambda count: betas[count], nesterov=True)
    f = huber(2 * REFERENCE["NAG t_k, f(x_N)"][1])
    base = params = jnp.ones(1)
    state = lagged.init(params)
    for _ in range(5):
        base = params - f.gradient(params)  # x_N: one gradient step from the last gradient point
        updates, state = lagged.update(f.gradient(params), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(f.value(base), 0.0379520644, rtol=1e-8)
