"""``njit`` for variants: Numba's own, with an on-disk cache that a change in its sources or settings invalidates.

Numba stamps cached code with the file of the function alone, but compiles into it whatever that file
imports: a helper in another file could change and the old code would still be loaded. It leaves out most of its
settings, too: code that was compiled under ``NUMBA_OPT=0`` would be loaded wherever else it is asked for. For functions
of ``kernels`` the stamp is therefore made of the file, of every file of ``kernels`` that it imports, directly or not,
and of the settings. Where Numba caches (``NUMBA_CACHE_DIR`` or its default), and functions of others, stay as they are.
"""

import ast
import sys
import warnings
from functools import cache
from hashlib import sha256
from inspect import getsource
from types import MappingProxyType
from typing import Any

from kernels.errors import SettingError

try:
    from numba import njit
except ValueError as error:
    raise SettingError(
        f"Numba cannot be imported as it is set ({error}): correct or unset its variables, such as NUMBA_NUM_THREADS, "
        "or .numba_config.yaml"
    ) from error
from numba.core import config
from numba.core.caching import CacheImpl
from numba.core.errors import NumbaWarning

__all__ = ["njit"]

# Under NUMBA_OPT=0 addresses stay in the code, and Numba says of each function that it is compiled anew each time.
warnings.filterwarnings("ignore", "Cannot cache compiled function", NumbaWarning)

SETTINGS = MappingProxyType(
    {
        "NUMBA_OPT": ("OPT", 3),
        "NUMBA_BOUNDSCHECK": ("BOUNDSCHECK", None),
        "NUMBA_LOOP_VECTORIZE": ("LOOP_VECTORIZE", 1),
        "NUMBA_SLP_VECTORIZE": ("SLP_VECTORIZE", 0),
        "NUMBA_DISABLE_INTEL_SVML": ("DISABLE_INTEL_SVML", 0),
        "NUMBA_DEBUGINFO": ("DEBUGINFO_DEFAULT", 0),
        "NUMBA_EXTEND_VARIABLE_LIFETIMES": ("EXTEND_VARIABLE_LIFETIMES", 0),
        "NUMBA_ENABLE_PROFILING": ("ENABLE_PROFILING", 0),
        "NUMBA_LLVM_REFPRUNE_PASS": ("LLVM_REFPRUNE_PASS", 1),
        "NUMBA_LLVM_REFPRUNE_FLAGS": ("LLVM_REFPRUNE_FLAGS", "all"),
        "NUMBA_DEBUG_NRT": ("DEBUG_NRT", 0),
    }
)
"""Variables that change compiled code: Numba's name for their value, and its default. The processor is not here, since
Numba keeps the code for each apart."""

OURS = f"{__name__.partition('.')[0]}."
USUAL: tuple[Any, ...] = tuple(CacheImpl._locator_classes)
"""Numba's own ways to find a place for a function's cache, in its order."""


class SourcesLocator:
    """Finds the place as Numba would, for functions of this package only, and stamps it with all their sources."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """Return Numba's locator with our stamp, or None to leave the function to Numba."""
        if not py_func.__module__.startswith(OURS):
            return None
        found = (locator.from_function(py_func, py_file) for locator in USUAL)
        locator = next((locator for locator in found if locator is not None), None)
        if locator is not None:
            locator.get_source_stamp = lambda: source_stamp(py_func.__module__)
        return locator


def settings() -> dict[str, str]:
    """Values of ``SETTINGS`` that differ from Numba's defaults, wherever it has them from, by their variables."""
    values: dict[str, Any] = {
        variable: vars(config).get(name, default) for variable, (name, default) in SETTINGS.items()
    }
    level = values["NUMBA_OPT"]
    values["NUMBA_OPT"] = "max" if level.is_opt_max else int(level)  # "max" is equal to 3
    return {name: str(value) for name, value in values.items() if value != SETTINGS[name][1]}


@cache
def source_stamp(name: str) -> str:
    """SHA-256 over the settings, the source of a loaded module, and all modules of this package that it imports."""
    sources: dict[str, str] = {}
    left = [name]
    while left:
        module = left.pop()
        if module not in sources:
            sources[module] = getsource(sys.modules[module])
            left += _imports(sources[module])
    return sha256(repr([settings(), sorted(sources.items())]).encode()).hexdigest()


def _imports(source: str) -> list[str]:
    """Loaded modules of this package that a source names in an import; one that is not loaded gave it nothing."""
    return [name for name in _names(source) if name in sys.modules]


@cache
def _names(source: str) -> tuple[str, ...]:
    """Names below this package in a source's imports: most modules are asked about by many functions."""
    names = list[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.startswith(OURS))


LOCATORS: list[Any] = [SourcesLocator, *USUAL]
CacheImpl._locator_classes = LOCATORS
