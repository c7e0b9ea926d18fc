"""The grid makes the cases it describes, filters narrow or replace, and every experiment can be computed."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import kernels
from gdbench.experiments import grid
from gdbench.experiments.cases import Axes, network_and_variant
from gdbench.experiments.datasets import names, shape_of
from gdbench.experiments.grid import Filters, expand, experiments, networks, profile, profiles
from gdbench.experiments.tasks import TASKS, load_problem
from kernels import InputError
from kernels.validation import check_problem

QUICK = (("linear", "diabetes"), ("logistic", "breast_cancer"), ("softmax", "digits"), ("mlp", "mnist5k"))
SMALL = (("logistic", "breast_cancer"), ("softmax", "wine"))
AXES = ("network", "dataset", "task", "variant", "batch_size", "dtype", "threads")


def _profile(**changes) -> grid.Profile:
    fields = {
        "name": "tried",
        "about": "",
        "blocks": 6,
        "case_seconds": 0.01,
        "tasks": ("gradient", "epoch"),
        "batch_sizes": (1, 100, 178, 512, "n"),
        "dtypes": ("float64",),
        "threads": (1,),
        "experiments": SMALL,
    }
    return grid.Profile(**{**fields, **changes})


def _values(cases, axis: str) -> list:
    return list(dict.fromkeys(getattr(case, axis) for case in cases))


def test_profiles_are_those_that_the_commands_name() -> None:
    assert tuple(profiles()) == ("smoke", "quick", "regular", "peers", "shapes", "limits", "compare", "full")
    assert all(entry.about and entry.blocks >= 6 and entry.case_seconds > 0 for entry in profiles().values())


def test_quick_covers_four_networks_on_real_data_in_all_descents() -> None:
    cases = expand(profile("quick"))
    assert tuple(dict.fromkeys((case.network, case.dataset) for case in cases)) == QUICK
    assert _values(cases, "task") == ["gradient", "epoch"]
    assert _values(cases, "dtype") == ["float32", "float64"]
    assert _values(cases, "variant") == list(kernels.variants())
    for network, dataset in QUICK:
        own = [case for case in cases if case.network == network]
        n = shape_of(dataset)[0]
        assert _values(own, "batch_size") == sorted({size for size in (1, 32, 512, n) if size <= n})
        assert {case.descent for case in own} == {"batch", "minibatch", "stochastic"}


@pytest.mark.parametrize("name", profiles())
def test_cases_of_a_profile_are_the_product_of_its_axes_without_doubles(name: str) -> None:
    entry, variants = profile(name), ("reference", "jit")
    cases = expand(entry, variants=variants)
    expected = {
        (*pair, task, variant, shape_of(pair[1])[0] if size == "n" else size, dtype, threads)
        for pair, task, variant, size, dtype, threads in itertools.product(
            entry.experiments, entry.tasks, variants, entry.batch_sizes, entry.dtypes, entry.threads
        )
        if size == "n" or size <= shape_of(pair[1])[0]
    }
    found = [tuple(getattr(case, axis) for axis in AXES) for case in cases]
    assert set(found) == expected
    assert len(found) == len(expected) == len({case.id for case in cases})
    assert all(case.n_rows == shape_of(case.dataset)[0] for case in cases)


def test_batch_sizes_above_n_are_left_out_and_n_is_every_row_once() -> None:
    cases = expand(_profile())
    sizes = {name: _values([case for case in cases if case.dataset == name], "batch_size") for _, name in SMALL}
    assert sizes == {"breast_cancer": [1, 100, 178, 512, 569], "wine": [1, 100, 178]}
    assert [case.descent for case in cases if case.dataset == "wine"].count("batch") == 2 * len(kernels.variants())


def test_filters_narrow_the_experiments() -> None:
    assert _values(expand(_profile(), Filters(network=("softmax",))), "dataset") == ["wine"]
    assert _values(expand(_profile(), Filters(dataset=("breast_cancer",))), "network") == ["logistic"]
    assert _values(expand(_profile(), Filters(network=("softmax", "mlp"))), "network") == ["softmax"]


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ("task", ("loss", "forward")),
        ("variant", ("jit",)),
        ("batch_size", (3, 7)),
        ("dtype", ("float32",)),
        ("threads", (2,)),
    ],
)
def test_filters_replace_the_other_axes(axis: str, values: tuple) -> None:
    whole = expand(_profile())
    cases = expand(_profile(), Filters(**{axis: values}))
    assert _values(cases, axis) == list(values)
    assert all(_values(cases, other) == _values(whole, other) for other in AXES if other not in (axis, "batch_size"))


def test_n_among_the_batch_sizes_asked_for_is_resolved() -> None:
    assert _values(expand(_profile(), Filters(batch_size=("n",))), "batch_size") == [569, 178]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters(variant=("fastest",)), "there is no variant 'fastest': choose one of reference"),
        (Filters(task=("train",)), "there is no task 'train': choose one of forward, loss, gradient, epoch"),
        (Filters(dtype=("float16",)), "there is no dtype 'float16': choose one of float32, float64"),
        (Filters(batch_size=(0,)), "a batch size is a whole number of at least 1 or n (all rows), got 0"),
        (Filters(batch_size=("all",)), "a batch size is a whole number of at least 1 or n (all rows), got all"),
        (Filters(batch_size=(1000,)), "every batch size is above the number of rows"),
        (Filters(threads=(0,)), "the number of threads must be at least 1, got 0"),
        (
            Filters(network=("mlp",)),
            "the filters leave nothing of profile tried: it has logistic on breast_cancer, softmax on wine",
        ),
        (Filters(network=("softmax",), dataset=("breast_cancer",)), "the filters leave nothing of profile tried"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_sentence(filters: Filters, message: str) -> None:
    with pytest.raises(InputError) as caught:
        expand(_profile(), filters)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_is_refused_with_those_that_exist() -> None:
    there = "smoke, quick, regular, peers, shapes, limits, compare, full"
    with pytest.raises(InputError, match=rf"^there is no profile 'slow': choose one of {there}$"):
        profile("slow")


def test_the_id_of_every_case_names_its_network_and_variant() -> None:
    cases = expand(profile("full"))
    assert [network_and_variant(case.id) for case in cases] == [
        (f"{case.network}@{case.dataset}", case.variant) for case in cases
    ]


def test_a_size_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"^a batch size is a whole number"):
        Axes(("epoch",), ("jit",), (2.5,), ("float64",), (1,))


def test_every_network_and_data_set_of_the_grid_exists_and_is_used() -> None:
    assert {network for network, _ in experiments()} == set(networks())
    assert {dataset.split(":")[0] for _, dataset in experiments()} <= set(names())


@pytest.mark.parametrize("pair", experiments(), ids=" on ".join)
def test_an_experiment_can_be_computed_without_diverging(pair: tuple[str, str]) -> None:
    """Every timed epoch starts from the same parameters, so one is enough; single rows are the least stable."""
    spec = networks()[pair[0]]
    problem = load_problem(spec.build(pair[1]), pair[1], "float32", spec.learning_rate)
    X, Y = check_problem(problem.network, problem.X, problem.Y)
    assert X is problem.X  # no copy: already as kernels take it
    assert Y is problem.Y
    kernel = kernels.get("jit")
    theta = TASKS["epoch"](kernel, problem, 1)()
    before, after = (kernel.loss(problem.network, values, X, Y) for values in (problem.theta, theta))
    assert np.isfinite(theta).all(), "choose a smaller learning rate for this network in grid.toml"
    assert after < before


def test_a_grid_in_another_encoding_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_bytes("# München\n[networks]\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"grid\.toml is not in UTF-8, as TOML is: save it as such"):
        networks(path)
