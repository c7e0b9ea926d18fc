"""What the blocks of a comparison share, and what is learnt while they are measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from gdbench.compare.builds import Build
from gdbench.compare.family import Family, Stored
from gdbench.compare.pair import Pair
from gdbench.compare.tiers import Tier


@dataclass(frozen=True)
class Setting:
    """What all blocks of a comparison share."""

    builds: tuple[Build, Build]
    family: Family
    problems: dict[str, Stored]
    tier: Tier
    seed: int


@dataclass
class State:
    """What is learnt while measuring: calls in a sample, frozen by the first block, and cases that are out."""

    calls: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Calls in a sample, untimed calls before it, quads."""
    broken: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def out(self, key: str) -> bool:
        """Whether a case is not to be measured any more."""
        return key in self.broken or key in self.missing


def note_lost(state: State, pair: Pair) -> bool:
    """Note the case in which a side was lost; False where it was in none."""
    places = {side.at: str(side.lost) for side in pair.sides if side.at is not None and side.lost is not None}
    for key, reason in places.items():
        state.broken[key] = reason
    return bool(places)
