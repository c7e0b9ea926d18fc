"""Files of results that something damaged or another program wrote: an answer or one sentence, and nothing else."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gdbench.basics.records import plain
from gdbench.experiments.cases import Case
from gdbench.history import markdown, page
from gdbench.history.asv_folders import choose_machine
from gdbench.history.reading import read_histories
from gdbench.history.record import judge, make_record
from gdbench.results import COLUMNS, collect
from kernels import InputError

EXAMPLES = int(os.environ.get("GDBENCH_FUZZ_EXAMPLES", "40"))
"""A few thousand are for a long evening; the tests draw others each time."""
MAX_SENTENCE = 700
"""Characters: paths and a reason, and not the file."""
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, -1.0, 1e-320, 1e308, math.nan, math.inf, -math.inf, "", "NaN", "1,5", "\x00", "[" * 50]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
WRITTEN: tuple[Callable[[str], bytes], ...] = (
    lambda text: text.encode("utf-8"),
    lambda text: text.encode("utf-8-sig"),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode("latin-1", "replace"),
    lambda text: text.encode("utf-8")[: len(text) // 2],
    lambda text: b"\xff\xfe\x00" + text.encode("utf-8"),
    lambda text: b"",
)
AXES = (("gradient", "forward"), ("float64",), ("jit",), (1, 32))
COMMITS = 14


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where in a JSON value something can be put or taken away."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """Return a copy of a JSON value in which up to three parts are others, or are missing."""
    copy = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(copy)))
        if not path:
            copy = draw(JSON)
            continue
        parent = copy
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()):
            parent[path[-1]] = draw(JSON)
        else:
            del parent[path[-1]]
    return copy


def asv_file(commit: int, values: list[float | None]) -> dict[str, Any]:
    """Return what asv writes of one commit."""
    axes = [[repr(value) for value in axis] for axis in AXES]
    stats = [[None if value is None else value * factor for value in values] for factor in (0.9, 1.1)]
    return {
        "commit_hash": f"{commit:040x}",
        "env_name": "virtualenv-py3.12",
        "date": 1_700_000_000_000 + commit,
        "params": {"cpu": "A CPU", "machine": "box", "num_cpu": "4", "os": "Linux 6.1", "ram": "16000000"},
        "python": "3.12",
        "requirements": {"numpy": "2.1"},
        "env_vars": {"OMP_NUM_THREADS": "1"},
        "result_columns": ["result", "params", "version", "stats_ci_99_a", "stats_ci_99_b"],
        "results": {"experiments.deep_wine.time_task": [values, axes, "1", *stats], "other.time_it": [[1.0], [], "2"]},
        "durations": {},
        "version": 2,
    }


NUMBERS = st.one_of(
    st.floats(1e-6, 1e-3),
    st.floats(1.0, 1.01).map(lambda factor: factor * 1e-4),
    st.sampled_from([None, 0.0, -1.0, 1e-4, 1e-320, 1e308]),
)


@st.composite
def asv_folder(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    """Return the names and contents of the files of a machine, most of which are as asv writes them."""
    step = draw(st.sampled_from([0.5, 1.0, 1.0, 1e300, 1e-300]))
    found = []
    for commit in range(COMMITS):
        values = [draw(NUMBERS) for _ in range(4)] if draw(st.booleans()) else [1e-4, 2e-4, 0.0, 1e-4]
        values = [value if value is None or commit < COMMITS // 2 else value * step for value in values]
        content = asv_file(commit, [value if value is None or math.isfinite(value) else None for value in values])
        environment = draw(st.sampled_from(["virtualenv-py3.12"] * 4 + ["conda-py3.13", ""]))
        content["env_name"] = environment
        rarely = draw(st.integers(0, 5)) == 0
        text = json.dumps(draw(damaged(content)) if rarely else content)
        write = draw(st.sampled_from(WRITTEN)) if rarely and draw(st.booleans()) else WRITTEN[0]
        found.append((f"{commit:08x}-{environment}.json", write(text)))
    return found


def outcome(work: Callable[[], object]) -> str:
    """Return ``answer``, or the sentence of what was refused."""
    try:
        work()
    except InputError as error:
        said = str(error)
    else:
        return "answer"
    assert "\n" not in said
    assert len(said) <= MAX_SENTENCE
    assert ": " in said
    return "sentence"


def read_all(folder: Path) -> None:
    """Judge the results of a folder and write every view of them."""
    histories = read_histories(folder, choose_machine(folder, None), folder)
    record = make_record([judge(history) for history in histories])
    json.dumps(plain(record), allow_nan=False)
    markdown.render(record)
    page.render(histories, record)
    for step in record.steps:
        assert step.label != "IMPROVEMENT" or (step.high or 0) < 1
        assert step.status != "final" or step.ratio is None or not (step.low or 0) <= 1 <= (step.high or math.inf)


def check_table(table: pd.DataFrame) -> None:
    """Hold a table to what it promises."""
    assert [*table.columns] == COLUMNS
    assert len(table) > 0
    assert np.isfinite(table["seconds"]).all()
    assert table["comparable"].notna().all()


@FUZZ
@given(files=asv_folder())
def test_a_folder_of_asv_gives_an_answer_or_a_sentence(files: list[tuple[str, bytes]]) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / "box").mkdir()
        (Path(name) / "box" / "machine.json").write_text('{"machine": "box", "version": 1}', encoding="utf-8")
        for file, content in files:
            (Path(name) / "box" / file).write_bytes(content)
        event(f"regressions: {outcome(lambda: read_all(Path(name)))}")
        event(f"collect: {outcome(lambda: check_table(collect(name)))}")


CASE = Case("deep", "wine", 178, "gradient", "jit", 32, "float64")
PYTEST = {
    "machine_info": {"node": "here", "cpu": {"brand_raw": "A CPU", "count": 4}},
    "commit_info": {"id": "c" * 40, "dirty": False},
    "benchmarks": [
        {"name": "test_it", "params": CASE.to_dict(), "stats": {"median": 1e-3, "data": [1e-3]}},
        {"name": "test_other", "params": None, "stats": {"median": 1.0}},
        {"name": "test_early", "stats": {"mean": 1.0}},
    ],
    "datetime": "2026-01-31T12:00:00",
    "version": "5.1.0",
}


@FUZZ
@given(content=damaged(PYTEST), write=st.sampled_from([WRITTEN[0]] * 5 + [*WRITTEN]))
def test_a_file_of_pytest_benchmark_gives_an_answer_or_a_sentence(
    content: Any, write: Callable[[str], bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_bytes(write(json.dumps(content)))
    event(outcome(lambda: check_table(collect(path))))
