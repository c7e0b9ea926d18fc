"""README and findings show the committed runs as they are; ``test_readme.py --update`` writes them anew."""

import re
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from gdbench.basics.units import times_within
from gdbench.machine.environment import Environment
from gdbench.report import auto_check, cold_start
from gdbench.report.auto_check import auto_table
from gdbench.report.leads import lead_in_words, leads, mean_lead
from gdbench.report.markdown import table_lines
from gdbench.report.overview_tables import lead_tables, limit_tables
from gdbench.report.peers_table import peer_sentences, peer_tables
from gdbench.report.pictures import draw_times, write_figure
from gdbench.report.process_spread import spread_tables
from gdbench.report.tables import Table, speed_tables
from gdbench.report.winners import CAUTION, winners_table
from gdbench.run.folder import Run, read_run
from gdbench.views.drawing import default_style

ROOT = Path(__file__).parents[2]
README, FINDINGS = ROOT / "README.md", ROOT / "docs" / "findings.md"
MAX_LINES, MAX_ROWS = 170, 12
"""Largest README, and largest table in it: it is read in two minutes."""
BEGIN, END = "<!-- {name}: begin", "<!-- {name}: end -->"
AGAINST_PEERS = ("peers", "peers-avx2", "shapes")
"""Committed runs against the peers: a profile, and after a hyphen what the libraries were held to."""
SHOWN, SHOWN_DTYPE = "mlp on mnist5k", "float32"
SHOWN_ROWS = ("our fastest", "fastest peer", "speed, peer = 1x")
PANELS = [("mlp", "mnist5k"), ("linear", "diabetes")]
PICTURE = ROOT / "docs" / "pictures" / "time_per_row.png"
SELFTEST, PICKS = ("reports/selftest/report.md", "reports/pick-selftest/report.md")


@cache
def committed(name: str) -> Run:
    return read_run(ROOT / "reports" / name)


def variants() -> str:
    """The fastest of each network of the committed run against the peers, its picture, and the table of one network."""
    run = committed("peers")
    table = next(table for table in speed_tables(run) if table.title.startswith(SHOWN))
    fastest = winners_table(run)
    assert fastest is not None
    picture = "![Time per row over batch size](../reports/peers/time_per_row.png)"
    return "\n\n".join([_origin("peers", run), table_lines(fastest), CAUTION, picture, table_lines(table)])


def leads_of_runs(above: str = "../") -> str:
    """A row for each committed run against the peers: its mean lead, its least lead, and how often auto was right."""
    head = ("run", "cells", "our fastest, fastest peer = 1x", "at batch size 1", "least", "auto within 10 % of best")
    rows = tuple(_lead_row(name, committed(name), above) for name in AGAINST_PEERS)
    return "\n".join(table_lines(Table("", head, rows, best=None)).splitlines()[2:])


def _lead_row(name: str, run: Run, above: str) -> tuple[str, ...]:
    cells = leads(run)
    known = cells[cells["speedup_vs_best_peer"].notna()]
    least = known.loc[known["speedup_vs_best_peer"].idxmin()]
    of_vectors = run.environment.vector_bytes
    auto = auto_table(run.summary, run.plan.networks, of_vectors)["within"] if of_vectors else None
    return (
        f"[{name}]({above}reports/{name}/report.md), {run.environment.date[:10]}: {processor(run.environment)}",
        f"{len(known)}" if len(known) == len(cells) else f"{len(known)} of {len(cells)} (others: lead unknown)",
        times_within(*mean_lead(run, known)[:3]),
        times_within(*mean_lead(run, known[known["batch_size"] == 1])[:3]),
        f"{lead_in_words(least)}\n{least['network']}, {least['dtype']}, B={least['batch_size']}",
        "not recorded" if auto is None else f"{auto.sum()} of {len(auto)}",
    )


def against_peers(name: str) -> str:
    """Means, leads and fractions of the limit of a committed run against the peers."""
    run = committed(name)
    said = "\n".join(f"- {sentence}" for sentence in [*peer_sentences(run), *auto_check.sentences(run)])
    where = f"Measured on {processor(run.environment)}."
    return "\n\n".join([_origin(name, run), where, said, *map(table_lines, [*lead_tables(run), *limit_tables(run)])])


def processor(environment: Environment) -> str:
    """The processor and what of it was used."""
    held_to = {"haswell": "AVX2", "nehalem": "SSE4"}.get((environment.settings or {}).get("NUMBA_CPU_NAME", ""))
    if held_to:
        return f"{environment.cpu} held to {held_to}"
    return f"{environment.cpu} with AVX-512" if environment.vector_bytes == 64 else environment.cpu


