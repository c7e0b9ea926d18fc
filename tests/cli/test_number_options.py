"""Every option that takes a number says in which form, where it is given another one."""

import importlib
from pathlib import Path

import click
import pytest

from gdbench.cli import COMMANDS
from gdbench.cli.number_types import NumberType

from ..helpers import invoke

GIVEN = "20%"
NUMBERS = [
    (name, option)
    for name in COMMANDS
    for option in importlib.import_module(f"gdbench.cli.{name}").command.params
    if option.type.name in (click.INT.name, click.FLOAT.name)
]
NAMES = [f"{command} {option.opts[0]}" for command, option in NUMBERS]


def test_commands_of_each_kind_have_numbers() -> None:
    assert {"pick --validation", "train --epochs", "compare --effect", "calibrate --blocks", "run --seed"} <= {*NAMES}


@pytest.mark.parametrize(("command", "option"), NUMBERS, ids=NAMES)
def test_what_is_no_number_is_refused_with_the_form(command: str, option: click.Option, tmp_path: Path) -> None:
    assert isinstance(option.type, NumberType)
    done = invoke(command, option.opts[0], GIVEN, cwd=tmp_path)
    assert done.returncode == 2
    assert f"'{option.opts[0]}': '{GIVEN}' is not {option.type.words} (see gdbench {command} --help)" in done.stderr
    example = option.type.words.rpartition(" ")[2]
    assert option.type.convert(example, option, None) == float(example)
