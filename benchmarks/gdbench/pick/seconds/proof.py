"""Which variant is timed at which batch size: the first of those that suit whose certificate holds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from gdbench.pick.seconds.fleet import Fleet, NotTimed
from gdbench.pick.seconds.kept_proofs import KeptProofs
from gdbench.verify.gate import preferred
from kernels import Choice
from kernels.errors import choices


def certified(
    fleet: Fleet, preferences: Mapping[int, Choice], kept: KeptProofs | None = None
) -> tuple[dict[int, str], dict[str, str]]:
    """Certify in order of preference for each batch size, before any clock starts.

    Every variant passes full verification in one process, several at a time, while all others show that they compute
    the same; a process that dies meanwhile refuses its variant, and is replaced. What ``kept`` has need not pass again.

    Returns
    -------
    taken : variant by batch size
    refused : where each variant that was tried and is not certified failed

    Raises
    ------
    NotTimed
        If no variant is left for a batch size.
    """
    proven, refused = set[str](), dict[str, str]()
    while True:
        taken = {size: name for size, choice in preferences.items() if (name := preferred(choice, refused))}
        if len(taken) < len(preferences):
            raise NotTimed(_refusal(fleet, preferences, refused))
        wanted = [name for name in dict.fromkeys(taken.values()) if name not in proven]
        if not wanted:
            return taken, refused
        fleet.fill()
        now = wanted[: fleet.size]
        new = [name for name in now if kept is None or not kept.has(name)]
        wrong = _prove(fleet, new, [*proven, *wanted])
        refused |= wrong
        proven |= set(now) - wrong.keys()
        if kept is not None:
            for name in proven.intersection(new):
                kept.keep(name)


def reason(preferences: Mapping[int, Choice], taken: Mapping[int, str], refused: Mapping[str, str]) -> str:
    """Say which variant auto takes for which batch sizes, and why; one clause for neighbours that are alike."""
    parts = []
    for (name, why), group in groupby(sorted(taken), lambda size: (taken[size], preferences[size].reason)):
        sizes = list(group)
        span = f"B = {sizes[0]:,}" if len(sizes) == 1 else f"B = {sizes[0]:,} to {sizes[-1]:,}"
        parts.append(f"auto takes {name} at {span}: {why}")
    return "; ".join([*parts, *(f"{name} is not certified here ({where})" for name, where in refused.items())])


def _prove(fleet: Fleet, variants: list[str], everything: list[str]) -> dict[str, str]:
    """Verify each of some variants in a process of its own, and confirm all in all; return where any failed."""
    numbers = sorted(fleet.alive)
    whole = dict(zip(numbers, ([name] for name in variants), strict=False))
    jobs = [(whole.get(number, []), _without(everything, whole.get(number, []))) for number in numbers]
    wrong: dict[str, str] = {}
    for number, answer in fleet.ask_each(numbers, "prove", jobs).items():
        if isinstance(answer, Exception):  # a process that dies though it verifies none is no proof against anyone
            wrong |= dict.fromkeys(whole.get(number, []), str(answer))
        else:
            wrong |= {name: proof.refusal for name, proof in answer.items() if not proof.certified}
    return wrong


def _without(names: list[str], left_out: list[str]) -> list[str]:
    return [name for name in names if name not in left_out]


def _refusal(fleet: Fleet, preferences: Mapping[int, Choice], refused: Mapping[str, str]) -> str:
    names = next(choice.names for choice in preferences.values() if preferred(choice, refused) is None)
    if len(names) == 1:
        return (
            f"variant {names[0]!r} is not certified on {fleet.network} ({refused[names[0]]}), so it is not timed: "
            "choose another --variant, or see gdbench check"
        )
    return (
        f"none of {choices(names)} is certified on {fleet.network} ({names[0]}: {refused[names[0]]}), "
        "so nothing is timed: see gdbench check"
    )
