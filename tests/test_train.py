"""``gdbench train`` fits, records, draws and refuses as it says."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from sklearn.metrics import accuracy_score, r2_score

import kernels
from gdbench import datasets, loss_pictures, storage, training_options
from gdbench.cli import main, train, train_tables
from gdbench.training import History, Point, Training, fit_descent, history_csv, score
from kernels import InputError, Network

from .helpers import add_variant, copy_sources, gdbench

LINEAR = ("--dataset", "diabetes", "--network", "linear")
HUGE = (
    "n=1000000000,d=1000",
    "n=1000000000000000000,d=1000",
    "n=100000000000000000000000",
    "d=10000000000,k=10000000000",
)
"""Eight terabytes, more than NumPy can count, and more."""


def gdbench_train(*arguments, cwd, **options):
    command = [sys.executable, "-m", "gdbench", "train", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options)


def rows_of(folder):
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(png, colour):
    """Mask (height, width) of the pixels that have a colour."""
    image = imread(png)[..., :3]
    return np.abs(image - np.array(to_rgb(colour))).max(axis=2) < 0.02


def training(dataset="diabetes", network=None, **options):
    data = datasets.load(dataset)
    network = network or Network.linear(data.X.shape[1])
    return Training(network, data, **{"variant": "jit", "learning_rate": 0.1, "epochs": 4} | options)


@pytest.fixture(scope="module")
def simple(tmp_path_factory):
    """A run of the plainest command, in an empty folder."""
    folder = tmp_path_factory.mktemp("simple")
    return folder, gdbench_train(*LINEAR, "--epochs", "5", cwd=folder)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison of descents on classes, answered in JSON on standard output."""
    folder = tmp_path_factory.mktemp("compared")
    arguments = [
        "--dataset",
        "wine",
        "--network",
        "softmax",
        "--epochs",
        "4",
        "--compare-descents",
        "--output",
        "out",
        "--json",
        "-",
    ]
    return folder / "out", gdbench_train(*arguments, cwd=folder)


def test_the_plain_command_writes_picture_and_history_into_a_new_dated_folder(simple):
    folder, done = simple
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "training").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d{6}-diabetes-linear", made.name)
    assert {file.name for file in made.iterdir()} == {"loss.png", "history.csv"}
    assert f"training/{made.name}/loss.png" in done.stdout


def test_history_has_a_row_per_epoch_with_growing_seconds_and_falling_loss(simple):
    rows = rows_of(next((simple[0] / "training").iterdir()))
    assert list(rows[0]) == ["epoch", "seconds", "loss", "score", "descent"]
    assert [int(row["epoch"]) for row in rows] == list(range(6))
    assert float(rows[0]["seconds"]) == 0
    assert all(float(a["seconds"]) <= float(b["seconds"]) for a, b in pairwise(rows))
    assert float(rows[-1]["seconds"]) > 0
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert {row["descent"] for row in rows} == {"minibatch"}


def test_the_command_stores_the_losses_of_fit_with_the_same_seed(simple):
    data = datasets.load("diabetes")
    fit = kernels.fit(Network.linear(10), data.X, data.Y, batch_size=32, learning_rate=0.1, epochs=5)
    stored = [float(row["loss"]) for row in rows_of(next((simple[0] / "training").iterdir()))]
    np.testing.assert_array_equal(stored, fit.losses)


