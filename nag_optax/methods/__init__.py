"""The published methods, one paper a file.

What all of them take is said once, in `nag_optax.accelerate`: ``restart`` and ``accumulator_dtype``. A docstring gives
the range of every number of its own; what is outside of it is refused by name, before the first step.
"""
