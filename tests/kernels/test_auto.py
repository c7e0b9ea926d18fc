"""``variant="auto"``: the rule on real data, the fit and the command that follow it, and its check against times."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kernels
from gdbench.basics import records
from gdbench.experiments import datasets
from gdbench.experiments.cases import NetworkSpec
from gdbench.machine.environment import Environment
from gdbench.report import auto_check
from gdbench.run.plan import read_plan
from kernels import InputError, Network
from kernels.costs import LayerCosts, typical
from kernels.density import MAX_DENSITY, SAMPLED_ROWS, share_of_nonzeros

from ..helpers import add_variant, copy_sources, gdbench, invoke

ROOT = Path(__file__).parents[2]
MNIST, DIGITS, DENSE = "mnist5k", "digits", "synthetic_regression:n=300,d=784,condition=100"
ZEROS = "synthetic_classification:n=200,d=784,k=10,sparsity=0.8"
MLP, WIDE = Network.mlp(784, 128, 10), Network.mlp(784, 512, 10)
TUTORIAL = NetworkSpec("mlp", "mlp", 0.1, hidden=(128,))


@cache
def load(name, dtype="float64"):
    return datasets.load(name, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("network", "dataset", "batch_size", "first", "said"),
    [
        (MLP, MNIST, 1, "sparse", "20 % of X is not zero: the first layer"),
        (MLP, MNIST, 256, "sparse", "20 % of X is not zero: the first layer"),
        (MLP, MNIST, 5000, "sparse", "20 % of X is not zero: the first layer"),
        (WIDE, MNIST, 32, "sparse", "20 % of X is not zero: the first layer"),
        (Network.mlp(784, 16, 10), MNIST, 8, "tiled", "20 % of X is not zero: the first layer"),
        (Network.softmax(784, 10), MNIST, 32, "tiled", "20 % of X is not zero: the first layer"),
        (Network.softmax(784, 10), ZEROS, 8, "tiled", "20 % of X is not zero: the first layer"),
        (Network.logistic(784), MNIST, 1, "tiled", "one output"),
        (Network.softmax(64, 10), DIGITS, 1, "tiled", "more than 40 %"),
        (Network.mlp(64, 128, 10), DIGITS, 32, "tiled", "more than 40 %"),
        (Network.mlp(784, 128, 1), DENSE, 1, "tiled", "100 %"),
        (Network.linear(10), "diabetes", 32, "tiled", "one output"),
    ],
)
def test_the_rule_names_the_variant_and_what_decided(network, dataset, batch_size, first, said, dtype):
    """On every kind of processor: near the point where both take as long they differ."""
    choice = kernels.choose(network, load(dataset, dtype).X, batch_size)
    assert choice.names[0] == first, choice.reason
    assert said in choice.reason


COSTS = LayerCosts(
    lanes=8, product=0.03, listing=1, nonzero=2, gathered=0.07, nonzero_of_update=8,
    row_product=0.04, row_listing=0.4, row_gathered=0.1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("outputs", "batch_size", "share", "dense", "skipping"),
    [
        (128, 32, 0.2, 3.84, 1 + 0.2 * (2 + 0.07 * 128 + 8 / 32)),
        (121, 32, 0.2, 3.84, 1 + 0.2 * (2 + 0.07 * 128 + 8 / 32)),
        (10, 1, 0.5, 0.64, 0.4 + 0.5 * 0.1 * 16),
    ],
)
def test_costs_are_by_value_of_the_data_and_by_whole_vectors(outputs, batch_size, share, dense, skipping):
    assert COSTS.dense(outputs, batch_size) == pytest.approx(dense)
    assert COSTS.skipping(outputs, batch_size, share) == pytest.approx(skipping)


@pytest.mark.parametrize(
    ("batch_size", "first", "said"),
    [(32, "sparse", "3.24 µs a row where zeros are skipped, and 3.84 µs with"), (2, "tiled", "3.99 µs a row")],
)
def test_the_costs_that_are_given_decide_and_are_said(batch_size, first, said):
    X = np.zeros((100, 1000))
    X[:, :200] = 1
    choice = kernels.choose(Network.mlp(1000, 128, 10), X, batch_size, COSTS)
    assert choice.names[0] == first
    assert said in choice.reason


@pytest.mark.parametrize(
    ("hidden", "dtype", "batch_size", "first"),
    [
        ((1024, 1024), "float32", 128, "buffered"),
        ((1024, 1024), "float64", 300, "buffered"),
        ((1024, 1024), "float32", 127, "tiled"),
        ((512,), "float32", 256, "tiled"),
        ((700,), "float32", 256, "tiled"),
        ((1200,), "float64", 256, "buffered"),
    ],
)
def test_parameters_far_larger_than_a_cache_are_left_to_a_blas_in_large_batches(hidden, dtype, batch_size, first):
    choice = kernels.choose(Network.mlp(784, hidden, 1), load(DENSE, dtype).X, batch_size)
    assert choice.names[0] == first
    assert ("at least 7" in choice.reason) == (first == "buffered"), choice.reason


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("dataset", [MNIST, DENSE])
def test_every_preference_exists_once_down_to_the_reference(dataset, batch_size):
    data = load(dataset)
    names = kernels.choose(Network.mlp(784, 128, data.Y.shape[1]), data.X, batch_size).names
    assert set(names) <= set(kernels.variants())
    assert len(set(names)) == len(names)
    assert names[-1] == "reference"
    assert names.index("tiled") < names.index("jit") < names.index("buffered") < names.index("vectorized")


@pytest.mark.parametrize("n", [1, 63, 64, 65, 127, 128, 129])
def test_the_share_of_nonzeros_is_that_of_at_most_64_rows_spread_over_all(n):
    """A row that is read shows when it alone is not zero."""
    read = [row for row in range(n) if share_of_nonzeros(np.arange(n)[:, None] == [[row] * 3]) > 0]
    assert min(n, SAMPLED_ROWS // 2) <= len(read) <= SAMPLED_ROWS
    assert set(np.diff(read)) <= {-(-n // SAMPLED_ROWS)}
    assert n - read[-1] <= -(-n // SAMPLED_ROWS)


@pytest.mark.parametrize(("name", "far"), [(MNIST, 0.02), (DIGITS, 0.02)])
def test_the_estimate_is_near_the_share_of_all_values(name, far):
    data = load(name)
    assert share_of_nonzeros(data.X) == pytest.approx(data.density, abs=far)
    assert abs(data.density - MAX_DENSITY) > far  # so that the sample decides as all rows would


@pytest.mark.parametrize(
    ("dataset", "network", "batch_size", "named"),
    [
        (MNIST, MLP, 1, "sparse"),
        (MNIST, WIDE, 64, "sparse"),
        (DIGITS, Network.softmax(64, 10), 32, "tiled"),
    ],
)
def test_a_fit_by_auto_is_that_of_the_variant_it_names_bit_for_bit(dataset, network, batch_size, named):
    data = load(dataset, "float32")
    settings = {"batch_size": batch_size, "learning_rate": 0.1, "epochs": 2, "seed": 3}
    X, Y = data.X[:200], data.Y[:200]
    auto, other = (kernels.fit(network, X, Y, variant=name, **settings) for name in ("auto", named))
    assert auto.variant == named
    assert auto.theta.tobytes() == other.theta.tobytes()
    assert auto.losses == other.losses


def test_the_default_of_fit_stays_jit():
    data = load("diabetes")
    fit = kernels.fit(Network.linear(10), data.X, data.Y, batch_size=32, learning_rate=0.1, epochs=0)
    assert fit.variant == "jit"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "Auto"}, "there is no variant 'Auto': choose one of reference, "),
        ({"variant": "automatic"}, "there is no variant 'automatic': choose one of reference, "),
        ({"variant": "auto", "batch_size": 0}, "the batch size must be a whole number from 1 to 442"),
        ({"variant": "auto", "X": [[1.0]]}, "X must be a float32 or float64 array, got list"),
    ],
)
def test_a_fit_refuses_what_it_refused_before(change, message):
    data = load("diabetes")
    good = {"X": data.X, "Y": data.Y, "batch_size": 32, "learning_rate": 0.1, "epochs": 1}
    with pytest.raises(InputError, match=re.escape(message)):
        kernels.fit(Network.linear(10), **good | change)


def test_choose_refuses_what_are_no_costs() -> None:
    with pytest.raises(InputError, match=r"costs must be kernels\.LayerCosts, got dict"):
        kernels.choose(MLP, load(MNIST).X, 32, {"product": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("linear", np.ones((4, 10)), 2), "network must be a kernels.Network, got str"),
        ((Network.linear(10), np.ones((4, 9)), 2), "X has 9 columns but the network has 10 inputs"),
        ((Network.linear(10), np.ones((0, 10)), 1), "X has no rows"),
        ((Network.linear(10), np.ones((4, 10), int), 2), "X must be a float32 or float64 array, got int64"),
        ((Network.linear(10), np.ones((4, 10)), 5), "the batch size must be a whole number from 1 to 4"),
    ],
)
def test_choose_refuses_bad_input_in_one_sentence(arguments, message):
    with pytest.raises(InputError, match=re.escape(message)):
        kernels.choose(*arguments)


def test_the_command_takes_says_and_stores_a_choice_for_each_regime(tmp_path, monkeypatch):
    monkeypatch.setattr("gdbench.train.training.layer_costs", lambda dtype: typical(8))
    arguments = ("--dataset", ZEROS, "--network", "softmax", "--epochs", "2")
    options = ("--variant", "auto", "--compare-descents", "--output", "out", "--json", "-")
    done = invoke("train", *arguments, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [fit["variant"] for fit in answer["fits"]] == ["tiled", "tiled", "sparse"]
    assert [(entry["batch_size"], entry["variant"]) for entry in answer["auto"]] == [
        (200, "tiled"),
        (32, "tiled"),
        (1, "sparse"),
    ]
    for entry in answer["auto"]:
        assert entry["preferences"][0] == entry["variant"]
        assert f"auto takes {entry['variant']} at B = {entry['batch_size']}: {entry['reason']}" in done.stderr
    assert answer["certified"]
    assert answer["max_error"] <= answer["tolerance"]
    assert (tmp_path / "out" / "history.csv").exists()


def test_the_command_stores_the_losses_of_the_fit_by_auto(tmp_path):
    done = invoke(
        "train", "--dataset", "diabetes", "--network", "linear", "--variant", "auto", "--epochs", "3", "--json", "-",
        cwd=tmp_path,
    )  # fmt: skip
    data = load("diabetes")
    fit = kernels.fit(Network.linear(10), data.X, data.Y, variant="auto", batch_size=32, learning_rate=0.1, epochs=3)
    (stored,) = json.loads(done.stdout)["fits"]
    assert stored["variant"] == fit.variant == "tiled"
    # The same sums, but of arrays that lie elsewhere: the loops over them may be divided otherwise.
    assert [point["loss"] for point in stored["history"]] == pytest.approx(fit.losses, rel=1e-10)


def test_the_command_passes_over_what_is_unavailable_or_wrong_and_says_so(tmp_path):
    """Real ones: in a copy of the sources sparse is gone, and tiled is vectorized with its sign turned."""
    sources = copy_sources(tmp_path / "sources")
    for name in ("sparse", "tiled"):
        (sources / "kernels" / "variants" / f"{name}.py").unlink()
    add_variant(sources, "tiled", ("(activations[-1] - Y) / len(X)", "(Y - activations[-1]) / len(X)"))
    arguments = ("--dataset", ZEROS, "--network", "softmax", "--batch-size", "1", "--epochs", "1", "--variant", "auto")
    done = gdbench("train", *arguments, "--output", "out", "--json", "j.json", cwd=tmp_path, sources=sources)
    assert done.returncode == 0, done.stderr
    assert re.search(r"auto takes jit at B = 1: .*; sparse is unavailable here; not certified here: tiled", done.stdout)
    answer = json.loads((tmp_path / "j.json").read_text(encoding="utf-8"))
    assert answer["fits"][0]["variant"] == "jit"
    assert answer["auto"][0]["preferences"] == ["tiled", "jit", "buffered", "vectorized", "reference"]
    assert answer["auto"][0]["not_certified"] == ["tiled"]


def made(*rows):
    """Make a summary of the tutorial's network on MNIST: variant, batch size, seconds and, if not measured, status."""
    columns = ["network", "dataset", "task", "dtype", "threads", "variant", "batch_size", "seconds", "status"]
    fixed = ("mlp", MNIST, "epoch", "float32", 1)
    return pd.DataFrame([(*fixed, *row, "measured")[: len(columns)] for row in rows], columns=columns)


