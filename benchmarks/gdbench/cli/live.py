"""What a run tells of itself, drawn on standard error: certificates, cold starts, blocks with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from gdbench.basics.units import counted, digits
from gdbench.cli.check import certificate_table, certifying
from gdbench.cli.console import say, stderr
from gdbench.cold_start.measure import ColdStart
from gdbench.machine.environment import one_line
from gdbench.run.events import (
    AllCertified,
    BlockBegun,
    BlockEnded,
    CaseEnded,
    Certified,
    ColdStartBegun,
    Described,
    Event,
)
from gdbench.run.execute import left
from gdbench.run.plan import Plan, estimate_seconds
from gdbench.verify.certificates import CertificateRow, all_certified, jobs_of
from gdbench.views.progress import bar, countdown

Drawn = TypeVar("Drawn")
MIN_SECONDS_OF_PACE = 2.0
"""Estimated cost that must be done before its true cost says anything of the rest."""


class Watch:
    """Hears the events of a run; a context manager that ends what is being drawn.

    Parameters
    ----------
    plan : Plan
        Plan of the run.
    folder : Path
        Folder that the run writes to.
    console : Console
        Where it is drawn.
    """

    def __init__(self, plan: Plan, folder: Path, console: Console = stderr) -> None:
        self.plan, self.folder, self.console = plan, folder, console
        self._stage = ExitStack()
        self._certify: Callable[[CertificateRow], None] | None = None
        self._cold_start: Callable[[ColdStart], None] | None = None
        self._blocks: Callable[[Event], None] | None = None

    def __call__(self, event: Event) -> None:
        """Draw an event."""
        match event:
            case Described():
                say(self.console, one_line(event.environment), "dim")
                self._certify = self._draw(certifying(jobs_of(self.plan.cases, self.plan.networks), self.console))
            case Certified() if self._certify is not None:
                self._certify(event.row)
            case AllCertified():
                self._stage.close()
                self.console.print(_verdict(event.rows))
            case ColdStartBegun():
                self._cold_start = self._cold_start or self._draw(_cold_starts(self.console))
                self._cold_start(event.job)
            case _:
                self._blocks = self._blocks or self._draw(_blocks_left(self.plan, self.folder, self.console))
                self._blocks(event)

    def _draw(self, stage: AbstractContextManager[Drawn]) -> Drawn:
        """Begin a stage in place of the one before."""
        self._stage.close()
        return self._stage.enter_context(stage)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stage.close()


def _verdict(rows: tuple[CertificateRow, ...]) -> object:
    """One line when all is well, the worst certificates when not."""
    if not all_certified(rows):
        return certificate_table(rows)
    strain = max((row.strain for row in rows if row.tolerance), default=0.0)
    all_of_them = (f"All {counted(len(rows), 'certificate')} granted", "green")
    return Text.assemble(all_of_them, f": the worst error is {digits(100 * strain)} % of its tolerance.")


@contextmanager
def _cold_starts(console: Console) -> Iterator[Callable[[ColdStart], None]]:
    with bar("Cold start", console) as tell:
        yield lambda job: tell(None, f"{job.variant} in {job.dtype}", "")


@contextmanager
def _blocks_left(plan: Plan, folder: Path, console: Console) -> Iterator[Callable[[Event], None]]:
    """Show how far the blocks are that are left: estimated cost, scaled by how it compared with the truth so far."""
    costs = {block.index: estimate_seconds(plan, block) for block in left(folder, plan)}
    total, begun = sum(costs.values()), monotonic()
    spent, cases, index, ended = 0.0, 0, 0, len(plan.blocks) - len(costs)
    with bar("Measuring", console) as tell:

        def report(event: Event) -> None:
            nonlocal spent, cases, index, ended
            match event:
                case BlockBegun():
                    index, cases = event.index, 0
                case CaseEnded():
                    cases += 1
                case BlockEnded():
                    spent, cases, ended = spent + costs[index], 0, ended + 1
                    return
            block = plan.blocks[index]
            case = plan.cases[block.cases[0]]
            done = spent + costs[index] * min(cases / len(block.cases), 1.0)
            pace = (monotonic() - begun) / done if done >= MIN_SECONDS_OF_PACE else 1.0
            where = f"{case.network} on {case.dataset}, block {ended + 1} of {len(plan.blocks)}"
            tell(done / total, where, countdown((total - done) * pace))

        yield report
