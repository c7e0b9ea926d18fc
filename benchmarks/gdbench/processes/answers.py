"""The other end of a ``LiveProcess``: answers what it is asked over a connection, until that is closed.

A question is a method's name with its arguments; an answer is a pair of a kind, ``value`` or ``error``, and what
belongs to it. Nothing of ``kernels`` is imported here: the process may run those of any commit.
"""

from __future__ import annotations

from multiprocessing.connection import Connection


def serve(connection: Connection, worker: object) -> None:
    """Let every public method of a worker be asked by name; return when the other end is closed."""
    while True:
        try:
            name, arguments, options = connection.recv()
        except EOFError:
            return
        try:
            answer = "value", getattr(worker, name)(*arguments, **options)
        except Exception as error:
            answer = "error", (type(error).__name__, str(error))
        try:
            connection.send(answer)
        except (BrokenPipeError, ConnectionResetError):  # nobody is left to hear it
            return
