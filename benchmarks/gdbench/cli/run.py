"""``gdbench run``: measure the grid into a new folder, or go on with a run that was stopped."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.text import Text

from gdbench.basics.exit_codes import INTERRUPTED, KERNEL_WRONG, OK
from gdbench.basics.folders import fresh_folder
from gdbench.basics.storage import new_folder
from gdbench.basics.units import counted, duration
from gdbench.cli.console import fail, human_output, json_option, say, stderr, write_json
from gdbench.cli.filters import filter_options
from gdbench.cli.live import Watch
from gdbench.cli.number_types import SEED
from gdbench.cli.show import show, summary_json
from gdbench.cold_start import measure as cold_starts
from gdbench.cold_start.measure import ColdStart
from gdbench.experiments.grid import Filters, profile
from gdbench.report.build import rebuild, write_report
from gdbench.report.findings import exit_code
from gdbench.run import left_out, run
from gdbench.run.execute import BlockFailed, left
from gdbench.run.folder import Run
from gdbench.run.plan import Plan, estimate_seconds, plan_profile
from gdbench.run.raw import read_failures
from gdbench.run.runner import check_free, resumable_plan, unfinished
from gdbench.run.runner import resume as resume_run
from kernels import InputError
from kernels.errors import choices

EXAMPLES = """
Examples:

\b
  gdbench run
  gdbench run --profile regular --network mlp --variant jit,buffered
  gdbench run --network softmax --batch-size 16,64,n --dtype float32
  gdbench run --resume
"""
DEFAULT_PROFILE = "quick"


@dataclass(frozen=True)
class DryRun:
    """What ``--dry-run --json`` says of a plan."""

    cases: int
    blocks: int
    cold_starts: int
    estimated_seconds: float
    cold_start_seconds: float
    folder: str


@click.command("run", short_help="Measure which variant is fast at which batch size.", epilog=EXAMPLES)
@click.option("--profile", "profile_name", help=f"How much to measure, {DEFAULT_PROFILE} by default; see gdbench list.")
@filter_options()
@click.option("--seed", type=SEED, default=None, help="Fixes the order of blocks and cases; drawn anew if not given.")
@click.option(
    "--cold-start/--no-cold-start",
    "with_cold_start",
    default=None,
    help="Measure imports, compilation and first calls too, or not; the profile decides if not given.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and its cost; measure and write nothing.")
@click.option("--resume", is_flag=True, help="Go on with the newest unfinished run, or with the one in --output.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder of the run; a new dated one below reports/ if not given."
)
@json_option
def command(
    *,
    profile_name: str | None,
    seed: int | None,
    with_cold_start: bool | None,
    dry_run: bool,
    resume: bool,
    output: Path | None,
    json_path: str | None,
    **filters: Any,
) -> int:
    """Measure the grid into a new folder: certificates first, then blocks of fresh, pinned processes.

    Interrupted runs lose at most the block in flight and go on with --resume. Exit code 4 when a variant is wrong.
    """
    names = Filters(**filters)
    if resume:
        given = {"profile": profile_name, "seed": seed is not None, "cold_start": with_cold_start is not None}
        _refuse_changes(filters | given)
        folder = output or unfinished()
        plan = resumable_plan(folder)
        cold = cold_starts.left(folder, plan.cases, read_failures(folder))
    else:
        name = profile_name or DEFAULT_PROFILE
        plan = plan_profile(name, names, seed=seed, command=shlex.join(["gdbench", *sys.argv[1:]]))
        folder = output or new_folder(name)  # only named here: another command may be given it yet
        check_free(folder)
        wanted = profile(name).cold_start if with_cold_start is None else with_cold_start
        cold = cold_starts.jobs_of(plan.cases) if wanted else []
    if dry_run:
        _show_plan(plan, folder, cold, json_path)
        return OK
    with nullcontext(folder) if resume else fresh_folder(output, plan.profile) as folder:
        found = _measured(plan, folder, cold, names, resume=resume)
    write_report(found)
    summary_json(json_path, found)
    show(found, human_output(json_path))
    return exit_code(found)


def _measured(plan: Plan, folder: Path, cold: list[ColdStart], names: Filters, *, resume: bool) -> Run:
    """Measure a plan into its folder, with progress in the terminal."""
    say(stderr, _headline(plan, folder, cold))
    for remark in left_out.sentences(plan, names.batch_size, names.variant):
        say(stderr, remark, "yellow")
    try:
        with Watch(plan, folder) as report:
            if resume:
                return resume_run(folder, report=report)
            return run(plan, folder=folder, cold_start=bool(cold), report=report)
    except KeyboardInterrupt:
        _interrupted(folder, plan)
    except BlockFailed as error:
        fail(f"a block failed before its first case, so the run stopped; {error}", KERNEL_WRONG)


def _refuse_changes(options: Mapping[str, object]) -> None:
    """Refuse what would change the plan of a run that is resumed."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise InputError(f"--resume goes on with the plan as it was: leave out {choices(given)}")


def _interrupted(folder: Path, plan: Plan) -> NoReturn:
    done = len(plan.blocks) - len(left(folder, plan))
    if done:
        rebuild(folder)
    fail(
        f"stopped after {done} of {len(plan.blocks)} blocks, which are kept in {folder}; "
        f"go on with gdbench run --resume --output {folder}",
        INTERRUPTED,
    )


def _headline(plan: Plan, folder: Path, cold: list[ColdStart]) -> Text:
    seconds = sum(estimate_seconds(plan, block) for block in left(folder, plan)) + cold_starts.estimate_seconds(cold)
    starts = f"{counted(len(cold), 'cold start')} and " if cold else ""
    return Text.assemble(
        (f"Profile {plan.profile}", "bold"),
        f": {starts}"
        f"{counted(len(plan.cases), 'case')} in {counted(len(left(folder, plan)), 'block')}, "
        f"about {duration(seconds)} of measuring after the certificates; results in {folder}",
    )


def _show_plan(plan: Plan, folder: Path, cold: list[ColdStart], json_path: str | None) -> None:
    out, blocks = human_output(json_path), left(folder, plan)
    groups: dict[str, list[float]] = {}
    for block in blocks:
        first, cases = plan.cases[block.cases[0]], counted(len(block.cases), "case")
        name = f"{first.network} on {first.dataset}, {counted(block.threads, 'thread')}, {cases}"
        groups.setdefault(name, []).append(estimate_seconds(plan, block))
    for name, seconds in groups.items():
        out.print(f"{name}: {counted(len(seconds), 'block')} of about {duration(seconds[0])}")
    starting = cold_starts.estimate_seconds(cold)
    if cold:
        out.print(f"{counted(len(cold), 'cold start')}: about {duration(starting)}")
    total = starting + sum(sum(seconds) for seconds in groups.values())
    write_json(json_path, DryRun(len(plan.cases), len(blocks), len(cold), total, starting, str(folder)))
    out.print(
        f"{counted(len(plan.cases), 'case')}, {counted(len(blocks), 'block')}, about {duration(total)} of measuring "
        f"after the certificates, and up to a minute more where Numba has not compiled yet. "
        f"Results would go to {folder}. Nothing was measured or written.",
    )
