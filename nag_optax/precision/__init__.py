"""Low precision: a buffer of one byte an entry, and params of 16 bits that keep their updates."""
