"""``docs/python.md`` is a session that runs as it stands: block by block here, and as the cells of a notebook."""

import importlib.util
import os
import re
import signal
import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from gdbench.machine import environment
from gdbench.pick import session
from gdbench.pick.picked import Pick
from gdbench.pick.steps import tiers

from ..helpers import LIMIT_SECONDS, ROOT, contents

PAGE = ROOT / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.+?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
LONG = 7200.0
"""Seconds of a budget that ends no search, however busy the machine is."""
ROUGH: dict[str, Any] = {"regret": 0.05, "error": 0.1, "rate_error": 0.1, "racing_runs": 16}
"""So sure is enough, and is known in seconds."""
NEAR = 0.25
"""Relative distance from the target of the mean loss of some trainings."""
TRAININGS = 40
"""Steps are told of the mean: single trainings end anywhere from 0.2 to 0.4, and one of 40 at 1.3, which would make the
mean of a dozen."""
NOTEBOOK = ("ipykernel", "nbclient")
STAGES = ("all batch sizes", "may win")
"""Words of a search that has begun: a fast machine is through with the first before they are shown."""
PREPARE = """
import gdbench, os
from sklearn.datasets import load_wine
X, y = load_wine(return_X_y=True)
options = {"network": "softmax", "variant": "vectorized", "budget": "2h", "max_batch": 8}
os.getpid()
"""
CELLS = (
    PREPARE,
    "gdbench.pick(X, y, **options, loss_target=0.2, tier='quick')",
    "_.plot();",
    "stopped = gdbench.pick(X, y, **options, tier='thorough', fresh=True)\nstopped",
    "stopped.exit_code",
)


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The machine is no subject: one process times steps, and no search is cut short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GDBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(tmp_path_factory.mktemp("session"))
        patch.setitem(tiers.TIERS, "quick", replace(tiers.QUICK, budget_seconds=LONG, **ROUGH))
        patch.setattr(session, "measure_step_time", partial(session.measure_step_time, processes=1))
        patch.setattr(session, "observe", lambda threads: environment.describe())
        with mpl.rc_context({"backend": "agg"}):
            yield
        pyplot.close("all")


@pytest.fixture(scope="module")
def names(hurried: None) -> dict[str, Any]:
    """What the session knows in the end."""
    found: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS, 1):
        exec(compile(block, f"docs/python.md, block {number}", "exec"), found)
    return found


def test_every_block_runs_and_gets_an_answer(names: dict[str, Any]) -> None:
    assert len(BLOCKS) >= 8
    for name in ("pick", "there", "tumours"):
        assert isinstance(names[name], Pick)
        assert names[name].exit_code == 0, names[name]
    assert 256 in names["table"]["batch_size"].tolist()
    assert set(contents(Path("picks/digits"))) == {"pick.json", "report.md", "pick.png", "pick.html"}
    assert Path("pick.png").stat().st_size > 10_000


def test_other_libraries_reach_the_target_in_about_the_steps_that_are_told(names: dict[str, Any]) -> None:
    assert names["made"] == names["pick"].steps
    assert _mean(names, "torch_loss", "manual_seed(0)", "manual_seed({})") == pytest.approx(0.3, rel=NEAR)
    assert _mean(names, "sklearn_loss", "random_state=0", "random_state={}") == pytest.approx(0.3, rel=NEAR)
    assert _mean(names, "sgd_loss", "random_state=0", "random_state={}") == pytest.approx(0.08, rel=NEAR)


def _mean(names: dict[str, Any], loss: str, seed: str, other_seed: str) -> float:
    """Mean of a loss over repetitions of the block that makes it; the pick in it is that of the session."""
    (block,) = (block for block in BLOCKS if f"{loss} = " in block)
    assert block.count(seed) == 1
    training = re.sub(r"^tumours = gdbench.+?^\)\n", "", block, flags=re.M | re.S)
    found = []
    for number in range(TRAININGS):
        known = dict(names)
        exec(compile(training.replace(seed, other_seed.format(number)), f"{loss}, training {number}", "exec"), known)
        found.append(known[loss])
    return statistics.mean(found)


def test_the_answer_for_pytorch_was_timed_there_and_says_so(names: dict[str, Any]) -> None:
    pick, there = names["pick"], names["there"]
    assert there.variant == "torch_autograd"
    assert set(there.table["variant"].dropna()) == {"torch_autograd"}
    sentence = "This is for people who train with torch_autograd: the seconds per step were measured with it, the steps"
    assert sentence in " ".join(there.record.sentences)
    assert "people who train with" not in " ".join(pick.record.sentences)
    counted = there.record.steps.variants
    assert set(counted.values()) == set(pick.record.steps.variants.values())


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, NOTEBOOK)), reason="install the extra test for a kernel of Jupyter"
)
def test_a_notebook_shows_the_answer_and_can_be_interrupted(tmp_path: Path) -> None:
    """In the real kernel, which has no widgets; the third cell is interrupted as by the button."""
    import nbformat  # noqa: PLC0415 - it may be absent
    from nbclient import NotebookClient  # noqa: PLC0415

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    shown: list[str] = []

    class Watching(NotebookClient):
        def process_message(self, message: Any, cell: Any, index: int) -> Any:
            if message["msg_type"] == "update_display_data":
                shown.append(message["content"]["data"]["text/html"])
                searching = any(stage in shown[-1] for stage in STAGES)
                if index == 3 and searching and "interrupted" not in shown:
                    shown.append("interrupted")
                    os.kill(int(book.cells[0]["outputs"][0]["data"]["text/plain"]), signal.SIGINT)
            return super().process_message(message, cell, index)

    place = {"metadata": {"path": tmp_path}}
    Watching(book, timeout=LIMIT_SECONDS, kernel_name="python3", resources=place).execute()
    _, answered, drawn, stopped, code = (cell["outputs"] for cell in book.cells)
    assert [out for cell in book.cells for out in cell["outputs"] if out["output_type"] in ("stream", "error")] == []
    assert any('<progress value="' in text for text in shown)
    assert shown[-1] == ""  # the bar is gone
    assert 'class="gdbench-pick"' in answered[-1]["data"]["text/html"]
    assert answered[-1]["data"]["text/plain"].startswith("<Pick: Use batch size")
    assert "image/png" in drawn[-1]["data"]
    assert "interrupted" in shown
    assert "stopped by Ctrl-C" in stopped[-1]["data"]["text/html"]
    assert code[-1]["data"]["text/plain"] == "130"
