"""``python -m gdbench`` is the command ``gdbench``."""

import sys
import traceback

from gdbench.basics.exit_codes import CRASHED


def main() -> None:
    """Run the command line; where it cannot even be imported, the exit code is not that of a regression."""
    try:
        from gdbench import cli  # noqa: PLC0415 - what cannot be imported is answered here
    except Exception:
        traceback.print_exc()
        sys.exit(CRASHED)
    cli.main()


if __name__ == "__main__":
    main()
