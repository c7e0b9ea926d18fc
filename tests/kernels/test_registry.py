"""Every file in the variants' folder is found by its name; a malformed one is refused by name, with the remedy."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import kernels
from kernels import InputError, VariantError
from kernels.registry import ORDER, as_variant

SOURCE = Path(kernels.__file__).parent
CORRECT = '''"""A copy of vectorized."""

from kernels.variants.vectorized import forward, gradient, loss
'''
LIST_THEM = """
import json, pathlib, sys, kernels
assert pathlib.Path(kernels.__file__).is_relative_to(sys.argv[1]), kernels.__file__
try:
    answer = {"variants": kernels.variants(), "unavailable": kernels.unavailable()}
except kernels.VariantError as error:
    answer = {"error": str(error)}
for name in sys.argv[2:]:
    try:
        answer[name] = kernels.get(name).summary
    except kernels.InputError as error:
        answer[name] = str(error)
print(json.dumps(answer))
"""


GOOD = {
    "zebra.py": CORRECT,
    "alpha.py": CORRECT,
    "_shared.py": CORRECT.split("\n", 2)[2],
    "peer.py": CORRECT.replace("vectorized", "_shared"),
    "needy.py": '"""A peer."""\n\nimport no_such_package.inner\n',
}
BROKEN = {
    "syntax": ("def forward(:\n", "cannot be imported (SyntaxError: "),
    "exception": ('"""Wrong."""\n1 / 0\n', "cannot be imported (ZeroDivisionError: division by zero): correct"),
    "wrong_name": ('"""Wrong."""\nfrom kernels.network import Net\n', "cannot be imported (ImportError: "),
    "wrong_module": ('"""Wrong."""\nimport kernels.nothing\n', "cannot be imported (ModuleNotFoundError: "),
    "empty": ('"""Only words."""\n', "lacks forward, loss, gradient: add it as kernels/contract.py says"),
}
"""Files that cannot be variants, and what is said of each."""


def _ask(folder: Path, files: dict[str, str], *names: str) -> dict[str, object]:
    """Copy the package, add files to its variants, and let a fresh process list them and get those named."""
    copy = shutil.copytree(SOURCE, folder / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (copy / "variants" / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", LIST_THEM, str(folder), *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _module(folder: Path, text: str) -> ModuleType:
    path = folder / "specimen.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("specimen", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_is_a_variant_under_its_stem() -> None:
    files = {path.stem for path in (SOURCE / "variants").glob("[!_]*.py")}
    assert files == set(kernels.variants()) | set(kernels.unavailable())
    assert all(kernels.get(name).name == name for name in kernels.variants())


def test_the_known_ones_come_first_plainest_first() -> None:
    assert ORDER == ("reference", "vectorized", "buffered", "jit", "tiled", "sparse")
    assert kernels.variants()[: len(ORDER)] == ORDER
    assert list(kernels.variants()[len(ORDER) :]) == sorted(kernels.variants()[len(ORDER) :])


def test_each_variant_says_what_it_is_and_whose_its_epoch_is() -> None:
    summaries = [kernels.get(name).summary for name in kernels.variants()]
    assert all(summaries)
    assert len(set(summaries)) == len(summaries)
    assert [kernels.get(name).owns_epoch for name in ORDER] == [False, False, True, True, True, True]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return _ask(tmp_path_factory.mktemp("good"), GOOD, "zebra", "peer", "_shared", "needy", "jit")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return _ask(
        tmp_path_factory.mktemp("broken"), {f"{name}.py": text for name, (text, _) in BROKEN.items()}, *BROKEN, "jit"
    )


def test_new_files_are_found_after_the_known_ones_in_alphabetical_order(good: dict[str, object]) -> None:
    others = sorted({*kernels.variants()[len(ORDER) :], "alpha", "peer", "zebra"})
    assert good["variants"] == [*ORDER, *others]
    assert good["zebra"] == "A copy of vectorized."


def test_a_file_whose_name_begins_with_an_underscore_is_a_helper_and_no_variant(good: dict[str, object]) -> None:
    assert good["peer"] == "A copy of _shared."
    assert str(good["_shared"]).startswith("there is no variant '_shared': choose one of ")


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    names = ", ".join(kernels.variants())
    with pytest.raises(InputError, match=f"^there is no variant 'fastest': choose one of {names}"):
        kernels.get("fastest")


def test_a_missing_dependency_makes_a_variant_unavailable_and_is_named(good: dict[str, object]) -> None:
    reason = "it needs the module no_such_package, which is not installed"
    assert good["unavailable"] == kernels.unavailable() | {"needy": reason}
    assert good["needy"] == f"variant 'needy' is unavailable: {reason}"
    assert good["jit"] == kernels.get("jit").summary


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_by_name(broken: dict[str, object], name: str) -> None:
    assert str(broken[name]).startswith(f"variant {name!r} {BROKEN[name][1]}")
    assert "imported" not in BROKEN[name][1] or str(broken[name]).endswith(f"correct kernels/variants/{name}.py")


def test_the_first_broken_file_is_refused_where_all_are_listed_and_the_others_still_work(broken) -> None:
    assert broken["error"] == broken[min(BROKEN)]
    assert broken["jit"] == kernels.get("jit").summary


FUNCTIONS = {
    "forward": "def forward(network, theta, X): ...",
    "loss": "def loss(network, theta, X, Y): ...",
    "gradient": "def gradient(network, theta, X, Y): ...",
}
EPOCH = "epoch(network, theta, X, Y, order, batch_size, learning_rate)"


@pytest.mark.parametrize(
    ("doc", "changes", "message"),
    [
        ("", {}, "has no docstring: say in its first line what differs and why"),
        ("Doc.", {"loss": ""}, "lacks loss: add it as kernels/contract.py says"),
        ("Doc.", {"loss": "", "forward": "forward = 3"}, "lacks forward, loss: add it as kernels/contract.py says"),
        (
            "Doc.",
            {"gradient": "def gradient(network, X, theta, Y): ..."},
            "has gradient(network, X, theta, Y): change it to gradient(network, theta, X, Y)",
        ),
        (
            "Doc.",
            {"forward": "def forward(network, theta): ..."},
            "has forward(network, theta): change it to forward(network, theta, X)",
        ),
        ("Doc.", {"epoch": "def epoch(network): ..."}, f"has epoch(network): change it to {EPOCH}"),
        ("Doc.", {"epoch": "epoch = 3"}, f"has epoch(?): change it to {EPOCH}"),
    ],
    ids=["docstring", "one missing", "two missing", "argument order", "argument count", "epoch", "epoch no function"],
)
def test_a_malformed_module_is_refused_with_the_remedy(
    tmp_path: Path, doc: str, changes: dict[str, str], message: str
) -> None:
    module = _module(tmp_path, "\n".join([f'"""{doc}"""', *(FUNCTIONS | changes).values()]))
    with pytest.raises(VariantError) as caught:
        as_variant("specimen", module)
    assert str(caught.value) == f"variant 'specimen' {message}"


def test_a_module_without_epoch_gets_one_from_its_gradient(tmp_path: Path, problem_of) -> None:
    variant = as_variant("specimen", _module(tmp_path, CORRECT))
    problem = problem_of(kernels.Network.mlp(3, 4, 2), n=5)
    arguments = problem.network, problem.theta, problem.X, problem.Y
    assert not variant.owns_epoch
    np.testing.assert_allclose(
        variant.epoch(*arguments, np.arange(5), 5, 0.5), problem.theta - 0.5 * variant.gradient(*arguments), rtol=1e-12
    )


def test_a_variant_says_in_one_line_where_it_falls_back_or_nothing(tmp_path: Path) -> None:
    note = "one row of weights: vectorized"
    assert as_variant("specimen", _module(tmp_path, CORRECT)).falls_back is None
    assert as_variant("specimen", _module(tmp_path, f"{CORRECT}\nFALLS_BACK = {note!r}\n")).falls_back == note


@pytest.mark.parametrize("value", ["3", "''", "'two\\nlines'", "lambda: 'text'"])
def test_a_note_on_falling_back_that_is_no_line_is_refused(tmp_path: Path, value: str) -> None:
    module = _module(tmp_path, f"{CORRECT}\nFALLS_BACK = {value}\n")
    with pytest.raises(VariantError, match=r"^variant 'specimen' has a FALLS_BACK that is no line of text: say in one"):
        as_variant("specimen", module)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            "NUMBA_DISABLE_JIT=1",
            r"tiled and sparse exist in compiled code alone, which NUMBA_DISABLE_JIT, .*: unset it",
        ),
        (
            "NUMBA_NUM_THREADS=0",
            r"Numba cannot be imported as it is set \(.*\): correct or unset .*NUMBA_NUM_THREADS.*",
        ),
        (
            "PYTHONOPTIMIZE=2",
            r"python -OO, or PYTHONOPTIMIZE=2, strips docstrings, which variants need: run it without",
        ),
    ],
)
def test_a_setting_under_which_variants_cannot_be_read_is_named_and_no_file_is_blamed(setting: str, told: str) -> None:
    code = """
import kernels
for ask in (kernels.variants, kernels.unavailable, lambda: kernels.get("tiled")):
    try:
        ask()
    except kernels.InputError as error:
        print(isinstance(error, kernels.VariantError), error)
"""
    variable, _, value = setting.partition("=")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == 3
    for answer in answers:
        assert re.fullmatch(f"False {told}", answer)
