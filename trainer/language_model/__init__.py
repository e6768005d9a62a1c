"""A language model that replicas train together: methods, options, their common program, and what it shows."""
