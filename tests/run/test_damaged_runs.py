"""Files of a run that hold what cannot be are refused where they are read."""

from pathlib import Path

import pytest

from gdbench.basics.records import parse, plain
from gdbench.experiments.grid import Filters, expand, networks, profile
from gdbench.run.folder import read_blocks
from gdbench.run.plan import Plan, make_plan, write_plan
from gdbench.run.raw import TimedRounds, block_file
from kernels import InputError


def _plan() -> Plan:
    cases = expand(profile("smoke"), Filters(network=("logistic",)))
    return make_plan(cases, profile="smoke", command="gdbench run", rounds=1, case_seconds=0.001, seed=0)


def test_a_block_that_the_plan_has_not_is_of_another_run(tmp_path: Path) -> None:
    write_plan(tmp_path, _plan())
    path = block_file(tmp_path, 0)
    path.parent.mkdir()
    for index in (-1, 99):
        path.write_text(f'{{"gdbench": {{"block": {index}}}, "benchmarks": []}}', encoding="utf-8")
        with pytest.raises(InputError, match=f"the plan has no block {index}"):
            read_blocks(tmp_path, _plan())


@pytest.mark.parametrize("data", [[], [0.0], [1.0, -1.0]])
def test_times_of_nothing_are_refused(data: list[float]) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        parse({"data": data, "rounds": len(data), "iterations": 1}, TimedRounds)


def test_a_plan_has_the_networks_and_sizes_of_its_cases() -> None:
    plan = plain(_plan())
    assert parse(plan, Plan).networks == {"logistic": networks()["logistic"]}
    with pytest.raises(ValueError, match="its networks lack logistic"):
        parse({**plan, "networks": {}}, Plan)
    with pytest.raises(ValueError, match="batch_size of a case is at least 1, got 0"):
        parse({**plan, "cases": [{**plan["cases"][0], "batch_size": 0}]}, Plan)
    with pytest.raises(ValueError, match="dtype of a case is one of float32, float64, got 'float16'"):
        parse({**plan, "cases": [{**plan["cases"][0], "dtype": "float16"}]}, Plan)
