"""Averages of the iterates of any optimizer, which accelerate it in Nesterov's sense."""