def limits() -> str:
    """What the run of our variants alone shows: fractions of the limit, ranges over processes, cold starts."""
    run = committed("limits")
    said = "\n".join(f"- {sentence}" for sentence in cold_start.sentences(run))
    tables = [*limit_tables(run), *spread_tables(run), *cold_start.tables(run)[:1]]
    return "\n\n".join([_origin("limits", run), *map(table_lines, tables), said])


def selftest() -> str:
    """What the self-test of the verdicts found: everything of its report but what goes run by run."""
    parts = {title: part for title, part in _sections(SELFTEST).items() if title.startswith(SELFTEST_PARTS)}
    picture = "![Rates of false alarms, and planted slowdowns](../reports/selftest/selftest.png)"
    return "\n\n".join([picture, *(f"**{title}**\n\n{part}" for title, part in parts.items())])


def picks() -> str:
    """What the self-test of the picks found, on known problems and on real data, beside what fixed rules cost."""
    parts = {title: part for title, part in _sections(PICKS).items() if title.startswith(PICKS_PARTS)}
    return "\n\n".join(
        [
            "![Regrets of picks](../reports/pick-selftest/picks.png)",
            *(f"**{title}**\n\n{part}" for title, part in parts.items()),
        ]
    )


def speed() -> str:
    """Speed against the peers, for the README: a row for each run, and one network on each kind of processor."""
    return f"{leads_of_runs('')}\n\n{table_lines(_shown_network())}"


def _shown_network() -> Table:
    """Times of our fastest and of the fastest peer of one network, and their ratio, in each run of its profile."""
    found = {}
    for name in AGAINST_PEERS:
        if name.startswith("peers"):
            run = committed(name)
            table = next(table for table in peer_tables(run) if table.title.startswith(SHOWN))
            found[processor(run.environment)] = table
    (head,) = {table.head[2:] for table in found.values()}
    (title,) = {table.title for table in found.values()}
    rows = tuple(
        (where, row[0], *row[2:])
        for where, table in found.items()
        for row in table.rows
        if row[0] in SHOWN_ROWS and row[1] == SHOWN_DTYPE
    )
    return Table(f"{title}, in {SHOWN_DTYPE}", ("processor", "", *head), rows, best=None)


def picture(path: Path) -> None:
    """Draw what the README shows of the committed run against the peers: two networks in float32, readable there."""
    run = committed("peers")
    shown = run.summary.set_index(["network", "dataset"]).index.isin(PANELS) & (run.summary["dtype"] == "float32")
    write_figure(draw_times(replace(run, summary=run.summary[shown]), Figure()), path)


def belief() -> str:
    """How far verdicts and picks can be believed, in figures of the committed reports."""
    verdicts, picks = _sections(SELFTEST), _sections(PICKS)
    alarms = "; ".join(
        f"`{tool}` {count} (at most {bound})" for tool, count, _, bound, *_ in _rows(verdicts["Nothing changed"])
    )
    studies = next(text for title, text in verdicts.items() if title.startswith("Simulated comparisons"))
    simulated = _rows(studies.split("\nEvery case slower by the same:")[0])
    per_case, holds, found_smallest = ([_number(row[column]) for row in simulated] for column in (3, 7, 8))
    loud = max((row[4] for row in simulated), key=lambda cell: int(cell.split(" of ")[0].replace(",", "")))
    planted = {row[0]: row for row in _rows(verdicts["Planted slowdowns, tier quick"])}  # the last holds all pairs
    found = "; ".join(f"{size}: {count}" for size, _, count, *_ in planted.values())
    unchanged = sum(int(row[5].split(" of ")[0]) for row in planted.values())
    rules = ", ".join(  # the first row is of the picks
        f"{_rule(rule)} {_times_as_long(median)}" for rule, median, *_ in _rows(picks["Fixed rules on real data"])[1:]
    )
    cells = len(_rows(picks["By cell and variant"]))
    real = [_rows(part) for part in picks["Real data"].split(" picks; ")[1:]]
    counts = [re.findall(r"(\d+)$", part)[0] for part in picks["Real data"].split(" picks; ")[:-1]]
    everywhere, untuned = (
        f"{rows[0][1]} and {rows[1][1]} longer ({count} picks)" for rows, count in zip(real, counts, strict=True)
    )
    return "\n".join(
        [
            f"- **Simulated comparisons** of 150 cases each, in {len(simulated)} kinds of noise and of bias: false "
            f"alarms in at most {max(per_case):.2g} % of the cases and {loud} suites of any kind; intervals hold the "
            f"truth in {min(holds):.3g} to {max(holds):.3g} %, and the smallest slowdown that a run "
            f"says it finds nine times of ten is found in {min(found_smallest):.3g} to {max(found_smallest):.3g} %.",
            f"- **False alarms on real builds of one commit**, upper bounds at 95 %: {alarms}. Most verdicts of "
            "`--quick` are settled by its screen, which cannot alarm.",
            f"- **Planted slowdowns found by `--quick`:** {found}. Called unchanged: {unchanged}.",
            "- **Picks on real data**, time to the target in the median and at the 90th percentile, against the best "
            f"batch size and learning rate of an exhaustive search: {everywhere}; on data that nothing was "
            f"tuned on, {untuned}.",
            f"- **Fixed rules in place of a pick**: time to the target, in the median over {cells} trainings on real "
            f"data, against the best batch size, which an exhaustive search found: {rules}.",
        ]
    )


