"""Sparse: the tiled variant, but the products of the first layer go over the data's nonzeros alone.

Differs from ``tiled`` in the first layer of an epoch: each chunk of rows is first listed as its nonzeros, by row for
the pre-activations and by column for the weights, so a pixel that is zero costs a comparison instead of two products
for each unit. Faster where most of the data is zero; where a sample of rows says otherwise, ``tiled`` makes the epoch.
"""

from typing import NamedTuple

import numpy as np

from kernels.contract import Array, Order
from kernels.density import MAX_DENSITY, share_of_nonzeros
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants import tiled
from kernels.variants._numba.arguments import Codes, arrays, check_order, codes
from kernels.variants._numba.compiled import compiled, inlined
from kernels.variants._tiled.elementary import flush_subnormals, restore
from kernels.variants._tiled.emitter import VECTOR_BYTES, WIDE
from kernels.variants._tiled.layout import Plan, equal_parts, plan
from kernels.variants._tiled.memory import memory
from kernels.variants._tiled.parameters import load_parameters, store_parameters, take_steps
from kernels.variants._tiled.passes import (
    Chunk,
    Rows,
    backward,
    forward_pass,
    output_delta,
    start_from_bias,
    update_bias,
)
from kernels.variants._tiled.single_rows import backward_row, forward_row, start_rows, two_rows
from kernels.variants._tiled.tiles import Nonzeros, gather_dot, list_block, scatter_axpy

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
    planned = plan(network, theta.itemsize, equal_parts(batch_size, LISTED_ROWS))
    listed = planned.capacity * network.n_inputs
    lists = planned.elements, np.empty((2, listed), np.int32)
    work = memory(planned.elements + listed, theta.dtype)
    rows, descent = (X, Y, np.ascontiguousarray(order)), (int(batch_size), theta.dtype.type(learning_rate))
    found = np.empty_like(theta)
    _run_epoch((tuple(planned), codes(network), lists), work, theta, rows, descent, found)
    return found


class Lists(NamedTuple):
    """The nonzeros of a chunk of m data rows, listed by row and by column.

    Those of row i begin at ``plan.data + i * d`` in memory, those of column j at ``values + j * capacity``; the numbers
    that belong to them, of columns or of rows, as far behind the front of theirs.
    """

    values: int
    """Index in memory of the values by column."""
    columns: Array
    """(capacity * d,) int32 column numbers of the values by row."""
    rows: Array
    """(d * capacity,) int32 row numbers of the values by column."""
    in_row: Array
    """(capacity,) counts of each row."""
    in_column: Array
    """(d,) counts of each column."""


@compiled
def _run_epoch(network, memory, theta, rows, descent, found):
    """Find what an epoch leaves; network (plan, codes, lists), rows (X, Y, order), descent (B, learning rate)."""
    (planned, codes, (values, numbers)), rows = network, Rows(*rows)
    plan, codes = Plan(*planned), Codes(*codes)
    in_row, in_column = np.zeros(plan.capacity, np.int64), np.zeros(rows.X.shape[1], np.int64)
    lists = Lists(values, numbers[0], numbers[1], in_row, in_column)
    check_order(rows.order, rows.X)
    before = flush_subnormals()
    load_parameters(plan, theta, memory)
    if descent[0] == 1:
        _row_by_row(plan, codes, memory, lists, rows, descent[1])
    else:
        _batch_by_batch(plan, codes, memory, lists, rows, descent)
    store_parameters(plan, memory, 0, found)
    restore(before)


@inlined
def _batch_by_batch(plan, codes, memory, lists, rows, descent):
    (batch_size, learning_rate), n = descent, len(rows.order)
    for first in range(0, n, batch_size):
        end = min(first + batch_size, n)
        scale = -learning_rate / memory.dtype.type(end - first)
        shift = plan.size if end - first > plan.capacity else 0
        for start in range(first, end, plan.capacity):
            chunk = Chunk(start, min(plan.capacity, end - start), scale)
            _list_rows(plan.layers[0], memory, lists, rows, chunk)
            _first_forward(plan.layers[0], plan.capacity, memory, lists, chunk.m)
            forward_pass(plan, codes, memory, chunk.m)
            output_delta(plan.layers[-1], plan.capacity, codes, memory, rows.Y, rows.order, chunk)
            backward(plan, codes, memory, chunk.m, shift)
            _list_columns(plan, memory, lists, chunk.m)
            _first_update(plan, memory, lists, shift)
            update_bias(plan.layers[0], plan.capacity, memory, chunk.m, shift)
        if shift > 0:
            take_steps(plan, memory)