def test_the_check_compares_with_the_best_of_ours_in_each_cell_by_hand():
    summary = made(
        ("jit", 1, 4.0),
        ("tiled", 1, 2.0),
        ("sparse", 1, 2.2),  # auto's: 10 % slower than tiled
        ("jax_scan", 1, 0.1),  # a peer is not one of ours
        ("sparse", 32, 1.0),  # auto's: the best
        ("tiled", 32, 5.0),
        ("sparse", 64, 3.0),  # auto's: 1.5 times jit
        ("jit", 64, 2.0),
    )
    other_task = made(("jit", 32, 0.01)).assign(task="gradient")
    table = auto_check.auto_table(pd.concat([summary, other_task]), {"mlp": TUTORIAL})
    found = table[["batch_size", "auto", "best", "within"]].to_numpy().tolist()
    assert found == [[1, "sparse", "tiled", True], [32, "sparse", "sparse", True], [64, "sparse", "jit", False]]
    assert table["slowdown"].tolist() == pytest.approx([1.1, 1.0, 1.5])
    assert auto_check.in_words(table) == [
        "auto takes a variant within 10 % of the best of ours in 2 of 3 cells (worst: sparse takes 1.50x the time of "
        "jit, mlp on mnist5k in float32 at batch size 64, threads 1)."
    ]


