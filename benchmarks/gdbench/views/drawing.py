"""How pictures in files look: the same for everyone, whatever a user set for drawings of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kernels import InputError


def check_plotting() -> None:
    """Refuse a file of settings with which matplotlib cannot be imported, before anything is measured.

    Raises
    ------
    InputError
        If there is such a file.
    """
    try:
        import matplotlib  # noqa: F401, PLC0415 - it reads that file when it is first imported
    except UnicodeDecodeError as error:
        raise InputError(
            "matplotlib cannot read its file of settings, matplotlibrc, which is not text in UTF-8 "
            f"({error.reason}): correct or delete it"
        ) from None


@contextmanager
def default_style() -> Iterator[None]:
    """Draw and save as matplotlib does by default; fonts or TeX of a matplotlibrc may not be there."""
    import matplotlib as mpl  # noqa: PLC0415 - it takes half a second, and the check above needs none

    with mpl.rc_context():
        mpl.rcdefaults()
        yield
