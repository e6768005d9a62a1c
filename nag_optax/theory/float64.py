"""Double precision, whatever the caller has set."""

import contextlib
import importlib

import jax


def float64() -> contextlib.AbstractContextManager:
    """A context in which JAX computes in float64."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64()  # jax 0.5
