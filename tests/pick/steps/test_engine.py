"""The engine of the statistical half: gradients and losses of many runs at once, and blocks of runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gdbench.pick.steps.blocks import BLOW_UP, RATIO, Block, Curves, run_block, step_grid

import kernels
from gdbench.pick.steps import lockstep
from gdbench.pick.steps.problem import NetworkProblem
from kernels import Network
from kernels.contract import Array

NEVER = -math.inf
REFERENCE = kernels.get("reference")


def problem(n: int = 37, *, network: Network | None = None, **others: Any) -> NetworkProblem:
    network = network or Network((3, 4, 2), "tanh", "softmax", "cross_entropy")
    rng = np.random.default_rng(n)
    Y = np.eye(network.n_outputs)[rng.integers(network.n_outputs, size=n)]
    return NetworkProblem(network, rng.normal(size=(n, network.n_inputs)), Y, entropy=7, **others)


@dataclass(frozen=True, eq=False)
class Watched(NetworkProblem):
    """Remembers the parameters at which gradients were asked for, and the rows they were to be the mean over."""

    seen: list[tuple[Array, Array]] = field(default_factory=list)

    def gradients(self, thetas: Array, batch: tuple[Array, Array]) -> Array:
        self.seen.append((thetas.copy(), batch[0]))
        return super().gradients(thetas, batch)


def watched(n: int) -> Watched:
    """One-column rows that are their own numbers; the rates below leave the parameters all but where they were."""
    return Watched(Network.linear(1), np.arange(float(n))[:, None], np.zeros((n, 1)), entropy=7)


# gradients and losses


@pytest.mark.parametrize("B", [1, 2, 7])
def test_gradients_are_those_of_the_reference(network: Network, B: int) -> None:
    rng = np.random.default_rng(B)
    thetas = 0.7 * rng.normal(size=(3, 2, network.n_parameters))
    X, Y = rng.normal(size=(2, B, network.n_inputs)), rng.dirichlet(np.ones(network.n_outputs), size=(2, B))
    found = lockstep.gradients(network, thetas, X, Y)
    for rate in range(3):
        for seed in range(2):
            expected = REFERENCE.gradient(network, thetas[rate, seed], X[seed], Y[seed])
            np.testing.assert_allclose(found[rate, seed], expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("chunk_bytes", [lockstep.CHUNK_BYTES, 1, 500])
def test_losses_are_those_of_the_reference(network: Network, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockstep, "CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(3)
    thetas = 0.7 * rng.normal(size=(5, network.n_parameters))
    X, Y = rng.normal(size=(11, network.n_inputs)), rng.dirichlet(np.ones(network.n_outputs), size=11)
    expected = [REFERENCE.loss(network, theta, X, Y) for theta in thetas]
    np.testing.assert_allclose(lockstep.losses(network, thetas, X, Y), expected, rtol=1e-12)


def test_losses_of_large_pre_activations_are_stable_and_what_overflows_is_infinite(network: Network) -> None:
    rng = np.random.default_rng(4)
    theta = 3e3 * rng.normal(size=network.n_parameters)
    X, Y = rng.normal(size=(6, network.n_inputs)), rng.dirichlet(np.ones(network.n_outputs), size=6)
    with np.errstate(all="ignore"):
        found = lockstep.losses(network, np.stack([theta, np.full_like(theta, np.nan)]), X, Y)
    assert found[0] == pytest.approx(REFERENCE.loss(network, theta, X, Y), rel=1e-9)
    assert found[1] == np.inf


# batches


@pytest.mark.parametrize("B", [1, 5, 12, 30])
def test_every_step_has_exactly_so_many_rows_and_every_pass_has_every_row_once(B: int) -> None:
    n, found = 30, watched(30)
    run_block(found, Block(B, (1e-12,), (0, 1), NEVER, most_steps=60))
    rows = np.stack([X for _, X in found.seen])
    assert rows.shape == (60, 2, B, 1)
    for seed in (0, 1):
        stream = rows[:, seed].ravel()
        passes = stream[: len(stream) // n * n].reshape(-1, n)
        assert (np.sort(passes) == np.arange(n)).all()
        assert n == B or (passes[0] != passes[1]).any()
    assert (rows[:, 0] != rows[:, 1]).any()


def test_a_stream_goes_on_over_the_end_of_what_was_drawn_in_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = watched(30).sampler(4, (0,))
    first = [whole()[0][0, :, 0] for _ in range(60)]
    monkeypatch.setattr("gdbench.pick.steps.problem.MAX_INDICES", 9)  # two batches
    again = watched(30).sampler(4, (0,))
    assert all((again()[0][0, :, 0] == rows).all() for rows in first)


def test_all_rates_of_a_seed_see_the_same_rows_and_a_seed_its_own_whatever_is_beside_it() -> None:
    block = Block(3, (1e-12, 1e-13, 1e-14), (4, 5), NEVER, most_steps=30)
    found, alone = watched(20), watched(20)
    run_block(found, block)
    run_block(alone, replace(block, rates=(1e-13,), seeds=(5,)))
    assert all(thetas.shape == (3, 2, 2) and rows.shape == (2, 3, 1) for thetas, rows in found.seen)
    assert all((rows[1] == own[0]).all() for (_, rows), (_, own) in zip(found.seen, alone.seen, strict=True))


def test_an_update_is_the_rate_times_the_mean_gradient() -> None:
    found = problem()
    block = Block(5, (0.3, 0.1), (0, 2), NEVER, most_steps=4)
    expected = []
    for rate in block.rates:
        for seed in block.seeds:
            draw, theta = found.sampler(5, (seed,)), found.start(seed)
            for _ in range(block.most_steps):
                X, Y = draw()
                theta = theta - rate * REFERENCE.gradient(found.network, theta, X[0], Y[0])
            expected.append(REFERENCE.loss(found.network, theta, found.X, found.Y))
    np.testing.assert_allclose(run_block(found, block).losses[-1].ravel(), expected, rtol=1e-11)


# blocks


def assert_equal(left: Curves, right: Curves) -> None:
    assert left.rows == right.rows
    for name in ("steps", "losses", "noise"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), strict=True)


@pytest.mark.parametrize("B", [1, 8, 37])
def test_the_same_block_gives_the_same_values_bit_for_bit(B: int) -> None:
    block = Block(B, (0.5, 0.2, 1e5), (0, 1, 2), goal=0.5, most_steps=200)
    assert_equal(run_block(problem(), block), run_block(problem(), block))


@pytest.mark.parametrize(("B", "chunk_bytes"), [(1, lockstep.CHUNK_BYTES), (8, 1000), (37, lockstep.CHUNK_BYTES)])
def test_a_run_does_not_depend_on_what_is_in_its_block(
    B: int, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockstep, "CHUNK_BYTES", chunk_bytes)
    rates, seeds = (0.5, 0.2, 1e5, 0.1), (0, 1, 2)
    whole = run_block(problem(), Block(B, rates, seeds, NEVER, most_steps=100))
    for rate, seed in ((0, 1), (1, 2), (3, 0)):
        alone = run_block(problem(), Block(B, (rates[rate],), (seeds[seed],), NEVER, most_steps=100))
        np.testing.assert_allclose(whole.losses[:, rate, seed], alone.losses[:, 0, 0], rtol=1e-9)


def test_rows_for_validation_are_monitored_and_not_trained_on() -> None:
    plain = problem()
    V, T = np.full((4, 3), 2.0), np.eye(2)[[0, 0, 1, 0]]
    block = Block(8, (0.3,), (0,), NEVER, most_steps=20)
    watch = run_block(replace(plain, V=V, T=T), block)
    start = plain.start(0)
    assert watch.losses[0, 0, 0] == pytest.approx(REFERENCE.loss(plain.network, start, V, T), rel=1e-12)
    draw, theta = plain.sampler(8, (0,)), start[None, None]
    for _ in range(20):
        theta = theta - 0.3 * plain.gradients(theta, draw())
    assert watch.losses[-1, 0, 0] == pytest.approx(REFERENCE.loss(plain.network, theta[0, 0], V, T), rel=1e-12)


@dataclass(frozen=True, eq=False)
class Bowl:
    """Half of the square of every parameter, and a step at which the gradient of some seeds turns into a blow."""

    blows: dict[int, float] = field(default_factory=dict)
    """Factor by seed with which parameters are multiplied at once, in the fourth step."""
    n_rows: int | None = None
    floor: float = 0.0
    step_rows: float = 0.0
    key: str = "bowl"

    def start(self, seed: int) -> Array:
        return np.ones(2)

    def sampler(self, batch_size: int, seeds: Sequence[int]):
        steps = iter(range(10**6))

        def draw() -> Array:
            blow = next(steps) == 3
            return np.array([self.blows.get(seed, 0.0) if blow else 0.0 for seed in seeds])

        return draw

    def gradients(self, thetas: Array, batch: Array) -> Array:
        return np.where(batch[:, None] != 0, -batch[:, None], 1.0) * thetas

    def losses(self, thetas: Array) -> Array:
        return 0.5 * np.square(thetas).sum(axis=1)

    def noise_scale(self, theta: Array) -> tuple[float, float]:
        return 3.0, float(theta @ theta)

    def rate_scale(self, batch_size: int) -> float:
        return 2.0


def test_a_rate_that_is_too_high_is_infinite_from_there_and_costs_no_more_steps() -> None:
    curves = run_block(Bowl(), Block(1, (0.5, 3.5), (0, 1), NEVER, most_steps=50))
    assert np.isfinite(curves.losses[:, 0]).all()
    finite = np.isfinite(curves.losses[:, 1]).all(axis=1)
    blown = int(curves.steps[~finite][0])
    assert not finite[blown:].any()
    assert finite[curves.steps < blown].all()
    assert 2.5 ** (2 * blown) > BLOW_UP >= 2.5 ** (2 * (blown - 1))
    assert curves.rows == 2 * 50 + 2 * blown


def test_a_run_that_came_back_after_it_had_diverged_counts_as_diverged() -> None:
    seeds = tuple(range(10))
    curves = run_block(Bowl({3: 400.0}), Block(1, (0.5,), seeds, NEVER, most_steps=50))
    assert np.isinf(curves.losses[curves.steps >= 4, 0, 3]).all()
    assert np.isfinite(curves.losses[:, 0, [0, 1, 2, 4, 9]]).all()
    assert curves.steps[-1] == 50  # one of ten does not end the rate
    assert curves.rows == 500
    two = run_block(Bowl({3: 400.0, 7: 400.0}), Block(1, (0.5,), seeds, NEVER, most_steps=50))
    assert two.steps[-1] == 4


def test_a_block_ends_when_all_rates_have_diverged() -> None:
    curves = run_block(Bowl(), Block(1, (3.5, 100.0), (0,), NEVER, most_steps=10**9))
    assert np.isinf(curves.losses[-1]).all()
    assert curves.steps[-1] == 3


def test_a_block_ends_at_the_most_steps_or_at_the_slack_of_the_first_rate_to_arrive() -> None:
    goal = 2e-4  # the loss is 1 at the start and falls by 4 with each step at the rate 0.5
    crossing = math.log(1 / goal) / math.log(4)
    for slack in (1.0, 1.5, 3.0):
        steps = run_block(Bowl(), Block(1, (0.5, 0.01), (0,), goal, 10**6, slack)).steps
        assert steps[-1] >= slack * crossing > steps[-2]
    assert run_block(Bowl(), Block(1, (0.5,), (0,), goal, 4)).steps[-1] == 4
    assert run_block(Bowl(), Block(1, (0.5,), (0,), NEVER, 77)).steps[-1] == 77


def test_noise_is_that_at_the_start_and_at_the_end_of_the_rate_that_reached_the_goal_first() -> None:
    curves = run_block(Bowl(), Block(1, (0.01, 0.5), (0,), 2e-4, 10**6))
    np.testing.assert_allclose(curves.noise, [[3.0, 2.0], [3.0, 2.0 * 0.25 ** curves.steps[-1]]])
    assert np.isnan(run_block(Bowl(), Block(1, (0.5,), (0,), NEVER, 9)).noise[1]).all()


@pytest.mark.parametrize("most", [1, 2, 11, 1000, 123_457])
def test_steps_are_looked_at_in_a_geometric_progression(most: int) -> None:
    grid = list(step_grid(most))
    assert grid[-1] == most
    assert all(before < after <= max(before + 1, RATIO * before) for before, after in pairwise(grid))
    assert len(grid) <= 11 + math.log(max(most, 2)) / math.log(RATIO)


def test_keys_differ_with_all_that_runs_depend_on() -> None:
    plain = problem()
    X, Y = plain.X.copy(), plain.Y.copy()
    X[3, 1], Y[5] = np.nextafter(X[3, 1], 9), Y[5, ::-1]
    networks = (replace(plain.network, hidden="relu"), replace(plain.network, sizes=(3, 5, 2)))
    others = [
        *(replace(plain, network=network) for network in networks),
        *(replace(plain, X=X), replace(plain, Y=Y), replace(plain, entropy=8), replace(plain, scheme="he")),
        *(replace(plain, floor=0.1), replace(plain, V=X, T=Y), replace(plain, V=Y, T=X)),
    ]
    assert len({plain.key, *(other.key for other in others)}) == 1 + len(others)
    assert replace(plain).key == plain.key


def test_starts_differ_by_seed_and_not_by_batch_size() -> None:
    assert (problem().start(0) == problem().start(0)).all()
    assert (problem().start(0) != problem().start(1)).any()
    assert (replace(problem(), entropy=8).start(0) != problem().start(0)).any()
    block = Block(3, (0.1,), (5,), NEVER, 1)
    assert run_block(problem(), block).losses[0] == run_block(problem(), replace(block, batch_size=9)).losses[0]
