"""Outer methods: around any optimizer, on what it has done in a period; across replicas, too."""
