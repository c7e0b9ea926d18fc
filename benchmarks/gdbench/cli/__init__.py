"""The command ``gdbench``: the only place that prints and exits."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

import click

from gdbench import check_kernels
from gdbench.basics.exit_codes import CRASHED, INTERRUPTED, OK, SIGNALLED, WRONG_USAGE
from gdbench.cli.streams import outliving_readers

COMMANDS = ("run", "compare", "regressions", "pick", "train", "check", "calibrate", "list", "report")
"""One module of this folder each; a module is imported only when its command is asked for."""
MEASURING = ("run", "compare", "pick", "train", "calibrate")
"""Commands that time compiled code."""
ENDING = ("SIGTERM", "SIGHUP")
REFUSALS = {
    errno.ENOSPC: "make room there, or write to another disk",
    errno.EDQUOT: "make room in your quota, or write to another disk",
    errno.EFBIG: "allow larger files (ulimit -f), or write to another disk",
    errno.EROFS: "write to another folder",
    errno.EACCES: "use files and folders that are yours to read and write",
    errno.EPERM: "use files and folders that are yours to read and write",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENAMETOOLONG: "use a shorter name",
}
"""Remedies for what the system may refuse anywhere; other errors of it are faults of ours."""


class Commands(click.Group):
    """Finds each command in the module of its name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse settings under which no command can answer, before a module is imported that suffers from them."""
        from gdbench.machine.settings import check_settings  # noqa: PLC0415 - with the imports that can fail

        check_settings()
        found = super().resolve_command(ctx, args)
        if (found[0] in MEASURING or "--confirm" in args) and not {"-h", "--help"} & {*args}:
            _tell_settings()
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a new user meets them."""
        return [*COMMANDS]  # the module of the command list has the name of the builtin here

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        try:
            command: click.Command = importlib.import_module(f"gdbench.cli.{cmd_name}").command
        except UnicodeDecodeError:  # of a file of matplotlib, which the modules of some commands import
            from gdbench.views.drawing import check_plotting  # noqa: PLC0415 - with the imports that can fail

            check_plotting()
            raise
        return command


def _tell_settings() -> None:
    """Say under which settings of Numba times are not those that others see."""
    from gdbench.cli.console import say, stderr  # noqa: PLC0415 - with the imports that can fail
    from gdbench.machine.settings import in_words, numba_settings  # noqa: PLC0415

    found = numba_settings()
    if found:
        told = (
            f"Compiled code differs from the usual, and is often slower, under {in_words(found)}: unset what you can."
        )
        say(stderr, told, "yellow")


EPILOG = """
Begin with gdbench run, which takes four to five minutes. Options and examples: gdbench COMMAND --help.

Exit codes: 0 fine, 1 a regression was proven, 2 wrong usage or unreadable input, 3 not enough evidence,
4 a kernel is wrong, a control failed or nothing was measured, 70 an error in gdbench itself,
130 stopped by Ctrl-C (129 by SIGHUP, 143 by SIGTERM).
"""


@click.command(
    cls=Commands,
    epilog=EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="gdbench", message="gdbench %(version)s")
@click.pass_context
def gdbench(ctx: click.Context) -> None:
    """Benchmark gradient descent on CPUs: every kernel is checked before it is timed."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the command line; whatever ends it has its own exit code, and nothing unforeseen has that of a regression."""
    try:
        _main()
    except SystemExit as end:
        if isinstance(end.code, str):  # a library's last words, for which Python would exit with 1
            _crash()
        raise
    except KeyboardInterrupt:
        raise
    except BaseException:  # also what is raised while another error is being answered
        _crash()


def _main() -> None:
    """Run the command line; SIGTERM and SIGHUP end it as Ctrl-C does, with exit code 128 + their number."""
    with outliving_readers(), _signals_as_ctrl_c() as received:
        try:
            _run(received)
        except SystemExit as end:
            if received and end.code == INTERRUPTED:
                sys.exit(SIGNALLED + received[0])
            raise
        except KeyboardInterrupt:  # during imports, or a second one while the first is being answered
            with suppress(OSError):
                click.echo("gdbench: stopped.", err=True)
            sys.exit(SIGNALLED + received[0] if received else INTERRUPTED)


@contextmanager
def _signals_as_ctrl_c() -> Iterator[list[int]]:
    """Turn signals that ask to end into Ctrl-C, and note their numbers; what is ignored, as under nohup, stays so."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background by a shell
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)  # whoever has put Ctrl-C off puts this off too

    main_thread = threading.current_thread() is threading.main_thread()  # no other hears signals
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)] if main_thread else []
    heard = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in heard:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def _run(received: Sequence[int]) -> None:
    """Run the command that was asked for; a user's error is one sentence and exit code 2.

    Commands find the numbers of signals that were received as the ``obj`` of their context.
    """
    _check_imports()
    from gdbench.cli.console import fail  # noqa: PLC0415 - with the imports that can fail
    from kernels import Diverged, InputError  # noqa: PLC0415

    try:
        code = gdbench.main(standalone_mode=False, obj=received) or OK
        sys.stdout.flush()  # a full disk is told below, not at the interpreter's end
        sys.exit(code)
    except click.Abort:
        fail("stopped.", INTERRUPTED)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        remedy = f" (see {context.command_path} --help)" if context else ""
        fail(error.format_message().rstrip(".") + remedy, WRONG_USAGE)
    except (InputError, Diverged) as error:
        fail(str(error), WRONG_USAGE)
    except OSError as error:
        if error.errno not in REFUSALS:
            _crash()
        fail(_refused(error), WRONG_USAGE)
    except Exception:  # a fault of ours keeps its traceback, and is not taken for exit code 1, a regression
        _crash()


def _check_imports() -> None:
    """End with a sentence where the kernels or NumPy cannot be imported."""
    os.environ.pop("MPLBACKEND", None)  # pictures are files; with an unknown one matplotlib cannot be imported
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a user's settings, which files do not use
    try:
        check_kernels()
    except ImportError as error:  # before the import below, which would fail for the same reason
        click.echo(f"gdbench: {error}", err=True)
        sys.exit(WRONG_USAGE)
    try:
        importlib.import_module("gdbench.cli.console")
    except (ImportError, RuntimeError, Warning) as error:
        _refused_by_numpy(error)


def _refused_by_numpy(error: Exception) -> NoReturn:
    """Say under which settings NumPy cannot be imported; without any, it is no fault of the user's."""
    told = " ".join(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NPY_"))
    if not told:
        _crash()
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__  # NumPy puts pages of advice before it
    reason = " ".join(str(error).split()).rstrip(".")
    click.echo(f"gdbench: NumPy cannot be imported under {told}, since it says {reason!r}: unset it", err=True)
    sys.exit(WRONG_USAGE)


def _crash() -> NoReturn:
    with suppress(Exception):  # such as an error of the file that errors are written to
        traceback.print_exc()
    sys.exit(CRASHED)


def _refused(error: OSError) -> str:
    """Say what the system refused, and the remedy."""
    what = f"cannot use {error.filename}" if error.filename else "cannot write"
    return f"{what}, since the system says {error.strerror!r}: {REFUSALS[error.errno or 0]}"
