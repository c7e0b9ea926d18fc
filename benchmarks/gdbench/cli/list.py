"""``gdbench list``: what there is, and what is unavailable and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import click
from rich.table import Table

import kernels
from gdbench.basics.exit_codes import OK
from gdbench.cli.console import human_output, json_option, write_json
from gdbench.experiments import synthetic, variants
from gdbench.experiments.datasets import REAL
from gdbench.experiments.grid import expand, networks, profiles
from gdbench.experiments.tasks import TASKS
from gdbench.machine.layer_costs import kept_costs, typical_costs
from gdbench.machine.settings import settings
from kernels.network import DTYPES

RECORDED = ", recorded with results, which are unlike those of other values"
PREFIXES = {"falls_back": "falls back: "}
"""Words before a field that does not explain itself."""


@dataclass(frozen=True)
class Listed:
    """Anything that can be named on the command line; its other fields say what it is, where that is known."""

    name: str

    def details(self) -> Iterator[str]:
        """Yield what there is to say beside the name."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and value is not None:
                yield f"{PREFIXES.get(field.name, '')}{value}"


@dataclass(frozen=True)
class ListedVariant(Listed):
    """One of our variants."""

    summary: str
    epoch: str
    falls_back: str | None
    """How it computes what it has no code of its own for."""


@dataclass(frozen=True)
class ListedPeer(Listed):
    """A variant of another library."""

    summary: str


@dataclass(frozen=True)
class LimitedPeer(ListedPeer):
    """A peer that lacks some of the four functions."""

    lacks: str


@dataclass(frozen=True)
class UnavailableVariant(Listed):
    """A variant or peer that cannot be used here."""

    reason: str


@dataclass(frozen=True)
class Explained(Listed):
    """A network or a task."""

    about: str


@dataclass(frozen=True)
class ListedDataset(Listed):
    """A data set, or a recipe that makes some."""

    shape: str
    scaling: str
    origin: str


@dataclass(frozen=True)
class ListedSetting(Listed):
    """An environment variable that changes compiled code."""

    value: str


@dataclass(frozen=True)
class ListedCosts(Listed):
    """What a value of X costs in the first layer, by dtype: the constants that auto decides by."""

    dense: str
    skipping: str
    single_rows: str
    origin: str


@dataclass(frozen=True)
class ListedProfile(Listed):
    """A profile of the grid."""

    about: str
    size: str


@dataclass(frozen=True)
class Inventory:
    """Everything that can be named on the command line, by kind: what ``--json`` writes."""

    variants: tuple[ListedVariant, ...]
    peers: tuple[ListedPeer, ...]
    unavailable: tuple[UnavailableVariant, ...]
    networks: tuple[Explained, ...]
    datasets: tuple[ListedDataset, ...]
    tasks: tuple[Explained, ...]
    settings: tuple[ListedSetting, ...]
    costs: tuple[ListedCosts, ...]
    profiles: tuple[ListedProfile, ...]


@click.command(
    "list",
    short_help="Show networks, variants, data sets, tasks and profiles.",
    epilog="Example:\n\n\b\n  gdbench list --json -",
)
@json_option
def command(json_path: str | None) -> int:
    """Show networks, variants, data sets, tasks and profiles; what is unavailable and why."""
    answer = inventory()
    write_json(json_path, answer)
    out = human_output(json_path)
    for field in fields(answer):
        table = Table(
            title=field.name, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
        )
        table.add_column(min_width=14, style="cyan")
        table.add_column()
        rows: tuple[Listed, ...] = getattr(answer, field.name)
        for row in rows:
            table.add_row(row.name, "; ".join(row.details()))
        if rows:
            out.print(table, "")
    return OK


def inventory() -> Inventory:
    """Return everything that can be named on the command line."""
    return Inventory(
        variants=tuple(map(_variant, kernels.variants())),
        peers=tuple(_peer(name) for name in variants.names() if variants.is_peer(name)),
        unavailable=tuple(UnavailableVariant(name, reason) for name, reason in variants.unavailable().items()),
        networks=tuple(Explained(name, spec.about) for name, spec in networks().items()),
        datasets=(
            *(ListedDataset(name, _shape(*data.shape), data.scaling, data.origin) for name, data in REAL.items()),
            *(
                ListedDataset(name, f"options {synthetic.options(name)}", "by recipe", "synthetic")
                for name in synthetic.RECIPES
            ),
        ),
        tasks=tuple(Explained(name, (build.__doc__ or "").strip()) for name, build in TASKS.items()),
        settings=tuple(ListedSetting(name, f"{value}{RECORDED}") for name, value in settings().items()),
        costs=tuple(map(_costs, DTYPES)),
        profiles=tuple(
            ListedProfile(name, profile.about.rstrip("."), f"{len(expand(profile))} cases in {profile.blocks} rounds")
            for name, profile in profiles().items()
        ),
    )


def _costs(dtype: str) -> ListedCosts:
    kept = kept_costs(dtype)
    found = kept or typical_costs(dtype)
    return ListedCosts(
        dtype,
        f"a value of X takes {found.product:.3g} ns an output with dense products",
        f"where zeros are skipped {found.listing:.3g} ns, and if it is not zero {found.nonzero:.3g} ns, "
        f"{found.gathered:.3g} ns an output and {found.nonzero_of_update:.3g} ns an update",
        f"at batch size 1 {found.row_product:.3g} ns an output, against {found.row_listing:.3g} ns and "
        f"{found.row_gathered:.3g} ns an output",
        "measured here" if kept else "typical: gdbench train --variant auto measures them where data have zeros",
    )


def _variant(name: str) -> ListedVariant:
    found = kernels.get(name)
    epoch = "its own epoch" if found.owns_epoch else "epoch built from its gradient"
    return ListedVariant(name, found.summary.rstrip("."), epoch, found.falls_back)


def _peer(name: str) -> ListedPeer:
    summary, missing = variants.summary(name).rstrip("."), variants.lacks(name)
    return LimitedPeer(name, summary, f"no {' and no '.join(missing)}") if missing else ListedPeer(name, summary)


def _shape(n: int, d: int, k: int) -> str:
    return f"{n} rows, {d} inputs, {k} output{'s' if k > 1 else ''}"
