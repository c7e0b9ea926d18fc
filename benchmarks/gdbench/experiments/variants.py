"""Where the instrument looks variants up: those of ``kernels`` and, beside them, the peers of ``gdbench/peers/``.

A peer calls another library, which the first word of its file's name tells (``torch_manual`` calls torch).
Such libraries take seconds to import, so whatever can be known from a peer's source is read from there:
nothing is imported before someone gets that peer.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import kernels
from gdbench import peers
from kernels import Network, Variant
from kernels.contract import REQUIRED
from kernels.registry import VARIANTS, Registry, check_name

PEER_PACKAGES = ("scikit-learn", "torch", "jax", "jaxlib")
"""Distributions that the peers call, or would call if they were installed."""
REMEDY = "pip install 'gdbench[peers]'"
COMPILERS = ("CXX", "g++")
"""Environment variable that names the C++ compiler of a peer with ``NEEDS_COMPILER``, and the usual one."""


def names() -> tuple[str, ...]:
    """Names of all that can be used here: our variants in the order of their registry, then the installed peers."""
    return (*kernels.variants(), *_PEERS.available())


def unavailable() -> dict[str, str]:
    """Names of the variants and peers that cannot be used here, with the reason."""
    return kernels.unavailable() | _PEERS.unavailable()


def get(name: str) -> Variant:
    """Return the variant or peer of that name, or raise InputError.

    Examples
    --------
    >>> get("jit").name
    'jit'
    """
    if is_peer(name):
        return _PEERS.get(name)
    check_name(name, (*VARIANTS.names, *_PEERS.names))
    return kernels.get(name)


def is_peer(name: str) -> bool:
    """Whether a name is that of a peer, installed or not."""
    return name in _PEERS.names


def supports(name: str, network: Network, task: str, batch_size: int) -> bool:
    """Whether a variant or peer can do a task on a network at a batch size; a peer is imported only if it must be."""
    if is_peer(name) and "supports" not in _top_level(name):
        return task not in _lacking(name)
    kernel = get(name)
    return task not in kernel.lacks and kernel.supports(network, task, batch_size)


def summary(name: str) -> str:
    """First line of a variant's or peer's docstring; a peer is not imported for it."""
    if is_peer(name):
        return inspect.cleandoc(ast.get_docstring(_tree(name)) or "").partition("\n")[0]
    return kernels.get(name).summary


def lacks(name: str) -> tuple[str, ...]:
    """Functions that a variant or peer does not have; a peer is not imported for it."""
    return _lacking(name) if is_peer(name) else kernels.get(name).lacks


def library_of(peer: str) -> str:
    """Return the library that a peer calls: the first word of its name."""
    return peer.partition("_")[0]


def _missing(name: str) -> str | None:
    """Why a peer cannot be used here, told without importing it; None if it can."""
    library = library_of(name)
    if find_spec(library) is None:
        return f"it needs {library}, which is not installed: {REMEDY}"
    compiler = os.environ.get(*COMPILERS)
    if "NEEDS_COMPILER" in _top_level(name) and which(compiler) is None:
        return f"it needs a C++ compiler, and there is no {compiler}: install g++, or set CXX to another"
    return None


def _lacking(name: str) -> tuple[str, ...]:
    return tuple(function for function in REQUIRED if function not in _top_level(name))


@cache
def _tree(name: str) -> ast.Module:
    return ast.parse(Path(peers.__path__[0], f"{name}.py").read_text(encoding="utf-8"))


@cache
def _top_level(name: str) -> frozenset[str]:
    """Names that a peer's module has at its top level."""
    return frozenset(word for node in _tree(name).body for word in _words(node))


def _words(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds: those of a function, an assignment or an import."""
    if isinstance(node, ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Assign):
        yield from (word.id for target in node.targets for word in ast.walk(target) if isinstance(word, ast.Name))


_PEERS = Registry(peers, required=("epoch",), missing=_missing)
