"""Tiled: register-tiled products of our own in cache-sized chunks, each weight gradient added to its weights at once.

Differs from ``jit`` in its products and in what it does not do: no BLAS call, no stored weight gradient, no pass over
memory between them. Rows are worked through in chunks that stay in the cache together with the weights; weights
lie in panels that a tile reads as one stream; ``exp`` is a polynomial that LLVM vectorizes. Large batches are shared
among Numba's threads where NUMBA_NUM_THREADS asks for several.
"""

import threading
from typing import Any

import numpy as np

from kernels.contract import Array, Order
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants._arguments import arrays, check_order, codes
from kernels.variants._compiled import compiled, inlined
from kernels.variants._elementary import flush_subnormals, restore
from kernels.variants._elementwise import mean_loss
from kernels.variants._layout import BIAS, DELTAS, FAN_OUT, HUGE_PAGE_BYTES, chunk_rows, memory, plan
from kernels.variants._parallel import epoch_in_parallel, threads_for
from kernels.variants._parameters import load_parameters, store_parameters, take_steps
from kernels.variants._passes import (
    activate_output,
    add_steps,
    forward_pass,
    gather_row,
    output_row,
    weigh_data,
)
from kernels.variants._single import epoch_of_single
from kernels.variants._single_rows import alternate, deltas_of_row, start_rows, weigh_row

FALLS_BACK = "one layer with one output: plain loops that LLVM vectorizes along the inputs"
_threads_are_free = threading.Lock()
"""Not all of Numba's thread pools may be entered twice: a second caller waits."""


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    theta, X = arrays(network, theta, X)
    return _run_forward(*_prepared(network, theta, len(X)), theta, X, True)


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's pre-activations."""
    theta, X, Y = arrays(network, theta, X, Y)
    _, output, squared = codes(network)
    Z = _run_forward(*_prepared(network, theta, len(X)), theta, X, squared)
    return float(mean_loss(output, squared, Z, Y))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    theta, X, Y = arrays(network, theta, X, Y)
    rate, order = theta.dtype.type(-1), np.arange(len(X))
    return _run_epoch(*_prepared(network, theta, len(X)), theta, X, Y, order, len(X), rate, True)


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    theta, X, Y = arrays(network, theta, X, Y)
    rate, order = theta.dtype.type(learning_rate), np.ascontiguousarray(order)
    if network.n_layers == 1 and network.n_outputs == 1 and network.output != "softmax":
        _, output, squared = codes(network)
        return epoch_of_single(output, squared, theta, X, Y, order, int(batch_size), rate)
    threads = threads_for(int(batch_size))
    if threads > 1:
        with _threads_are_free:
            arguments = _prepared_for(threads, network, theta, batch_size)
            return epoch_in_parallel(*arguments, theta, X, Y, order, int(batch_size), rate)
    return _run_epoch(*_prepared(network, theta, batch_size), theta, X, Y, order, int(batch_size), rate, False)


def _prepared(network: Network, theta: Array, rows: int) -> tuple[Any, ...]:
    """Plan, rows of a chunk, codes of the network, and memory for batches of so many rows."""
    capacity = chunk_rows(network, theta.itemsize, rows)
    places, elements = plan(network, theta.itemsize, capacity)
    return places, capacity, *codes(network), memory(elements, theta.dtype)


def _prepared_for(threads: int, network: Network, theta: Array, rows: int) -> tuple[Any, ...]:
    """Return the same for shares of such batches, with memory for each thread."""
    capacity = chunk_rows(network, theta.itemsize, -(-rows // threads))
    places, elements = plan(network, theta.itemsize, capacity)
    apart = -(-elements * theta.itemsize // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES // theta.itemsize
    return places, capacity, *codes(network), memory(threads * apart, theta.dtype).reshape(threads, apart)


@compiled
def _run_forward(places, capacity, hidden, output, squared, memory, theta, X, activated):
    found, data_rows = np.empty((len(X), places[-1, FAN_OUT]), X.dtype), np.empty(capacity, np.int64)
    load_parameters(places, theta, memory)
    for start in range(0, len(X), capacity):
        m = min(capacity, len(X) - start)
        for i in range(m):
            data_rows[i] = (start + i) * X.shape[1]
        weigh_data(places, capacity, m, memory, X, data_rows)
        forward_pass(places, hidden, capacity, m, memory)
        if activated:
            activate_output(places, output, capacity, m, memory)
        for i in range(m):
            output_row(places, capacity, i, memory, found[start + i])
    return found


@compiled
def _run_epoch(places, capacity, hidden, output, squared, memory, theta, X, Y, order, batch_size, rate, steps):
    check_order(order, X)
    found = np.empty_like(theta)
    before = flush_subnormals()
    load_parameters(places, theta, memory)
    if batch_size == 1 and not steps:
        _row_by_row(places, hidden, output, squared, memory, X, Y, order, rate)
    else:
        _batch_by_batch(places, capacity, hidden, output, squared, memory, X, Y, order, batch_size, rate, steps)
    store_parameters(places, memory, places[0, BIAS] if steps else 0, found)
    restore(before)
    return found


@inlined
def _batch_by_batch(places, capacity, hidden, output, squared, memory, X, Y, order, batch_size, rate, steps):
    data_rows = np.empty(capacity, np.int64)
    for first in range(0, len(order), batch_size):
        rows = min(batch_size, len(order) - first)
        scale = -rate / memory.dtype.type(rows)
        shift = places[0, BIAS] if rows > capacity or steps else 0
        for start in range(first, first + rows, capacity):
            m = min(capacity, first + rows - start)
            add_steps(places, capacity, hidden, output, squared, memory, X, Y, order, start, m, scale, shift, data_rows)
        if shift > 0 and not steps:
            take_steps(places, memory)


@inlined
def _row_by_row(places, hidden, output, squared, memory, X, Y, order, rate):
    now, before = alternate(places), places.copy()
    start_rows(before, now, memory)
    for t in range(len(order)):
        gather_row(X, order[t], memory, now[0, DELTAS])
        weigh_row(before, now, 1, hidden, memory)
        deltas_of_row(before, now, hidden, output, squared, memory, Y, order, t, rate)
        before, now = now, before
    weigh_row(before, now, 1, hidden, memory)  # for the last update; what it weighs is not used
