"""``gdbench list``: what there is, and what is unavailable and why."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

import kernels
from gdbench.basics.exit_codes import OK
from gdbench.cli.console import human_output, json_option, write_json
from gdbench.experiments import synthetic, variants
from gdbench.experiments.datasets import REAL
from gdbench.experiments.grid import expand, networks, profiles
from gdbench.experiments.tasks import TASKS
from gdbench.machine.settings import settings

RECORDED = ", recorded with results, which are unlike those of other values"


@click.command("list", epilog="Example:\n\n\b\n  gdbench list --json -")
@json_option
def command(json_path: str | None) -> int:
    """Show networks, variants, data sets, tasks and profiles; what is unavailable and why."""
    answer = inventory()
    write_json(json_path, answer)
    out = human_output(json_path)
    for kind, rows in answer.items():
        table = Table(title=kind, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
        table.add_column(min_width=14, style="cyan")
        table.add_column()
        for row in rows:
            table.add_row(str(row["name"]), _details(row))
        if rows:
            out.print(table, "")
    return OK


def inventory() -> dict[str, list[dict[str, Any]]]:
    """Return everything that can be named on the command line, by kind."""
    return {
        "variants": [
            {
                "name": name,
                "summary": kernels.get(name).summary.rstrip("."),
                "epoch": _epoch(name),
                "falls_back": kernels.get(name).falls_back,
            }
            for name in kernels.variants()
        ],
        "peers": [
            {"name": name, "summary": variants.summary(name).rstrip("."), **_lacking(name)}
            for name in variants.names()
            if variants.is_peer(name)
        ],
        "unavailable": [{"name": name, "reason": reason} for name, reason in variants.unavailable().items()],
        "networks": [{"name": name, "about": spec.about} for name, spec in networks().items()],
        "datasets": [
            *(
                {"name": name, "shape": _shape(*source.shape), "scaling": source.scaling, "origin": source.origin}
                for name, source in REAL.items()
            ),
            *(
                {
                    "name": name,
                    "shape": f"options {synthetic.options(name)}",
                    "scaling": "by recipe",
                    "origin": "synthetic",
                }
                for name in synthetic.RECIPES
            ),
        ],
        "tasks": [{"name": name, "about": (build.__doc__ or "").strip()} for name, build in TASKS.items()],
        "settings": [{"name": name, "value": f"{value}{RECORDED}"} for name, value in settings().items()],
        "profiles": [
            {
                "name": name,
                "about": profile.about.rstrip("."),
                "size": f"{len(expand(profile))} cases in {profile.blocks} rounds",
            }
            for name, profile in profiles().items()
        ],
    }


def _details(row: dict[str, Any]) -> str:
    """What there is to say beside the name; what is not known is left out."""
    said = {key: value for key, value in row.items() if key != "name" and value is not None}
    return "; ".join(f"falls back: {value}" if key == "falls_back" else str(value) for key, value in said.items())


def _epoch(name: str) -> str:
    return "its own epoch" if kernels.get(name).owns_epoch else "epoch built from its gradient"


def _lacking(name: str) -> dict[str, str]:
    missing = variants.lacks(name)
    return {"lacks": f"no {' and no '.join(missing)}"} if missing else {}


def _shape(n: int, d: int, k: int) -> str:
    return f"{n} rows, {d} inputs, {k} output{'s' if k > 1 else ''}"
