"""The stages of a comparison, in their order; every block is on disk before the next begins."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import numpy as np

from gdbench.basics.units import counted
from gdbench.compare.judge.cases import needs_confirmation
from gdbench.compare.judge.precision import layout_of
from gdbench.compare.judge.terms import CaseBlocks
from gdbench.compare.measure.blocks import measure_block
from gdbench.compare.measure.instructions import count_both
from gdbench.compare.measure.pair import Pair
from gdbench.compare.measure.preparation import at_case, failed
from gdbench.compare.measure.proofs import prove
from gdbench.compare.measure.session import MIN_LAYOUTS, ComparisonSession, Setting, StageProgress, State
from gdbench.compare.record.record import table, unsteady, write_block
from gdbench.compare.record.tiers import MIN_QUADS
from gdbench.compare.sides.builds import Build, copies
from gdbench.compare.sides.family import certified_together, problem_key
from gdbench.experiments.cases import Case
from gdbench.processes.live import ProcessLost
from gdbench.verify.stages import QUICK_ROWS

LIKELY_CONFIRMED = 0.3
"""Share of the cases that goes on to confirmation, for the time left before the screen has told."""
LIKELY_COMPILE_SECONDS = 45.0
"""A fresh compilation of all variants on all networks in one dtype."""
SAMPLED = 24
"""Cases that are confirmed whatever their screen says, drawn at random: they show what builds do to cases that nobody
suspects. Where all blocks have one build there is nothing to show."""
MIN_CONFIRM_BLOCKS = 8
"""Fewest blocks of a confirmation however slow the machine is: one for each fresh build."""
LEAST_SHARE = 0.2
"""Share of a block's time that starting its processes takes, however few cases it has."""
SCREEN_SHARE = 0.6
"""Share of the minutes left after the first block that the rest of the screen may take."""
SCREEN, CONFIRM = 0, 1
CERTIFIED, COMPILED, SCREENED = 0.1, 0.3, 0.6
"""Share of the work that is done when a stage ends, for the bar."""


def measure(session: ComparisonSession, place: Path) -> None:
    """Certify, build afresh, screen all cases, confirm those that the screen leaves in doubt."""
    certify(session)
    if session.counts_instructions:
        count_instructions(session)
    if not session.left():
        return
    _build_afresh(session, place)
    stage(session, SCREEN, session.left(), session.tier.screen_blocks, in_time=True)
    if session.left():
        cases = _to_confirm(session)
        session.measured.confirm_planned = _blocks_to_confirm(session, len(cases))
        stage(session, CONFIRM, cases, session.measured.confirm_planned)


def _to_confirm(session: ComparisonSession) -> list[Case]:
    """Return the cases that the screen leaves in doubt, and some at random."""
    cases, screened = session.left(), session.measured.screen
    keys = [case.id for case in cases]
    columns = table(screened, keys).T
    seen = {
        key: CaseBlocks(screen=tuple(column), unsteady=(unsteady(screened, key), False))
        for key, column in zip(keys, columns, strict=True)
    }
    wanted = needs_confirmation(seen, session.settings)
    if session.settings.layouts > 1:
        rng = np.random.default_rng([session.setting.seed, CONFIRM])
        wanted |= dict.fromkeys(rng.permutation(keys)[:SAMPLED].tolist(), True)
    return [case for case in cases if wanted[case.id]]


def count_instructions(session: ComparisonSession) -> None:
    """Count the instructions of every case on both sides; a case that cannot be counted says why, and is timed."""
    setting, cases, begun = session.setting, session.left(), monotonic()
    for number, case in enumerate(cases):
        session.progress = f"stopped while it counted instructions, case {number + 1} of {len(cases)}"
        left = (monotonic() - begun) / number * (len(cases) - number) if number else None
        words = f"counting instructions, case {number + 1} of {len(cases)}"
        session.report(StageProgress(words, CERTIFIED * number / len(cases), left))
        session.measured.counted[case.id] = count_both(setting.builds, setting.family, setting.problems, case)
        session.counting_seconds = monotonic() - begun


def _blocks_to_confirm(session: ComparisonSession, cases: int) -> int:
    """Return the blocks for which the tier has time, fixed before the first of them, so that no result ends them."""
    tier, screened = session.tier, session.measured.screen
    share = max(cases / max(len(screened[-1].cases), 1), LEAST_SHARE)
    planned = blocks_in_time(
        tier.confirm_blocks, session.minutes_left * 60, share * float(np.median([block.seconds for block in screened]))
    )
    if planned < tier.confirm_blocks:
        session.warnings.append(
            f"Confirmation had {planned} of {tier.confirm_blocks} blocks, since more would have taken longer than the "
            f"{tier.minutes} minutes of {tier.name}: intervals are wider. Measure fewer cases, or on a quieter machine."
        )
    return planned


