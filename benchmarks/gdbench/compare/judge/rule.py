"""The one rule by which a comparison is judged: blocks, controls and settings in, verdicts and exit code out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gdbench.basics import exit_codes
from gdbench.compare.judge.bias import bias_sd
from gdbench.compare.judge.cases import confirmation_of, judge_cases, screen_of, table
from gdbench.compare.judge.control import VOID, is_spike, judge_alone, judge_controls
from gdbench.compare.judge.groups import Shared, judge_groups
from gdbench.compare.judge.location import asymmetry
from gdbench.compare.judge.precision import MIN_POOLED, Precision, both_stages
from gdbench.compare.judge.terms import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    REGRESSED,
    CaseBlocks,
    ControlsVerdict,
    GroupVerdict,
    Judgement,
    JudgeSettings,
    StagedBlocks,
    Verdicts,
    rules_out,
)

CONTROL_LEVEL = 0.01
"""False discovery rate over the controls: identical code that is alarmed makes the run invalid."""
RESOLVED_SHARE = 0.8
"""Share of the measured cases that must have a verdict for exit code 0."""


def judge(
    blocks: Mapping[str, CaseBlocks | StagedBlocks],
    controls: Mapping[str, CaseBlocks | StagedBlocks],
    settings: JudgeSettings,
) -> Verdicts:
    """Return the verdict on each case, on the suite and on groups, and the exit code of a comparison by time.

    Parameters
    ----------
    blocks : mapping
        For each case's id, its log-ratios log t_head - log t_base in order of measuring, screen and confirmation
        apart: ``{"screen": [...], "confirm": [...]}``, or a ``CaseBlocks``, which may also say that a case drifted,
        is broken or missing. A lost block is NaN. A case that was not sent to confirmation has no ``confirm``;
        ``needs_confirmation`` of ``gdbench.compare.judge.cases`` tells of a mapping of ``CaseBlocks`` which a
        comparison sends, besides some at random.
    controls : mapping
        The same of the controls: names that begin with "spike" are extra work, each tested by itself at the rate of
        the cases; all others are identical code, the canaries. Controls belong to no suite, are confirmed
        always and never run on other builds. An empty mapping: nothing is held against the run.
    settings : JudgeSettings
        When a case is changed or unchanged; those of a tier are
        ``gdbench.compare.record.tiers.TIERS["standard"].settings``.

    Returns
    -------
    Verdicts
        ``verdicts`` (by id), ``cases`` (the same with numbers), ``suite``, ``groups``, ``controls``, ``exit_code``.

    Notes
    -----
    The n blocks of a stage are spread over L = ``settings.layouts`` fresh builds of both sides, each compiled anew, in
    runs: block i is measured on build i * L // n (``gdbench.compare.judge.precision.layout_of``). So with 8 builds each
    block of a screen of 8 has a build of its own, and three blocks in turn of a confirmation of 24. Both stages use
    the same builds. A simulation draws the bias of a build once for each case and build; with L = 1, once for each
    case. Ids of cases such as ``"mlp@mnist5k/gradient/jit/B=32/float32/threads=1"`` tell which groups they belong to.

    Examples
    --------
    Twenty cases, of which all are 3 % slower, on eight builds that differ by 0.3 %, in pairs that spread by 1 %:

    >>> import numpy as np
    >>> from gdbench.compare.judge import judge
    >>> from gdbench.compare.judge.precision import layout_of
    >>> from gdbench.compare.record.tiers import TIERS
    >>> tier, rng = TIERS["standard"], np.random.default_rng(0)
    >>> def draw(number, log_ratio, builds):
    ...     on = [layout_of(i, number, tier.layouts) for i in range(number)]
    ...     return log_ratio + builds[on] + 0.01 * rng.standard_normal(number)
    >>> def measure(slowdown, bias_sd):
    ...     builds = bias_sd * rng.standard_normal(tier.layouts)
    ...     return {"screen": draw(tier.screen_blocks, np.log1p(slowdown), builds),
    ...             "confirm": draw(tier.confirm_blocks, np.log1p(slowdown), builds)}
    >>> blocks = {f"case {number}": measure(0.03, 0.003) for number in range(20)}
    >>> controls = {"canary": measure(0.0, 0.0), "spike-in": measure(0.05, 0.0)}
    >>> found = judge(blocks, controls, tier.settings)
    >>> found.controls.status, found.suite.verdict, found.exit_code
    ('valid', 'REGRESSED', 1)
    >>> sorted(set(found.verdicts.values()))
    ['REGRESSED']
    """
    cases = {name: _blocks(one) for name, one in blocks.items()}
    held = {name: _blocks(one) for name, one in controls.items()}
    measured = [name for name, one in cases.items() if one.absent is None]
    there = [cases[name] for name in measured]
    screen = screen_of(there, settings)
    confirm = confirmation_of(there, settings, **_known_autocorrelation(there, screen, settings))
    bias = bias_sd(*both_stages(screen, confirm), settings.bias_sd)
    planned = max((len(one.confirm) for one in (*there, *held.values())), default=0)
    found = judge_cases(there, screen, confirm, bias=bias, blocks=planned, settings=settings)
    control_cases = _control_cases(held, screen, confirm, planned, settings)
    status = judge_controls(control_cases)
    canaries = [one for name, one in held.items() if not is_spike(name) and one.absent is None]
    shared = Shared(screen.autocorrelation, bias, asymmetry(table([one.screen for one in there])), settings)
    changed = [name for name, one in zip(measured, found, strict=True) if one.verdict in (REGRESSED, IMPROVED)]
    suite, groups = judge_groups(dict(zip(measured, there, strict=True)), canaries, changed, shared)
    by_name = dict(zip(measured, (_claimed(one, status) for one in found), strict=True))
    judged = {name: by_name.get(name) or _absent(one) for name, one in cases.items()}
    verdicts = Verdicts(
        cases=judged,
        suite=_claimed_group(suite, status),
        groups=tuple(_claimed_group(group, status) for group in groups),
        controls=status,
        control_cases=control_cases,
        bias_sd=bias,
        exit_code=exit_codes.KERNEL_WRONG,
    )
    return replace(verdicts, exit_code=exit_code(verdicts, (), settings))


def exit_code(verdicts: Verdicts, counted: Iterable[str], settings: JudgeSettings) -> int:
    """Return the exit code of a whole comparison: 4 a kernel or control failed, 1 slower, 3 not known, 0 fine.

    ``counted`` are verdicts on what no clock of the blocks measured: bytes, compilations. A case is resolved if it has
    a verdict, or if its interval rules the effect out that was asked about. A comparison that did not come to its end
    is never fine.
    """
    found = list(verdicts.cases.values())
    measured = [one for one in found if one.blocks]
    if verdicts.controls.status == "invalid" or not measured or any(one.verdict == BROKEN for one in found):
        return exit_codes.KERNEL_WRONG
    shared = [verdicts.suite.verdict, *(group.verdict for group in verdicts.groups)]
    if REGRESSED in [*(one.verdict for one in found), *shared, *counted]:
        return exit_codes.REGRESSED
    resolved = sum(one.verdict != INSUFFICIENT or rules_out(one.low, one.high, settings.effect) for one in measured)
    enough = settings.complete and verdicts.controls.status == "valid" and resolved >= RESOLVED_SHARE * len(measured)
    return exit_codes.OK if enough else exit_codes.NOT_ENOUGH_EVIDENCE


def _blocks(one: CaseBlocks | StagedBlocks) -> CaseBlocks:
    """Return a case in one form."""
    if isinstance(one, CaseBlocks):
        return one
    return CaseBlocks(screen=tuple(one.get("screen", ())), confirm=tuple(one.get("confirm", ())))


def _known_autocorrelation(cases: Sequence[CaseBlocks], screen: Precision, settings: JudgeSettings) -> dict[str, float]:
    """Return that of the screen where it has many cases and too few were confirmed to tell.

    Not with fresh builds: there a confirmation has runs of several blocks where the screen has single ones, but cases
    drawn at random are confirmed as well.
    """
    confirmed, screened = sum(one.sent for one in cases), int(np.sum(np.isfinite(screen.variance)))
    few = confirmed < MIN_POOLED <= screened
    return {"autocorrelation": screen.autocorrelation} if few and settings.layouts == 1 else {}


def _control_cases(
    controls: Mapping[str, CaseBlocks], screen: Precision, confirm: Precision, blocks: int, settings: JudgeSettings
) -> dict[str, Judgement]:
    """Judge the controls, which have no builds and families of their own, by the autocorrelation of all cases.

    Extra work is held to the rate of the cases, to which it says what this run finds. Identical code is a family
    without it, whose small p would let more of the others pass.
    """
    level = settings.fdr
    settings = replace(settings, fdr=CONTROL_LEVEL)
    judged: dict[str, Judgement] = {}
    for extra_work in (False, True):
        chosen = {name: one for name, one in controls.items() if one.absent is None and is_spike(name) == extra_work}
        early = screen_of(chosen.values(), settings, autocorrelation=screen.autocorrelation)
        late = confirmation_of(chosen.values(), settings, autocorrelation=confirm.autocorrelation)
        found = judge_cases(list(chosen.values()), early, late, bias=0.0, blocks=blocks, settings=settings)
        judged |= {
            name: judge_alone(one, level) if extra_work else one for name, one in zip(chosen, found, strict=True)
        }
    return {name: judged.get(name) or _absent(one) for name, one in controls.items()}


def _absent(one: CaseBlocks) -> Judgement:
    """Return the verdict on what could not be measured."""
    assert one.absent is not None
    return Judgement(verdict=one.absent[0], reason=one.absent[1])


def _claimed(found: Judgement, status: ControlsVerdict) -> Judgement:
    """Withdraw a verdict that the controls do not support."""
    if found.verdict not in VOID[status.status]:
        return found
    return replace(found, verdict=INSUFFICIENT, reason=status.reason, claimable=False)


def _claimed_group(found: GroupVerdict, status: ControlsVerdict) -> GroupVerdict:
    if found.verdict not in VOID[status.status]:
        return found
    return replace(found, verdict=INSUFFICIENT, reason=status.reason)
