"""``njit`` for variants: Numba's own, with an on-disk cache that a change in any source it came from invalidates.

Numba stamps cached code with the file of the function alone, but compiles into it whatever that file
imports: a helper in another file could change and the old code would still be loaded. For functions of
``kernels`` the stamp is therefore made of the file and of every file of ``kernels`` that it imports, directly
or not. Where Numba caches (``NUMBA_CACHE_DIR`` or its default), and functions of others, stay as they are.
"""

import ast
import sys
from functools import cache
from hashlib import sha256
from inspect import getsource
from typing import Any

from numba import njit
from numba.core.caching import CacheImpl

__all__ = ["njit"]

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


@cache
def source_stamp(name: str) -> str:
    """SHA-256 over the source of a loaded module and of all modules of this package that it imports."""
    sources: dict[str, str] = {}
    left = [name]
    while left:
        module = left.pop()
        if module not in sources:
            sources[module] = getsource(sys.modules[module])
            left += _imports(sources[module])
    return sha256(repr(sorted(sources.items())).encode()).hexdigest()


def _imports(source: str) -> list[str]:
    """Loaded modules of this package that a source names in an import; one that is not loaded gave it nothing."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith(OURS) and name in sys.modules]


LOCATORS: list[Any] = [SourcesLocator, *USUAL]
CacheImpl._locator_classes = LOCATORS
