"""Steps of the problems that were simulated, as the truth that picks are judged by."""

from __future__ import annotations

from dataclasses import dataclass

from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.optimum import find_optimum
from gdbench.pick.steps.problem import NetworkProblem
from selftest.simulated.descent import VARIANT
from selftest.simulated.problems import PROBLEMS, Problem
from selftest.simulated.stored import Simulated, read


@dataclass(frozen=True, eq=False)
class SimulatedTruth:
    """A simulated problem and its steps, which have errors of their own."""

    simulated: Problem
    stored: Simulated

    @property
    def name(self) -> str:
        """Name of the problem."""
        return self.stored.problem

    @property
    def family(self) -> str:
        """``logistic``, ``softmax`` or ``network``."""
        return self.stored.family

    @property
    def n_rows(self) -> int:
        """Rows n."""
        return self.stored.n_rows

    @property
    def candidates(self) -> tuple[int, ...]:
        """Batch sizes to choose from."""
        return self.stored.candidates

    @property
    def target(self) -> Target:
        """Loss that was simulated."""
        goal = self.stored.goal
        return Target(goal.target, goal.start, goal.floor or None, "training loss", "the loss of the simulation")

    def problem(self, seed: int) -> NetworkProblem:
        """What is searched, with the randomness of a seed; compiled, so that the clock of a search need not wait."""
        one = self.simulated
        found = find_optimum(one.network, one.X, one.Y)
        anchor = found.theta if found is not None and found.attained else None
        variants = dict.fromkeys(self.candidates, VARIANT)
        problem = NetworkProblem(
            one.network, one.X, one.Y, one.X, one.Y, variants, seed, one.scheme, self.stored.goal.floor, anchor=anchor
        )
        for size in (1, self.candidates[-1]):
            for look_rows in (0, 1):
                runs = problem.begin(size, 0.01, (0,), look_rows=look_rows)
                runs.advance(1)
                runs.losses()
        return problem

    def steps(self, batch_size: int, learning_rate: float) -> tuple[float, float]:
        """Steps to the goal, infinite if it is never reached, and the standard error of their logarithm."""
        return self.stored.steps(batch_size, learning_rate)

    def best(self, batch_size: int) -> tuple[float, float]:
        """Steps at the best learning rate, and the standard error of their logarithm."""
        return self.stored.best(batch_size)


def simulated_truth(name: str) -> SimulatedTruth:
    """Return a problem with what is stored of it."""
    return SimulatedTruth(PROBLEMS[name](), read(name))
