"""One program on many devices: batches that are split, replicas that seldom speak, and the bytes that they send."""
