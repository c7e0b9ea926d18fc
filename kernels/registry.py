"""Finds variants: every module in a folder such as ``kernels/variants/`` is one, and its file stem is its name.

A file or folder whose name begins with an underscore is none: helpers that variants share may live there.
A module that does not keep the contract is refused by name. A module whose optional dependency is
missing is listed as unavailable with the reason. Neither is skipped in silence.
"""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

from kernels.contract import (
    PARAMETERS,
    REQUIRED,
    Array,
    Epoch,
    Epochs,
    Forward,
    Gradient,
    Loss,
    Losses,
    Order,
    Supports,
)
from kernels.epochs import build_epoch, build_epochs, build_losses
from kernels.errors import InputError, SettingError, choices, unknown
from kernels.network import Network

ORDER = ("reference", "vectorized", "buffered", "jit", "tiled", "sparse")
"""Order of display, plainest first; names that are not here follow in alphabetical order."""


class VariantError(InputError):
    """A file among the variants that does not keep the contract."""


def _any(network: Network, task: str, batch_size: int) -> bool:
    """Support of a variant that has no ``supports`` of its own."""
    return True


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
    """Whether ``epoch`` is the module's own, not the one that ``epochs.build_epoch`` made."""
    lacks: tuple[str, ...] = ()
    """Functions that the module does not have; calling one raises InputError."""
    supports: Supports = _any
    """Tells whether it can do a task on a network at a batch size, beyond what it lacks altogether."""
    compiles_shapes: bool = False
    """Whether a call with arrays of new shapes compiles anew (``COMPILES_SHAPES`` in the module)."""
    labels_only: bool = False
    """Whether targets of cross-entropy must be one-hot, or 0 and 1 for one output (``LABELS_ONLY`` in the module)."""
    falls_back: str | None = None
    """Where it computes on another path than its own, and on which, in one line (``FALLS_BACK`` in the module)."""
    vector_bytes: int | None = None
    """Width of the vectors that it is compiled for, if it knows (``VECTOR_BYTES`` in the module)."""
    own_epochs: Epochs | None = None
    own_losses: Losses | None = None

    def epochs(
        self, network: Network, thetas: Array, X: Array, Y: Array, orders: Order, batch_size: int, learning_rate: float
    ) -> Array:
        """Parameters (S, p) of several runs, each after its own rows, orders (S, m)."""
        run = self.own_epochs or build_epochs(self.epoch)
        return run(network, thetas, X, Y, orders, batch_size, learning_rate)

    def losses(self, network: Network, thetas: Array, X: Array, Y: Array, rows: Order | None) -> Array:
        """Mean losses (S,) of several runs, each over its own rows (S, m), or over all rows."""
        return (self.own_losses or build_losses(self.loss))(network, thetas, X, Y, rows)


