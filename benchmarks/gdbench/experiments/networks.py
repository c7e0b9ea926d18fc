"""Reads the words in which a user asks for a network: preset, hidden layers, activations, loss."""

from __future__ import annotations

from gdbench.experiments.cases import PRESETS
from gdbench.experiments.datasets import Dataset
from kernels import InputError, Network
from kernels.errors import choices, unknown
from kernels.network import OUTPUT_LOSSES

DEFAULT_HIDDEN = (128,)


def build_network(
    preset: str,
    dataset: Dataset,
    *,
    hidden: tuple[int, ...] | None = None,
    activation: str | None = None,
    output: str | None = None,
    loss: str | None = None,
) -> Network:
    """Make the network of a preset with the inputs and outputs of a data set.

    ``hidden`` (units per layer), ``activation``, ``output`` and ``loss`` are for mlp only; output and loss
    default to identity + squared_error on a regression and sigmoid + cross_entropy on a classification.

    Raises
    ------
    InputError
        If the preset or a name does not exist, or an option does not belong to the preset.
    """
    if preset not in PRESETS:
        raise unknown("network", preset, PRESETS)
    if hidden is not None and min(hidden, default=1) < 1:
        raise _wrong_layers(hidden)
    d, k = dataset.X.shape[1], dataset.Y.shape[1]
    if k == 1 and "softmax" in (preset, output):
        raise InputError(
            f"softmax needs two outputs or more, but {dataset.name} has one: use sigmoid, as logistic does"
        )
    if preset == "mlp":
        output, loss = _pair(dataset.kind, output, loss)
        layers = DEFAULT_HIDDEN if hidden is None else hidden
        return Network.mlp(d, layers, k, hidden=activation or "sigmoid", output=output, loss=loss)
    options = {"hidden layers": hidden, "activation": activation, "output activation": output, "loss": loss}
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(f"the network {preset} takes no {choices(given)}: leave this out, or choose the network mlp")
    network: Network = getattr(Network, preset)(d, k)
    return network


def _pair(kind: str, output: str | None, loss: str | None) -> tuple[str, str]:
    """Complete output and loss from the first pair that has what was given."""
    usual = ("identity", "squared_error") if kind == "regression" else ("sigmoid", "cross_entropy")
    for pair in (usual, *OUTPUT_LOSSES):
        if output in (None, pair[0]) and loss in (None, pair[1]):
            return pair
    return output or usual[0], loss or usual[1]  # Network refuses it and names the pairs there are


def layer_sizes(text: str) -> tuple[int, ...]:
    """Read hidden layers such as ``64,32``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise _wrong_layers(text) from None


def _wrong_layers(given: str | tuple[int, ...]) -> InputError:
    shown = given if isinstance(given, str) else ",".join(map(str, given))
    return InputError(f"--hidden must be whole numbers of at least 1, such as 64,32, got {shown!r}: correct it")
