"""Sparse: the tiled variant, but the products of the first layer go over the data's nonzeros alone.

Differs from ``tiled`` in the first layer of an epoch: each chunk of rows is first listed as its nonzeros, by row for
the pre-activations and by column for the weights, so a pixel that is zero costs a comparison instead of two products
for each unit. Faster where most of the data is zero; where a sample of rows says otherwise, ``tiled`` makes the epoch.
"""

import numpy as np

from kernels.contract import Array, Order
from kernels.density import MAX_DENSITY, share_of_nonzeros
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants import tiled
from kernels.variants._arguments import arrays, check_order, codes
from kernels.variants._compiled import compiled, inlined
from kernels.variants._elementary import flush_subnormals, restore
from kernels.variants._emitter import VECTOR_BYTES, WIDE
from kernels.variants._layout import (
    BIAS,
    DELTAS,
    FAN_IN,
    PANELS,
    SUMS,
    VECTORS,
    WEIGHTS,
    WIDTH,
    equal_parts,
    memory,
    plan,
)
from kernels.variants._parameters import load_parameters, store_parameters, take_steps
from kernels.variants._passes import (
    backward,
    bias_to_sums,
    forward_pass,
    output_delta,
    update_bias,
)
from kernels.variants._single_rows import alternate, deltas_of_row, start_rows, weigh_row
from kernels.variants._tiles import list_block, multiply_chosen, update_chosen

LISTED_ROWS = 252
"""Rows whose nonzeros are listed at once: the more, the longer is the list of a column."""
FALLS_BACK = "data with more than 40 % nonzeros, and forward, loss and gradient: as tiled; one thread always"

forward, loss, gradient = tiled.forward, tiled.loss, tiled.gradient


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    theta, X, Y = arrays(network, theta, X, Y)
    if share_of_nonzeros(X) > MAX_DENSITY:
        return tiled.epoch(network, theta, X, Y, order, batch_size, learning_rate)
    capacity = equal_parts(batch_size, LISTED_ROWS)
    places, elements = plan(network, theta.itemsize, capacity)
    listed = capacity * network.n_inputs
    work = memory(elements + listed, theta.dtype)
    index = np.empty((2, listed), np.int32)
    rate = theta.dtype.type(learning_rate)
    order = np.ascontiguousarray(order)
    return _run_epoch(
        places, capacity, *codes(network), work, elements, index, theta, X, Y, order, int(batch_size), rate
    )


@compiled
def _run_epoch(
    places, capacity, hidden, output, squared, memory, by_column, index, theta, X, Y, order, batch_size, rate
):
    check_order(order, X)
    found = np.empty_like(theta)
    before = flush_subnormals()
    load_parameters(places, theta, memory)
    if batch_size == 1:
        _row_by_row(places, hidden, output, squared, memory, index, X, Y, order, rate)
    else:
        _batch_by_batch(
            places, capacity, hidden, output, squared, memory, by_column, index, X, Y, order, batch_size, rate
        )
    store_parameters(places, memory, 0, found)
    restore(before)
    return found


@inlined
def _batch_by_batch(places, capacity, hidden, output, squared, memory, by_column, index, X, Y, order, batch_size, rate):
    in_row, in_column = np.zeros(capacity, np.int64), np.zeros(X.shape[1], np.int64)
    for first in range(0, len(order), batch_size):
        rows = min(batch_size, len(order) - first)
        scale = -rate / memory.dtype.type(rows)
        shift = places[0, BIAS] if rows > capacity else 0
        for start in range(first, first + rows, capacity):
            m = min(capacity, first + rows - start)
            _list_rows(places, X, order, start, m, memory, index[0], in_row)
            _weighted_sums(places, capacity, m, memory, index[0], in_row)
            forward_pass(places, hidden, capacity, m, memory)
            output_delta(places, output, squared, capacity, m, memory, Y, order, start, scale)
            backward(places, hidden, capacity, m, memory, shift)
            _list_columns(places, capacity, m, memory, by_column, index, in_row, in_column)
            _update_by_column(places, capacity, memory, by_column, index[1], in_column, shift)
            update_bias(places, 1, capacity, m, memory, shift)
        if shift > 0:
            take_steps(places, memory)


