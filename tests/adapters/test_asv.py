"""asv measures what it should: the registered functions, once certified and compiled, of the commit it asked for."""

import ast
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from asv_runner.benchmarks import benchmark_types

import kernels
from gdbench.experiments.grid import expand, profile
from gdbench.history.labels import is_canary
from gdbench.processes.launch import THREAD_VARIABLES

from ..helpers import DROPS_SHORT_BATCH, keep_uncompiled

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "benchmarks" / "suite"

# asv_runner's own steps for one benchmark: find it, set it up, run it. The parameters stand for those of asv,
# and an empty cache for a verification that every variant has passed. What Numba compiled or loaded is counted.
RUN_ONE = """
import json, sys
from asv_runner.discovery import get_benchmark_from_name
folder, name, *parameters = sys.argv[1:]
benchmark = get_benchmark_from_name(folder, name)
benchmark._current_params = (*parameters[:3], int(parameters[3]))
benchmark.set_cache({{}})
from gdbench.compare.measure.pair_process import _compiled
{change}
try:
    skipped = benchmark.do_setup()
    before = _compiled()
    result = None if skipped else benchmark.do_run()
    answer = {{"skipped": skipped, "number": result and result["number"]}}
    print(json.dumps({{**answer, "compiled": {{"before": before, "timed": _compiled() - before}}}}))
except Exception as error:
    print(json.dumps({{"error": f"{{type(error).__name__}}: {{error}}"}}))
"""
UNCHANGED = "pass"
SETUP_THAT_CALLS_NOTHING = """
import kernels, suite.experiments as experiments
from gdbench.experiments.grid import networks
def build_only(network, dataset, task, dtype, variant, batch_size):
    spec = networks()[network]
    problem = experiments.load_problem(spec.build(dataset), dataset, dtype, spec.learning_rate)
    return experiments.TASKS[task](kernels.get(variant), problem, batch_size)
experiments._prepare = build_only
"""
OTHER_EXPERIMENT = '    { network = "deep", dataset = "wine" },\n'
COUNT_THREADS = """
import numba, os, threadpoolctl
IMPORT
def count():
    return max([numba.get_num_threads(), *(pool["num_threads"] for pool in threadpoolctl.threadpool_info())])
benchmark.do_run = lambda: {"number": count()}
"""
LIFT_LIMITS = "threadpoolctl.threadpool_limits(limits=2)"
SETUP_BEFORE_EACH_CALL = "type(benchmark)._setup_isolates_timed_calls = True"


def _environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return an environment that finds kernels in a folder, and nothing of asv's unless given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASV_", "GDBENCH_PROFILE"))}
    return {**kept, "PYTHONPATH": str(folder), **changes}


def _python(script: str, *arguments: str, folder: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(folder, **changes))


