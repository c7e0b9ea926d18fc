"""Reads .parquet files into tables; of a large one some rows, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import pandas as pd

from gdbench.pick.data.sampling import PART_BYTES, Rows, Sampling
from gdbench.pick.data.table import Table, check_names, named

BUFFER_BYTES = 1 << 16
"""Read of a column at once; without, all that a group of rows has of it."""
PROBED_ROWS = 1000
"""Rows at the start that tell what one takes while it is read."""


def read_parquet(file: IO[bytes], name: str, targets: Sequence[str], sampling: Sampling) -> Table:
    """Return the columns of a parquet file.

    Raises
    ------
    InputError
        If two columns have one name, or a target is not there.
    """
    import pyarrow.parquet  # noqa: PLC0415 - takes a while, and only this kind of file needs it

    stored = pyarrow.parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)
    check_names(stored.schema_arrow.names, name)
    n, width = stored.metadata.num_rows, len(stored.schema_arrow.names)
    row_bytes = _row_bytes(stored) if sampling.is_too_large(n, width) else 8.0 * width
    count = sampling.count(n, width, row_bytes=row_bytes)
    rows = stored.read() if count == n else _chosen(stored, sampling.draw(n, count), row_bytes)
    rows = _without_zones(rows)
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True, self_destruct=True)  # no two copies of all columns
    pyarrow.default_memory_pool().release_unused()
    is_named = any(level is not None for level in frame.index.names)  # then it is a column like the others
    frame = frame.reset_index(drop=not is_named)
    frame.columns = [str(column) for column in frame.columns]
    return named(frame, list(frame.columns), targets, file=name, n_rows=n)


def _without_zones(rows: Any) -> Any:
    """Return a table without zones of its times, which need not be known here; times are refused anyway, by name."""
    import pyarrow  # noqa: PLC0415 - as above

    types = [field.type for field in rows.schema]
    if not any(pyarrow.types.is_timestamp(kind) and kind.tz for kind in types):
        return rows
    plain = [pyarrow.timestamp(kind.unit) if pyarrow.types.is_timestamp(kind) else kind for kind in types]
    fields = [pyarrow.field(name, kind) for name, kind in zip(rows.schema.names, plain, strict=True)]
    return rows.cast(pyarrow.schema(fields, rows.schema.metadata))


def _row_bytes(stored: Any) -> float:
    """Return what a row takes in memory, from the first ones."""
    first = next(stored.iter_batches(batch_size=PROBED_ROWS))
    return float(first.nbytes / first.num_rows)


def _chosen(stored: Any, rows: Rows, row_bytes: float) -> Any:
    """Return some rows as a table, whatever the size of the groups in which the file has them."""
    import pyarrow  # noqa: PLC0415 - as above

    begin, parts = 0, []
    for batch in stored.iter_batches(batch_size=max(int(PART_BYTES / row_bytes), 1)):
        first, last = np.searchsorted(rows, [begin, begin + batch.num_rows])
        parts.append(batch.take(pyarrow.array(rows[first:last] - begin)))
        begin += batch.num_rows
    return pyarrow.Table.from_batches(parts, stored.schema_arrow)
