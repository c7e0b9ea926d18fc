"""Exit codes of the command, which records of answers keep too."""

import signal

OK = 0
REGRESSED = 1
"""A regression was proven."""
WRONG_USAGE = 2
NOT_ENOUGH_EVIDENCE = 3
KERNEL_WRONG = 4
"""A kernel is wrong, or nothing was measured that can be believed."""
CRASHED = 70
"""A fault of this program itself (EX_SOFTWARE of sysexits)."""
SIGNALLED = 128
"""Added to the number of the signal that ended a command, as shells have it."""
INTERRUPTED = SIGNALLED + signal.SIGINT
"""Stopped by Ctrl-C."""
