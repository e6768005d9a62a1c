"""Theory is tested in float64 and without silent broadcasting."""

import pytest


@pytest.fixture(autouse=True)
def exact(float64, strict_ranks):
    """Applies both to every test of this folder."""
