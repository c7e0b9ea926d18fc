"""``gdbench train`` refuses wrong variants, data and settings in one sentence, and then writes nothing."""

import re
import resource
from dataclasses import replace

import psutil
import pytest

import kernels
from gdbench.basics.folders import LOCK, own_folder
from gdbench.cli import train
from gdbench.experiments import datasets
from gdbench.train.training import fit_descent
from kernels import Network

from ..helpers import add_variant, copy_sources, gdbench, invoke
from .training_helpers import LINEAR, training

HUGE = (
    "n=1000000000,d=1000",
    "n=1000000000000000000,d=1000",
    "n=100000000000000000000000",
    "d=10000000000,k=10000000000",
)
"""Eight terabytes, more than NumPy can count, and more."""


DROPS_THE_LAST_BATCH = """

def epoch(network, theta, X, Y, order, batch_size, learning_rate):
    check_batch_size(batch_size, len(order))
    rate = float(learning_rate)
    for start in range(0, len(order) - batch_size + 1, batch_size):
        rows = order[start : start + batch_size]
        theta = theta - rate * gradient(network, theta, X[rows], Y[rows])
    return theta


from kernels.validation import check_batch_size
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Sources with wrong variants: vectorized with a fault; that of the second shows only over many updates."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    add_variant(folder, "turned", ("(activations[-1] - Y) / len(X)", "(Y - activations[-1]) / len(X)"))
    add_variant(folder, "dropping", end=DROPS_THE_LAST_BATCH)
    return folder


@pytest.mark.parametrize(("name", "where"), [("turned", "gradient"), ("dropping", "trajectory")])
def test_a_wrong_variant_is_not_timed(tmp_path, sources, name, where):
    done = gdbench("train", *LINEAR, "--variant", name, "--output", "out", cwd=tmp_path, sources=sources)
    assert done.returncode == 4, done.stderr
    assert re.search(rf"'{name}' disagrees with the reference on 10-1 identity\+squared_error \({where}", done.stderr)
    assert "Certifying" not in done.stderr  # a status is for terminals
    assert not (tmp_path / "out").exists()


def test_a_folder_that_another_command_writes_into_is_refused_before_the_fit(tmp_path):
    with own_folder(tmp_path / "out"):
        done = invoke("train", *LINEAR, "--epochs", "1", "--output", "out", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("gdbench: another gdbench command is writing into out: wait until it has ended")
        assert [file.name for file in (tmp_path / "out").iterdir()] == [LOCK]
    again = invoke("train", *LINEAR, "--epochs", "1", "--output", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"loss.png", "history.csv"}


@pytest.fixture
def little_memory():
    """Some systems promise any amount of memory: here, 4 GiB more than there is now."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + (4 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("size", HUGE)
def test_data_that_memory_cannot_hold_are_one_sentence(tmp_path, size):
    options = ("--dataset", f"synthetic_regression:{size}", "--network", "linear", "--output", "out")
    done = invoke("train", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gdbench: memory does not suffice (")
    assert "fewer rows" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_start_out_of_range_is_one_sentence_that_blames_no_rate():
    data = datasets.load("diabetes")
    fit = training(network=Network.linear(10))
    huge = replace(fit, dataset=replace(data, Y=1e200 * data.Y))
    history = fit_descent(huge, batch_size=16)
    assert history.diverged.epoch == 0
    for histories in ([history], [history] * 3):
        with pytest.raises(kernels.Diverged, match="starting parameters is not finite: scale X and Y"):
            train._worth_keeping(histories)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--dataset", "iris"], "choose one of diabetes, breast_cancer"),
        (["--dataset", "synthetic_regression:n=1"], "n is at least 2"),
        (["--dataset", "synthetic_regression:n=many"], "write for instance"),
        (
            ["--dataset", "synthetic_regression:n=1e3"],
            "n of synthetic_regression must be a whole number, got '1e3'",
        ),
        (
            ["--dataset", "synthetic_regression:noise=no"],
            "noise of synthetic_regression must be a number, got",
        ),
        (["--network", "perceptron"], "choose one of linear, logistic, softmax, mlp"),
        (["--network", "logistic"], "or use squared_error"),
        (["--network", "softmax"], "use sigmoid"),
        (["--dataset", "synthetic_regression:k=2", "--network", "softmax"], "or use squared_error"),
        (["--hidden", "8"], "choose the network mlp"),
        (["--activation", "tanh", "--loss", "squared_error"], "choose the network mlp"),
        (["--network", "mlp", "--hidden", "8,x"], "such as 64,32"),
        (
            ["--network", "mlp", "--hidden", "8,0"],
            "--hidden must be whole numbers of at least 1, such as",
        ),
        (["--network", "mlp", "--activation", "gelu"], "choose one of sigmoid, tanh, relu"),
        (
            ["--network", "mlp", "--output-activation", "identity", "--loss", "cross_entropy"],
            "choose one of identity +",
        ),
        (["--variant", "fortran"], "choose one of reference"),
        (["--batch-size", "all"], "say n for all rows"),
        (["--batch-size", "0"], "from 1 to 442, got '0': say n for all rows"),
        (["--batch-size", "443"], "from 1 to 442"),
        (["--batch-size", "n", "--compare-descents"], "from 2 to 441"),
        (["--learning-rate", "-1"], "try 0.1"),
        (["--learning-rate", "nan"], "try 0.1"),
        (["--epochs", "0"], "epochs must be a whole number of at least 1, got 0: try 20"),
        (["--epochs", "1e3"], "'1e3' is not a whole number, such as 20"),
        (["--learning-rate", "0,1"], "'0,1' is not a number, such as 0.1"),
        (["--seed", "-1"], "at least 0"),
        (["--dtype", "float16"], "choose one of float32, float64"),
        (["--init", "ones"], "choose one of normal, zeros"),
        (["--output", "file"], "name another one"),
        (["--output", "file/below"], "name another one"),
        (["--json", "folder"], "name a file in it"),
        (["--json", "file/below"], "name another one"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(arguments, remedy, tmp_path):
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    done = invoke("train", *LINEAR, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gdbench: ")
    assert done.stderr.count("\n") == 1
    assert remedy in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"
