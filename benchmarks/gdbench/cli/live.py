"""Live progress of a run, with the time left from what the blocks so far have really taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from gdbench.basics.units import duration
from gdbench.cli.console import stderr
from gdbench.run.execute import Report, left
from gdbench.run.plan import Plan, estimate_seconds


class TimeLeft(ProgressColumn):
    """Estimated cost of what is left, scaled by how the cost so far compared with its estimate."""

    def render(self, task: Task) -> Text:
        """Return the column's text."""
        done, elapsed = task.completed, monotonic() - task.fields["begun"]
        if done < 2 or task.total is None:
            return Text(f"about {duration(task.total or 0)} left", style="cyan")
        return Text(f"about {duration((task.total - done) * elapsed / done)} left", style="cyan")


@contextmanager
def watch(plan: Plan, folder: Path) -> Iterator[Report]:
    """Draw a bar on standard error for the blocks that are left; where it is no terminal, a line per block."""
    costs = {block.index: estimate_seconds(plan, block) for block in left(folder, plan)}
    by_index = {block.index: block for block in plan.blocks}
    progress = Progress(
        TextColumn("Measuring"),
        BarColumn(),
        TimeLeft(),
        TextColumn("{task.description}"),
        console=stderr,
        transient=True,
    )
    with progress:
        bar = progress.add_task("", total=sum(costs.values()), begun=monotonic())
        state = {"spent": 0.0, "cases": 0, "block": 0, "number": len(plan.blocks) - len(costs)}

        def report(event: dict[str, Any]) -> None:
            if "block" in event:
                state.update(block=event["block"], cases=0)
            elif "block_end" in event:
                state["spent"] += costs[event["block_end"]]
                state["number"] += 1
                if not stderr.is_terminal:
                    stderr.print(f"block {state['number']} of {len(plan.blocks)} done", highlight=False)
            else:
                state["cases"] += 1
            block = by_index[int(state["block"])]
            share = state["cases"] / len(block.cases) if "block_end" not in event else 0
            case = plan.cases[block.cases[0]]
            number = int(state["number"]) + ("block_end" not in event)
            progress.update(
                bar,
                completed=state["spent"] + costs[block.index] * min(share, 1.0),
                description=f"{case.network} on {case.dataset}, block {number} of {len(plan.blocks)}",
            )

        yield report
