"""Links of a chain that stand beside the engine: they touch pytrees, and hold no velocity."""
