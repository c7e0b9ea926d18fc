"""Fresh compilations of both sides: a metric of its own, and the code that confirmation runs on.

Compiling anew may place code elsewhere, which is a level of variance of its own; so confirmation takes turns over
several compilations.
"""

from __future__ import annotations

from pathlib import Path

from gdbench.compare.family import certified_together, problem_key
from gdbench.compare.pair import Pair
from gdbench.compare.preparation import failed
from gdbench.compare.setting import Setting, State
from gdbench.ladder import QUICK_ROWS


def compile_pair(
    setting: Setting, state: State, place: Path, *, turn: int
) -> tuple[tuple[Path, Path], dict[str, list[float]]]:
    """Compile all that the family needs into empty caches, both sides at once, each on a core of its own.

    Returns the caches, and the CPU seconds of both sides by variant, network and dtype.
    """
    caches = place.with_name(f"{place.name}-a"), place.with_name(f"{place.name}-b")
    for cache in caches:
        cache.mkdir()
    variables = tuple({"NUMBA_CACHE_DIR": str(cache)} for cache in caches)
    seconds: dict[str, list[float]] = {}
    with Pair(setting.builds, threads=1, variables=variables, turn=turn) as pair:
        for job in certified_together(case for case in setting.family.cases if not state.out(case.id)).values():
            key = problem_key(job)
            pair.ask_both("add_problem", *((key, *setting.problems[key].told),) * 2)
            arguments = ((key, setting.family.variant(job, number), QUICK_ROWS) for number in (0, 1))
            answers = pair.ask_both("first_calls", *arguments)
            if not any(map(failed, answers)) and all(compiled for _, compiled in answers):
                seconds[f"{job.variant}, {job.network}, {job.dtype}"] = [spent for spent, _ in answers]
    return caches, seconds
