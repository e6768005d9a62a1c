"""Solving: from a function and a proximal operator to the minimum, in one call."""
