"""Measures how the verdicts of ``gdbench compare`` and ``gdbench regressions`` fare on this machine."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":  # a script: its own folder is no package
    HERE = Path(__file__).resolve().parents[1]
    sys.path[:1] = [str(HERE.parent), str(HERE)]

import click

from selftest import documents, histories, planted, rivals, unchanged
from selftest.context import Context
from selftest.report import write_report
from selftest.tree import ROOT

PARTS = ("unchanged", "rivals", "planted", "documentation", "history", "report")
EXAMPLES = """
\b
Examples:
  python benchmarks/selftest/run.py unchanged rivals
  python benchmarks/selftest/run.py planted --kind natural --tier standard
  python benchmarks/selftest/run.py report
"""


@click.command(epilog=EXAMPLES)
@click.argument("parts", nargs=-1, required=True, type=click.Choice(PARTS))
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "reports" / "selftest", help="Findings.")
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    default=Path(tempfile.gettempdir(), "gdbench-selftest"),
    help="Clones and compiled code; may be deleted, but a test that goes on needs it.",
)
@click.option("--tier", type=click.Choice(["quick", "standard", "deep"]), default="quick", show_default=True)
@click.option("--runs", default=10, show_default=True, help="Suite runs of unchanged.")
@click.option("--pairs", default=5, show_default=True, help="Comparisons by each other tool.")
@click.option("--commits", default=10, show_default=True, help="Documentation-only commits.")
@click.option("--processes", default=7, show_default=True, help="Processes that establish how slow a mutant truly is.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(["shares", "natural"]), help="Planted slowdowns; both."
)
@click.option("--older-numpy", default=histories.OLD_NUMPY, show_default=True, help="Before the bump of the history.")
@click.option("--seed", default=0, show_default=True)
def main(
    parts: tuple[str, ...],
    folder: Path,
    scratch: Path,
    tier: str,
    runs: int,
    pairs: int,
    commits: int,
    processes: int,
    kinds: tuple[str, ...],
    older_numpy: str,
    seed: int,
) -> None:
    """Measure PARTS one after another; what has been measured already is not measured again."""
    context = Context(scratch.resolve(), folder.resolve(), seed, tier, lambda text: click.echo(text, err=True))
    steps = {
        "unchanged": lambda: unchanged.measure(context, runs),
        "rivals": lambda: rivals.measure(context, pairs),
        "planted": lambda: planted.measure(context, kinds or ("shares", "natural"), processes),
        "documentation": lambda: documents.measure(context, commits),
        "history": lambda: histories.measure(context, older_numpy),
        "report": lambda: None,
    }
    for part in parts:
        steps[part]()
        context.say(f"report: {write_report(context.folder)}")


if __name__ == "__main__":
    main()
