"""Each command has a page with its options as they are; ``test_commands.py --update`` writes them anew."""

import sys
from pathlib import Path

import click
import pytest

from gdbench.cli import COMMANDS, gdbench

PAGES = Path(__file__).parents[2] / "docs" / "commands"
BEGIN, END = "<!-- options: begin (made by tests/house/test_commands.py --update) -->\n", "<!-- options: end -->"
HEADINGS = ("## Options", "## Example", "## Exit codes")


def _command(name: str) -> click.Command:
    found = gdbench.get_command(click.Context(gdbench), name)
    assert found is not None
    return found


def _spelling(option: click.Option) -> str:
    """Names of an option and what it takes, as in its help."""
    names = ", ".join(option.opts) + "".join(f" / {name}" for name in option.secondary_opts)
    choices = "\\|".join(option.type.choices) if isinstance(option.type, click.Choice) else option.type.name.upper()
    taken = "" if option.is_flag else f" {option.metavar or choices}"
    return f"`{names}{taken}`"


def _meaning(option: click.Option) -> str:
    shown = option.show_default
    default = shown if isinstance(shown, str) else option.default if shown else None
    said = "" if default is None or option.is_flag else f" Default: {default}."
    return " ".join((option.help or "").split()).replace("|", "\\|") + said


def options(name: str) -> str:
    """Table of a command's options."""
    shown = [option for option in _command(name).params if isinstance(option, click.Option)]
    rows = [f"| {_spelling(option)} | {_meaning(option)} |" for option in shown]
    return "\n".join(["| option | meaning |", "| --- | --- |", *rows]) + "\n"


def split(name: str) -> tuple[str, str, str]:
    """Text of a command's page before, between and after the marks of its options."""
    head, rest = (PAGES / f"{name}.md").read_text(encoding="utf-8").split(BEGIN)
    shown, tail = rest.split(END)
    return head + BEGIN, shown, END + tail


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_shows_the_options_of_its_command_as_they_are(name: str) -> None:
    assert split(name)[1] == options(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_an_example_with_output_and_the_exit_codes(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# gdbench {name}\n")
    assert [line for line in text.splitlines() if line in HEADINGS] == list(HEADINGS)
    assert "```text\n" in text


if __name__ == "__main__" and "--update" in sys.argv:
    for command in COMMANDS:
        before, _, after = split(command)
        (PAGES / f"{command}.md").write_text(before + options(command) + after, encoding="utf-8")
