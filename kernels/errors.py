"""The exception that bad input raises, and its kind for settings from outside."""


class InputError(ValueError):
    """Input that a user can correct; the message is one sentence that names the remedy.

    It is one line: names from outside, such as those of columns, may hold ends of lines.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(" ".join(message.splitlines()))


class SettingError(InputError):
    """A setting of Python or Numba under which variants cannot be read; no source is at fault."""


def choices(names: object) -> str:
    """Join names for an error message: ``"a, b, c"``."""
    return ", ".join(str(name) for name in names)  # type: ignore[attr-defined]


def unknown(what: str, name: object, names: object) -> InputError:
    """Build the error for a name that does not exist, listing the names that do."""
    return InputError(f"there is no {what} {name!r}: choose one of {choices(names)}")