@inlined
def _row_by_row(places, hidden, output, squared, memory, index, X, Y, order, rate):
    now, before, in_row = alternate(places), places.copy(), np.zeros(1, np.int64)
    start_rows(before, now, memory)
    for t in range(len(order)):
        _list_rows(now, X, order, t, 1, memory, index[0], in_row)
        _weighted_sums(now, 1, 1, memory, index[0], in_row)
        weigh_row(before, now, 2, hidden, memory)
        deltas_of_row(before, now, hidden, output, squared, memory, Y, order, t, rate)
        _update_by_row(now, memory, index[0], in_row[0])
        before, now = now, before
    weigh_row(before, now, 2, hidden, memory)  # for the last update; what it weighs is not used


@inlined
def _list_rows(places, X, order, start, m, memory, index, in_row):
    """List the nonzeros of m rows, those of row i from i times the number of columns on."""
    d = X.shape[1]
    for i in range(m):
        in_row[i] = _list_row(X, order[start + i], memory, places[0, DELTAS] + i * d, index, i * d)


@inlined
def _list_row(X, row, memory, to, index, first):
    """List the nonzeros of a data row, values in memory and columns in index; return how many there are."""
    found, j, d = 0, 0, X.shape[1]
    if WIDE:
        lanes = VECTOR_BYTES // memory.itemsize
        while d - j >= lanes:
            found += list_block(X, row * d + j, memory, to + found, index, first + found, j)
            j += lanes
    while j < d:
        x = X[row, j]
        memory[to + found] = x
        index[first + found] = j
        found += x != 0
        j += 1
    return found


@inlined
def _weighted_sums(places, capacity, m, memory, index, in_row):
    row, data = places[1], places[0, DELTAS]
    width, d = row[WIDTH], row[FAN_IN]
    bias_to_sums(places, 1, capacity, m, memory)
    for panel in range(row[PANELS]):
        weights = row[WEIGHTS] + panel * d * width
        for i in range(m):
            sums = row[SUMS] + (panel * capacity + i) * width
            multiply_chosen(row[VECTORS], memory, sums, data + i * d, index, i * d, weights, in_row[i])


@inlined
def _update_by_row(places, memory, index, count):
    """Update the weights of the columns in which a single row is not zero."""
    row = places[1]
    for panel in range(row[PANELS]):
        weights = row[WEIGHTS] + panel * row[FAN_IN] * row[WIDTH]
        deltas = row[DELTAS] + panel * row[WIDTH]
        update_chosen(row[VECTORS], memory, weights, index, 0, places[0, DELTAS], deltas, count)


@inlined
def _list_columns(places, capacity, m, memory, by_column, index, in_row, in_column):
    """List the nonzeros of a chunk by column: column j's from j * capacity on."""
    data, d = places[0, DELTAS], places[1, FAN_IN]
    in_column[:] = 0
    for i in range(m):
        for k in range(i * d, i * d + in_row[i]):
            j = index[0, k]
            to = j * capacity + in_column[j]
            memory[by_column + to] = memory[data + k]
            index[1, to] = i
            in_column[j] += 1


@inlined
def _update_by_column(places, capacity, memory, by_column, index, in_column, shift):
    """Update the weights of a column of the data by all rows in which it is not zero."""
    row = places[1]
    width = row[WIDTH]
    for panel in range(row[PANELS]):
        weights = row[WEIGHTS] + panel * row[FAN_IN] * width + shift
        deltas = row[DELTAS] + panel * capacity * width
        for j in range(row[FAN_IN]):
            if in_column[j] > 0:
                first = j * capacity
                target = weights + j * width
                multiply_chosen(row[VECTORS], memory, target, by_column + first, index, first, deltas, in_column[j])
