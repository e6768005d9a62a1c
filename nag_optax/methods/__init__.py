"""The published methods, one paper per file.

`nag_optax.accelerate` documents the arguments that all methods share: ``restart`` and ``accumulator_dtype``. Each
docstring gives the range of its own numbers; a value outside raises an error that names it, before the first step.
"""