def test_the_check_takes_the_next_preference_where_the_first_failed_its_certificate():
    summary = made(("sparse", 1, np.nan, "failed"), ("tiled", 1, 3.0), ("jit", 1, 1.0))
    (row,) = auto_check.auto_table(summary, {"mlp": TUTORIAL}).to_dict("records")
    assert (row["auto"], row["best"], row["slowdown"]) == ("tiled", "jit", 3.0)


def test_a_run_is_judged_by_the_vectors_of_the_processor_that_it_was_measured_on():
    narrow = {"mlp": NetworkSpec("mlp", "mlp", 0.1, hidden=(24,))}
    summary = made(("sparse", 5000, 1.0), ("tiled", 5000, 2.0))
    assert auto_check.auto_table(summary, narrow, 32)["slowdown"].tolist() == [2.0]
    assert auto_check.auto_table(summary, narrow, 64)["slowdown"].tolist() == [1.0]


def test_cells_without_a_time_of_autos_variant_are_counted_apart():
    table = auto_check.auto_table(made(("jit", 1, 1.0), ("sparse", 32, 1.0)), {"mlp": TUTORIAL})
    first, last = auto_check.in_words(table)
    assert "in 1 of 1 cells" in first
    assert last == "In 1 of 2 cells the variant that auto takes was not measured."


def _judged() -> list[Path]:
    """Committed runs that say how wide the vectors of their processor are: of others nobody knows what auto took."""
    found = [path.parent for path in sorted((ROOT / "reports").glob("*/environment.json"))]
    return [folder for folder in found if _environment(folder).vector_bytes and (folder / "summary.csv").exists()]


def _environment(folder: Path) -> Environment:
    return records.read(folder / "environment.json", Environment, remedy="take it anew")


# The claim itself, on committed runs: none of them is no run that shows it.
def test_runs_that_show_how_often_auto_is_right_are_committed():
    assert _judged()


@pytest.mark.parametrize("folder", _judged(), ids=lambda folder: folder.name)
def test_in_a_committed_run_auto_is_within_ten_per_cent_of_the_best_in_95_per_cent_of_cells(folder):
    summary = pd.read_csv(folder / "summary.csv")
    table = auto_check.auto_table(summary, read_plan(folder).networks, _environment(folder).vector_bytes)
    assert len(table) > 0
    assert table["within"].mean() >= 0.95, "\n".join(auto_check.in_words(table))
