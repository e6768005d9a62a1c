"""Eight virtual CPU devices for every test, and quick compilation; float64 and strict broadcasting on request."""

import os

import jax
import pytest

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
QUICK += " --xla_cpu_parallel_codegen_split_count=1"  # of many tiny programs
if jax.__version_info__ < (0, 11, 1):
    QUICK += " --xla_cpu_use_fusion_emitters=false"  # the older ones, twice as quick, while XLA had them
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"  # of the programs' processes too
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
