"""The README shows the example run as it is; ``python tests/test_readme.py --update`` writes it anew."""

import sys
from pathlib import Path

from gdbench.findings import CAUTION, sentences
from gdbench.markdown import table_lines
from gdbench.records import read_run
from gdbench.tables import speed_tables

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- example: begin", "<!-- example: end -->"
SHOWN = "mlp on mnist5k"


def example() -> str:
    """Picture, the table of one network, and the findings of the committed example run."""
    run = read_run(ROOT / "reports" / "example")
    table = next(table for table in speed_tables(run) if table.title.startswith(SHOWN))
    findings = "\n".join(f"- {sentence}" for sentence in sentences(run))
    return "\n\n".join(
        [
            f"From `{run.plan.command}` on {run.environment['date'][:10]}; all of it in "
            "[reports/example](reports/example/report.md).",
            "![Time per row over batch size](reports/example/time_per_row.png)",
            table_lines(table),
            findings,
            CAUTION,
        ]
    )


def split() -> tuple[str, str, str]:
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN, 1)
    marker, rest = rest.split("\n", 1)
    shown, tail = rest.split(END, 1)
    return head + BEGIN + marker + "\n", shown.strip("\n"), END + tail


def test_readme_shows_the_example_run_as_it_is() -> None:
    assert split()[1] == example()


def test_the_example_is_whole_and_of_the_default_profile() -> None:
    run = read_run(ROOT / "reports" / "example")
    assert run.complete
    assert run.plan.profile == "quick"
    assert (run.summary["status"] == "measured").all()


if __name__ == "__main__" and "--update" in sys.argv:
    head, _, tail = split()
    README.write_text(f"{head}{example()}\n{tail}", encoding="utf-8")
