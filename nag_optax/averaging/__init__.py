"""Averages of the iterates of any optimizer, which are Nesterov's acceleration of it."""
