"""The README shows the committed runs as they are; ``python tests/house/test_readme.py --update`` writes them anew."""

import sys
from functools import cache
from pathlib import Path

import pytest

from gdbench.report import auto_check, cold_start
from gdbench.report.findings import CAUTION, sentences
from gdbench.report.limit_table import limit_tables
from gdbench.report.markdown import table_lines
from gdbench.report.peers_table import peer_sentences, peer_tables
from gdbench.report.process_spread import spread_tables
from gdbench.report.tables import speed_tables
from gdbench.run.folder import Run, read_run

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BEGIN, END = "<!-- {name}: begin", "<!-- {name}: end -->"
SHOWN = "mlp on mnist5k"


@cache
def committed(name: str) -> Run:
    return read_run(ROOT / "reports" / name)


def variants() -> str:
    """Picture, the table of one network, and the findings of the committed run against the peers."""
    run = committed("peers")
    table = next(table for table in speed_tables(run) if table.title.startswith(SHOWN))
    findings = "\n".join(f"- {sentence}" for sentence in sentences(run))
    picture = "![Time per row over batch size](reports/peers/time_per_row.png)"
    return "\n\n".join([_origin("peers", run), picture, table_lines(table), findings, CAUTION])


def peers() -> str:
    """Means, the table of one network and the fractions of the limit of the committed run against the peers."""
    run = committed("peers")
    table = next(table for table in peer_tables(run) if table.title.startswith(SHOWN))
    said = "\n".join(f"- {sentence}" for sentence in [*peer_sentences(run), *auto_check.sentences(run)])
    return "\n\n".join([_origin("peers", run), said, *map(table_lines, [table, *limit_tables(run)])])


def limits() -> str:
    """What the run of our variants alone shows: fractions of the limit, ranges over processes, cold starts."""
    run = committed("limits")
    said = "\n".join(f"- {sentence}" for sentence in cold_start.sentences(run))
    tables = [*limit_tables(run), *spread_tables(run), *cold_start.tables(run)[:1]]
    return "\n\n".join([_origin("limits", run), *map(table_lines, tables), said])


def selftest() -> str:
    """What the self-test of the verdicts found: everything of its report but what goes run by run."""
    text = (ROOT / "reports" / "selftest" / "report.md").read_text(encoding="utf-8")
    parts = [part.strip() for part in text.split("\n## ") if not part.startswith("# ")]
    kept = [part for part in parts if part.startswith(SELFTEST_PARTS)]
    picture = "![Rates of false alarms, and planted slowdowns](reports/selftest/selftest.png)"
    return "\n\n".join([picture, *(f"**{part.replace(chr(10), f'**{chr(10)}', 1)}" for part in kept)])


SELFTEST_PARTS = ("Nothing changed", "Planted slowdowns", "Commits that touch documentation alone", "A history of ")
SECTIONS = {"peers": peers, "limits": limits, "variants": variants, "selftest": selftest}
MARKS = dict.fromkeys(["peers", "variants"], pytest.mark.slow)
"""Reading the committed run against the peers takes ten seconds."""


def _origin(name: str, run: Run) -> str:
    folder = f"[reports/{name}](reports/{name}/report.md)"
    return f"From `{run.plan.command}` on {run.environment.date[:10]}; all of it in {folder}."


def split(name: str) -> tuple[str, str, str]:
    text = README.read_text(encoding="utf-8")
    begin, end = BEGIN.format(name=name), END.format(name=name)
    head, rest = text.split(begin, 1)
    marker, rest = rest.split("\n", 1)
    shown, tail = rest.split(end, 1)
    return head + begin + marker + "\n", shown.strip("\n"), end + tail


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in SECTIONS])
def test_readme_shows_the_committed_run_as_it_is(name: str) -> None:
    assert split(name)[1] == SECTIONS[name]()


@pytest.mark.parametrize("name", [pytest.param("peers", marks=pytest.mark.slow), "limits"])
def test_the_committed_run_is_whole_and_of_its_profile(name: str) -> None:
    run = committed(name)
    assert run.complete
    assert run.plan.profile == name
    assert (run.summary["status"] == "measured").all()


if __name__ == "__main__" and "--update" in sys.argv:
    for section, show in SECTIONS.items():
        before, _, after = split(section)
        README.write_text(f"{before}{show()}\n{after}", encoding="utf-8")
