"""Orders of rows: each pass has each row once, and a run's rows depend on its seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbench.pick.steps import orders
from gdbench.pick.steps.orders import RowStream, stream_of


@pytest.fixture(params=["drawn anew", "walked"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of passes, the second one for few rows already."""
    if request.param == "walked":
        monkeypatch.setattr(orders, "SHUFFLED_ROWS", 1)


def stream(n: int, seed: int = 0, shared: int = 7) -> RowStream:
    return RowStream(n, np.random.default_rng(seed), shared=shared)


def is_permutation(rows: np.ndarray) -> bool:
    return bool((np.sort(rows) == np.arange(len(rows))).all())


@pytest.mark.usefixtures("_kind")
@pytest.mark.parametrize("n", [2, 3, 12, 97, 1000])
def test_each_pass_has_each_row_once(n: int) -> None:
    passes = stream(n).take(4 * n).reshape(4, n)
    assert all(map(is_permutation, passes))


@pytest.mark.usefixtures("_kind")
def test_passes_differ_from_each_other() -> None:
    first, second = stream(97).take(194).reshape(2, 97)
    assert (first == second).mean() < 0.2


@pytest.mark.usefixtures("_kind")
def test_pieces_of_any_length_make_the_same_stream() -> None:
    whole = stream(97).take(400)
    for lengths in ([1] * 400, [97, 97, 97, 97, 12], [50, 200, 3, 147], [400]):
        pieces = stream(97)
        assert (np.concatenate([pieces.take(length) for length in lengths]) == whole).all()


@pytest.mark.usefixtures("_kind")
def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    assert (stream(97, 1).take(300) == stream(97, 1).take(300)).all()
    assert (stream(97, 1).take(300) == stream(97, 2).take(300)).mean() < 0.1


@pytest.mark.usefixtures("_kind")
def test_a_single_row_comes_again_and_again() -> None:
    assert (stream(1).take(5) == 0).all()


def test_many_rows_are_walked_and_few_are_drawn_anew() -> None:
    few, many = stream(orders.SHUFFLED_ROWS), stream(orders.SHUFFLED_ROWS + 1)
    assert is_permutation(few.take(few.n))
    assert is_permutation(many.take(many.n))
    assert len(few.order) == few.n
    assert len(many.order) == 0


def test_the_walked_order_depends_on_the_seed_that_runs_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "SHUFFLED_ROWS", 1)
    assert (stream(97, shared=1).take(97) == stream(97, shared=2).take(97)).mean() < 0.2


def test_batches_of_walked_rows_are_as_varied_as_random_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over runs, the mean over a batch has the variance of a mean over rows that are drawn without replacement."""
    monkeypatch.setattr(orders, "SHUFFLED_ROWS", 1)
    n, size, runs = 1000, 16, 3000
    values = np.random.default_rng(5).normal(size=n)
    means = [values[stream(n, seed).take(size)].mean() for seed in range(runs)]
    expected = values.var() / size * (n - size) / (n - 1)
    assert np.var(means) == pytest.approx(expected, rel=4 * np.sqrt(2 / runs))
    assert np.mean(means) == pytest.approx(values.mean(), abs=4 * np.sqrt(expected / runs))


@pytest.mark.parametrize("n", [1, 7, 97, orders.BLOCK_ROWS])
def test_kept_rows_are_a_stream_of_permutations_whatever_was_drawn_before(n: int) -> None:
    whole = stream_of(n, 5, 3).take(3 * orders.BLOCK_ROWS)
    passes = whole[: len(whole) // n * n].reshape(-1, n)
    assert all(map(is_permutation, passes))
    for length in (1, 50, orders.BLOCK_ROWS + 1):
        pieces = stream_of(n, 5, 3)
        count = len(whole) // length
        found = np.concatenate([pieces.take(length) for _ in range(count)])
        assert (found == whole[: count * length]).all()
    if n > 1:
        assert (stream_of(n, 5, 4).take(n * 3) != whole[: n * 3]).any()
        assert (stream_of(n, 6, 3).take(n * 3) != whole[: n * 3]).any()


def test_many_rows_are_not_kept() -> None:
    assert isinstance(stream_of(orders.BLOCK_ROWS, 5, 3), orders.KeptStream)
    assert isinstance(stream_of(orders.BLOCK_ROWS + 1, 5, 3), RowStream)


@given(n=st.integers(2, 300), seed=st.integers(0, 1000), walked=st.booleans())
def test_any_number_of_rows_is_permuted(n: int, seed: int, walked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "SHUFFLED_ROWS", 1 if walked else 300)
        assert is_permutation(stream(n, seed).take(n))