@inlined
def _row_by_row(plan, codes, memory, lists, rows, learning_rate):
    Y, order = rows.Y, rows.order
    before, now = two_rows(plan)
    start_rows(before, now, memory)
    for t in range(len(order)):
        chunk = Chunk(t, 1, -learning_rate)
        _list_rows(now[0], memory, lists, rows, chunk)
        _first_forward(now[0], 1, memory, lists, 1)
        forward_row(before, now, codes, memory, 1)
        backward_row(before, now, codes, memory, Y, order, chunk)
        _first_update_by_row(now[0], memory, lists)
        before, now = now, before
    forward_row(before, now, codes, memory, 1)  # for the last update; its pre-activations are not used


@inlined
def _list_rows(layer, memory, lists, rows, chunk):
    """List the nonzeros of the data rows of a chunk, the input of the first layer, by row."""
    X, order, d = rows.X, rows.order, layer.fan_in
    for i in range(chunk.m):
        nonzeros = Nonzeros(layer.input + i * d, lists.columns, i * d, 0)
        lists.in_row[i] = _list_row(X, order[chunk.start + i], memory, nonzeros)


@inlined
def _list_row(X, row, memory, nonzeros):
    """List the nonzeros of a data row, values in memory and column numbers; return how many there are."""
    found, j, d = 0, 0, X.shape[1]
    to, numbers, first, _ = nonzeros
    if WIDE:
        lanes = VECTOR_BYTES // memory.itemsize
        while d - j >= lanes:
            found += list_block(memory, X, row * d + j, j, Nonzeros(to + found, numbers, first + found, 0))
            j += lanes
    while j < d:
        x = X[row, j]
        memory[to + found] = x
        numbers[first + found] = j
        found += x != 0
        j += 1
    return found


@inlined
def _first_forward(layer, capacity, memory, lists, m):
    """Pre-activations of the first layer from the nonzeros of each row."""
    width, d = layer.width, layer.fan_in
    start_from_bias(layer, capacity, memory, m)
    for panel in range(layer.panels):
        weights = layer.weights + panel * d * width
        for i in range(m):
            result = layer.activations + (panel * capacity + i) * width
            nonzeros = Nonzeros(layer.input + i * d, lists.columns, i * d, lists.in_row[i])
            gather_dot(memory, layer.vectors, nonzeros, weights, result)


@inlined
def _first_update_by_row(layer, memory, lists):
    """Update the weights of the columns in which a single row is not zero."""
    nonzeros = Nonzeros(layer.input, lists.columns, 0, lists.in_row[0])
    for panel in range(layer.panels):
        weights = layer.weights + panel * layer.fan_in * layer.width
        scatter_axpy(memory, layer.vectors, nonzeros, layer.deltas + panel * layer.width, weights)


@inlined
def _list_columns(plan, memory, lists, m):
    """List the nonzeros of a chunk by column, from their list by row."""
    d, in_column = plan.layers[0].fan_in, lists.in_column
    in_column[:] = 0
    for i in range(m):
        for k in range(i * d, i * d + lists.in_row[i]):
            j = lists.columns[k]
            to = j * plan.capacity + in_column[j]
            memory[lists.values + to] = memory[plan.data + k]
            lists.rows[to] = i
            in_column[j] += 1


@inlined
def _first_update(plan, memory, lists, shift):
    """Update the weights of each column of the data by all rows in which it is not zero."""
    layer = plan.layers[0]
    width = layer.width
    for panel in range(layer.panels):
        weights = layer.weights + panel * layer.fan_in * width + shift
        deltas = layer.deltas + panel * plan.capacity * width
        for j in range(layer.fan_in):
            if lists.in_column[j] > 0:
                first = j * plan.capacity
                nonzeros = Nonzeros(lists.values + first, lists.rows, first, lists.in_column[j])
                gather_dot(memory, layer.vectors, nonzeros, deltas, weights + j * width)
