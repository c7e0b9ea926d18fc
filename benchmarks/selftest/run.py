"""Measures how ``gdbench compare``, ``regressions`` and ``pick`` fare where the truth is known."""

from __future__ import annotations

import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # a script: its own folder is no package
    HERE = Path(__file__).resolve().parents[1]
    sys.path[:1] = [str(HERE.parent), str(HERE)]

import click

from selftest import ROOT
from selftest.context import Context
from selftest.histories import study
from selftest.picks import empirical_study, known_study
from selftest.picks import report as pick_report
from selftest.picks.cells import CELLS
from selftest.picks.family import FAMILY
from selftest.picks.findings import ORACLES, PICK_FOLDER, SIMULATED
from selftest.picks.simulated_truths import simulated_truth
from selftest.picks.truths import exact_truth
from selftest.simulated import simulation
from selftest.simulated.problems import PROBLEMS
from selftest.simulated.stored import FOLDER
from selftest.verdicts import documents, histories, planted, rivals, simulated_judge, unchanged
from selftest.verdicts.report import write_report

VERDICTS = ("judge", "unchanged", "rivals", "planted", "documentation", "history")
PICKS = ("oracles", "simulated", "empirical")
POOLED = {"judge", "labels", *PICKS}
"""Parts that have several processes, which SIGTERM ends at once by itself."""
TIERS_OF = {False: ("quick", "standard", "deep"), True: ("quick", "standard", "thorough")}
"""Tiers by whether a part is of the picks."""
NAMES_OF = {
    "oracles": tuple(FAMILY),
    "simulation": tuple(PROBLEMS),
    "simulated": tuple(PROBLEMS),
    "empirical": tuple(CELLS),
}
PARTS = (*VERDICTS, "labels", "simulation", *PICKS, "report")
EXAMPLES = """
\b
Examples:
  python benchmarks/selftest/run.py judge --suites 400
  python benchmarks/selftest/run.py unchanged rivals
  python benchmarks/selftest/run.py planted --kind natural --tier standard
  python benchmarks/selftest/run.py oracles --seeds 2 --only digits --folder oracles
  python benchmarks/selftest/run.py simulation --only wine-softmax
  python benchmarks/selftest/run.py labels --histories 200 --folder labels
  python benchmarks/selftest/run.py report
"""


@click.command(epilog=EXAMPLES)
@click.argument("parts", nargs=-1, required=True, type=click.Choice(PARTS))
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Findings; reports/pick-selftest for what is of picks (its folder simulated for simulation), "
    "else reports/selftest.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    default=Path(tempfile.gettempdir(), "gdbench-selftest"),
    help="Clones and compiled code; may be deleted, but a test that goes on needs it.",
)
@click.option(
    "--tier",
    type=click.Choice(["quick", "standard", "deep", "thorough"]),
    help="Quick for verdicts, which have no thorough one; standard for picks, which have no deep one.",
)
@click.option("--suites", default=200, show_default=True, help="Suites of each row of judge.")
@click.option("--histories", "count", default=100, show_default=True, help="Histories of each row of labels.")
@click.option("--runs", default=10, show_default=True, help="Suite runs of unchanged.")
@click.option("--pairs", default=5, show_default=True, help="Comparisons by each other tool.")
@click.option("--commits", default=10, show_default=True, help="Documentation-only commits.")
@click.option("--processes", default=7, show_default=True, help="Processes that establish how slow a mutant truly is.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(["shares", "natural"]), help="Planted slowdowns; both."
)
@click.option("--older-numpy", default=histories.OLD_NUMPY, show_default=True, help="Before the bump of the history.")
@click.option("--seed", default=0, show_default=True)
@click.option("--seeds", default=5, show_default=True, help="Searches of each problem by oracles and simulated.")
@click.option("--only", multiple=True, metavar="NAME", help="Problems or cells, of all parts but verdicts; all.")
@click.option(
    "--stage", "stages", multiple=True, type=click.Choice(empirical_study.STAGES), help="Stages of empirical; all."
)
@click.option(
    "--workers", default=2, show_default=True, help="Processes of judge, labels, oracles, simulated and empirical."
)
def main(
    parts: tuple[str, ...],
    folder: Path | None,
    scratch: Path,
    tier: str | None,
    suites: int,
    count: int,
    runs: int,
    pairs: int,
    commits: int,
    processes: int,
    kinds: tuple[str, ...],
    older_numpy: str,
    seed: int,
    seeds: int,
    only: tuple[str, ...],
    stages: tuple[str, ...],
    workers: int,
) -> None:
    """Measure PARTS one after another; what has been measured already is not measured again."""

    def say(text: str) -> None:
        click.echo(text, err=True)

    _check(parts, tier, only)
    if not POOLED & {*parts}:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # the comparison that is measured just now ends too
    own = folder.resolve() if folder else None
    verdicts = Context(scratch.resolve(), own or ROOT / "reports" / "selftest", seed, tier or "quick", say)
    picks = Context(scratch.resolve(), own or PICK_FOLDER, seed, tier or "standard", click.echo)
    steps = {
        "judge": lambda: simulated_judge.measure(verdicts, suites, workers),
        "labels": lambda: study.measure(verdicts, count, workers),
        "unchanged": lambda: unchanged.measure(verdicts, runs),
        "rivals": lambda: rivals.measure(verdicts, pairs),
        "planted": lambda: planted.measure(verdicts, kinds or ("shares", "natural"), processes),
        "documentation": lambda: documents.measure(verdicts, commits),
        "history": lambda: histories.measure(verdicts, older_numpy),
        "oracles": lambda: known_study.measure(
            picks,
            ORACLES,
            partial(exact_truth, path=known_study.truths_file(picks.folder)),
            names=only or tuple(FAMILY),
            seeds=range(seed, seed + seeds),
            workers=workers,
        ),
        "simulation": lambda: simulation.measure(only, own or FOLDER, seed, click.echo),
        "simulated": lambda: known_study.measure(
            picks,
            SIMULATED,
            simulated_truth,
            names=only or tuple(PROBLEMS),
            seeds=range(seed, seed + seeds),
            workers=workers,
        ),
        "empirical": lambda: empirical_study.measure(picks, stages, only, workers),
        "report": lambda: None,
    }
    for part in parts:
        steps[part]()
        if part in VERDICTS or (part == "report" and not (own and pick_report.is_measured(own))):
            verdicts.say(f"report: {write_report(verdicts.folder)}")
        if part in PICKS or (part == "report" and pick_report.is_measured(picks.folder)):
            picks.say(f"report: {pick_report.write_report(picks.folder)}")


def _check(parts: tuple[str, ...], tier: str | None, only: tuple[str, ...]) -> None:
    """Refuse what the parts do not know, before anything is measured."""
    for part in parts:
        tiers, names = TIERS_OF[part in PICKS], NAMES_OF.get(part, ())
        if part not in ("report", "simulation") and tier is not None and tier not in tiers:
            raise click.BadParameter(f"{part} has no tier {tier}: choose {', '.join(tiers)}", param_hint="--tier")
        unknown = [name for name in only if name not in names]
        if part in NAMES_OF and unknown:
            raise click.BadParameter(f"{part} has no {unknown[0]}: choose {', '.join(names)}", param_hint="--only")


if __name__ == "__main__":
    main()