class Registry:
    """The variants of one package: a module each.

    Parameters
    ----------
    package : module
        Package whose modules are the variants.
    order : tuple of str
        Names in their order of display; others follow in alphabetical order.
    required : tuple of str
        The functions without which a module is refused.
    missing : callable, optional
        Tells, by name and without importing the module, why it cannot be used here, or None if it can; without
        it, a module is imported as soon as someone asks.
    """

    def __init__(
        self,
        package: ModuleType,
        *,
        order: tuple[str, ...] = (),
        required: tuple[str, ...] = REQUIRED,
        missing: Callable[[str], str | None] | None = None,
    ) -> None:
        self.package, self.order, self.required, self._missing = package, order, required, missing
        self._found: dict[str, Variant | str] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all modules, whether or not they can be used here."""
        modules = sorted(module.name for module in pkgutil.iter_modules(self.package.__path__))
        found = [name for name in modules if not name.startswith("_")]
        last = len(self.order)
        return tuple(sorted(found, key=lambda name: self.order.index(name) if name in self.order else last))

    def available(self) -> tuple[str, ...]:
        """Names of those that can be used here; VariantError if one had to be imported and breaks the contract."""
        return tuple(name for name in self.names if self._reason(name) is None)

    def unavailable(self) -> dict[str, str]:
        """Names of those that cannot be used here, with the reason."""
        reasons = {name: self._reason(name) for name in self.names}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def get(self, name: str) -> Variant:
        """Return the variant of that name, or raise InputError."""
        if name not in self.names:
            raise unknown("variant", name, self.names)
        reason = self._reason(name)
        found = reason if reason is not None else self._find(name)
        if isinstance(found, str):
            raise InputError(f"variant {name!r} is unavailable: {found}")
        return found

    def _reason(self, name: str) -> str | None:
        if self._missing is not None:
            return self._missing(name)
        found = self._find(name)
        return found if isinstance(found, str) else None

    def _find(self, name: str) -> Variant | str:
        """Return the variant, or the reason why it is unavailable."""
        if name not in self._found:
            self._found[name] = self._import(name)
        return self._found[name]

    def _import(self, name: str) -> Variant | str:
        place = self.package.__name__
        try:
            module = import_module(f"{place}.{name}")
        except SettingError:
            raise
        except Exception as error:
            needed = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
            if needed and needed.split(".")[0] not in ("kernels", place.split(".")[0]):
                return f"it needs the module {needed}, which is not installed"
            raise VariantError(
                f"variant {name!r} cannot be imported ({type(error).__name__}: {error}): "
                f"correct {place.replace('.', '/')}/{name}.py"
            ) from error
        return as_variant(name, module, required=self.required)


VARIANTS = Registry(import_module("kernels.variants"), order=ORDER)
"""Those of ``kernels/variants/``, named and not imported, since they import this folder; the functions below ask it."""


def variants() -> tuple[str, ...]:
    """Names of the variants that can be used here, plainest first.

    Raises
    ------
    VariantError
        If a file does not keep the contract.
    InputError
        Under ``NUMBA_DISABLE_JIT``, ``python -OO``, or settings with which Numba cannot be imported.
    """
    return VARIANTS.available()


def unavailable() -> dict[str, str]:
    """Names of the variants that cannot be used here, with the reason."""
    return VARIANTS.unavailable()


def get(name: str) -> Variant:
    """Return the variant of that name.

    Raises
    ------
    InputError
        If there is none, or its dependency is not installed.
    """
    check_name(name, VARIANTS.names)
    return VARIANTS.get(name)


def check_name(name: object, names: tuple[str, ...]) -> None:
    """Raise InputError unless name is one of the names of variants."""
    if not isinstance(name, str):
        raise InputError(
            f"a variant is a name or a kernels.Variant, got {type(name).__name__}: choose one of {choices(names)}"
        )
    if name not in names:
        raise unknown("variant", name, names)


def as_variant(name: str, module: ModuleType, *, required: tuple[str, ...] = REQUIRED) -> Variant:
    """Read a module as a variant; functions that are not required may be missing.

    Raises
    ------
    VariantError
        If its docstring, a function or an argument is not as the contract says.
    InputError
        If Python strips docstrings.
    """
    if sys.flags.optimize > 1:
        raise SettingError("python -OO, or PYTHONOPTIMIZE=2, strips docstrings, which variants need: run it without")
    doc = inspect.getdoc(module)
    if not doc:
        raise VariantError(f"variant {name!r} has no docstring: say in its first line what differs and why")
    missing = [function for function in required if not callable(getattr(module, function, None))]
    if missing:
        raise VariantError(f"variant {name!r} lacks {choices(missing)}: add it as kernels/contract.py says")
    _check_parameters(name, module)
    own = getattr(module, "epoch", None)
    functions = {function: getattr(module, function, None) or _absent(name, function) for function in REQUIRED}
    return Variant(
        name=name,
        summary=doc.splitlines()[0],
        **functions,
        epoch=own or build_epoch(functions["gradient"]),
        owns_epoch=own is not None,
        lacks=tuple(function for function in REQUIRED if not hasattr(module, function)),
        supports=getattr(module, "supports", _any),
        compiles_shapes=getattr(module, "COMPILES_SHAPES", False),
        labels_only=getattr(module, "LABELS_ONLY", False),
        falls_back=_falls_back(name, module),
        vector_bytes=getattr(module, "VECTOR_BYTES", None),
        own_epochs=getattr(module, "epochs", None),
        own_losses=getattr(module, "losses", None),
    )


def _falls_back(name: str, module: ModuleType) -> str | None:
    note = getattr(module, "FALLS_BACK", None)
    if note is not None and (not isinstance(note, str) or not note.strip() or "\n" in note):
        raise VariantError(
            f"variant {name!r} has a FALLS_BACK that is no line of text: "
            "say in one line what falls back where, or leave it out"
        )
    return note


def _check_parameters(name: str, module: ModuleType) -> None:
    for function, expected in PARAMETERS.items():
        if not hasattr(module, function):
            continue
        found = _parameters(getattr(module, function))
        if found != expected:
            raise VariantError(
                f"variant {name!r} has {function}({choices(found)}): change it to {function}({choices(expected)})"
            )


def _absent(name: str, function: str) -> Callable[..., Any]:
    def raise_error(*_: object) -> Any:
        raise InputError(f"variant {name!r} has no {function}: choose another variant for it")

    return raise_error


def _parameters(function: object) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # no function, or one that does not say what it takes
        return ("?",)
