"""``gdbench run``: measure the grid."""

from __future__ import annotations

import json
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from gdbench.basics.exit_codes import INTERRUPTED, KERNEL_WRONG, OK
from gdbench.basics.storage import check_writable, write_text
from gdbench.basics.units import digits, duration
from gdbench.cli import cold_start as cold_start_in_terminal
from gdbench.cli.check import certificate_table, certify
from gdbench.cli.console import fail, human_output, json_option, stderr, write_json
from gdbench.cli.filters import filter_options
from gdbench.cli.live import watch
from gdbench.cli.show import exit_code, show, summary_json
from gdbench.cold_start import measure as cold_measure
from gdbench.experiments.grid import Filters, expand, profile
from gdbench.machine.environment import check_same_machine, observe, one_line
from gdbench.machine.fingerprint import fingerprint
from gdbench.processes.launch import check_threads
from gdbench.report.build import rebuild
from gdbench.run import left_out
from gdbench.run.execute import BlockFailed, execute, left, new_folder, remember_failure, unfinished
from gdbench.run.plan import Plan, estimate_seconds, make_plan, read_plan, write_plan
from gdbench.verify.certificates import all_certified, for_json, jobs_of, refusal
from kernels import InputError
from kernels.errors import choices
from kernels.validation import check_seed

EXAMPLES = """
Examples:

\b
  gdbench run
  gdbench run --profile regular --network mlp --variant jit,buffered
  gdbench run --network softmax --batch-size 16,64,n --dtype float32
  gdbench run --resume
"""
DEFAULT_PROFILE = "quick"


@click.command("run", epilog=EXAMPLES)
@click.option("--profile", "profile_name", show_default=DEFAULT_PROFILE, help="How much to measure; see gdbench list.")
@filter_options()
@click.option("--seed", type=int, default=None, help="Of the order of blocks and cases; drawn anew if not given.")
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
    if resume:
        given = {"profile": profile_name, "seed": seed is not None, "cold_start": with_cold_start is not None}
        folder = _resumed(output, filters | given)
        plan = read_plan(folder)
        cold = cold_measure.left(folder, plan.cases)
    else:
        plan = _planned(profile_name or DEFAULT_PROFILE, seed, filters)
        folder = output or new_folder(plan.profile)
        _check_free(folder)
        wanted = profile(plan.profile).cold_start if with_cold_start is None else with_cold_start
        cold = cold_measure.jobs_of(plan.cases) if wanted else []
    if dry_run:
        _show_plan(plan, folder, cold, json_path)
        return OK
    if not resume:
        _create(folder, plan, cold)
    stderr.print(_headline(plan, folder, cold), highlight=False, soft_wrap=True)
    for remark in left_out.sentences(plan, filters.get("batch_size", ()), filters.get("variant", ())):
        stderr.print(remark, style="yellow", highlight=False, markup=False, soft_wrap=True)
    try:
        _certify(folder, plan)
        cold_start_in_terminal.measure(folder, plan)
        with watch(plan, folder) as report:
            execute(folder, plan, report)
    except KeyboardInterrupt:
        _interrupted(folder, plan)
    except BlockFailed as error:
        fail(f"a block failed before its first case, so the run stopped; {error}", KERNEL_WRONG)
    run = rebuild(folder)
    summary_json(json_path, run)
    show(run, human_output(json_path))
    cold_start_in_terminal.show(run, human_output(json_path))
    return exit_code(run)


def _planned(profile_name: str, seed: int | None, filters: dict[str, Any]) -> Plan:
    chosen = profile(profile_name)
    cases = expand(chosen, Filters(**filters))
    check_seed(0 if seed is None else seed)
    check_threads(max(case.threads for case in cases))
    return make_plan(
        cases,
        profile=profile_name,
        command=shlex.join(["gdbench", *sys.argv[1:]]),
        rounds=chosen.blocks,
        case_seconds=chosen.case_seconds,
        seed=secrets.randbits(32) if seed is None else seed,
    )


def _resumed(output: Path | None, changes: dict[str, Any]) -> Path:
    """Folder to go on with, refused when anything has changed that the stored blocks depend on."""
    given = [f"--{name.replace('_', '-')}" for name, value in changes.items() if value]
    if given:
        raise InputError(f"--resume goes on with the plan as it was: leave out {choices(given)}")
    folder = output or unfinished()
    if read_plan(folder).fingerprint != fingerprint():
        raise InputError(
            f"the code has changed since {folder} was begun: start a new run, so that no table mixes versions"
        )
    return folder


