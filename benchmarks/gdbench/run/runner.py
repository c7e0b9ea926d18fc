"""A run from its plan to its tables: certificates, cold starts, blocks, summary."""

from __future__ import annotations

from pathlib import Path

from gdbench.basics import records
from gdbench.basics.folders import check_empty, own_folder, writing
from gdbench.basics.storage import check_writable
from gdbench.cold_start import measure as cold_starts
from gdbench.machine.environment import Environment, check_same_machine, observe
from gdbench.machine.fingerprint import fingerprint
from gdbench.machine.settings import check_settings
from gdbench.run.events import AllCertified, Certified, ColdStartBegun, Described, ReportEvent
from gdbench.run.execute import execute, left
from gdbench.run.folder import Run, certificates_file, read_run, write_tables
from gdbench.run.plan import FILE, Plan, read_plan, write_plan
from gdbench.run.raw import published, read_failures, remember_failure
from gdbench.run.summary import identity
from gdbench.verify.certificates import certify_all, jobs_of
from kernels import InputError

NOT_EMPTY = "add --resume to go on with a run in it, or name a new folder"


def run(plan: Plan, *, folder: Path, cold_start: bool = False, report: ReportEvent = lambda event: None) -> Run:
    """Measure a plan and return what was found, which is also in ``folder``.

    Every variant is certified first, and cases of one that is refused are not timed. Each block is on disk before the
    next begins, so a run that was stopped goes on with ``resume``. The tables are written, the report and its pictures
    are not: ``gdbench.report.build.write_report`` writes them for a run that is returned.

    Parameters
    ----------
    plan : Plan
        What is measured, of ``gdbench.run.plan.plan_profile`` or ``make_plan``.
    folder : Path
        Folder of the run; it is made, or must be empty.
    cold_start : bool
        Whether imports, compilation and first calls are measured too.
    report : callable
        Hears an event of ``gdbench.run.events`` whenever something has happened.

    Returns
    -------
    Run
        Its ``summary`` is a pandas table with a row per case, as in ``summary.csv``.

    Raises
    ------
    InputError
        If the folder is not empty, cannot be written, or another command writes into it; if Numba cannot be measured
        as it is set, or this machine not be described.
    BlockFailed
        If a block's process fails before it comes to a case.

    Examples
    --------
    >>> from gdbench.experiments.grid import Filters
    >>> from gdbench.run import run
    >>> from gdbench.run.plan import plan_profile
    >>> plan = plan_profile("smoke", Filters(network=("logistic",), variant=("reference", "jit")))
    >>> found = run(plan, folder=Path("reports/mine"), report=print)  # doctest: +SKIP
    >>> found.summary[["variant", "batch_size", "seconds"]]  # doctest: +SKIP
    """
    check_settings()
    with own_folder(folder, refusal=NOT_EMPTY):
        write_plan(folder, plan)
        if cold_start:
            cold_starts.promise(folder)
        return _measure(plan, folder, report)


def resume(folder: Path, *, report: ReportEvent = lambda event: None) -> Run:
    """Go on with a run that was stopped, and return what was found.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    report : callable
        Hears events, as that of ``run``.

    Raises
    ------
    InputError
        If there is no run, if it was begun with other code or on another machine, or another command goes on with it;
        and as ``run`` does for settings and machine.
    BlockFailed
        If a block's process fails before it comes to a case.
    """
    check_settings()
    plan = resumable_plan(folder)
    with own_folder(folder):
        return _measure(plan, folder, report)


def resumable_plan(folder: Path) -> Plan:
    """Return the plan of a run, refused when the code has changed that the stored blocks depend on."""
    plan = read_plan(folder)
    if published(folder):
        raise InputError(f"the run in {folder} was published without its raw files: start a new run")
    if plan.fingerprint != fingerprint():
        raise InputError(
            f"the code has changed since {folder} was begun: start a new run, so that no table mixes versions"
        )
    return plan


def unfinished(parent: Path = Path("reports")) -> Path:
    """Return the newest run below a folder that has blocks left, or raise InputError."""
    plans = sorted(parent.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in plans:
        if left(path.parent, read_plan(path.parent)):
            return path.parent
    raise InputError(f"no run below {parent}/ has blocks left: start one, or name its folder with --output")


def check_free(folder: Path) -> None:
    """Raise InputError unless a new run can be written into a folder."""
    check_writable(folder)
    check_empty(folder, NOT_EMPTY)


def _measure(plan: Plan, folder: Path, report: ReportEvent) -> Run:
    """Measure what is left, and derive the tables."""
    with writing(folder):
        (folder / "raw").mkdir(exist_ok=True)
    _describe(plan, folder, report)
    _certify(plan, folder, report)
    cold_starts.measure_left(
        folder,
        plan.cases,
        plan.networks,
        failed=read_failures(folder),
        report=lambda job: report(ColdStartBegun(job)),
    )
    execute(folder, plan, report)
    found = read_run(folder)
    write_tables(found)
    return found


def _describe(plan: Plan, folder: Path, report: ReportEvent) -> None:
    """Store the machine's description, or see that it is still the same."""
    environment = observe(max(block.threads for block in plan.blocks))
    known = folder / "environment.json"
    if known.exists():
        check_same_machine(records.read(known, Environment, remedy="start a new run"), environment)
    else:
        with writing(folder):
            records.write(known, environment)
    report(Described(environment))


def _certify(plan: Plan, folder: Path, report: ReportEvent) -> None:
    """Store the certificates; note the cases that must not be timed."""
    rows = certify_all(jobs_of(plan.cases, plan.networks), lambda row: report(Certified(row)))
    with writing(folder):
        records.write(certificates_file(folder), rows)
    report(AllCertified(tuple(rows)))
    refused = {identity(row): row.refusal for row in rows if not row.certified}
    for case in plan.cases:
        reason = refused.get(identity(case))
        if reason is not None:
            remember_failure(folder, case.id, reason)