def blocks_in_time(most: int, seconds: float, each: float) -> int:
    """Number of blocks that so many seconds allow, at most ``most`` and at least the fewest that can prove anything."""
    return int(min(max(seconds // max(each, 1e-9), MIN_CONFIRM_BLOCKS), most))


def _build_afresh(session: ComparisonSession, place: Path) -> None:
    """Build and compile both sides afresh, as often as the tier says; a side that is lost in it ends this alone."""
    pairs = session.tier.layouts if session.tier.layouts > 1 else 0
    for number in range(pairs):
        session.progress = f"stopped in compilation {number + 1} of {pairs}"
        done = CERTIFIED + (COMPILED - CERTIFIED) * number / pairs
        left = (pairs - number) * LIKELY_COMPILE_SECONDS
        session.report(StageProgress(f"compiling afresh, {number + 1} of {pairs}", done, left))
        builds = copies(session.setting.builds, place, number)
        try:
            seconds = compile_pair(session.setting, session.state, builds, turn=number)
        except ProcessLost as error:
            session.warnings.append(f"Compilation was not compared to the end: {error}.")
            break
        session.layouts.append(builds)
        session.measured.compiled.append(seconds)
    made = len(session.layouts)
    if pairs and made < MIN_LAYOUTS:  # which say nothing of what builds differ by
        session.layouts.clear()
        session.warnings.append(
            f"Fresh builds could not be made: no claim is made of changes of a case below "
            f"{100 * session.settings.margin:.3g} %."
        )
    elif made < pairs:
        session.warnings.append(f"Blocks are spread over {made} of {pairs} fresh builds: intervals may be wider.")


def compile_pair(setting: Setting, state: State, builds: tuple[Build, Build], *, turn: int) -> dict[str, list[float]]:
    """Compile all that the family needs in fresh builds, both sides at once, each on a core of its own.

    Returns, for each compiled variant, the CPU seconds of both sides, all networks and dtypes together: few sums can be
    proven where many parts could not.

    Raises
    ------
    ProcessLost
        If a side died or hung.
    """
    variables = tuple({"NUMBA_CACHE_DIR": str(build.numba_cache)} for build in builds)
    seconds: dict[str, list[float]] = {}
    with Pair(builds, threads=1, variables=variables, turn=turn, first=turn % 2) as pair:
        for job in certified_together(case for case in setting.family.cases if not state.out(case.id)).values():
            key = problem_key(job)
            variants = [setting.family.variant(job, number) for number in (0, 1)]
            with at_case(pair, job.id):
                pair.ask_both("add_problem", *((key, *setting.problems[key].told),) * 2)
                answers = pair.ask_both("first_calls", *((key, name, QUICK_ROWS) for name in variants))
            if not any(map(failed, answers)) and all(compiled for _, compiled in answers):
                former = seconds.get(job.variant, [0.0, 0.0])
                seconds[job.variant] = [old + spent for old, (spent, _) in zip(former, answers, strict=True)]
    return seconds


def stage(session: ComparisonSession, number: int, cases: list[Case], blocks: int, *, in_time: bool = False) -> None:
    """Measure the blocks of a stage; each is on disk before the next begins.

    ``in_time``: with fewer samples after the first one where as many take too long for the tier.
    """
    name, kept = ("screen", session.measured.screen) if number == SCREEN else ("confirm", session.measured.confirm)
    these = counted(len(cases), "case") if cases else "controls alone"
    for index in range(blocks):
        session.progress = f"stopped in {name} block {index + 1} of {blocks}"
        begun = COMPILED if session.layouts else CERTIFIED
        begin, end = (begun, SCREENED) if number == SCREEN else (SCREENED, 1.0)

        def report(done: float, index: int = index, begin: float = begin, end: float = end) -> None:
            words = f"{name} block {index + 1} of {blocks}, {these}"
            left = _seconds_left(session, number, blocks, done)
            session.report(StageProgress(words, begin + (end - begin) * (index + done) / blocks, left))

        there = [case for case in cases if not session.state.out(case.id)]
        builds = session.layouts[layout_of(index, blocks, len(session.layouts))] if session.layouts else None
        kept.append(
            measure_block(
                session.setting, session.state, there, stage=number, index=index, builds=builds, report=report
            )
        )
        write_block(session.folder, name, kept[-1])
        if in_time and index == 0:
            _shorten(session, blocks - 1)


def _shorten(session: ComparisonSession, blocks: int) -> None:
    """Take fewer samples in the blocks of the screen that follow, where as many as planned take too long here."""
    each, calls = session.measured.screen[0].seconds, session.state.calls
    share = SCREEN_SHARE * max(session.minutes_left, 0.0) * 60 / max(each * blocks, 1e-9)
    fewer = {key: one._replace(quads=max(MIN_QUADS, int(share * one.quads))) for key, one in calls.items()}
    if share >= 1 or fewer == calls:
        return
    calls.update(fewer)
    session.shortened = True
    session.warnings.append(
        f"Samples of most cases are fewer from the second block on, since a block took {each:.0f} s and as many would "
        f"not fit into the {session.tier.minutes} minutes of {session.tier.name}: intervals may be wider. Measure "
        "fewer cases, or on a quieter machine."
    )


def _seconds_left(session: ComparisonSession, number: int, blocks: int, done: float) -> float | None:
    """Time left, from what the blocks so far have taken; None before the first has ended."""
    screen, confirm, tier = session.measured.screen, session.measured.confirm, session.tier
    if not screen:
        return None
    each = float(np.mean([block.seconds for block in screen]))
    if number == CONFIRM:
        own = float(np.mean([block.seconds for block in confirm])) if confirm else LIKELY_CONFIRMED * each
        return (blocks - len(confirm) - done) * own
    return (blocks - len(screen) - done) * each + tier.confirm_blocks * LIKELY_CONFIRMED * each


def certify(session: ComparisonSession) -> None:
    """Certify every variant of both sides, and count what calls allocate."""
    session.progress = "stopped while it certified"
    session.measured.allocated = prove(
        session.setting,
        session.state,
        lambda share: session.report(StageProgress("certifying both sides", CERTIFIED * share, None)),
    )
