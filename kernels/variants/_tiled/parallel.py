"""Large batches on several threads: each takes its share of a batch's rows, with parameters of its own.

Every thread keeps a whole copy of the parameters and adds the steps of all threads to it, in the same order, so the
copies stay equal bit by bit and nothing is locked.
"""

from os import environ

import numpy as np
from numba import get_num_threads, prange

from kernels.variants._numba.arguments import Codes, check_order
from kernels.variants._numba.compiled import parallel, part
from kernels.variants._tiled.elementary import flush_subnormals, restore
from kernels.variants._tiled.layout import Plan
from kernels.variants._tiled.parameters import load_parameters, store_parameters
from kernels.variants._tiled.passes import Chunk, Rows, add_steps

MIN_ROWS = 64
"""Rows of a thread's share, at least: with fewer the two meetings of an update, some ten microseconds, cost more than
they bring."""
ASKED = "NUMBA_NUM_THREADS"


def threads_for(batch_size: int) -> int:
    """Threads for batches of so many rows: one, unless the environment asks Numba for more and the batch is large.

    Numba's own default is all cores. Others may be using them, so more than one is to be asked for.
    """
    threads = get_num_threads() if ASKED in environ else 1
    return int(threads) if batch_size >= threads * MIN_ROWS else 1


@parallel
def epoch_in_parallel(plan, codes, memory, theta, rows, descent, found):
    """Find the parameters (p,) after one pass over rows (X, Y, order); ``memory`` has a row for each thread.

    What the threads share are plain tuples and arrays: Numba's loops over threads take no named ones.
    """
    (X, Y, order), (batch_size, learning_rate), (_, capacity, start, size, _, _, _) = rows, descent, plan
    check_order(order, X)
    threads = len(memory)
    row_starts = np.empty((threads, capacity), np.int64)
    for t in prange(threads):
        _load(plan, theta, memory[t])
    for first in range(0, len(order), batch_size):
        m = min(batch_size, len(order) - first)
        scale = -learning_rate / theta.dtype.type(m)
        for t in prange(threads):
            share = first + t * m // threads, first + (t + 1) * m // threads
            _add_share(plan, codes, memory[t], (X, Y, order), (share[0], share[1], scale), row_starts[t])
        for t in prange(threads):
            parameters = memory[t, start : start + size]
            for other in range(threads):
                steps = memory[other, start + size : start + 2 * size]
                for i in range(size):
                    parameters[i] += steps[i]
    store_parameters(Plan(*plan), memory[0], 0, found)


@part
def _load(plan, theta, memory):
    """Lay the parameters out in the memory of a thread."""
    load_parameters(Plan(*plan), theta, memory)


@part
def _add_share(plan, codes, memory, rows, share, row_starts):
    """Add the steps of a thread's share (begin, end, scale) of a batch to its parameters' steps, which begin at 0."""
    plan, codes, rows, (first, end, scale) = Plan(*plan), Codes(*codes), Rows(*rows), share
    before = flush_subnormals()
    start, size = plan.parameters, plan.size
    memory[start + size : start + 2 * size] = 0
    for begin in range(first, end, plan.capacity):
        chunk = Chunk(begin, min(plan.capacity, end - begin), scale)
        add_steps(plan, codes, memory, rows, chunk, (row_starts, size))
    restore(before)
