"""Work that runs none of the measured code: where it becomes slower, the machine or its packages did."""

import numpy as np

SIDE, COUNT = 192, 20_000


class Canary:
    """Seconds of a product of NumPy and of a loop in Python; this code never changes."""

    version = "1"

    def setup(self) -> None:
        self.matrix = np.random.default_rng(0).standard_normal((SIDE, SIDE))
        self.numbers = [0.5] * COUNT

    def time_canary_product(self) -> None:
        self.matrix @ self.matrix

    def time_canary_loop(self) -> None:
        total = 0.0
        for number in self.numbers:
            total += number * number
