"""How the engine stores its buffer: in a dtype, or in one byte per entry."""
