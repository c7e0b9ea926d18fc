"""The stages of a comparison, in their order; every block is on disk before the next begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gdbench.compare.blocks import measure_block
from gdbench.compare.controls import CONTROLS
from gdbench.compare.family import certified_together, problem_key
from gdbench.compare.pair import Pair
from gdbench.compare.preparation import at_case, failed
from gdbench.compare.proofs import prove
from gdbench.compare.record import table, unsteady, write_block
from gdbench.compare.session import ComparisonSession, Setting, StageProgress, State
from gdbench.compare.verdicts import confirm_blocks, needs_confirmation
from gdbench.experiments.cases import Case
from gdbench.processes.live import ProcessLost
from gdbench.verify.stages import QUICK_ROWS

LIKELY_CONFIRMED = 0.3
"""Share of the cases that goes on to confirmation, for the time left before the screen has told."""
LIKELY_COMPILE_SECONDS = 45.0
"""A fresh compilation of all variants on all networks in one dtype."""
SPARE_BLOCKS = 4
"""Beyond the fewest that can prove a case of the family, of which every single one would have to agree."""
SCREEN, CONFIRM = 0, 1
CERTIFIED, SCREENED = 0.1, 0.6
"""Share of the work that is done when a stage ends, for the bar."""


def measure(session: ComparisonSession, place: Path) -> None:
    """Certify, screen all cases, compile afresh, confirm those that the screen leaves in doubt."""
    certify(session)
    if not session.left():
        return
    stage(session, SCREEN, session.left(), session.tier.screen_blocks, ())
    cases = session.left()
    if not cases:
        return
    wanted = needs_confirmation(table(session.measured.screen, [case.id for case in cases]), session.rule)
    doubtful = [
        case for case, needed in zip(cases, wanted, strict=True) if needed or unsteady(session.measured.screen, case.id)
    ]
    caches = _compile(session, place)
    family = len(doubtful) + len(CONTROLS)
    blocks = max(session.tier.confirm_blocks, confirm_blocks(family, 0, session.rule) + SPARE_BLOCKS)
    stage(session, CONFIRM, doubtful, blocks, caches)


def _compile(session: ComparisonSession, place: Path) -> tuple[tuple[Path, Path], ...]:
    """Compile both sides afresh, as often as the tier says; a side that is lost in it ends this, not the comparison."""
    caches: list[tuple[Path, Path]] = []
    pairs = session.tier.compile_pairs
    for number in range(pairs):
        session.progress = f"stopped in compilation {number + 1} of {pairs}"
        session.report(
            StageProgress(
                f"compiling afresh, {number + 1} of {pairs}", SCREENED, _compile_seconds_left(session, number)
            )
        )
        try:
            cache, seconds = compile_pair(session.setting, session.state, place / f"compiled-{number}", turn=number)
        except ProcessLost as error:
            session.warnings.append(f"Compilation was not compared to the end: {error}.")
            break
        caches.append(cache)
        session.measured.compiled.append(seconds)
    return tuple(caches)


def compile_pair(
    setting: Setting, state: State, place: Path, *, turn: int
) -> tuple[tuple[Path, Path], dict[str, list[float]]]:
    """Compile all that the family needs into empty caches, both sides at once, each on a core of its own.

    Returns the caches, and for each compiled variant the CPU seconds of both sides, all networks and dtypes together:
    few sums can be proven where many parts could not.

    Raises
    ------
    ProcessLost
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


def _compile_seconds_left(session: ComparisonSession, number: int) -> float:
    each = float(np.mean([block.seconds for block in session.measured.screen]))
    later = session.tier.confirm_blocks * LIKELY_CONFIRMED * each
    return (session.tier.compile_pairs - number) * LIKELY_COMPILE_SECONDS + later


def stage(
    session: ComparisonSession, number: int, cases: list[Case], blocks: int, caches: tuple[tuple[Path, Path], ...]
) -> None:
    """Measure the blocks of a stage; each is on disk before the next begins."""
    name, kept = ("screen", session.measured.screen) if number == SCREEN else ("confirm", session.measured.confirm)
    for index in range(blocks):
        session.progress = f"stopped in {name} block {index + 1} of {blocks}"
        begin, end = (CERTIFIED, SCREENED) if number == SCREEN else (SCREENED, 1.0)

        def report(done: float, index: int = index, begin: float = begin, end: float = end) -> None:
            words = f"{name} block {index + 1} of {blocks}, {len(cases)} cases"
            left = _seconds_left(session, number, blocks, done)
            session.report(StageProgress(words, begin + (end - begin) * (index + done) / blocks, left))

        there = [case for case in cases if not session.state.out(case.id)]
        used = caches[index % len(caches)] if caches else None
        kept.append(
            measure_block(session.setting, session.state, there, stage=number, index=index, caches=used, report=report)
        )
        write_block(session.folder, name, kept[-1])


def _seconds_left(session: ComparisonSession, number: int, blocks: int, done: float) -> float | None:
    """Time left, from what the blocks so far have taken; None before the first has ended."""
    screen, confirm, tier = session.measured.screen, session.measured.confirm, session.tier
    if not screen:
        return None
    each = float(np.mean([block.seconds for block in screen]))
    if number == CONFIRM:
        own = float(np.mean([block.seconds for block in confirm])) if confirm else LIKELY_CONFIRMED * each
        return (blocks - len(confirm) - done) * own
    later = tier.compile_pairs * LIKELY_COMPILE_SECONDS + tier.confirm_blocks * LIKELY_CONFIRMED * each
    return (blocks - len(screen) - done) * each + later


def certify(session: ComparisonSession) -> None:
    """Certify every variant of both sides, and count what calls allocate."""
    session.progress = "stopped while it certified"
    session.measured.allocated = prove(
        session.setting,
        session.state,
        lambda share: session.report(StageProgress("certifying both sides", CERTIFIED * share, None)),
    )
