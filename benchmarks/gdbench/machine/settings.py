"""Settings from outside that change the code which is measured: what is recorded with results, and what is refused.

They are environment variables, and for Numba also lines of ``.numba_config.yaml`` in the working folder; so Numba
itself is asked what it took from either. How many threads there are is no setting: each case fixes that.
"""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from gdbench.processes.launch import THREAD_VARIABLES
from kernels import InputError

FILE = ".numba_config.yaml"
NUMBA = "NUMBA_"
PREFIXES = (
    *("OPENBLAS_", "MKL_", "BLIS_", "VECLIB_", "OMP_", "GOMP_", "KMP_", "NPY_", NUMBA),
    *("ATEN_", "ONEDNN_", "DNNL_", "TORCH_", "TORCHDYNAMO_", "TORCHINDUCTOR_", "PYTORCH_", "XLA_", "JAX_"),
    *("FLEXIBLAS", "GLIBC_", "MALLOC_", "LD_PRELOAD", "LD_AUDIT", "PYTHONOPTIMIZE", "PYTHONMALLOC", "PYTHONDEVMODE"),
    *("PYTHONTRACEMALLOC", "PYTHON_JIT", "PYTHON_GIL"),
)
"""Beginnings of the names of variables by which libraries that are measured are told how to compute."""
HARMLESS = (
    *THREAD_VARIABLES,
    *("_NUM_THREADS", "_DIR", "_PATH", "_FILE", "_VERBOSE", "_LOGS", "_WARNINGS", "_TRACEBACKS", "_CLASSES"),
    *("NUMBA_COLOR_SCHEME", "NUMBA_SHOW_HELP", "NUMBA_HIGHLIGHT_DUMPS", "NUMBA_DEVELOPER_MODE"),
    *("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),  # scikit-learn sets them for itself when it is imported
)
"""Ends of names that say where files lie, what is printed, or what is told elsewhere."""
PROCESSOR = {"CPU_NAME": None, "CPU_FEATURES": None, "ENABLE_AVX": True}
"""Numba's own names of what it compiles for, and what they are by default on nearly all processors."""
PRINTING = ("DEBUG", "DUMP_", "TRACE", "CHROME_TRACE", "ANNOTATE", "HTML", "PARALLEL_DIAGNOSTICS")
"""Beginnings of Numba's own names of settings that make it print, or write files, in the midst of what is timed."""
COMPILE_FOR = """
import sys
from llvmlite import binding
binding.initialize_native_target()
binding.Target.from_default_triple().create_target_machine(cpu=sys.argv[1], features=sys.argv[2])
"""
"""LLVM says on standard error what it does not know of a processor, and goes on without it."""
OTHER_NAMES = {"DEBUGINFO_DEFAULT": "", "ANNOTATE": "DUMP_ANNOTATION", "HTML": "DUMP_HTML"}
"""Where a variable is not called as its value is; code with debugging information prints nothing."""


def settings() -> dict[str, str]:
    """Return what is set otherwise than by default, by variable; compares equal where results may be compared."""
    import numba  # noqa: PLC0415 - it takes a while to import, and counts the cores

    from kernels.variants import _numba  # noqa: PLC0415

    config = vars(numba.config)
    asked = {*_numba.SETTINGS, *(NUMBA + name for name in PROCESSOR)}
    found = {name: value for name, value in that_matter(os.environ).items() if name not in asked}
    processor = {NUMBA + name: str(config[name]) for name, usual in PROCESSOR.items() if config[name] != usual}
    return found | processor | _numba.settings()


def numba_settings() -> dict[str, str]:
    """Return those of ``settings`` that are Numba's; where nobody set any, Numba is not imported for it."""
    if not _numba_is_told():
        return {}
    return {name: value for name, value in settings().items() if name.startswith(NUMBA)}


def _numba_is_told() -> bool:
    return any(name.startswith(NUMBA) for name in os.environ) or Path(FILE).exists()


def that_matter(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of some environment variables that change measured code, by their sorted names."""
    return {
        name: value
        for name, value in sorted(variables.items())
        if name.startswith(PREFIXES) and not name.endswith(HARMLESS)
    }


def in_words(found: dict[str, str]) -> str:
    """Write settings as a shell takes them, such as ``NUMBA_OPT=0``."""
    return " ".join(f"{name}={value}" for name, value in found.items())


def check_settings() -> None:
    """Refuse settings under which nothing can be measured.

    Raises
    ------
    InputError
        If Python strips docstrings, which are read, or if Numba does not compile, prints what it compiles, or does not
        understand a setting.
    """
    if sys.flags.optimize > 1:
        raise InputError("python -OO, or PYTHONOPTIMIZE=2, strips docstrings, which gdbench reads: run it without")
    for name in [name for name, value in os.environ.items() if name.startswith(NUMBA) and not value]:
        del os.environ[name]  # Numba warns of what is empty and goes on as if it were not set, in every process
    if _numba_is_told():
        for reason in _refused():
            raise InputError(reason)


def _refused() -> Iterator[str]:
    """Reasons why Numba cannot be measured as it is set."""
    yield from _not_understood()
    yield from _unknown_processor()
    yield from _unknown_locators()
    config = vars(sys.modules["numba.core.config"])
    if config["DISABLE_JIT"]:
        yield f"nothing is compiled under {_origin('NUMBA_DISABLE_JIT')}, so nothing can be measured: unset it"
    for name, value in config.items():
        variable = NUMBA + OTHER_NAMES.get(name, name)
        if name.startswith(PRINTING) and value not in (0, None, "", "none") and variable != NUMBA:
            yield f"{_origin(variable)} makes Numba print in the midst of what is timed: unset it"


def _not_understood() -> Iterator[str]:
    """Reasons why Numba takes no notice of a setting, or cannot be imported for one."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            import numba  # noqa: F401, PLC0415 - what it says of its settings is heard when it is first imported
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        else:
            fault = ""
    for warning in heard:
        named = re.search(rf"'({NUMBA}\w+)'", str(warning.message))
        if named:
            yield f"Numba does not understand {_origin(named[1])} and would ignore it: correct or unset it"
    read = sys.modules.get("numba.core.config")  # there also where the rest of Numba cannot be imported
    if getattr(read, "NUMBA_NUM_THREADS", 1) < 1:
        yield f"Numba needs at least one thread, and has {_origin('NUMBA_NUM_THREADS')}: unset it, or set it to 1"
    if fault:
        where = f"correct or delete {FILE}" if Path(FILE).exists() else f"unset the variables {NUMBA}..."
        yield f"Numba cannot be imported as it is set ({fault.splitlines()[0]}): {where}"


def _unknown_processor() -> Iterator[str]:
    """Reasons why LLVM compiles for another processor than the one that is set; asked only if one is."""
    config = vars(sys.modules["numba.core.config"])
    for name, arguments in (("CPU_NAME", (config["CPU_NAME"], "")), ("CPU_FEATURES", ("", config["CPU_FEATURES"]))):
        if config[name] and config[name] != "host":
            command = [sys.executable, "-c", COMPILE_FOR, *arguments]
            said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
            unknown = re.search(r"'(.*)' is not a recognized", said)
            if unknown:
                where = _origin(NUMBA + name)
                yield f"Numba's compiler does not know {unknown[1]} of {where} and would ignore it: correct or unset it"


def _unknown_locators() -> Iterator[str]:
    """Reasons why Numba cannot keep what it compiles: classes that it would ask where, and does not find."""
    asked = vars(sys.modules["numba.core.config"]).get("CACHE_LOCATOR_CLASSES") or ""
    for path in filter(None, map(str.strip, asked.split(","))):
        try:
            pkgutil.resolve_name(path if "." in path else f"numba.core.caching:{path}")
        except (ImportError, AttributeError, ValueError):
            where = _origin("NUMBA_CACHE_LOCATOR_CLASSES")
            yield f"Numba does not find the class {path} of {where}, and compiles nothing without: correct or unset it"


def _origin(variable: str) -> str:
    """Say what was set where; a variable goes before a line of the file."""
    if variable in os.environ:
        return f"{variable}={os.environ[variable]}"
    return f"{variable.removeprefix(NUMBA).lower()} in {FILE}"
