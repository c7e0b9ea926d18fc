"""Large batches on several threads: each takes its share of a batch's rows, with parameters of its own.

Every thread keeps a whole copy of the parameters and adds the steps of all threads to it, in the same order, so the
copies stay equal bit by bit and nothing is locked.
"""

from os import environ

import numpy as np
from numba import get_num_threads, prange

from kernels.variants._numba.arguments import Codes, check_order
from kernels.variants._numba.compiled import parallel
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
def epoch_in_parallel(plan, codes, memory, theta, rows, descent):
    """Parameters (p,) after one pass over rows (X, Y, order); ``memory`` has a row for each thread."""
    plan, codes, rows, (batch_size, learning_rate) = Plan(*plan), Codes(*codes), Rows(*rows), descent
    check_order(rows.order, rows.X)
    threads, start, size, n = len(memory), plan.parameters, plan.size, len(rows.order)
    row_starts = np.empty((threads, plan.capacity), np.int64)
    for t in prange(threads):
        load_parameters(plan, theta, memory[t])
    for first in range(0, n, batch_size):
        m = min(batch_size, n - first)
        scale = -learning_rate / theta.dtype.type(m)
        for t in prange(threads):
            before = flush_subnormals()
            mine, end = memory[t], first + (t + 1) * m // threads
            mine[start + size : start + 2 * size] = 0
            for begin in range(first + t * m // threads, end, plan.capacity):
                chunk = Chunk(begin, min(plan.capacity, end - begin), scale)
                add_steps(plan, codes, mine, rows, chunk, (row_starts[t], size))
            restore(before)
        for t in prange(threads):
            parameters = memory[t, start : start + size]
            for other in range(threads):
                steps = memory[other, start + size : start + 2 * size]
                for i in range(size):
                    parameters[i] += steps[i]
    found = np.empty_like(theta)
    store_parameters(plan, memory[0], 0, found)
    return found
