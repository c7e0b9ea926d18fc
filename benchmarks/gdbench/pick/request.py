"""What a user asks, in the words of the command or the keywords of ``gdbench.pick``, and the question that it makes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gdbench.experiments.cases import PRESETS
from gdbench.experiments.datasets import Dataset
from gdbench.experiments.networks import build_network
from gdbench.pick.data.source import RowSource, usual_kind
from gdbench.pick.quantities import read_bytes, read_seconds
from gdbench.pick.question import Question, ask, label_of
from gdbench.pick.record.settings import Settings, check
from gdbench.pick.values import dtype_name, flag, layers, real, text, whole
from kernels import InputError, Network
from kernels.auto import AUTO
from kernels.errors import choices

USUAL = Settings()
PRESET_OPTIONS = ("hidden", "activation", "output_activation", "loss")
"""Options that describe the network of a preset."""
WHOLE, REAL, FLAGS = (
    ("current", "max_batch", "threads", "seed"),
    ("validation", "time_weight"),
    ("standardise", "fresh"),
)
NAMES = ("activation", "output_activation", "loss", "init", "kind", "objective", "variant", "tier")
"""Options by what they are; the command line sees to it, and from Python comes anything."""
SAME = ("tier", "objective", "variant", "threads", "dtype", "seed", "validation", "current", "max_batch", "fresh")
"""Options that are settings as they are."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Options of a pick, as numbers or in the words that people type; ``--help`` says what each is."""

    network: str | Network | None = None
    """Name of a preset, or the network itself."""
    hidden: int | str | Sequence[int] | None = None
    activation: str | None = None
    output_activation: str | None = None
    loss: str | None = None
    init: str | None = None
    kind: str | None = None
    standardise: bool = True
    validation: float | None = None
    loss_target: float | str = AUTO
    objective: str = USUAL.objective
    memory_limit: float | str | None = None
    time_weight: float | None = None
    current: int | None = None
    max_batch: int | None = None
    variant: str = USUAL.variant
    threads: int = USUAL.threads
    dtype: str = USUAL.dtype
    tier: str = USUAL.tier
    budget: float | str | None = None
    seed: int = USUAL.seed
    fresh: bool = USUAL.fresh

    def __post_init__(self) -> None:
        """Bring numbers of NumPy, and its dtypes, to Python's; raises InputError for values of the wrong kind."""
        found: dict[str, object] = {name: whole(name, getattr(self, name)) for name in WHOLE}
        found |= {name: real(name, getattr(self, name)) for name in REAL}
        found |= {name: flag(name, getattr(self, name)) for name in FLAGS}
        found |= {name: text(name, getattr(self, name)) for name in NAMES}
        found |= {"dtype": text("dtype", dtype_name(self.dtype)), "hidden": layers(self.hidden)}
        if not isinstance(self.network, str | Network | None):
            raise InputError(f"--network must be a name or a kernels.Network, got {self.network!r}: correct it")
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def amounts(self) -> dict[str, Any]:
        """Settings that may be written in words of their own."""
        return {
            "loss_target": _loss_target(self.loss_target),
            "budget_seconds": None if self.budget is None else read_seconds(self.budget),
            "memory_bytes": None if self.memory_limit is None else read_bytes(self.memory_limit),
            "time_weight": self.time_weight,
        }

    @property
    def settings(self) -> Settings:
        """Settings; raises InputError where one makes no sense."""
        scheme = self.init or ("normal" if self._has_hidden else "zeros")
        found = Settings(**{name: getattr(self, name) for name in SAME}, scheme=scheme, **self.amounts)
        check(found)
        return found

    @property
    def usual_kind(self) -> str | None:
        """Kind of targets: what is asked for, or else what the network needs; None where it takes either."""
        if self.kind is not None:
            return self.kind
        if isinstance(self.network, Network):
            return usual_kind("mlp", output=self.network.output, loss=self.network.loss)
        return usual_kind(str(self.network), output=self.output_activation, loss=self.loss)

    @property
    def _has_hidden(self) -> bool:
        return self.network.n_layers > 1 if isinstance(self.network, Network) else self.network == "mlp"

    def network_for(self, dataset: Dataset) -> Network:
        """Return the network with the inputs and outputs of a data set; raises InputError if it cannot have them."""
        if isinstance(self.network, Network):
            return self._whole(self.network, dataset)
        return build_network(
            str(self.network),
            dataset,
            hidden=layers(self.hidden),
            activation=self.activation,
            output=self.output_activation,
            loss=self.loss,
        )

    def _whole(self, network: Network, dataset: Dataset) -> Network:
        given = [name for name in PRESET_OPTIONS if getattr(self, name) is not None]
        if given:
            raise InputError(f"a kernels.Network has all of its layers, so leave out {choices(given)}")
        for words, needed, there in (
            ("inputs", network.n_inputs, dataset.X.shape[1]),
            ("outputs", network.n_outputs, dataset.Y.shape[1]),
        ):
            if needed != there:
                raise InputError(
                    f"the network {network} has {needed} {words}, but the data {there} (two classes are one output, "
                    "more are one each, and text is an input for each category): change its sizes, or name a preset"
                )
        return network


def check_network(request: Request) -> None:
    """Raise InputError unless a network is named."""
    if request.network is None:
        raise InputError(f"no network is named: add --network with one of {choices(PRESETS)}")


def build_question(request: Request, settings: Settings, source: RowSource, dataset: Dataset) -> Question:
    """Make the network and return the question; raises InputError where anything is wrong."""
    network = request.network_for(dataset)
    preset = _preset_of(network) if isinstance(request.network, Network) else str(request.network)
    return ask(settings, source, dataset, network, label=label_of(preset, network))


def _preset_of(network: Network) -> str:
    """Name of the preset that makes such a network, for people."""
    if network.n_layers > 1 or (network.output, network.loss) == ("sigmoid", "squared_error"):
        return "mlp"
    return {"identity": "linear", "sigmoid": "logistic", "softmax": "softmax"}[network.output]


def _loss_target(value: float | str) -> float | str:
    if value == AUTO:
        return AUTO
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"--loss-target must be a finite number or the word auto, got {value!r}: correct it")
    return found
