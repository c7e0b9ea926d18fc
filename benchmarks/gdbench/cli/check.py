"""``gdbench check``: certificates of all variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import kernels
from gdbench.basics.exit_codes import KERNEL_WRONG, OK
from gdbench.basics.units import counted
from gdbench.cli.console import human_output, json_option, say, stderr, write_json
from gdbench.cli.filters import filter_options
from gdbench.experiments import variants
from gdbench.experiments.grid import Filters, experiments, networks, select
from gdbench.processes.launch import patience
from gdbench.processes.live import ANSWER_SECONDS
from gdbench.verify.certificates import CertificateRow, Job, able_on, all_certified, certify_all, contract_jobs
from gdbench.views.progress import bar, countdown
from kernels.errors import choices, unknown
from kernels.network import DTYPES

EXAMPLES = """
Examples:

\b
  gdbench check
  gdbench check --variant jit --network mlp
  gdbench check --peers --network softmax
  gdbench check --json -
"""


@dataclass(frozen=True)
class CheckAnswer:
    """What ``--json`` writes: all certificates, and whether every one was granted."""

    certified: bool
    certificates: tuple[CertificateRow, ...]


@click.command("check", short_help="Prove that every variant computes the right answer.", epilog=EXAMPLES)
@filter_options("network", "dataset", "variant", "dtype")
@click.option("--peers", "with_peers", is_flag=True, help="Certify the peers too, which takes minutes more.")
@json_option
def command(*, with_peers: bool, json_path: str | None, **filters: Any) -> int:
    """Prove every variant equal to the reference, on every network of the grid; times nothing.

    Peers, which call other libraries, are left out unless --peers is given or --variant names them.

    Small networks of 0 to 3 hidden layers with every activation and loss are checked too, unless --network
    or --dataset asks for those of the grid. Exit code 4 when a variant is wrong.
    """
    jobs = _jobs(Filters(**filters), variants.names() if with_peers else kernels.variants())
    rows = certify(jobs)
    write_json(json_path, CheckAnswer(all_certified(rows), tuple(rows)))
    out = human_output(json_path)
    out.print(certificate_table(rows))
    wrong = [row for row in rows if not row.certified]
    for row in wrong:
        where = f" {row.variant} in {row.dtype} on {row.network}, {row.dataset}: {row.refusal}"
        say(out, Text.assemble(("WRONG", "red"), where))
    if wrong:
        names = choices(dict.fromkeys(row.variant for row in wrong))
        granted = f"; {len(rows) - len(wrong)} of {len(rows)} certificates granted."
        out.print(Text.assemble((f"{names}: not certified", "bold red"), granted))
        return KERNEL_WRONG
    all_of_them = (f"All {counted(len(rows), 'certificate')} granted", "bold green")
    out.print(Text.assemble(all_of_them, ": every variant agrees with the reference."))
    return OK


def certify(jobs: list[Job]) -> list[CertificateRow]:
    """Certify with a progress bar on standard error."""
    with certifying(jobs) as report:
        return certify_all(jobs, report)


@contextmanager
def certifying(jobs: list[Job], console: Console = stderr) -> Iterator[Callable[[CertificateRow], None]]:
    """Show how far certification is, which goes on with each certificate that is heard."""
    total, done, begun = sum(len(job.variants) for job in jobs), 0, monotonic()
    patience(ANSWER_SECONDS)  # refused before anything is said
    with bar("Certifying", console) as tell:
        tell(0.0, counted(total, "certificate"), "")  # the first takes longest, since it compiles

        def report(row: CertificateRow) -> None:
            nonlocal done
            done += 1
            left = (total - done) * (monotonic() - begun) / done  # a variant that must be compiled takes longer
            words = f", {done} done, {row.variant} on {row.network}"
            tell(done / total, counted(total, "certificate"), countdown(left, words))

        yield report


def certificate_table(rows: Sequence[CertificateRow]) -> Table:
    """Return one line per variant and dtype: how many certificates, and the worst of them."""
    table = Table(title="Worst certificate of each variant", title_justify="left", box=None, pad_edge=False)
    for name in ("variant", "dtype", "certified", "max error", "tolerance", "where"):
        table.add_column(name, justify="right" if name in ("max error", "tolerance") else "left")
    groups: dict[tuple[str, str], list[CertificateRow]] = {}
    for row in rows:
        groups.setdefault((row.variant, row.dtype), []).append(row)
    for (variant, dtype), group in groups.items():
        worst = max(group, key=lambda row: row.strain)
        granted = sum(row.certified for row in group)
        style = "green" if granted == len(group) else "bold red"
        error = "-" if worst.max_error is None else f"{worst.max_error:.1e}"
        tolerance = "-" if worst.tolerance is None else f"{worst.tolerance:.1e}"
        where = f"{worst.network}, {worst.dataset}: {worst.where}"
        verdict = Text(f"{granted} of {len(group)}", style=style)
        table.add_row(variant, dtype, verdict, error, tolerance, where)
    return table


def _jobs(filters: Filters, usual: tuple[str, ...]) -> list[Job]:
    """Return what is to be certified; ``usual`` are the variants where none is named."""
    for name in filters.variant:
        variants.get(name)
    for name in filters.dtype:
        if name not in DTYPES:
            raise unknown("dtype", name, DTYPES)
    names, dtypes = filters.variant or usual, filters.dtype or DTYPES
    pairs = select(experiments(), filters, "the grid")
    jobs = []
    for name, dataset in pairs:
        spec = networks()[name]
        able = able_on(spec.build(dataset), names)
        jobs += [Job(spec, dataset, dtype, able) for dtype in dtypes if able]
    return jobs if filters.network or filters.dataset else [*contract_jobs(names, dtypes), *jobs]
