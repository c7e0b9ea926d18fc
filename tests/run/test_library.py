"""A run from Python: planned, measured, told in events, stopped and resumed, without a command."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from gdbench.cold_start.entries import write_entries
from gdbench.experiments.grid import Filters
from gdbench.report.build import write_report
from gdbench.run import run
from gdbench.run.events import (
    AllCertified,
    BlockBegun,
    BlockEnded,
    CaseBegun,
    CaseEnded,
    Certified,
    Described,
    Event,
)
from gdbench.run.folder import Run, write_tables
from gdbench.run.plan import make_plan, plan_profile, write_plan
from gdbench.run.raw import block_files, remember_failure
from gdbench.run.runner import resume
from kernels import InputError

VARIANTS = ("reference", "vectorized")
FILTERS = Filters(network=("logistic",), variant=VARIANTS, task=("gradient",), batch_size=("n",), dtype=("float64",))
BLOCKS = 2


class Stop(Exception):
    """What whoever hears a run may raise to stop it."""


@dataclass(frozen=True)
class Heard:
    """A run that was stopped after its first block, and resumed: what was told before and after, and what came out."""

    folder: Path
    first: list[Event]
    kept: dict[str, bytes]
    second: list[Event]
    found: Run


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    planned = plan_profile("smoke", FILTERS, seed=0)
    plan = make_plan(list(planned.cases), profile="smoke", command="", rounds=BLOCKS, case_seconds=0.001, seed=0)
    folder = tmp_path_factory.mktemp("library") / "run"
    first, second = list[Event](), list[Event]()

    def stop(event: Event) -> None:
        first.append(event)
        if isinstance(event, BlockEnded):
            raise Stop

    with pytest.raises(Stop):
        run(plan, folder=folder, report=stop)
    kept = {path.name: path.read_bytes() for path in block_files(folder)}
    return Heard(folder, first, kept, second, resume(folder, report=second.append))


def _kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


def test_events_tell_each_stage_in_its_order(heard: Heard) -> None:
    certified = [Described, *[Certified] * len(VARIANTS), AllCertified]
    block = [BlockBegun, *[CaseBegun, CaseEnded] * len(VARIANTS), BlockEnded]
    assert _kinds(heard.first) == [*certified, *block]
    assert _kinds(heard.second) == [*certified, *block]
    assert [event.index for event in (*heard.first, *heard.second) if isinstance(event, BlockEnded)] == [0, 1]


def test_certificates_are_told_as_they_are_stored(heard: Heard) -> None:
    (everything,) = (event for event in heard.second if isinstance(event, AllCertified))
    assert [event.row for event in heard.second if isinstance(event, Certified)] == [*everything.rows]
    stored = heard.found.certificates[["variant", "max_error"]].to_dict("records")
    assert stored == [{"variant": row.variant, "max_error": row.max_error} for row in everything.rows]


def test_what_was_measured_before_a_stop_is_kept(heard: Heard) -> None:
    assert [*heard.kept] == ["block-000.json"]
    assert (heard.folder / "raw" / "block-000.json").read_bytes() == heard.kept["block-000.json"]


def test_the_tables_are_returned_and_written(heard: Heard) -> None:
    assert heard.found.complete
    assert heard.found.summary["status"].tolist() == ["measured"] * len(VARIANTS)
    written = pd.read_csv(heard.folder / "summary.csv")
    assert written["blocks"].tolist() == [BLOCKS] * len(VARIANTS)
    assert written["seconds"].tolist() == pytest.approx(heard.found.summary["seconds"].tolist(), rel=1e-5)


def test_a_run_begins_in_no_folder_that_holds_one(heard: Heard) -> None:
    with pytest.raises(InputError, match=r"is not empty: add --resume"):
        run(heard.found.plan, folder=heard.folder)


def test_the_process_of_a_block_does_not_import_pandas(tmp_path: Path) -> None:
    """It would take a third of a second in every block."""
    text = "import sys, gdbench.run.block; sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", text], cwd=tmp_path, check=True)


WRITERS: dict[str, Callable[[Run], None]] = {
    "plan": lambda found: write_plan(found.folder, found.plan),
    "failures": lambda found: remember_failure(found.folder, "case", "reason"),
    "cold starts": lambda found: write_entries(found.folder, []),
    "tables": write_tables,
    "report": write_report,
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_cannot_be_written_is_a_sentence_with_its_remedy(
    heard: Heard, tmp_path: Path, write: Callable[[Run], None]
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match=r"^cannot write into .*/file \(.*\): name another folder"):
        write(replace(heard.found, folder=file))
