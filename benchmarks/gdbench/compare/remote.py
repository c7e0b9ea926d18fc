"""Certificates of a side: today's verification of kernels of another commit, in their own process.

Verification takes any ``Variant``; this one has functions that ask the process of a side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from gdbench.compare.pair import SideError, SideProcess
from gdbench.verify.violations import Fault
from kernels import InputError, Network, Variant
from kernels.contract import REQUIRED

REQUIRED_AND_EPOCH = (*REQUIRED, "epoch")


def variant_of(side: SideProcess, name: str) -> Variant:
    """Return a variant whose functions are computed by the process of a side."""
    forward, loss, gradient, epoch = (_function(side, name, function) for function in REQUIRED_AND_EPOCH)
    return Variant(name, f"{name} of {side.name}", forward, loss, gradient, epoch, owns_epoch=True)


def _function(side: SideProcess, variant: str, function: str) -> Callable[..., Any]:
    def ask(network: Network, *arguments: Any) -> Any:
        sent = [(value, value.strides) if isinstance(value, np.ndarray) else value for value in arguments]
        try:
            answer, shared, changed = side.ask("call", variant, function, asdict(network), sent)
        except SideError as error:
            if error.kind == InputError.__name__:
                raise InputError(error.text) from error
            raise
        if shared:
            raise Fault("returned memory of an input, or of the answer before")
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        for here, there in zip(arrays, changed or arrays, strict=True):
            here[...] = there  # verification sees that an input was changed
        return answer

    return ask
