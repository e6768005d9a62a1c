"""Gradient descent with long steps, as the papers print their sequences."""

import numpy as np


def silver(n):
    """Altschuler & Parrilo, by doubling: two copies of a sequence around one longer step."""
    steps, rho = [], 1 + np.sqrt(2)
    while len(steps) < n:
        doublings = int(np.log2(len(steps) + 1))
        steps = [*steps, 1 + rho ** (doublings - 1), *steps]
    return steps[:n]


def concatenations(n):
    """Zhang & Jiang: (steps of P_m, steps of D_m) for m = 0, ..., n, by trying all places of the long step."""
    P, D = [[]], [[]]
    for m in range(1, n + 1):
        candidates = []
        for k in range(m):
            x, y, z = sum(P[k]), sum(P[m - 1 - k]), sum(D[m - 1 - k])
            phi = (-x - y + np.sqrt((x + y + 2) ** 2 + 4 * (x + 1) * (y + 1))) / 2
            psi = (3 - 2 * z + np.sqrt((2 * z + 1) * (2 * z + 8 * x + 9))) / 4
            candidates.append(([*P[k], phi, *P[m - 1 - k]], [*P[k], psi, *D[m - 1 - k]]))
        for found, sequences in zip((P, D), zip(*candidates, strict=True), strict=True):
            found.append(max(sequences, key=sum))
    return list(zip(P, D, strict=True))


def descent(gradient, x, L, steps):
    """Gradient descent with these steps times 1 / L."""
    for k, h in enumerate(steps):
        x = x - h / L * gradient(x, k)
        yield x, x, None
