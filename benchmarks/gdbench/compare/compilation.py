"""Fresh compilations of both sides: a metric of its own, and the code that confirmation runs on.

Compiling anew may place code elsewhere, which is a level of variance of its own; so confirmation takes turns over
several compilations.
"""

from __future__ import annotations

from pathlib import Path

from gdbench.compare.family import certified_together, problem_key
from gdbench.compare.pair import Pair
from gdbench.compare.preparation import at_case, failed
from gdbench.compare.setting import Setting, State
from gdbench.verify.stages import QUICK_ROWS


def compile_pair(
    setting: Setting, state: State, place: Path, *, turn: int
) -> tuple[tuple[Path, Path], dict[str, list[float]]]:
    """Compile all that the family needs into empty caches, both sides at once, each on a core of its own.

    Returns the caches, and for each compiled variant the CPU seconds of both sides, all networks and dtypes together:
    few sums can be proven where many parts could not.

    Raises
    ------
    SideLost
        If a side died or hung.
    """
    caches = place.with_name(f"{place.name}-a"), place.with_name(f"{place.name}-b")
    for cache in caches:
        cache.mkdir()
    variables = tuple({"NUMBA_CACHE_DIR": str(cache)} for cache in caches)
    seconds: dict[str, list[float]] = {}
    with Pair(setting.builds, threads=1, variables=variables, turn=turn, first=turn % 2) as pair:
        for job in certified_together(case for case in setting.family.cases if not state.out(case.id)).values():
            key = problem_key(job)
            variants = [setting.family.variant(job, number) for number in (0, 1)]
            with at_case(pair, job.id):
                pair.ask_both("add_problem", *((key, *setting.problems[key].told),) * 2)
                answers = pair.ask_both("first_calls", *((key, name, QUICK_ROWS) for name in variants))
            if not any(map(failed, answers)) and all(compiled for _, compiled in answers):
                former = seconds.get(job.variant, [0.0, 0.0])
                seconds[job.variant] = [old + spent for old, (spent, _) in zip(former, answers, strict=True)]
    return caches, seconds