def test_the_picture_of_a_fit_shows_its_line_in_both_panels(simple):
    drawn = pixels(next((simple[0] / "training").iterdir()) / "loss.png", loss_pictures.COLOURS["minibatch"])
    height, width = drawn.shape
    assert (width, height) == (1500, 660)
    assert drawn[:, : width // 2].sum() > 200
    assert drawn[:, width // 2 :].sum() > 200


def test_the_comparison_has_three_regimes_from_the_same_first_loss(compared):
    folder, done = compared
    assert done.returncode == 0, done.stderr
    rows = rows_of(folder)
    assert [row["descent"] for row in rows] == ["batch"] * 5 + ["minibatch"] * 5 + ["stochastic"] * 5
    assert len({row["loss"] for row in rows if row["epoch"] == "0"}) == 1
    assert len({row["loss"] for row in rows if row["epoch"] == "4"}) == 3


def test_the_comparison_picture_shows_every_regime_over_epochs_and_over_seconds(compared):
    for colour in loss_pictures.COLOURS.values():
        drawn = pixels(compared[0] / "loss.png", colour)[:560]  # above the legend
        width = drawn.shape[1]
        assert drawn[:, : width // 2].sum() > 50
        assert drawn[:, width // 2 :].sum() > 50


def test_json_on_standard_output_holds_the_settings_the_proof_and_the_histories(compared):
    folder, done = compared
    answer = json.loads(done.stdout)  # nothing else is on standard output
    assert answer["network"] == "13-3 softmax+cross_entropy"
    assert answer["score"] == "accuracy"
    assert answer["certified"]
    assert answer["max_error"] <= answer["tolerance"]
    assert answer["blas_threads"] == 1
    assert answer["compile_seconds"] > 0
    assert [(fit["descent"], fit["batch_size"]) for fit in answer["fits"]] == [
        ("batch", 178),
        ("minibatch", 32),
        ("stochastic", 1),
    ]
    stored = [(float(row["loss"]), float(row["score"])) for row in rows_of(folder)]
    assert [(point["loss"], point["score"]) for fit in answer["fits"] for point in fit["history"]] == stored
    assert "stochastic" in done.stderr  # the tables are for people


def test_the_same_seed_gives_the_same_losses_and_another_seed_does_not():
    first, again, other = (
        [point.loss for point in fit_descent(training(seed=seed), batch_size=16).points] for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    data = datasets.load("diabetes")
    fit = kernels.fit(Network.linear(10), data.X, data.Y, batch_size=16, learning_rate=0.1, epochs=4, seed=3)
    assert first == list(fit.losses)


def test_every_epoch_adds_seconds():
    history = fit_descent(training(variant="reference"), batch_size=32)  # so slow that the loss is a small part
    assert all(a.seconds < b.seconds for a, b in pairwise(history.points))


def test_the_initialisation_scheme_is_used():
    zeros = fit_descent(training(scheme="zeros"), batch_size=16)
    data = datasets.load("diabetes")
    assert zeros.points[0].loss == pytest.approx(np.mean(data.Y**2) / 2)


def test_seconds_leave_out_what_happens_between_epochs():
    slept = []

    def doze(point):
        started = time.perf_counter()
        time.sleep(0.05)
        slept.append(time.perf_counter() - started)

    history = fit_descent(training(), batch_size=32, on_epoch=doze)
    assert len(slept) == 5
    assert 0 < history.points[-1].seconds < sum(slept)


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer", "wine", "synthetic_regression:k=3,n=50"])
def test_the_score_is_that_of_scikit_learn(name):
    data = datasets.load(name)
    network = Network.linear(data.X.shape[1], data.Y.shape[1])
    fit = training(name, network)
    theta = fit.start()
    A = kernels.get("reference").forward(network, theta, data.X)
    if data.kind == "regression":
        expected = r2_score(data.Y, A, multioutput="variance_weighted")
    elif data.Y.shape[1] == 1:
        expected = accuracy_score(data.Y[:, 0], (A[:, 0] >= 0.5).astype(float))
    else:
        expected = accuracy_score(data.Y.argmax(axis=1), A.argmax(axis=1))
    assert score(fit, theta) == pytest.approx(expected)


@pytest.mark.parametrize("epochs", [1, 2, 11, 12, 20, 137, 100_000])
def test_the_table_shows_at_most_twelve_epochs_evenly_spaced_with_first_and_last(epochs):
    points = tuple(Point(i, i / 10, 1.0, 0.5) for i in range(epochs + 1))
    (table,) = train_tables.tables(training(), [History("batch", 442, 442, points)])
    shown = [int(cell) for cell in table.columns[0].cells]
    assert (shown[0], shown[-1]) == (0, epochs)
    assert len(shown) <= 12
    assert len({b - a for a, b in pairwise(shown[:-1])}) <= 1
    assert all(a < b for a, b in pairwise(shown))


def test_a_fit_that_diverges_ends_with_the_epoch_and_writes_nothing(tmp_path):
    done = gdbench_train(*LINEAR, "--learning-rate", "3", "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(r"diverged in epoch \d+ at learning rate 3", done.stderr)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_regime_that_diverges_is_kept_up_to_there_while_the_others_go_on(tmp_path):
    done = gdbench_train(*LINEAR, "--learning-rate", "0.3", "--compare-descents", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"stochastic .* diverged, epoch \d", done.stdout)
    epochs = [row["descent"] for row in rows_of(tmp_path / "out")]
    assert epochs.count("batch") == epochs.count("minibatch") == 21
    assert 1 <= epochs.count("stochastic") < 21
    assert pixels(tmp_path / "out" / "loss.png", loss_pictures.COLOURS["stochastic"]).sum() > 50


def test_ctrl_c_keeps_the_completed_epochs_and_says_so(tmp_path):
    screen, terminal = pty.openpty()  # a progress bar is drawn only on a terminal
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits an ignored signal
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "gdbench", "train", *LINEAR, "--epochs", "1000000", "--output", "out"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        )
    finally:
        signal.signal(signal.SIGINT, previous)
        os.close(terminal)
    seen, stopped = "", False
    with open(screen, "rb", buffering=0, closefd=True) as file:
        while part := read_or_end(file):
            seen += part.decode(errors="replace")
            if not stopped and re.search(r"\b[1-9]\d*/1000000", seen):
                process.send_signal(signal.SIGINT)
                stopped = True
    assert process.wait(timeout=60) == 130, seen
    assert "stopped: the files hold the epochs completed" in seen
    rows = rows_of(tmp_path / "out")
    assert [int(row["epoch"]) for row in rows] == list(range(len(rows)))
    assert 2 <= len(rows) < 1_000_001
    assert pixels(tmp_path / "out" / "loss.png", loss_pictures.COLOURS["minibatch"]).any()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"loss.png", "history.csv"}


def read_or_end(file):
    try:
        return file.read(65536)
    except OSError:  # how Linux ends a terminal that its last writer closed
        return b""


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


@pytest.mark.parametrize(
    ("replaced", "end", "where"),
    [
        (("(activations[-1] - Y) / len(X)", "(Y - activations[-1]) / len(X)"), "", "gradient"),
        (("Python is left", "Python is left"), DROPS_THE_LAST_BATCH, "trajectory"),
    ],
    ids=["sign turned", "short last batch dropped"],
)
def test_a_wrong_variant_is_not_timed(tmp_path, replaced, end, where):
    """A real one: vectorized with a fault, in a copy of the sources; the second shows only over many updates."""
    sources = copy_sources(tmp_path / "sources")
    add_variant(sources, "wrong", replaced, end=end)
    done = gdbench("train", *LINEAR, "--variant", "wrong", "--output", "out", cwd=tmp_path, sources=sources)
    assert done.returncode == 4, done.stderr
    assert re.search(rf"'wrong' disagrees with the reference on 10-1 identity\+squared_error \({where}", done.stderr)
    assert "Certifying" not in done.stderr  # a status is for terminals
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", HUGE)
def test_data_that_memory_cannot_hold_are_one_sentence(tmp_path, size):
    done = gdbench_train(
        "--dataset", f"synthetic_regression:{size}", "--network", "linear", "--output", "out", cwd=tmp_path
    )
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
        (["--network", "perceptron"], "choose one of linear, logistic, softmax, mlp"),
        (["--network", "logistic"], "or use squared_error"),
        (["--network", "softmax"], "use sigmoid"),
        (["--dataset", "synthetic_regression:k=2", "--network", "softmax"], "or use squared_error"),
        (["--hidden", "8"], "choose the network mlp"),
        (["--activation", "tanh", "--loss", "squared_error"], "choose the network mlp"),
        (["--network", "mlp", "--hidden", "8,x"], "such as 64,32"),
        (["--network", "mlp", "--hidden", "8,0"], "at least 1"),
        (["--network", "mlp", "--activation", "gelu"], "choose one of sigmoid, tanh, relu"),
        (
            ["--network", "mlp", "--output-activation", "identity", "--loss", "cross_entropy"],
            "choose one of identity +",
        ),
        (["--variant", "fortran"], "choose one of reference"),
        (["--batch-size", "all"], "the word n"),
        (["--batch-size", "0"], "from 1 to 442"),
        (["--batch-size", "443"], "from 1 to 442"),
        (["--batch-size", "n", "--compare-descents"], "from 2 to 441"),
        (["--learning-rate", "-1"], "try 0.1"),
        (["--learning-rate", "nan"], "try 0.1"),
        (["--epochs", "0"], "at least 1"),
        (["--seed", "-1"], "at least 0"),
        (["--dtype", "float16"], "choose one of float32, float64"),
        (["--init", "ones"], "choose one of normal, zeros"),
        (["--output", "file"], "name another one"),
        (["--output", "file/below"], "name another one"),
        (["--json", "folder"], "name a file in it"),
        (["--json", "file/below"], "name another one"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(arguments, remedy, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gdbench", "train", *LINEAR, *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    out, error = capsys.readouterr()
    assert exit_.value.code == 2
    assert out == ""
    assert error.startswith("gdbench: ")
    assert error.count("\n") == 1
    assert remedy in error
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize(
    ("dataset", "options", "pair"),
    [
        ("diabetes", {}, ("identity", "squared_error")),
        ("wine", {}, ("sigmoid", "cross_entropy")),
        ("wine", {"output": "softmax"}, ("softmax", "cross_entropy")),
        ("wine", {"output": "identity"}, ("identity", "squared_error")),
        ("wine", {"output": "sigmoid", "loss": "squared_error"}, ("sigmoid", "squared_error")),
        ("diabetes", {"output": "sigmoid"}, ("sigmoid", "cross_entropy")),
    ],
)
def test_mlp_takes_the_pair_that_suits_the_data_unless_told(dataset, options, pair):
    data = datasets.load(dataset)
    network = training_options.build_network("mlp", data, hidden=(6, 5), activation="relu", **options)
    assert (network.output, network.loss) == pair
    assert network.sizes == (data.X.shape[1], 6, 5, data.Y.shape[1])
    assert network.hidden == "relu"


def test_linear_regression_on_classes_is_least_squares_classification():
    history = fit_descent(training("wine", Network.linear(13, 3)), batch_size=32)
    assert history.points[-1].score > history.points[0].score


def test_csv_numbers_are_read_back_exactly():
    point = Point(1, 0.1 + 0.2, 1 / 3, 2 / 3)
    (row,) = csv.DictReader(io.StringIO(history_csv([History("batch", 9, 9, (point,))])))
    assert (float(row["seconds"]), float(row["loss"]), float(row["score"])) == (0.1 + 0.2, 1 / 3, 2 / 3)


def test_a_folder_that_does_not_exist_yet_can_be_written(tmp_path):
    storage.check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no folder"):
        storage.check_writable(tmp_path / "dangling" / "b")
