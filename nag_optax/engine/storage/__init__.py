"""How the engine keeps its buffer: in a dtype, or in one byte an entry."""
