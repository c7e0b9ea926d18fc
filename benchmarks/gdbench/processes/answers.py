"""The child's end of a ``LiveProcess``: answers questions over a connection until that is closed.

A question is a method's name, its arguments, and whether events are to be told. What goes back is a pair of a kind and
what belongs to it: any number of ``EVENT``, then one ``VALUE`` or ``ERROR``. Nothing of ``kernels`` is imported here,
since the process may run those of any commit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.connection import Connection

EVENT, VALUE, ERROR = "event", "value", "error"
Tell = Callable[[object], None]
"""Sends an event to whoever asked, while the answer is still to come."""


def serve(descriptor: int, worker: object) -> None:
    """Let every public method of a worker be asked by name; return when the other end is closed.

    Parameters
    ----------
    descriptor : int
        File descriptor of the connection, as the parent passed it on the command line.
    worker : object
        A method of it that is asked for events as well gets the keyword ``tell`` (``Tell``). What a method raises is
        the answer, and the worker lives on; only ``SystemExit`` and the like end it.
    """
    connection = Connection(descriptor)
    while True:
        try:
            name, arguments, with_events = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        options = {"tell": _teller(connection)} if with_events else {}
        try:
            answer = VALUE, getattr(worker, name)(*arguments, **options)
        except Exception as error:
            answer = ERROR, (type(error).__name__, str(error))
        try:
            connection.send(answer)
        except (BrokenPipeError, ConnectionResetError):  # nobody is left to hear it
            return


def _teller(connection: Connection) -> Tell:
    def tell(event: object) -> None:
        try:
            connection.send((EVENT, event))
        except (BrokenPipeError, ConnectionResetError):  # the parent was killed: nobody wants the rest
            os._exit(1)

    return tell
