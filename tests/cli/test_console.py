"""What the consoles print is what was given: brackets and colons in names from outside are neither markup nor signs."""

import pytest
from rich.table import Table

from gdbench.cli import console

STRANGE = ("weight [kg]", "[bold]x[/bold]", "[/]", ":warning:", "[link=a]b", "100 % [red]")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("text", STRANGE)
def test_names_from_outside_are_printed_as_they_are(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = getattr(console, name)
    table = Table(text, title=text)
    table.add_row(text)
    out.print(text)
    out.print(table)
    printed = "".join(capsys.readouterr())
    assert printed.count(text) == 4
