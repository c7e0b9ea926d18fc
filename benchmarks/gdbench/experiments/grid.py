"""Reads ``grid.toml``: profiles of experiments, and the cases that they make with every variant."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import kernels
from gdbench.basics import records
from gdbench.experiments import variants as lookup
from gdbench.experiments.cases import Axes, Case, NetworkSpec
from kernels import InputError
from kernels.errors import choices, unknown

PLACES = (Path(__file__).parents[2] / "grid.toml", Path(__file__).parents[1] / "grid.toml")
"""Beside the package in a checkout, inside it in an installed wheel."""


@dataclass(frozen=True)
class Profile:
    """How much is measured: ``blocks`` processes, each sampling every case for about ``case_seconds``."""

    name: str
    about: str
    blocks: int
    case_seconds: float
    tasks: tuple[str, ...]
    batch_sizes: tuple[int | str, ...]
    dtypes: tuple[str, ...]
    threads: tuple[int, ...]
    experiments: tuple[tuple[str, str], ...]
    """Pairs of a network's and a data set's name."""
    cold_start: bool = False
    """Whether imports, compilation and first calls are measured too."""
    peers: bool = False
    """Whether installed peers take part without being asked for; in ``grid.toml`` they do unless it says not."""


@dataclass(frozen=True)
class Grid:
    """What ``grid.toml`` holds, by name."""

    networks: dict[str, NetworkSpec]
    profiles: dict[str, Profile]


@dataclass(frozen=True)
class Filters:
    """What the user asks for; an empty tuple leaves the profile as it is."""

    network: tuple[str, ...] = ()
    dataset: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    variant: tuple[str, ...] = ()
    batch_size: tuple[int | str, ...] = ()
    dtype: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()


def profiles(path: Path | None = None) -> dict[str, Profile]:
    """Every profile by its name, of our own grid or of another ``grid.toml``."""
    return dict(_grid(path).profiles)


def profile(name: str) -> Profile:
    """Return one profile, or raise InputError with the names that exist."""
    if name not in profiles():
        raise unknown("profile", name, profiles())
    return profiles()[name]


def networks(path: Path | None = None) -> dict[str, NetworkSpec]:
    """Every network by its name, of our own grid or of another ``grid.toml``."""
    return dict(_grid(path).networks)


def experiments(path: Path | None = None) -> list[tuple[str, str]]:
    """Every pair of a network and a data set in any profile, once."""
    return list(dict.fromkeys(pair for entry in profiles(path).values() for pair in entry.experiments))


def expand(chosen: Profile, filters: Filters | None = None, variants: tuple[str, ...] | None = None) -> list[Case]:
    """Return the cases of a profile under filters; ``variants`` are those installed if not given.

    A filter narrows the networks and data sets, and replaces the other axes, so that any batch size,
    task or number of threads may be asked for. What a peer does not support is left out.

    Raises
    ------
    InputError
        If a name does not exist or no case is left.
    """
    wanted = filters or Filters()
    for name in wanted.variant:
        lookup.get(name)
    axes = Axes(
        tasks=wanted.task or chosen.tasks,
        variants=wanted.variant or variants or (lookup.names() if chosen.peers else kernels.variants()),
        batch_sizes=wanted.batch_size or chosen.batch_sizes,
        dtypes=wanted.dtype or chosen.dtypes,
        threads=wanted.threads or chosen.threads,
    )
    pairs = select(chosen.experiments, wanted, f"profile {chosen.name}")
    cases = [case for pair in pairs for case in axes.cases(*pair)]
    if not cases:
        raise InputError("every batch size is above the number of rows: ask for a smaller one, or for n")
    able = [case for case in cases if _supported(case)]
    if not able:
        raise InputError(f"{choices(axes.variants)} can do none of these tasks on these networks: ask for others")
    return able


def _supported(case: Case) -> bool:
    """Whether a peer can do a case; our own variants can do all, and those of old commits cannot be asked."""
    network = networks()[case.network].build(case.dataset)
    return not lookup.is_peer(case.variant) or lookup.supports(case.variant, network, case.task, case.batch_size)


def select(
    pairs: Sequence[tuple[str, str]], wanted: Filters, where: str, path: Path | None = None
) -> list[tuple[str, str]]:
    """Return the pairs of network and data set that the filters admit, or raise InputError if there is none.

    Every name must be in the grid, so that a misspelt one among several is not passed over.
    """
    for what, names, position in (("network", wanted.network, 0), ("data set", wanted.dataset, 1)):
        there = list(dict.fromkeys(pair[position] for pair in experiments(path)))
        for name in names:
            if name not in there:
                raise unknown(f"{what} in the grid called", name, there)
    found = [
        (network, dataset)
        for network, dataset in pairs
        if network in (wanted.network or (network,)) and dataset in (wanted.dataset or (dataset,))
    ]
    if not found:
        raise InputError(f"the filters leave nothing of {where}: it has {choices(' on '.join(pair) for pair in pairs)}")
    return found


@cache
def _grid(path: Path | None = None) -> Grid:
    path = path or next(path for path in PLACES if path.exists())
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not valid TOML ({error}): correct that line") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not in UTF-8, as TOML is: save it as such") from error
    try:
        for name, entry in table["networks"].items():
            entry["name"] = name
        for name, entry in table["profiles"].items():
            pairs = [(pair["network"], pair["dataset"]) for pair in entry["experiments"]]
            entry |= {"name": name, "experiments": pairs, "peers": entry.get("peers", True)}
        return records.parse(table, Grid)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path.name} is no grid ({error}): correct it") from error
