"""What ``--json`` writes has a JSON schema in ``docs/schemas``; ``test_schemas.py --update`` writes them anew."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from gdbench.cli.calibrate import CalibrateAnswer
from gdbench.cli.check import CheckAnswer
from gdbench.cli.list import Inventory
from gdbench.cli.run import DryRun
from gdbench.cli.show import RunAnswer
from gdbench.compare.record.record import Comparison
from gdbench.history.record import Record as HistoryRecord
from gdbench.pick.record.record import PickRecord
from gdbench.train.record import TrainAnswer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "schemas"
ANSWERS = {
    "calibrate": CalibrateAnswer,
    "check": CheckAnswer,
    "compare": Comparison,
    "list": Inventory,
    "pick": PickRecord,
    "regressions": HistoryRecord,
    "run": RunAnswer,
    "run-dry-run": DryRun,
    "train": TrainAnswer,
}


def schema(name: str) -> str:
    """Schema of a command's answer; whoever reads it may meet fields that a later version adds."""
    found = msgspec.json.schema(ANSWERS[name])
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"gdbench {name.split('-')[0]} --json"}
    return json.dumps(head | found, indent=1) + "\n"


@pytest.mark.parametrize("name", ANSWERS)
def test_the_schema_is_that_of_the_answer(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == schema(name)
    jsonschema.Draft202012Validator.check_schema(json.loads(schema(name)))


def test_there_is_no_other_schema() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(ANSWERS)


def validate(name: str, answer: Any) -> None:
    jsonschema.validate(answer, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


if __name__ == "__main__" and "--update" in sys.argv:
    FOLDER.mkdir(exist_ok=True)
    for command in ANSWERS:
        (FOLDER / f"{command}.json").write_text(schema(command), encoding="utf-8")
