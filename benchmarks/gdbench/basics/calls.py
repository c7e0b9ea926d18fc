"""What a task calls: a function of the contract and its arguments, by name; and which of Numba's functions it compiled.

Nothing but Python's own modules is imported: some processes time the imports of a variant, and some run the kernels of
any commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

OF_A_BATCH = {
    "forward": ("network", "theta", "X"),
    "loss": ("network", "theta", "X", "Y"),
    "gradient": ("network", "theta", "X", "Y"),
}
"""Tasks that take the rows of one batch, and their arguments."""
ARGUMENTS = OF_A_BATCH | {"epoch": ("network", "theta", "X", "Y", "order", "batch_size", "learning_rate")}
KERNELS = "kernels."


def call_of(kernel: Any, task: str, values: Mapping[str, object]) -> Callable[[], object]:
    """Return the call of a task without arguments; ``values`` are by the names of ``ARGUMENTS``."""
    return partial(getattr(kernel, task), *(values[name] for name in ARGUMENTS[task]))


def dispatchers() -> list[Any]:
    """Return the functions of the kernels that Numba compiles; none if no variant has imported Numba."""
    if "numba" not in sys.modules:
        return []
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415 - only where a variant has imported Numba

    modules = [module for name, module in sys.modules.items() if name.startswith(KERNELS)]
    values = {id(value): value for module in modules for value in vars(module).values()}
    return [value for value in values.values() if isinstance(value, Dispatcher)]
