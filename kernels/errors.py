"""The one exception that bad input raises."""


class InputError(ValueError):
    """Input that a user can correct; the message is one sentence that names the remedy."""


def choices(names: object) -> str:
    """Join names for an error message: ``"a, b, c"``."""
    return ", ".join(str(name) for name in names)  # type: ignore[attr-defined]


def unknown(what: str, name: object, names: object) -> InputError:
    """Build the error for a name that does not exist, listing the names that do."""
    return InputError(f"there is no {what} {name!r}: choose one of {choices(names)}")
