"""Large batches on several threads: each takes its share of a batch's rows, with parameters of its own.

Every thread keeps a whole copy of the parameters and adds the steps of all threads to it, in the same order, so the
copies stay equal bit by bit and nothing is locked.
"""

from os import environ

import numpy as np
from numba import get_num_threads, prange

from kernels.variants._arguments import check_order
from kernels.variants._compiled import parallel
from kernels.variants._elementary import flush_subnormals, restore
from kernels.variants._layout import BIAS, WEIGHTS
from kernels.variants._parameters import load_parameters, store_parameters
from kernels.variants._passes import add_steps

MIN_ROWS = 64
"""Of a thread's share: with fewer the two meetings of an update, some ten microseconds, cost more than they bring."""
ASKED = "NUMBA_NUM_THREADS"


def threads_for(batch_size: int) -> int:
    """Threads for batches of so many rows: one, unless the environment asks Numba for more and the batch is large.

    Numba's own default is all cores. Others may be using them, so more than one is to be asked for.
    """
    threads = get_num_threads() if ASKED in environ else 1
    return int(threads) if batch_size >= threads * MIN_ROWS else 1


@parallel
def epoch_in_parallel(places, capacity, hidden, output, squared, memory, theta, X, Y, order, batch_size, rate):
    """Parameters (p,) after one pass over the rows; ``memory`` has a row for each thread."""
    check_order(order, X)
    threads = len(memory)
    start, size = places[0, WEIGHTS], places[0, BIAS]
    data_rows = np.empty((threads, capacity), np.int64)
    for t in prange(threads):
        load_parameters(places, theta, memory[t])
    for first in range(0, len(order), batch_size):
        rows = min(batch_size, len(order) - first)
        scale = -rate / theta.dtype.type(rows)
        for t in prange(threads):
            before = flush_subnormals()
            mine, end = memory[t], first + (t + 1) * rows // threads
            mine[start + size : start + 2 * size] = 0
            for chunk in range(first + t * rows // threads, end, capacity):
                m = min(capacity, end - chunk)
                add_steps(
                    places, capacity, hidden, output, squared, mine, X, Y, order, chunk, m, scale, size, data_rows[t]
                )
            restore(before)
        for t in prange(threads):
            parameters = memory[t, start : start + size]
            for other in range(threads):
                steps = memory[other, start + size : start + 2 * size]
                for i in range(size):
                    parameters[i] += steps[i]
    found = np.empty_like(theta)
    store_parameters(places, memory[0], 0, found)
    return found
