"""Real data and networks that picks are judged on by exhaustive runs, and how many runs each of them gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gdbench.experiments import datasets
from gdbench.experiments.scaling import standardised
from gdbench.pick.data.source import RowSource
from gdbench.pick.finding import known_target, least_loss, make_problem, start_loss
from gdbench.pick.question import Question, ask
from gdbench.pick.record.settings import Settings
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.candidates import candidates, reference_size
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.targets import reference_steps, reference_target
from gdbench.pick.steps.trials import Curves, Trial
from kernels import Network


@dataclass(frozen=True)
class Cell:
    """A network on a data set."""

    name: str
    dataset: str
    make: Callable[[int, int], Network]
    """Network of d columns and k outputs."""
    scheme: str
    locating: int = 4
    """Runs of every rate that find the neighbourhood of the best one."""
    coarse: int = 20
    """Runs of the three best rates, a factor of the square root of 2 apart, at every batch size."""
    refined: int = 400
    """Runs of the best rates at the best batch sizes, and of every pick."""
    together: int = 50
    """Runs of a trial."""
    largest: float = math.inf
    """Batch size beyond which steps are taken from the curve."""
    picks: int = 3
    read: Callable[[], datasets.Dataset] | None = None
    """Rows that do not ship with the suite."""
    held_out: bool = False
    """Whether it was added after the search was finished: nothing was tuned on it."""

    @cached_property
    def data(self) -> datasets.Dataset:
        """Rows, float64."""
        return datasets.load(self.dataset) if self.read is None else self.read()

    @cached_property
    def network(self) -> Network:
        """What is computed."""
        return self.make(self.data.X.shape[1], self.data.Y.shape[1])

    @property
    def candidates(self) -> tuple[int, ...]:
        """Batch sizes to choose from."""
        return candidates(self.data.n_rows)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Batch sizes at which descent is run exhaustively."""
        return tuple(size for size in self.candidates if size <= self.largest)

    def question(self, seed: int) -> Question:
        """What ``gdbench pick`` would be asked."""
        settings = Settings(seed=seed, scheme=self.scheme)
        return ask(settings, RowSource(dataset=self.dataset), self.data, self.network, label=self.name)

    def problem(self, seed: int, times: Times) -> NetworkProblem:
        """Descent as ``gdbench pick`` runs it, with randomness of its own and the variants that were timed."""
        question = self.question(seed)
        return make_problem(question, times, start_loss(question), least_loss(question))

    def target(self, problem: NetworkProblem) -> Generator[list[Trial], list[Curves], Target]:
        """Find the loss that ``gdbench pick`` itself would set, with the randomness of a problem: a plan."""
        question = self.question(problem.entropy)
        start = start_loss(question)
        known = known_target(question, start, least_loss(question))
        if known is not None:
            return known
        size = reference_size(self.candidates, self.data.n_rows)
        steps = reference_steps(self.data.n_rows, self.network.n_parameters, size)
        target, _ = yield from reference_target(problem, size, steps, start, metric="training loss")
        return target


def boston_housing() -> datasets.Dataset:
    """Load 506 tracts of Boston, 13 columns, and the price of a house there: mlxtend (Harrison and Rubinfeld 1978)."""
    from mlxtend.data import boston_housing_data  # noqa: PLC0415 - parses text, and only one cell needs it

    X, prices = boston_housing_data()
    return datasets.Dataset(
        name="boston_housing",
        X=np.ascontiguousarray(standardised(X)),
        Y=np.ascontiguousarray(standardised(prices[:, None])),
        kind="regression",
        scaling=datasets.STANDARDISED,
        origin="mlxtend (Harrison and Rubinfeld 1978)",
        sha256=datasets.sha256_of(X, prices),
    )


CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        Cell("diabetes-linear", "diabetes", Network.linear, "zeros", refined=1000),
        Cell("breast_cancer-logistic", "breast_cancer", Network.logistic, "zeros", refined=1000),
        Cell("digits-softmax", "digits", Network.softmax, "zeros"),
        Cell("digits-64-32-10", "digits", lambda d, k: Network.mlp(d, 32, k, hidden="relu", output="softmax"), "he"),
        Cell(
            "mnist5k-784-64-10",
            "mnist5k",
            lambda d, k: Network.mlp(d, 64, k),
            "normal",
            coarse=20,
            refined=100,
            largest=512,
        ),
        Cell(
            "boston-13-16-1",
            "boston_housing",
            lambda d, k: Network.mlp(d, 16, k, hidden="tanh", output="identity", loss="squared_error"),
            "glorot",
            read=boston_housing,
            held_out=True,
        ),
        Cell(
            "noisy-logistic",
            "synthetic_classification:n=3000,d=30,condition=30,noise=1,seed=8",
            Network.logistic,
            "zeros",
            held_out=True,
        ),
    )
}
