"""What the variants ``tiled`` and ``sparse`` share: memory layout, passes over rows, register tiles, LLVM."""
