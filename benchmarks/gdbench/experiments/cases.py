"""A case is one thing to be timed; an experiment is the network and data that many cases share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from gdbench.experiments.datasets import shape_of
from gdbench.experiments.tasks import TASKS
from kernels import InputError, Network, descent_name
from kernels.errors import choices, unknown
from kernels.network import DTYPES

PRESETS = ("linear", "logistic", "softmax", "mlp")


@dataclass(frozen=True)
class NetworkSpec:
    """A network whose numbers of inputs and outputs come from the data set that it is put on."""

    name: str
    preset: str
    learning_rate: float
    about: str = ""
    hidden: tuple[int, ...] = ()
    activation: str = "sigmoid"
    output: str = "sigmoid"
    loss: str = "cross_entropy"

    def build(self, dataset: str) -> Network:
        """Return the network with the inputs and outputs of a data set."""
        _, d, k = shape_of(dataset)
        if self.preset not in PRESETS:
            raise unknown("network preset", self.preset, PRESETS)
        if self.preset != "mlp":
            network: Network = getattr(Network, self.preset)(d, k)
            return network
        return Network.mlp(d, self.hidden, k, hidden=self.activation, output=self.output, loss=self.loss)


@dataclass(frozen=True)
class Case:
    """Network x data set x task x variant x batch size x dtype x threads; the fields are table columns."""

    network: str
    dataset: str
    n_rows: int
    task: str
    variant: str
    batch_size: int
    dtype: str
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("n_rows", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a case is at least 1, got {getattr(self, name)}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype of a case is one of {choices(DTYPES)}, got {self.dtype!r}")

    @property
    def descent(self) -> str:
        """Regime that the batch size implies: batch, minibatch or stochastic."""
        return descent_name(self.batch_size, self.n_rows)

    @property
    def rows_per_call(self) -> int:
        """Rows that one timed call works through."""
        return self.n_rows if self.task == "epoch" else self.batch_size

    @property
    def id(self) -> str:
        """Readable key: the same wherever the case is named."""
        return (
            f"{self.network}@{self.dataset}/{self.task}/{self.variant}"
            f"/B={self.batch_size}/{self.dtype}/threads={self.threads}"
        )

    def to_dict(self) -> dict[str, object]:
        """Fields as a dictionary of strings and numbers."""
        return asdict(self)


def network_and_variant(case_id: str) -> tuple[str, str]:
    """Return ``NETWORK@DATASET`` and the variant that a case's ``id`` names."""
    network, _task, variant, *_rest = case_id.split("/")
    return network, variant


CASE_COLUMNS = [field.name for field in fields(Case)]
MEASURED, FAILED, MISSING = "measured", "failed", "missing"
"""What has become of a case."""


@dataclass(frozen=True)
class Axes:
    """Values along which an experiment is measured; batch sizes may hold ``"n"`` for all rows."""

    tasks: tuple[str, ...]
    variants: tuple[str, ...]
    batch_sizes: tuple[int | str, ...]
    dtypes: tuple[str, ...]
    threads: tuple[int, ...]

    def __post_init__(self) -> None:
        for what, names, there in (("task", self.tasks, tuple(TASKS)), ("dtype", self.dtypes, DTYPES)):
            for name in names:
                if name not in there:
                    raise unknown(what, name, there)
        for size in self.batch_sizes:
            if size != "n" and (not isinstance(size, int) or size < 1):
                raise InputError(f"a batch size is a whole number of at least 1 or n (all rows), got {size}")
        for threads in self.threads:
            if threads < 1:
                raise InputError(f"the number of threads must be at least 1, got {threads}")

    def cases(self, network: str, dataset: str) -> list[Case]:
        """Every combination on one network and data set; batch sizes above its rows are left out."""
        n = shape_of(dataset)[0]
        sizes = sorted({n if size == "n" else int(size) for size in self.batch_sizes})
        return [
            Case(network, dataset, n, task, variant, size, dtype, threads)
            for threads in self.threads
            for dtype in self.dtypes
            for task in self.tasks
            for size in sizes
            if size <= n
            for variant in self.variants
        ]
