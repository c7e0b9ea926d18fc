"""Descent on a network: what the variants compute is what plain NumPy does on the same rows in the same order."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from gdbench.pick.steps import problem as problems
from gdbench.pick.steps.orders import stream_of
from gdbench.pick.steps.problem import STARTS, NetworkProblem
from kernels import Network
from kernels.contract import Array

N, STEPS = 37, 25
NETWORKS = {
    "linear": Network.linear(3, 2),
    "logistic": Network.logistic(3),
    "softmax": Network.softmax(3, 2),
    "mlp": Network.mlp(3, (5, 4), 2),
}
RATES = {"linear": 0.05, "logistic": 0.5, "softmax": 0.5, "mlp": 1.0}
TOLERANCES = {"float64": 1e-10, "float32": 2e-4}


def make_problem(name: str = "mlp", dtype: str = "float64", variant: str = "vectorized") -> NetworkProblem:
    network, rng = NETWORKS[name], np.random.default_rng(3)
    X = rng.normal(size=(N, 3))
    classes = (X @ [1.0, -1.0, 0.5] + 0.5 * rng.normal(size=N) > 0).astype(int)
    Y = np.eye(2)[classes][:, : network.n_outputs]
    X, Y = X.astype(dtype), Y.astype(dtype)
    V, T = X[::-1].copy(), Y[::-1].copy()
    return NetworkProblem(network, X, Y, V, T, dict.fromkeys((1, 8, N), variant), entropy=5)


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


ACTIVATIONS = {"identity": lambda z: z, "sigmoid": sigmoid, "softmax": softmax}


def layers_of(network: Network, theta: Array) -> list[tuple[Array, Array]]:
    """Copies of weights and biases, taken apart by hand."""
    found, at = [], 0
    for fan_in, fan_out in zip(network.sizes, network.sizes[1:], strict=False):
        W = theta[at : at + fan_in * fan_out].reshape(fan_in, fan_out).copy()
        at += fan_in * fan_out
        found.append((W, theta[at : at + fan_out].copy()))
        at += fan_out
    return found


def outputs(network: Network, layers: list[tuple[Array, Array]], X: Array) -> list[Array]:
    """Activations of all layers; hidden ones are sigmoid."""
    found = [X]
    for place, (W, b) in enumerate(layers, 1):
        found.append(ACTIVATIONS[network.output if place == len(layers) else "sigmoid"](found[-1] @ W + b))
    return found


def mean_loss(network: Network, layers: list[tuple[Array, Array]], X: Array, Y: Array) -> float:
    a = outputs(network, layers, X)[-1]
    if network.loss == "squared_error":
        rows = np.square(a - Y).sum(axis=1) / 2
    elif network.output == "softmax":
        rows = -(Y * np.log(a)).sum(axis=1)
    else:
        rows = -(Y * np.log(a) + (1 - Y) * np.log1p(-a)).sum(axis=1)
    return float(rows.mean())


def descend(problem: NetworkProblem, size: int, rate: float, seed: int) -> float:
    """Loss of the rows that count after ``STEPS`` updates by hand, in float64."""
    network, layers = problem.network, layers_of(problem.network, problem.start(seed).astype(np.float64))
    order = stream_of(N, problem.entropy, seed).take(STEPS * size)
    X, Y, V, T = (values.astype(np.float64) for values in (problem.X, problem.Y, problem.V, problem.T))
    for rows in order.reshape(STEPS, size):
        activations = outputs(network, layers, X[rows])
        delta = (activations[-1] - Y[rows]) / size  # of all these pairs of output and loss
        for place in reversed(range(len(layers))):
            (W, b), a = layers[place], activations[place]
            back = delta @ W.T * a * (1 - a)
            layers[place] = W - rate * a.T @ delta, b - rate * delta.sum(axis=0)
            delta = back
    return mean_loss(network, layers, V, T)


@pytest.mark.parametrize("size", [1, 8, N])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("variant", ["vectorized", "tiled"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_is_descent_by_hand_on_the_same_rows(name: str, variant: str, dtype: str, size: int) -> None:
    problem = make_problem(name, dtype, variant)
    runs = problem.begin(size, RATES[name], (0, 3))
    runs.advance(STEPS)
    expected = [descend(problem, size, RATES[name], seed) for seed in (0, 3)]
    assert expected[0] != pytest.approx(expected[1], rel=1e-5)
    assert runs.losses() == pytest.approx(expected, rel=TOLERANCES[dtype])


def test_arithmetic_is_in_the_dtype_of_the_rows() -> None:
    single, double = (make_problem(dtype=dtype).begin(8, 1.0, (0,)) for dtype in ("float32", "float64"))
    for runs in (single, double):
        runs.advance(STEPS)
    assert single.thetas[0].dtype == np.float32
    assert single.losses() != pytest.approx(double.losses(), rel=1e-12)


def test_steps_may_be_made_in_any_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pieces = (make_problem().begin(8, 1.0, (0, 1)) for _ in range(2))
    whole.advance(STEPS)
    found = []
    for most in (1, 20, 50):  # one run and one batch a call; two runs; three batches of both
        monkeypatch.setattr(problems, "MAX_INDICES", most)
        small = make_problem().begin(8, 1.0, (0, 1))
        small.advance(STEPS)
        found.append(small.losses())
    for steps in (1, 0, 20, STEPS - 21):
        pieces.advance(steps)
    assert whole.losses() == pytest.approx(pieces.losses(), rel=1e-12)
    for losses in found:
        assert whole.losses() == pytest.approx(losses, rel=1e-12)


def test_a_run_does_not_depend_on_those_beside_it() -> None:
    together, alone = make_problem().begin(8, 1.0, (0, 1, 2)), make_problem().begin(8, 1.0, (2,))
    for runs in (together, alone):
        runs.advance(STEPS)
    assert together.losses()[2] == alone.losses()[0]


def test_runs_that_diverge_have_an_infinite_loss_and_cost_no_more_steps() -> None:
    runs = make_problem("linear").begin(8, 1e6, (0, 1))
    with np.errstate(all="ignore"):
        runs.advance(1000)
        assert np.isinf(runs.losses()).all()
        used = [stream.used for stream in runs.streams]
        runs.advance(10**12)
    assert [stream.used for stream in runs.streams] == used
    assert np.isinf(runs.losses()).all()


def test_one_diverged_run_leaves_the_others_as_they_are() -> None:
    runs, alone = make_problem("linear").begin(8, 0.05, (0, 1)), make_problem("linear").begin(8, 0.05, (1,))
    runs.thetas[0][:] = np.inf
    for each in (runs, alone):
        each.advance(STEPS)
    with np.errstate(all="ignore"):
        assert np.isinf(runs.losses()[0])
        assert runs.losses()[1] == alone.losses()[0]


def test_a_sample_is_monitored_and_all_rows_are_told_on_demand() -> None:
    rows = np.array([0, 5, 30])
    plain, sampled = make_problem(), replace(make_problem(), sample=rows)
    assert (plain.sampled_rows, sampled.sampled_rows) == (None, 3)
    few = replace(plain, V=plain.V[rows], T=plain.T[rows])
    found = [problem.begin(8, 1.0, (0, 1)) for problem in (plain, sampled, few)]
    for runs in found:
        runs.advance(STEPS)
    assert found[1].losses() == pytest.approx(found[2].losses(), rel=1e-12)
    assert found[1].all_losses() == pytest.approx(found[0].losses(), rel=1e-12)
    assert found[0].all_losses() == pytest.approx(found[0].losses(), rel=1e-12)
    assert sampled.start_loss() == plain.start_loss()


def test_the_loss_at_the_start_is_the_mean_over_ten_starts() -> None:
    problem = make_problem()
    losses = [
        mean_loss(problem.network, layers_of(problem.network, problem.start(seed)), problem.V, problem.T)
        for seed in range(STARTS)
    ]
    assert problem.start_loss() == pytest.approx(np.mean(losses), rel=1e-12)
    assert np.std(losses) > 1e-3


def test_starts_are_alike_where_the_scheme_draws_nothing() -> None:
    plain, zeros = make_problem("linear"), replace(make_problem("linear"), scheme="zeros")
    assert (plain.alike, zeros.alike) == (False, True)
    assert (plain.start(0) == plain.start(0)).all()
    assert (plain.start(0) != plain.start(1)).any()
    assert (replace(plain, entropy=6).start(0) != plain.start(0)).any()


def changed() -> dict[str, dict[str, object]]:
    """Ingredients of a problem, each changed a little."""
    plain = make_problem()
    X, Y = plain.X.copy(), plain.Y.copy()
    X[3, 1], Y[5] = np.nextafter(X[3, 1], 9), Y[5, ::-1]
    return {
        "network": {"network": replace(plain.network, hidden="tanh")},
        "X": {"X": X},
        "Y": {"Y": Y},
        "V": {"V": X},
        "T": {"T": Y},
        "X and Y exchanged with V and T": {"X": plain.V, "Y": plain.T, "V": plain.X, "T": plain.Y},
        "variants": {"variants": {**plain.variants, 8: "buffered"}},
        "entropy": {"entropy": 6},
        "scheme": {"scheme": "he"},
        "floor": {"floor": 1e-9},
        "sample": {"sample": np.array([1, 2])},
        "another sample": {"sample": np.array([1, 3])},
        "dtype": {name: getattr(plain, name).astype(np.float32) for name in "XYVT"},
    }


def test_every_ingredient_has_a_key_of_its_own() -> None:
    keys = {name: replace(make_problem(), **values).key for name, values in changed().items()}
    assert len({make_problem().key, *keys.values()}) == 1 + len(keys)


def test_a_key_depends_on_nothing_else() -> None:
    plain = make_problem()
    order = replace(plain, variants=dict(reversed(plain.variants.items())), X=np.asfortranarray(plain.X))
    assert order.key == plain.key == make_problem().key


def test_a_problem_that_was_sent_is_the_same() -> None:
    problem = replace(make_problem(), sample=np.array([1, 2]))
    assert problem.start_loss() > 0  # kept, and sent along
    sent = pickle.loads(pickle.dumps(problem))
    assert sent.key == problem.key
    found = [each.begin(8, 1.0, (0,)) for each in (problem, sent)]
    for runs in found:
        runs.advance(STEPS)
    assert found[0].losses() == found[1].losses()


def test_the_rate_to_begin_with_is_near_the_largest_stable_one() -> None:
    problem = replace(make_problem("linear"), V=make_problem("linear").X, T=make_problem("linear").Y)
    rate = problem.stable_rate(N)
    below, above = (problem.begin(N, share * rate, (0,)) for share in (0.9, 1.15))
    for runs in (below, above):
        runs.advance(200)
    assert below.losses()[0] < problem.start_loss() < above.losses()[0]
