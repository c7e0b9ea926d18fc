"""What the consoles print is what was given: brackets and colons in names from outside are neither markup nor signs."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

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


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("columns", [40, 60])
def test_prose_is_folded_between_words_below_its_margin_and_in_a_file_not_at_all(columns: int, terminal: bool) -> None:
    sentence = "  Noise may hide a better one: the choice is worse than the best of those measured by 3.4 % on average."
    text = StringIO()
    console.say(Console(file=text, width=columns, force_terminal=terminal, color_system=None), sentence)
    lines = text.getvalue().splitlines()
    assert (len(lines) > 1) == terminal
    assert all(line.startswith("  ") and (len(line) <= columns) == terminal for line in lines)
    assert " ".join(" ".join(lines).split()) == sentence.strip()


@pytest.mark.parametrize("last", ["", "long enough", "[b]  "])
def test_lines_of_a_file_do_not_end_with_blanks(last: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title="of three", title_justify="left", box=None)
    for heading in ("name", "", last):
        table.add_column(heading, style="cyan")
    table.add_row("a", "", "longer than what stands below")
    table.add_row("  b  ", "c", last)
    table.add_row("", "", "")
    console.stdout.print(table, "", Text("  as it is   \n  and on"), "end", sep="\n")
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.endswith(" ")] == []
    assert [line.split() for line in printed.splitlines()[2:4]] == [
        ["a", *["longer", "than", "what", "stands", "below"]],
        ["b", "c", *last.split()],
    ]
    assert printed.endswith("\n\n\n  as it is\n  and on\nend\n")


@pytest.mark.parametrize("sentence", ["", "\nControls: fine"])
def test_empty_lines_are_kept(sentence: str) -> None:
    text = StringIO()
    console.say(Console(file=text, width=80, force_terminal=True, color_system=None), sentence)
    assert text.getvalue() == sentence + "\n"
