"""What ``gdbench.pick`` returns: the answer as attributes, a pandas table, a picture, HTML and files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gdbench.basics.folders import fresh_folder, own_named_folder
from gdbench.pick.choose.choice import Row
from gdbench.pick.choose.table import rows_of
from gdbench.pick.in_python import errors_in_python
from gdbench.pick.record.record import PickRecord, SearchSeconds
from gdbench.pick.views.files import PARENT, subject, write_views

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (
    "batch_size",
    "learning_rate",
    "steps",
    "seconds_per_step",
    "seconds",
    "seconds_low",
    "seconds_high",
    "measured",
    "runs",
    "chosen",
)
"""First columns of the table; the others of a row follow."""
WHOLE = ("steps", "examples")
"""Whole numbers that may be missing."""


@dataclass(frozen=True, repr=False)
class Pick:
    """A batch size with its learning rate, how sure that is, and why; without an answer, the reason."""

    record: PickRecord
    """All that is known, as ``pick.json`` keeps it."""

    @property
    def batch_size(self) -> int | None:
        """Rows per update to train with; None if there is no answer, and ``repr`` says why."""
        return self.record.choice.batch_size if self.record.choice else None

    @property
    def learning_rate(self) -> float | None:
        """Learning rate that goes with it; None if there is no answer, or nothing was trained."""
        return self.record.choice.learning_rate if self.record.choice else None

    @property
    def steps(self) -> int | None:
        """Steps to the target with them; None if there is no answer, or nothing was trained."""
        return self.record.choice.row.steps if self.record.choice else None

    @property
    def variant(self) -> str | None:
        """Variant that was timed at it."""
        return self.record.choice.variant if self.record.choice else None

    @property
    def seconds(self) -> SearchSeconds:
        """Seconds that the search took: ``steps``, ``times`` and ``total``."""
        return self.record.seconds

    @property
    def exit_code(self) -> int:
        """That of the command: 0 answered, 3 not enough evidence, 4 nothing could be timed, 130 stopped by Ctrl-C."""
        return self.record.exit_code

    @property
    def table(self) -> pd.DataFrame:
        """A row for each batch size, ascending, with times in seconds; empty if nothing was timed."""
        names = [*COLUMNS, *(each.name for each in fields(Row) if each.name not in COLUMNS)]
        table = pd.DataFrame([asdict(row) for row in self._rows], columns=names)
        numbers = [each.name for each in fields(Row) if "float" in str(each.type)]
        return table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(WHOLE, "Int64"))

    @property
    def _rows(self) -> tuple[Row, ...]:
        record = self.record
        if record.choice is not None:
            return record.choice.table
        return rows_of(record.steps, record.times, n_rows=record.data.n_rows) if record.times is not None else ()

    def plot(self) -> Axes:
        """Draw steps, seconds per step and their product over the batch size, in a new figure of pyplot.

        Returns
        -------
        Axes
            Panel of the time to the target; ``.figure`` is the whole picture, and ``.figure.axes`` its panels.
        """
        from matplotlib import pyplot  # noqa: PLC0415 - it takes a second, and may choose how pictures are shown

        from gdbench.pick.views.picture import draw  # noqa: PLC0415

        return draw(self.record, pyplot.figure()).axes[-1]

    def save(self, folder: str | Path | None = None) -> Path:
        """Write record, report, picture and page, the same files as the command does.

        Parameters
        ----------
        folder : str or Path, optional
            Older files in it are replaced; by default a new one in ``picks/``.

        Returns
        -------
        Path
            Folder of the files.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        wanted = None if folder is None else Path(folder)
        with (
            errors_in_python(),
            own_named_folder(wanted),
            fresh_folder(wanted, subject(self.record), PARENT) as place,
        ):
            write_views(self.record, place)
        return place

    def __repr__(self) -> str:
        told = self.record.sentences[: 1 if self.record.choice else 2]
        return f"<Pick: {' '.join(told)}>"

    def _repr_html_(self) -> str:
        from gdbench.pick.views.notebook import render  # noqa: PLC0415 - with the picture of the page

        return render(self.record)