def _number(cell: str) -> float:
    """Return the number of a cell such as ``94.7 %``."""
    return float(cell.removesuffix(" %"))


def _rule(name: str) -> str:
    """What a fixed rule takes, in a sentence."""
    words = {"90 % of the throughput": "the smallest batch with 90 % of the most rows per second"}
    return f"batches of {name}" if name.isdigit() else words.get(name, name)


def _times_as_long(regret: str) -> str:
    """Ratio of a time to the best, of what it is longer in per cent; two digits, as their medians are no surer."""
    return f"{1 + float(regret.removesuffix(' %')) / 100:.2g} times as long"


def _sections(report: str) -> dict[str, str]:
    """Text of a committed report below each of its headings."""
    parts = (ROOT / report).read_text(encoding="utf-8").split("\n## ")[1:]
    return {title: text.strip() for title, _, text in (part.partition("\n") for part in parts)}


def _rows(text: str) -> list[list[str]]:
    """Cells of the first table in a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


SELFTEST_PARTS = ("Nothing changed", "Planted slowdowns", "Commits that touch documentation alone", "A history of ")
PICKS_PARTS = ("Problems whose steps are known", "Fixed rules on", "Real data")
SECTIONS = {
    "leads": (FINDINGS, leads_of_runs),
    **{name: (FINDINGS, partial(against_peers, name)) for name in AGAINST_PEERS},
    "limits": (FINDINGS, limits),
    "variants": (FINDINGS, variants),
    "selftest": (FINDINGS, selftest),
    "picks": (FINDINGS, picks),
    "speed": (README, speed),
    "belief": (README, belief),
}
MARKS = dict.fromkeys([*AGAINST_PEERS, "leads", "variants", "speed"], pytest.mark.slow)
"""Reading a committed run against the peers takes ten seconds."""


def _origin(name: str, run: Run, above: str = "../") -> str:
    folder = f"[reports/{name}]({above}reports/{name}/report.md)"
    return f"From `{run.plan.command}` on {run.environment.date[:10]}; all of it in {folder}."


def split(name: str) -> tuple[str, str, str]:
    text = SECTIONS[name][0].read_text(encoding="utf-8")
    begin, end = BEGIN.format(name=name), END.format(name=name)
    head, rest = text.split(begin, 1)
    marker, rest = rest.split("\n", 1)
    shown, tail = rest.split(end, 1)
    return head + begin + marker + "\n", shown.strip("\n"), end + tail


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in SECTIONS])
def test_a_document_shows_the_committed_runs_as_they_are(name: str) -> None:
    assert split(name)[1] == SECTIONS[name][1]()


def test_the_readme_is_read_in_two_minutes() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert tables
    assert max(len(table.splitlines()) - 2 for table in tables) <= MAX_ROWS


@pytest.mark.parametrize("name", [*(pytest.param(name, marks=pytest.mark.slow) for name in AGAINST_PEERS), "limits"])
def test_the_committed_run_is_whole_and_of_its_profile(name: str) -> None:
    run = committed(name)
    assert run.complete
    assert run.plan.profile == name.partition("-")[0]
    assert (run.summary["status"] == "measured").all()


if __name__ == "__main__" and "--update" in sys.argv:
    for section, (document, show) in SECTIONS.items():
        before, _, after = split(section)
        document.write_text(f"{before}{show()}\n{after}", encoding="utf-8")
    with default_style():
        picture(PICTURE)