def _check_free(folder: Path) -> None:
    check_writable(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: add --resume to go on with a run in it, or name a new folder")


def _create(folder: Path, plan: Plan, cold: list[cold_measure.Job]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(folder, plan)
        if cold:
            cold_measure.promise(folder)
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}): name a folder that you own") from error


def _certify(folder: Path, plan: Plan) -> None:
    """Store the machine's description and the certificates; note the cases that must not be timed."""
    (folder / "raw").mkdir(exist_ok=True)
    environment = observe(max(block.threads for block in plan.blocks))
    known = folder / "environment.json"
    if known.exists():
        check_same_machine(json.loads(known.read_text(encoding="utf-8")), environment)
    else:
        write_text(known, json.dumps(environment, indent=1) + "\n")
    stderr.print(one_line(environment), highlight=False, style="dim", soft_wrap=True)
    rows = certify(jobs_of(plan.cases, plan.networks))
    write_text(folder / "certificates.json", json.dumps(for_json(rows), indent=1) + "\n")
    stderr.print(_verdict(rows), highlight=False)
    wrong = {(r["variant"], r["network"], r["dataset"], r["dtype"]): refusal(r) for r in rows if not r["certified"]}
    for case in plan.cases:
        reason = wrong.get((case.variant, case.network, case.dataset, case.dtype))
        if reason is not None:
            remember_failure(folder, case.id, reason)


def _verdict(rows: list[dict[str, Any]]) -> Any:
    """One line when all is well, the worst certificates when not."""
    if not all_certified(rows):
        return certificate_table(rows)
    strain = max(row["max_error"] / row["tolerance"] for row in rows if row["tolerance"])
    return (
        f"[green]All {len(rows)} certificates granted[/]: the worst error is {digits(100 * strain)} % of its tolerance."
    )


def _interrupted(folder: Path, plan: Plan) -> None:
    done = len(plan.blocks) - len(left(folder, plan))
    if done:
        rebuild(folder)
    fail(
        f"stopped after {done} of {len(plan.blocks)} blocks, which are kept in {folder}; "
        f"go on with gdbench run --resume --output {folder}",
        INTERRUPTED,
    )


def _headline(plan: Plan, folder: Path, cold: list[cold_measure.Job]) -> str:
    seconds = sum(estimate_seconds(plan, block) for block in left(folder, plan)) + cold_measure.estimate_seconds(cold)
    return (
        f"[bold]Profile {plan.profile}[/]: {f'{len(cold)} cold starts and ' if cold else ''}"
        f"{len(plan.cases)} cases in {len(left(folder, plan))} blocks, "
        f"about {duration(seconds)} of measuring after the certificates; results in {folder}"
    )


def _show_plan(plan: Plan, folder: Path, cold: list[cold_measure.Job], json_path: str | None) -> None:
    out, blocks = human_output(json_path), left(folder, plan)
    groups: dict[str, list[float]] = {}
    for block in blocks:
        first, plural = plan.cases[block.cases[0]], "s" if block.threads > 1 else ""
        name = f"{first.network} on {first.dataset}, {block.threads} thread{plural}, {len(block.cases)} cases"
        groups.setdefault(name, []).append(estimate_seconds(plan, block))
    for name, seconds in groups.items():
        out.print(f"{name}: {len(seconds)} blocks of about {duration(seconds[0])}", highlight=False)
    starting = cold_measure.estimate_seconds(cold)
    if cold:
        out.print(f"{len(cold)} cold starts: about {duration(starting)}", highlight=False)
    total = starting + sum(sum(seconds) for seconds in groups.values())
    counts = {
        **{"cases": len(plan.cases), "blocks": len(blocks), "cold_starts": len(cold)},
        **{"estimated_seconds": total, "cold_start_seconds": starting, "folder": str(folder)},
    }
    write_json(json_path, counts)
    out.print(
        f"{len(plan.cases)} cases, {len(blocks)} blocks, about {duration(total)} of measuring after the "
        f"certificates, and up to 20 s more where Numba has not compiled yet. Results would go to {folder}. "
        "Nothing was measured or written.",
        highlight=False,
    )
