"""How far the picks of ``gdbench pick`` are from the best batch size, on closed forms and on real data."""
