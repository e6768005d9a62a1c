"""A run from its command line to its last epoch: optimizers, folder, checkpoints, table and curves."""
