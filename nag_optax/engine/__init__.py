"""The engine: five numbers a step, and the only code that touches the buffer."""
