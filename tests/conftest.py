"""Eight virtual CPU devices for every test, and quick compilation; float64 and strict broadcasting on request."""

import os

import jax
import pytest

os.environ["XLA_FLAGS"] = (
    # of many tiny programs
    f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_parallel_codegen_split_count=1"
)
jax.config.update("jax_num_cpu_devices", 8)


@pytest.fixture
def float64():
    """Float64, as where theory is tested."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def strict_ranks():
    """No silent broadcasting."""
    jax.config.update("jax_numpy_rank_promotion", "raise")
    yield
    jax.config.update("jax_numpy_rank_promotion", "allow")
