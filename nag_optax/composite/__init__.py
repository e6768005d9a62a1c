"""Composite problems: f smooth, g with a proximal operator."""
