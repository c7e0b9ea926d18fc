"""Sparse: the tiled variant, but the products of the first layer go over the data's nonzeros alone.

Differs from ``tiled`` in the first layer of an epoch: each chunk of rows is first listed as its nonzeros, by row for
the pre-activations and by column for the weights, so a pixel that is zero costs a comparison instead of two products
for each unit. Faster where most of the data is zero; where a sample of rows says otherwise, ``tiled`` makes the epoch.
"""

from typing import NamedTuple

import numpy as np
from numba import uint64

from kernels.contract import Array, Order
from kernels.density import MAX_DENSITY, share_of_nonzeros
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants import tiled
from kernels.variants._numba.arguments import Codes, arrays, check_order, codes
from kernels.variants._numba.compiled import compiled, inlined
from kernels.variants._tiled.elementary import flush_subnormals, restore
from kernels.variants._tiled.emitter import VECTOR_BYTES
from kernels.variants._tiled.far_rows import TURNS_AHEAD
from kernels.variants._tiled.layout import Plan, equal_parts, plan
from kernels.variants._tiled.memory import memory
from kernels.variants._tiled.nonzeros import TOGETHER, Gathering, Nonzeros, gather_dot, list_part, scatter_axpy
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

BLOCK_BYTES = 36 * 1024
"""Size of the weights of a block of columns in so many panels: all rows of a chunk pass over them while they are in the
first cache, or most of them."""
LISTED_ROWS = 128
"""Rows whose nonzeros are listed at once: the more, the longer is the list of a column, and the larger the deltas that
its product takes rows from, 32 KiB in so many panels."""
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
    block = block_columns(planned, theta.itemsize) if batch_size > 1 else network.n_inputs
    lists = planned.elements, block, np.empty(planned.capacity * (network.n_inputs + block), np.int32)
    work = memory(planned.elements + planned.capacity * block, theta.dtype)
    rows, descent = (X, Y, np.ascontiguousarray(order, np.int64)), (int(batch_size), theta.dtype.type(learning_rate))
    found = np.empty_like(theta)
    _run_epoch((tuple(planned), codes(network), lists), work, theta, rows, descent, found)
    return found


def block_columns(planned: Plan, itemsize: int) -> int:
    """Columns of a block, a whole number of vectors."""
    layer, lanes = planned.layers[0], VECTOR_BYTES // itemsize
    columns = BLOCK_BYTES // int(layer["width"] * min(layer["panels"], TOGETHER) * itemsize)
    return lanes * min(max(1, columns // lanes), -(-int(layer["fan_in"]) // lanes))


class Lists(NamedTuple):
    """The nonzeros of a chunk of m data rows by row, and those of a block of its columns by column.

    Those of row i begin at ``plan.data + i * d`` in memory, those of the block's column j at ``values + j * capacity``;
    the numbers that belong to them, of columns or of rows, as far behind the front of theirs.
    """

    values: int
    """Index in memory of the values by column."""
    columns: Array
    """(capacity * d,) int32 column numbers of the values by row."""
    rows: Array
    """(block * capacity,) int32 row numbers of the values by column."""
    block: int
    """Columns of a block."""
    ends: Array
    """(capacity, 1 + blocks) counts of each row before each block, and of all of it."""
    next: Array
    """(block,) place behind the last value of each column, counted from ``values``."""


@compiled
def _run_epoch(network, memory, theta, rows, descent, found):
    """Find what an epoch leaves; network (plan, codes, lists), rows (X, Y, order), descent (B, learning rate)."""
    (planned, codes, (values, block, numbers)), rows = network, Rows(*rows)
    plan, codes, d = Plan(*planned), Codes(*codes), rows.X.shape[1]
    ends, behind = np.zeros((plan.capacity, 1 + -(-d // block)), np.int64), np.empty(block, np.int64)
    lists = Lists(values, numbers[: plan.capacity * d], numbers[plan.capacity * d :], block, ends, behind)
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
            _first_update(plan, memory, lists, chunk.m, shift)
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
    X, order, d, last = rows.X, rows.order, layer.fan_in, len(rows.order) - 1
    for i in range(chunk.m):
        row, later, found = order[chunk.start + i], order[min(chunk.start + i + TURNS_AHEAD, last)], 0
        for block in range(lists.ends.shape[1] - 1):
            part, first = (block * lists.block, min(d, (block + 1) * lists.block)), i * d + found
            found += list_part(memory, X, row, later, part, Nonzeros(layer.input + first, lists.columns, first, 0))
            lists.ends[i, block + 1] = found


@inlined
def _first_forward(layer, capacity, memory, lists, m):
    """Pre-activations of the first layer from the nonzeros of each row, block by block of the columns."""
    step, result_step, d = layer.fan_in * layer.width, capacity * layer.width, layer.fan_in
    start_from_bias(layer, capacity, memory, m)
    for block in range(lists.ends.shape[1] - 1):
        panel = 0
        while panel < layer.panels:
            together = _together(layer.panels - panel)
            weights, results = layer.weights + panel * step, layer.activations + panel * result_step
            for i in range(m):
                first, n = i * d + lists.ends[i, block], lists.ends[i, block + 1] - lists.ends[i, block]
                panels = Gathering(layer.vectors, together, weights, step, results + i * layer.width, result_step)
                gather_dot(memory, Nonzeros(layer.input + first, lists.columns, first, n), panels)
            panel += together


@inlined
def _together(panels):
    """Panels of so many whose products are made at once."""
    return TOGETHER if panels >= TOGETHER else 2 if panels >= 2 else 1


@inlined
def _first_update_by_row(layer, memory, lists):
    """Update the weights of the columns in which a single row is not zero."""
    nonzeros = Nonzeros(layer.input, lists.columns, 0, lists.ends[0, -1])
    for panel in range(layer.panels):
        weights = layer.weights + panel * layer.fan_in * layer.width
        scatter_axpy(memory, layer.vectors, nonzeros, layer.deltas + panel * layer.width, weights)


@inlined
def _first_update(plan, memory, lists, m, shift):
    """Update the weights of each column of the data by all rows in which it is not zero, block by block."""
    layer, capacity = plan.layers[0], plan.capacity
    width, step = layer.width, layer.fan_in * layer.width
    for block in range(lists.ends.shape[1] - 1):
        start, panel = block * lists.block, 0
        _list_columns(plan, memory, lists, block, m)
        while panel < layer.panels:
            together = _together(layer.panels - panel)
            weights = layer.weights + panel * step + shift + start * width
            deltas = layer.deltas + panel * capacity * width
            for j in range(min(lists.block, layer.fan_in - start)):
                first = j * capacity
                if lists.next[j] > first:
                    nonzeros = Nonzeros(lists.values + first, lists.rows, first, lists.next[j] - first)
                    panels = Gathering(layer.vectors, together, deltas, capacity * width, weights + j * width, step)
                    gather_dot(memory, nonzeros, panels)
            panel += together


@inlined
def _list_columns(plan, memory, lists, block, m):
    """List the nonzeros of a block of columns by column, from their lists by row.

    Indices are unsigned: of others Numba asks each time whether they count from the end, which took as long again.
    """
    d, start = plan.layers[0].fan_in, block * lists.block
    for j in range(lists.block):
        lists.next[j] = j * plan.capacity
    for i in range(m):
        for k in range(i * d + lists.ends[i, block], i * d + lists.ends[i, block + 1]):
            j = uint64(lists.columns[uint64(k)] - start)
            to = uint64(lists.next[j])
            lists.next[j] = to + uint64(1)
            memory[uint64(lists.values) + to] = memory[uint64(plan.data + k)]
            lists.rows[to] = i
