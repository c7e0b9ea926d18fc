"""Part ``unchanged``: two builds of one commit, again and again, every third time with load on the other core."""

from __future__ import annotations

from contextlib import nullcontext

from selftest import ROOT
from selftest.context import Context, compare
from selftest.verdicts.load import injected_load
from selftest.verdicts.repository import clone

PART = "unchanged"
LOADED_EVERY = 3
OPTIONS = ("--network", "linear,logistic,softmax,deep,mlp")
"""150 of the 180 cases that a user compares, with all five variants: ten runs take half an hour."""


def measure(context: Context, runs: int, options: tuple[str, ...] = OPTIONS) -> None:
    """Make ``runs`` runs over the whole family of cases."""
    repository = clone(ROOT, context.scratch / "unchanged")
    commit = repository.git("rev-parse", "HEAD")
    for run in range(runs):
        key = f"{context.tier} {run}"
        if context.journal.has(PART, key):
            continue
        loaded = run % LOADED_EVERY == LOADED_EVERY - 1
        context.say(f"unchanged: run {run + 1} of {runs}{', with injected load' if loaded else ''}")
        with injected_load(context.seed + run) if loaded else nullcontext():
            name = f"{context.tier}-unchanged-{run}"
            found = compare(context, commit, commit, repository=repository.folder, name=name, options=options)
        context.journal.write(PART, key, commit=commit, loaded=loaded, **found)
