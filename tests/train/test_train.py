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
from itertools import count, pairwise

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

import kernels
from gdbench.basics import storage
from gdbench.cli import train_tables
from gdbench.experiments import datasets
from gdbench.experiments.networks import build_network
from gdbench.train import pictures
from gdbench.train import training as gdbench_training
from gdbench.train.training import EpochPoint, FitHistory, fit_descent, history_csv, score
from kernels import InputError, Network

from ..helpers import LIMIT_SECONDS, gdbench, invoke
from .training_helpers import LINEAR, pixels, rows_of, training

SAME, OTHER = 1e-9, 1e-3
"""Relative difference of losses that rounding explains, and one that it does not."""


@pytest.fixture(scope="module")
def simple(tmp_path_factory):
    """A run of the plainest command, in an empty folder."""
    folder = tmp_path_factory.mktemp("simple")
    return folder, invoke("train", *LINEAR, "--epochs", "5", cwd=folder)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison of descents on classes, answered in JSON on standard output."""
    folder = tmp_path_factory.mktemp("compared")
    options = ("--dataset", "wine", "--network", "softmax", "--epochs", "4", "--compare-descents")
    return folder / "out", invoke("train", *options, "--output", "out", "--json", "-", cwd=folder)


def test_the_plain_command_writes_picture_and_history_into_a_new_dated_folder(simple):
    folder, done = simple
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "training").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-diabetes-linear", made.name)
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
    np.testing.assert_allclose(stored, fit.losses, rtol=SAME)


def test_the_picture_of_a_fit_shows_its_line_in_both_panels(simple):
    drawn = pixels(next((simple[0] / "training").iterdir()) / "loss.png", pictures.COLOURS["minibatch"])
    height, width = drawn.shape
    assert (width, height) == (1500, 660)
    assert drawn[:, : width // 2].sum() > 200
    assert drawn[:, width // 2 :].sum() > 200


def test_the_comparison_has_three_regimes_from_the_same_first_loss(compared):
    folder, done = compared
    assert done.returncode == 0, done.stderr
    rows = rows_of(folder)
    assert [row["descent"] for row in rows] == ["batch"] * 5 + ["minibatch"] * 5 + ["stochastic"] * 5
    first, last = (np.sort([float(row["loss"]) for row in rows if row["epoch"] == epoch]) for epoch in ("0", "4"))
    np.testing.assert_allclose(first, first[0], rtol=SAME)
    assert (np.diff(last) > OTHER * last[0]).all()


def test_the_comparison_picture_shows_every_regime_over_epochs_and_over_seconds(compared):
    for colour in pictures.COLOURS.values():
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
    assert answer["compile_seconds"] > 0
    assert [(fit["descent"], fit["batch_size"]) for fit in answer["fits"]] == [
        ("batch", 178),
        ("minibatch", 32),
        ("stochastic", 1),
    ]
    stored = [(float(row["loss"]), float(row["score"])) for row in rows_of(folder)]
    assert [(point["loss"], point["score"]) for fit in answer["fits"] for point in fit["history"]] == stored
    assert "stochastic" in done.stderr  # the tables are for people


def test_blas_is_kept_at_one_thread_whatever_the_user_wishes(tmp_path):
    """In a process of its own: here the tests have limited BLAS to one thread already."""
    wishes = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    options = ("--variant", "vectorized", "--epochs", "1", "--output", "out", "--json", "-")
    done = gdbench("train", *LINEAR, *options, cwd=tmp_path, **wishes)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["blas_threads"] == 1


def test_the_same_seed_gives_the_same_losses_and_another_seed_does_not():
    first, again, other = (
        [point.loss for point in fit_descent(training(seed=seed), batch_size=16).points] for seed in (3, 3, 4)
    )
    data = datasets.load("diabetes")
    fit = kernels.fit(Network.linear(10), data.X, data.Y, batch_size=16, learning_rate=0.1, epochs=4, seed=3)
    assert first == pytest.approx(again, rel=SAME)
    assert first == pytest.approx(fit.losses, rel=SAME)
    assert np.abs(np.subtract(first, other)).max() > OTHER


def test_the_initialisation_scheme_is_used():
    zeros = fit_descent(training(scheme="zeros"), batch_size=16)
    data = datasets.load("diabetes")
    assert zeros.points[0].loss == pytest.approx(np.mean(data.Y**2) / 2)


def test_every_epoch_adds_its_seconds_and_nothing_of_what_happens_between(monkeypatch):
    """By a clock that moves on by a second whenever it is looked at: at the beginning and at the end of an epoch."""
    clock = count()
    monkeypatch.setattr(gdbench_training, "perf_counter", lambda: next(clock))
    history = fit_descent(training(), batch_size=32, on_epoch=lambda point: next(clock))
    assert [point.seconds for point in history.points] == [0, 1, 2, 3, 4]


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
    points = tuple(EpochPoint(i, i / 10, 1.0, 0.5) for i in range(epochs + 1))
    (table,) = train_tables.tables(training(), [FitHistory("batch", 442, 442, points)])
    shown = [int(cell) for cell in table.columns[0].cells]
    assert (shown[0], shown[-1]) == (0, epochs)
    assert len(shown) <= 12
    assert len({b - a for a, b in pairwise(shown[:-1])}) <= 1
    assert all(a < b for a, b in pairwise(shown))


def test_the_curve_in_the_terminal_falls_with_the_loss_on_a_logarithmic_scale():
    losses = [10.0 ** (-2 * epoch / 7) for epoch in range(8)]
    falling = tuple(EpochPoint(epoch, 0.0, loss, 0.0) for epoch, loss in enumerate(losses))
    flat = tuple(EpochPoint(epoch, 0.0, 1.0, 0.0) for epoch in range(500))
    title, first, second = train_tables.curves(
        [FitHistory("batch", 9, 9, falling), FitHistory("stochastic", 1, 9, flat)]
    )
    assert title == "loss by epoch, logarithmic"
    assert first == "batch       █▇▆▅▄▃▂▁  1.000 to 0.01000"
    assert second.split()[1] == "█" * train_tables.CURVE_WIDTH


def test_a_fit_that_diverges_ends_with_the_epoch_and_writes_nothing(tmp_path):
    done = invoke("train", *LINEAR, "--learning-rate", "3", "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(r"diverged in epoch \d+ at learning rate 3", done.stderr)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_regime_that_diverges_is_kept_up_to_there_while_the_others_go_on(tmp_path):
    done = invoke("train", *LINEAR, "--learning-rate", "0.3", "--compare-descents", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"stochastic .* diverged, epoch \d", done.stdout)
    epochs = [row["descent"] for row in rows_of(tmp_path / "out")]
    assert epochs.count("batch") == epochs.count("minibatch") == 21
    assert 1 <= epochs.count("stochastic") < 21
    assert pixels(tmp_path / "out" / "loss.png", pictures.COLOURS["stochastic"]).sum() > 50


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
            if not stopped and re.search(r"epoch [1-9]\d* of 1000000", seen):
                process.send_signal(signal.SIGINT)
                stopped = True
    assert process.wait(timeout=LIMIT_SECONDS) == 130, seen
    assert "stopped: the files hold the epochs completed" in seen
    rows = rows_of(tmp_path / "out")
    assert [int(row["epoch"]) for row in rows] == list(range(len(rows)))
    assert 2 <= len(rows) < 1_000_001
    assert pixels(tmp_path / "out" / "loss.png", pictures.COLOURS["minibatch"]).any()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"loss.png", "history.csv"}


def read_or_end(file):
    try:
        return file.read(65536)
    except OSError:  # how Linux ends a terminal that its last writer closed
        return b""


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
    network = build_network("mlp", data, hidden=(6, 5), activation="relu", **options)
    assert (network.output, network.loss) == pair
    assert network.sizes == (data.X.shape[1], 6, 5, data.Y.shape[1])
    assert network.hidden == "relu"


def test_linear_regression_on_classes_is_least_squares_classification():
    history = fit_descent(training("wine", Network.linear(13, 3)), batch_size=32)
    assert history.points[-1].score > history.points[0].score


def test_csv_numbers_are_read_back_exactly():
    point = EpochPoint(1, 0.1 + 0.2, 1 / 3, 2 / 3)
    (row,) = csv.DictReader(io.StringIO(history_csv([FitHistory("batch", 9, 9, (point,))])))
    assert (float(row["seconds"]), float(row["loss"]), float(row["score"])) == (0.1 + 0.2, 1 / 3, 2 / 3)


def test_a_folder_that_does_not_exist_yet_can_be_written(tmp_path):
    storage.check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no folder"):
        storage.check_writable(tmp_path / "dangling" / "b")
