"""Finds the variants: every module in ``kernels/variants/`` is one, and its file stem is its name.

A file whose name begins with an underscore is none: helpers that variants share may live there.
A module that does not keep the contract is refused by name. A module whose optional dependency is
missing is listed as unavailable with the reason. Neither is skipped in silence.
"""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

from kernels import variants as _folder
from kernels.contract import PARAMETERS, REQUIRED, Epoch, Forward, Gradient, Loss
from kernels.descent import build_epoch
from kernels.errors import InputError, choices, unknown

LADDER = ("reference", "vectorized", "buffered", "jit")
"""Order of display, plainest first; names that are not here follow in alphabetical order."""


class VariantError(InputError):
    """A file in ``kernels/variants/`` that does not keep the contract."""


@dataclass(frozen=True)
class Variant:
    """One way to compute: four functions under a name (signatures in ``kernels.contract``)."""

    name: str
    summary: str
    forward: Forward
    loss: Loss
    gradient: Gradient
    epoch: Epoch
    owns_epoch: bool
    """Whether ``epoch`` is the module's own, not the one that ``descent.build_epoch`` made."""


def variants() -> tuple[str, ...]:
    """Names of the variants that can be used here, plainest first.

    Raises
    ------
    VariantError
        If a file does not keep the contract.
    """
    return tuple(name for name in _names() if isinstance(_find(name), Variant))


def unavailable() -> dict[str, str]:
    """Names of the variants that cannot be used here, with the reason."""
    found = {name: _find(name) for name in _names()}
    return {name: reason for name, reason in found.items() if isinstance(reason, str)}


def get(name: str) -> Variant:
    """Return the variant of that name.

    Raises
    ------
    InputError
        If there is none, or its dependency is not installed.
    """
    if not isinstance(name, str):
        raise InputError(
            f"a variant is a name or a kernels.Variant, got {type(name).__name__}: choose one of {choices(_names())}"
        )
    if name not in _names():
        raise unknown("variant", name, _names())
    found = _find(name)
    if isinstance(found, str):
        raise InputError(f"variant {name!r} is unavailable: {found}")
    return found


def as_variant(name: str, module: ModuleType) -> Variant:
    """Read a module as a variant.

    Raises
    ------
    VariantError
        If its docstring, a function or an argument is not as the contract says.
    """
    doc = inspect.getdoc(module)
    if not doc:
        raise VariantError(f"variant {name!r} has no docstring: say in its first line what differs and why")
    missing = [function for function in REQUIRED if not callable(getattr(module, function, None))]
    if missing:
        raise VariantError(f"variant {name!r} lacks {choices(missing)}: add it as kernels/contract.py says")
    for function, expected in PARAMETERS.items():
        if not hasattr(module, function):
            continue
        found = _parameters(getattr(module, function))
        if found != expected:
            raise VariantError(
                f"variant {name!r} has {function}({choices(found)}): change it to {function}({choices(expected)})"
            )
    own = getattr(module, "epoch", None)
    return Variant(
        name=name,
        summary=doc.splitlines()[0],
        forward=module.forward,
        loss=module.loss,
        gradient=module.gradient,
        epoch=own or build_epoch(module.gradient),
        owns_epoch=own is not None,
    )


def _parameters(function: object) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # no function, or one that does not say what it takes
        return ("?",)


@cache
def _names() -> tuple[str, ...]:
    modules = sorted(module.name for module in pkgutil.iter_modules(_folder.__path__))
    found = [name for name in modules if not name.startswith("_")]
    return tuple(sorted(found, key=lambda name: LADDER.index(name) if name in LADDER else len(LADDER)))


@cache
def _find(name: str) -> Variant | str:
    """Return the variant, or the reason why it is unavailable."""
    try:
        module = import_module(f"{_folder.__name__}.{name}")
    except Exception as error:
        needed = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        if needed and needed.split(".")[0] != "kernels":
            return f"it needs the module {needed}, which is not installed"
        raise VariantError(
            f"variant {name!r} cannot be imported ({type(error).__name__}: {error}): correct kernels/variants/{name}.py"
        ) from error
    return as_variant(name, module)
