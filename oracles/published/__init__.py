"""The methods as their papers print them: NumPy float64, all sequences kept, independent of the library.

Each is an endless generator ``method(gradient, start, L, ...)`` that yields params, the base iterate and the paper's
other output (None if it has none) after every update. ``gradient(y, k)`` is the oracle of update k, ``L`` the
smoothness. The methods of `oracles.published.composite`, which see a prox or values of the loss, say what they take.
"""
