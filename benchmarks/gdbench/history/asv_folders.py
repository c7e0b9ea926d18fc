"""Where asv's results of a machine lie: the folder that its configuration names, and the machine's own in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asv.util
from asv.config import Config
from asv.machine import Machine

from gdbench.basics.records import parse
from kernels import InputError
from kernels.errors import choices

CONFIGS = ("asv.conf.json", "asv.conf.jsonc")
"""Names that asv looks for; it refuses to choose where there are both."""
RESULTS = Path("reports", "asv", "results")
NO_RESULTS = ("machine.json", "benchmarks.json")
HOW_TO_MAKE = "make some by: asv run HEAD~20..HEAD"
MAX_REASON = 120
"""Characters of another program's message that are passed on: some hold the whole file."""


def results_folder(folder: Path) -> Path:
    """Return where asv's configuration of a folder says that results are; without one, our usual place below it.

    Raises
    ------
    InputError
        If it cannot be read, names no folder, or there are two.
    """
    there = [folder / name for name in CONFIGS if (folder / name).exists()]
    if not there:
        return folder / RESULTS
    if len(there) > 1:
        raise InputError(
            f"asv reads neither of {' and '.join(map(str, there))} while both are there: delete one, or name the "
            "folder by --results"
        )
    (config,) = there
    try:
        told = parse(asv.util.load_json(str(config), js_comments=True), dict[str, Any])
    except (ValueError, OSError) as error:
        raise InputError(
            f"{config} is not valid JSON ({reason(error)}): correct it, or name the folder by --results"
        ) from error
    place = told.get("results_dir", Config().results_dir)
    if not isinstance(place, str):
        raise InputError(
            f"results_dir in {config} is {json.dumps(place)}, which names no folder: correct it, or name the folder by "
            "--results"
        )
    return folder / place


def choose_machine(results: Path, wanted: str | None) -> str:
    """Return the machine whose results are read: the one asked for, this one, or the only one.

    Raises
    ------
    InputError
        If there are no results, or those of several machines and none of them is this one: they are never mixed.
    """
    there = sorted(path.parent.name for path in results.glob("*/machine.json") if result_paths(path.parent))
    if not there and (results / "machine.json").is_file():
        above = results.resolve().parent
        raise InputError(
            f"{results} is asv's folder of one machine, {results.resolve().name}: name the one above, {above}"
        )
    undescribed = next((path for path in sorted(results.glob("*/")) if result_paths(path)), None)
    if not there and undescribed is not None:
        raise InputError(
            f"{undescribed} has results but no machine.json, which asv keeps beside them: copy it from where they were "
            f'measured, or save {{"machine": "{undescribed.name}", "version": 1}} under that name'
        )
    if not there:
        raise InputError(f"there are no results of asv in {results}: {HOW_TO_MAKE}")
    if wanted is not None:
        if wanted not in there:
            raise InputError(f"{results} has no results of a machine called {wanted}: choose {choices(there)}")
        return wanted
    here = Machine.get_unique_machine_name()
    if here in there or len(there) == 1:
        return here if here in there else there[0]
    raise InputError(
        f"{results} has results of several machines, which are never mixed: name one of {choices(there)} by --machine"
    )


def result_paths(folder: Path) -> list[Path]:
    """Return the files of results in the folder of a machine."""
    return sorted(path for path in folder.glob("*.json") if path.name not in NO_RESULTS and path.is_file())


def reason(error: Exception) -> str:
    """First line of what went wrong, cut."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}..."