def _run_one(variant: str, suite: Path = SUITE, change: str = UNCHANGED, **options) -> dict[str, object]:
    """Let asv_runner measure the gradient of one row."""
    name = "experiments.logistic_breast_cancer.time_task"
    done = _python(RUN_ONE.format(change=change), str(suite), name, "gradient", "float64", variant, "1", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _commit_all(folder: Path) -> str:
    """Make a folder a repository of one commit; return its name."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    environment |= {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True, env=environment)
    head = ["git", "rev-parse", "HEAD"]
    return subprocess.run(head, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _asv(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run asv on the kernels of a folder, on a machine that it is told about there."""
    environment = _environment(folder) | {"ASV_PYTHONPATH": str(folder), "HOME": str(folder)}
    options = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    command = [sys.executable, "-m", "asv"]
    subprocess.run([*command, "machine", "--yes"], check=True, **options)
    return subprocess.run([*command, *arguments], check=False, **options)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy of what asv reads, of one experiment, without what takes minutes to compile, and with a wrong variant."""
    for part in ("kernels", "benchmarks"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    keep_uncompiled(tmp_path)
    grid = tmp_path / "benchmarks" / "grid.toml"
    smoke, heading, others = grid.read_text(encoding="utf-8").partition("[profiles.quick]")
    assert smoke.count(OTHER_EXPERIMENT) == 1
    grid.write_text(smoke.replace(OTHER_EXPERIMENT, "") + heading + others, encoding="utf-8")
    shutil.copy(ROOT / "asv.conf.json", tmp_path)
    (tmp_path / "kernels" / "variants" / "specimen.py").write_text(DROPS_SHORT_BATCH, encoding="utf-8")
    return tmp_path


def test_asv_finds_no_fault(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "asv", "check", "-E", "existing"]
    environment = _environment(ROOT) | {"ASV_PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems found" in done.stdout


def test_calibration_never_sees_compilation() -> None:
    found = _run_one("jit")
    assert found["compiled"]["before"] > 0
    assert found["compiled"]["timed"] == 0


def test_without_a_call_in_the_setup_it_would_see_compilation() -> None:
    assert _run_one("jit", change=SETUP_THAT_CALLS_NOTHING)["compiled"]["timed"] > 0


def test_with_a_setup_before_each_call_it_would_time_single_calls() -> None:
    assert _run_one("vectorized", change=SETUP_BEFORE_EACH_CALL)["number"] == 1


def test_asv_finds_one_benchmark_for_each_experiment_and_the_canaries() -> None:
    script = (
        "import json, sys; from asv_runner.discovery import list_benchmarks; list_benchmarks(sys.argv[1], sys.stdout)"
    )
    done = _python(script, str(SUITE))
    assert done.returncode == 0, done.stderr
    found = {entry["name"]: entry["params"] for entry in json.loads(done.stdout)}
    canaries = {name: found.pop(name) for name in [*found] if name.startswith("canary.")}
    assert set(canaries) == {"canary.Canary.time_canary_product", "canary.Canary.time_canary_loop"}
    assert all(map(is_canary, canaries))
    assert list(found) == ["experiments.logistic_breast_cancer.time_task", "experiments.deep_wine.time_task"]
    combinations = 0
    for _tasks, _dtypes, variants, sizes in found.values():
        assert sorted(variants) == sorted(map(repr, kernels.variants()))
        combinations += len(_tasks) * len(_dtypes) * len(variants) * len(sizes)
    assert combinations == len(expand(profile("smoke")))


def test_the_callable_under_a_name_is_the_function_of_that_variant() -> None:
    script = """
import itertools, kernels
from asv_runner.discovery import disc_benchmarks, update_sys_path
import sys; update_sys_path(sys.argv[1])
from suite import experiments
class Uncalled:
    def __init__(self, call):
        self.func, self.args = call.func, call.args
    def __call__(self):
        pass
experiments.require_certificate = lambda *_: None  # which function it is can be told without compiling any
tasks = experiments.TASKS
experiments.TASKS = {task: lambda *given, build=tasks[task]: Uncalled(build(*given)) for task in tasks}
for benchmark in disc_benchmarks(sys.argv[1]):
    if not benchmark.name.startswith("experiments."):
        continue
    for task, dtype, variant, size in itertools.product(*benchmark._params):
        experiment = benchmark.func.__self__
        experiment.setup({}, task, dtype, variant, size)
        call = experiment.call
        assert call.func is getattr(kernels.get(variant), task), (task, variant)
        rows = call.args[5] if task == "epoch" else len(call.args[2])
        assert (call.args[2].dtype, rows) == (dtype, size), (task, variant, size)
        print(variant, task)
"""
    done = _python(script, str(SUITE))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(expand(profile("smoke")))


def test_no_helper_bears_a_name_that_asv_collects() -> None:
    patterns = [kind.name_regex for kind in benchmark_types]
    assert any(pattern.match("time_task") for pattern in patterns)
    assert any(pattern.match("TrackLoss") for pattern in patterns)
    defined = [
        f"{path.name}: {node.name}"
        for path in (ROOT / "benchmarks" / "gdbench").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)  # of a class, asv looks at the methods alone
        and any(pattern.match(node.name) for pattern in patterns)
    ]
    assert defined == []


def test_kernels_from_elsewhere_than_asvs_environment_are_refused(tmp_path: Path) -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import suite"
    folder, commit = str(SUITE.parent), "0123456789abcdef"
    refused = _python(script, folder, ASV_COMMIT=commit, ASV_ENV_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert "ImportError: asv asked for commit 01234567, but kernels comes from " in refused.stderr
    allowed = _python(script, folder, ASV_COMMIT=commit, ASV_ENV_DIR=str(ROOT))
    assert allowed.returncode == 0, allowed.stderr
    assert _python(script, folder).returncode == 0


def test_a_new_file_is_a_parameter_and_a_gap_where_the_commit_lacks_it(tree: Path) -> None:
    found = _run_one("specimen", tree / "benchmarks" / "suite", folder=ROOT)
    assert (found["skipped"], found["number"]) == (True, None)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from suite import experiments; "
        "print(experiments.logistic_breast_cancer.params)"
    )
    (tree / "kernels" / "variants" / "_shared.py").write_text('"""Not a variant."""', encoding="utf-8")
    params = _python(script, str(tree / "benchmarks")).stdout
    assert "'specimen'" in params
    assert "_shared" not in params
    assert "'specimen'" not in _python(script, str(SUITE.parent)).stdout


@pytest.mark.slow
def test_a_variant_that_only_full_verification_finds_wrong_gets_its_reason_no_time_and_no_point_in_a_page(
    tree: Path,
) -> None:
    commit, name = _commit_all(tree), "experiments.logistic_breast_cancer.time_task"
    done = _asv(
        *("run", "--quick", "--show-stderr", "-E", "existing", "--set-commit-hash", commit),
        *("--bench", rf"{name}\('epoch', .*, 32\)"),
        folder=tree,
    )
    assert "NotCertified: specimen: trajectory of 100 updates at batch size 7, error" in done.stdout
    (stored,) = (tree / "reports" / "asv" / "results").glob(f"*/{commit[:8]}-*.json")
    seconds, params = json.loads(stored.read_text())["results"][name][:2]
    assert _timed(seconds, params) == set(params[2]) - {"'specimen'"}

    published = _asv("publish", folder=tree)
    assert published.returncode == 0, published.stdout
    pages = tree / "reports" / "asv" / "html"
    assert json.loads((pages / "index.json").read_text())["benchmarks"][name]["params"] == params
    graph = next(path for path in pages.glob(f"graphs/**/{name}.json") if "summary" not in path.parts)
    ((_, drawn),) = json.loads(graph.read_text())
    assert _timed(drawn, params) == set(params[2]) - {"'specimen'"}


def _timed(seconds: list[float | None], params: list[list[str]]) -> set[str]:
    """Return the variants that have a time for an epoch of batches of 32; no other case was asked for."""
    cases = [
        case for case, value in zip(itertools.product(*params), seconds, strict=True) if value and not math.isnan(value)
    ]
    assert {(case[0], case[3]) for case in cases} == {("'epoch'", "32")}
    return {case[2] for case in cases}


def test_one_thread_is_fixed_for_asv_in_an_environment_of_its_own_and_in_an_existing_one() -> None:
    variables = json.loads((ROOT / "asv.conf.json").read_text())["matrix"]["env_nobuild"]
    assert variables == {name: ["1"] for name in THREAD_VARIABLES}
    more = dict.fromkeys(THREAD_VARIABLES, "2")
    assert _run_one("jit", change=COUNT_THREADS.replace("IMPORT", ""), **more)["number"] == 1
    assert _run_one("jit", change=COUNT_THREADS.replace("IMPORT", LIFT_LIMITS), **more)["number"] == 2
