"""Holds all confirmations of one command to one error rate: the more are measured, the surer each must be."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import replace

from gdbench.history.confirm.bisect import CONFIRMED, OPEN, Confirmation

ERROR_RATE = 0.05
"""Probability that any commit of a command is confirmed though it made nothing slower."""


def adjusted(p: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979): sorted, the i-th of n is multiplied by n - i, and none falls."""
    order = sorted(range(len(p)), key=p.__getitem__)
    found, least = [0.0] * len(p), 0.0
    for i, place in enumerate(order):
        least = max(least, min(1.0, (len(p) - i) * p[place]))
        found[place] = least
    return found


def hold_to_error_rate(answers: Sequence[MutableMapping[int, Confirmation]]) -> None:
    """Leave open what was confirmed, if it is not sure enough for the number of all that were measured.

    Parameters
    ----------
    answers : sequence of mapping
        Confirmations of each history; the p of one that was not confirmed counts as 1.
    """
    places = [(told, i) for told in answers for i, one in told.items() if one.comparisons]
    p = [1.0 if (value := told[i].p) is None or told[i].status != CONFIRMED else value for told, i in places]
    for (told, i), value in zip(places, adjusted(p), strict=True):
        one = told[i]
        if one.status == CONFIRMED:
            told[i] = replace(one, p_adjusted=value)
            if value > ERROR_RATE:
                reason = f"{one.reason}, but not surely among {len(places)} that were measured (p {value:.2g}, by Holm)"
                told[i] = replace(one, status=OPEN, reason=reason, commit=None, p_adjusted=value)
