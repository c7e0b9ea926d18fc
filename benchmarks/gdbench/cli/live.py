"""What a run tells of itself, drawn on standard error: certificates, cold starts, blocks with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TypeVar

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from gdbench.basics.units import digits, duration
from gdbench.cli.check import certificate_table, certifying
from gdbench.cli.console import stderr
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

Drawn = TypeVar("Drawn")


class Watch:
    """Hears the events of a run; a context manager that ends what is being drawn.

    Parameters
    ----------
    plan : Plan
        Plan of the run.
    folder : Path
        Folder that the run writes to.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self._stage = ExitStack()
        self._certify: Callable[[CertificateRow], None] | None = None
        self._cold_start: Callable[[str], None] | None = None
        self._blocks: Callable[[Event], None] | None = None

    def __call__(self, event: Event) -> None:
        """Draw an event."""
        match event:
            case Described():
                stderr.print(one_line(event.environment), style="dim", soft_wrap=True)
                self._certify = self._draw(certifying(jobs_of(self.plan.cases, self.plan.networks)))
            case Certified() if self._certify is not None:
                self._certify(event.row)
            case AllCertified():
                self._stage.close()
                stderr.print(_verdict(event.rows))
            case ColdStartBegun():
                self._cold_start = self._cold_start or self._draw(_status())
                self._cold_start(f"Cold start of {event.job.variant} in {event.job.dtype}")
            case _:
                self._blocks = self._blocks or self._draw(_bar(self.plan, self.folder))
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
    all_of_them = (f"All {len(rows)} certificates granted", "green")
    return Text.assemble(all_of_them, f": the worst error is {digits(100 * strain)} % of its tolerance.")


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    with stderr.status("Cold starts") as status:
        yield status.update


class TimeLeft(ProgressColumn):
    """Estimated cost of what is left, scaled by how the cost so far compared with its estimate."""

    def render(self, task: Task) -> Text:
        """Return the column's text."""
        done, elapsed = task.completed, monotonic() - task.fields["begun"]
        if done < 2 or task.total is None:
            return Text(f"about {duration(task.total or 0)} left", style="cyan")
        return Text(f"about {duration((task.total - done) * elapsed / done)} left", style="cyan")


@contextmanager
def _bar(plan: Plan, folder: Path) -> Iterator[Callable[[Event], None]]:
    """Draw a bar for the blocks that are left; where standard error is no terminal, a line per block."""
    costs = {block.index: estimate_seconds(plan, block) for block in left(folder, plan)}
    with Progress(
        TextColumn("Measuring", markup=False),
        BarColumn(),
        TimeLeft(),
        TextColumn("{task.description}", markup=False),
        console=stderr,
        transient=True,
    ) as progress:
        bar = progress.add_task("", total=sum(costs.values()), begun=monotonic())
        spent, cases, index, ended = 0.0, 0, 0, len(plan.blocks) - len(costs)

        def report(event: Event) -> None:
            nonlocal spent, cases, index, ended
            match event:
                case BlockBegun():
                    index, cases = event.index, 0
                case CaseEnded():
                    cases += 1
                case BlockEnded():
                    spent, cases, ended = spent + costs[index], 0, ended + 1
                    if not stderr.is_terminal:
                        stderr.print(f"block {ended} of {len(plan.blocks)} done")
            block = plan.blocks[index]
            case = plan.cases[block.cases[0]]
            number = ended if isinstance(event, BlockEnded) else ended + 1
            progress.update(
                bar,
                completed=spent + costs[index] * min(cases / len(block.cases), 1.0),
                description=f"{case.network} on {case.dataset}, block {number} of {len(plan.blocks)}",
            )

        yield report
