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
from kernels.epochs import build_epochs
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants._numba.arguments import TAKES_ACTIVATIONS, Codes, arrays, check_order, codes
from kernels.variants._numba.compiled import compiled, inlined
from kernels.variants._tiled.elementary import flush_subnormals, restore
from kernels.variants._tiled.elementwise import mean_loss
from kernels.variants._tiled.far_rows import ask_for_row
from kernels.variants._tiled.layout import Plan, chunk_rows, plan
from kernels.variants._tiled.memory import HUGE_PAGE_BYTES, memory
from kernels.variants._tiled.parallel import epoch_in_parallel, threads_for
from kernels.variants._tiled.parameters import load_parameters, store_parameters, take_steps
from kernels.variants._tiled.passes import (
    Chunk,
    Rows,
    activate_output,
    add_steps,
    first_forward,
    forward_pass,
    gather_row,
    output_row,
)
from kernels.variants._tiled.several import losses_of_several, losses_of_single
from kernels.variants._tiled.single_output import OUTPUTS, epoch_of_single, epochs_of_single
from kernels.variants._tiled.single_rows import backward_row, forward_row, start_rows, two_rows

FALLS_BACK = "one layer with one output: several rows at once, by vectors along the inputs"
MAX_PARAMETERS = 20_000
"""Up to which a call of ``epochs`` runs compiled from run to run: of more, a call costs little beside its work."""
_threads_are_free = threading.Lock()
"""Not all of Numba's thread pools may be entered twice: a second caller waits."""


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    theta, X = arrays(network, theta, X)
    return _forward_outputs(network, theta, X, True)


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's pre-activations."""
    theta, X, Y = arrays(network, theta, X, Y)
    code = Codes(*codes(network)).loss
    Z = _forward_outputs(network, theta, X, TAKES_ACTIVATIONS[code])
    return float(mean_loss(code, Z, Y))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    theta, X, Y = arrays(network, theta, X, Y)
    rows, descent = (X, Y, np.arange(len(X))), (len(X), theta.dtype.type(-1), True)
    found = np.empty_like(theta)
    _run_epoch(*_prepared(network, theta, len(X)), theta, rows, descent, found)
    return found


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    theta, X, Y = arrays(network, theta, X, Y)
    rows, found = (X, Y, np.ascontiguousarray(order, np.int64)), np.empty_like(theta)
    descent = int(batch_size), theta.dtype.type(learning_rate)
    if _is_single(network):
        epoch_of_single(codes(network), theta, rows, descent, found)
        return found
    threads = threads_for(batch_size)
    if threads > 1:
        with _threads_are_free:
            arguments = _prepared_for(threads, network, theta, batch_size)
            epoch_in_parallel(*arguments, theta, rows, descent, found)
    else:
        _run_epoch(*_prepared(network, theta, batch_size), theta, rows, (*descent, False), found)
    return found


