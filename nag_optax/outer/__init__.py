"""Outer methods: they wrap any optimizer and act on its progress over a period, also across replicas."""
