"""Methods that pull their points back to where they began, as their papers print them.

Generators like those of `oracles.published.accelerated`: of ``operator(z, k)``, the values of an operator at the k-th
point that it is asked for.
"""

import itertools


def feg(operator, z, L):
    """Lee & Kim's FEG for monotone operators. Yields the point after every evaluation, and the last whole z_k."""
    z_0 = z
    for k in itertools.count():
        b = 1 / (k + 1)
        ahead = z + b * (z_0 - z) - (1 - b) / L * operator(z, 2 * k)
        yield ahead, z, None
        z = z + b * (z_0 - z) - operator(ahead, 2 * k + 1) / L
        yield z, z, None