def epochs(
    network: Network, thetas: Array, X: Array, Y: Array, orders: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (S, p) of several runs, each after its own rows, orders (S, m)."""
    check_batch_size(batch_size, orders.shape[1])
    if thetas.shape[1] > MAX_PARAMETERS or threads_for(batch_size) > 1:
        return _one_by_one(network, thetas, X, Y, orders, batch_size, learning_rate)
    _, X, Y = arrays(network, thetas[0], X, Y)
    thetas, orders = np.ascontiguousarray(thetas), np.ascontiguousarray(orders, np.int64)
    descent, found = (int(batch_size), thetas.dtype.type(learning_rate)), np.empty_like(thetas)
    if _is_single(network):
        epochs_of_single(codes(network), thetas, (X, Y), orders, descent, found)
    else:
        _run_epochs(*_prepared(network, thetas, batch_size), thetas, (X, Y), orders, (*descent, False), found)
    return found


_one_by_one = build_epochs(epoch)


def losses(network: Network, thetas: Array, X: Array, Y: Array, rows: Order | None) -> Array:
    """Mean losses (S,) of several runs, each over its own rows (S, m), or over all rows."""
    _, X, Y = arrays(network, thetas[0], X, Y)
    thetas, rows = np.ascontiguousarray(thetas), np.ascontiguousarray(np.arange(len(X))[None] if rows is None else rows)
    found, own = np.empty(len(thetas), X.dtype), codes(network)
    activates = TAKES_ACTIVATIONS[Codes(*own).loss]
    if _is_single(network):
        losses_of_single(own, activates, thetas, (X, Y), rows, found)
    else:
        losses_of_several(*_prepared(network, thetas, rows.shape[1]), activates, thetas, (X, Y), rows, found)
    return found


def _forward_outputs(network: Network, theta: Array, X: Array, activates: bool) -> Array:
    """Activations (n, k) of the last layer, or its pre-activations."""
    found = np.empty((len(X), network.n_outputs), X.dtype)
    _run_forward(*_prepared(network, theta, len(X)), theta, X, activates, found)
    return found


def _is_single(network: Network) -> bool:
    return network.n_layers == 1 and network.n_outputs == 1 and network.output in OUTPUTS


def _prepared(network: Network, theta: Array, rows: int) -> tuple[Any, ...]:
    """Plan, codes of the network, and memory, for batches of so many rows."""
    planned = plan(network, theta.itemsize, chunk_rows(network, theta.itemsize, rows))
    return tuple(planned), codes(network), memory(planned.elements, theta.dtype)


def _prepared_for(threads: int, network: Network, theta: Array, rows: int) -> tuple[Any, ...]:
    """Return the same for shares of such batches, with memory for each thread."""
    planned = plan(network, theta.itemsize, chunk_rows(network, theta.itemsize, -(-rows // threads)))
    apart = -(-planned.elements * theta.itemsize // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES // theta.itemsize
    return tuple(planned), codes(network), memory(threads * apart, theta.dtype).reshape(threads, apart)


@compiled
def _run_forward(plan, codes, memory, theta, X, activates, found):
    plan, codes = Plan(*plan), Codes(*codes)
    row_starts = np.empty(plan.capacity, np.int64)
    load_parameters(plan, theta, memory)
    for start in range(0, len(X), plan.capacity):
        m = min(plan.capacity, len(X) - start)
        for i in range(m):
            row_starts[i] = (start + i) * X.shape[1]
        first_forward(plan, memory, X, row_starts[:m])
        forward_pass(plan, codes, memory, m)
        if activates:
            activate_output(plan.layers[-1], plan.capacity, codes, memory, m)
        for i in range(m):
            output_row(plan.layers[-1], plan.capacity, memory, i, found[start + i])


@compiled
def _run_epoch(plan, codes, memory, theta, rows, descent, found):
    """Find what an epoch leaves, or the sum of its steps; rows (X, Y, order), descent (B, learning rate, sum alone)."""
    plan, codes, rows, (batch_size, learning_rate, steps) = Plan(*plan), Codes(*codes), Rows(*rows), descent
    check_order(rows.order, rows.X)
    before = flush_subnormals()
    load_parameters(plan, theta, memory)
    if batch_size == 1 and not steps:
        _row_by_row(plan, codes, memory, rows, learning_rate)
    else:
        _batch_by_batch(plan, codes, memory, rows, descent)
    store_parameters(plan, memory, plan.size if steps else 0, found)
    restore(before)


@compiled
def _run_epochs(plan, codes, memory, thetas, data, orders, descent, found):
    """Find the parameters (S, p) after an epoch each, in the orders (S, m) of data (X, Y)."""
    X, Y = data
    for s in range(len(thetas)):
        _run_epoch(plan, codes, memory, thetas[s], (X, Y, orders[s]), descent, found[s])


@inlined
def _batch_by_batch(plan, codes, memory, rows, descent):
    batch_size, learning_rate, steps = descent
    row_starts, n = np.empty(plan.capacity, np.int64), len(rows.order)
    for first in range(0, n, batch_size):
        end = min(first + batch_size, n)
        scale = -learning_rate / memory.dtype.type(end - first)
        shift = plan.size if end - first > plan.capacity or steps else 0
        for start in range(first, end, plan.capacity):
            chunk = Chunk(start, min(plan.capacity, end - start), scale)
            add_steps(plan, codes, memory, rows, chunk, (row_starts, shift))
        if shift > 0 and not steps:
            take_steps(plan, memory)


@inlined
def _row_by_row(plan, codes, memory, rows, learning_rate):
    X, Y, order = rows.X, rows.Y, rows.order
    before, now = two_rows(plan)
    start_rows(before, now, memory)
    for t in range(len(order)):
        ask_for_row(X, order, t)
        gather_row(X, order[t], memory, now[0].input)
        forward_row(before, now, codes, memory, 0)
        backward_row(before, now, codes, memory, Y, order, Chunk(t, 1, -learning_rate))
        before, now = now, before
    forward_row(before, now, codes, memory, 0)  # for the last update; its pre-activations are not used
