"""A run says what it leaves out: variants that cannot be used, what peers do not support, batch sizes above n."""

import pytest

from gdbench.experiments import variants
from gdbench.experiments.grid import Filters, expand, profile
from gdbench.run import left_out
from gdbench.run.plan import IMPORT_SECONDS, Plan, estimate_seconds, make_plan


def _plan(name: str = "regular", **filters) -> Plan:
    cases = expand(profile(name), Filters(**filters))
    return make_plan(cases, profile=name, command="", rounds=1, case_seconds=0.01, seed=0)


def _sentences(plan: Plan, *, batch_size=(), variant=()) -> list[str]:
    return left_out.sentences(plan, batch_size, variant)


def test_one_line_says_what_peers_do_not_support_by_task_and_number() -> None:
    tasks = ("forward", "loss", "gradient", "epoch")
    plan = _plan("peers", network=("softmax",), dataset=("digits",), task=tasks, batch_size=(1, 8), dtype=("float32",))
    (sentence,) = _sentences(plan)
    assert sentence.startswith("Peers have no case where they do not support it: ")
    assert "sklearn_partial_fit in 4 of 8 (gradient, loss)" in sentence
    assert "torch_compile in 6 of 8 (forward, gradient, loss)" in sentence
    assert "jax" not in sentence


def test_a_network_that_a_peer_cannot_do_is_named() -> None:
    plan = _plan(variant=("jit", "sklearn_partial_fit"), task=("epoch",), network=("softmax", "linear"))
    assert _sentences(plan, variant=("jit", "sklearn_partial_fit")) == []
    cases = [case for case in plan.cases if (case.variant, case.network) != ("sklearn_partial_fit", "linear")]
    less = make_plan(cases, profile="regular", command="", rounds=1, case_seconds=0.01, seed=0)
    (sentence,) = _sentences(less, variant=("jit", "sklearn_partial_fit"))
    assert sentence.endswith("sklearn_partial_fit in 10 of 22 (linear on diabetes)")


def test_a_plan_without_peers_says_nothing_of_them() -> None:
    assert _sentences(_plan("smoke")) == []
    assert _sentences(_plan(variant=("jit",)), variant=("jit",)) == []


def test_a_batch_size_above_the_rows_is_named_where_it_is_left_out() -> None:
    plan = _plan("smoke", batch_size=(8, 200))
    assert _sentences(plan, batch_size=(8, 200)) == ["deep on wine has 178 rows: batch size 200 is left out there"]


@pytest.mark.parametrize("hidden", ["torch_compile", "jax_scan"])
def test_a_peer_that_cannot_be_used_is_named_with_the_reason(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan("peers", task=("epoch",), network=("softmax",))
    monkeypatch.setattr(variants, "find_spec", lambda library: None if hidden.startswith(library) else object())
    found = [sentence for sentence in _sentences(plan) if sentence.startswith(f"variant {hidden} is unavailable: ")]
    assert found == [
        f"variant {hidden} is unavailable: it needs {hidden.partition('_')[0]}, which is not installed: "
        f"{variants.REMEDY}"
    ]


def test_the_estimate_counts_the_import_of_each_library_once() -> None:
    one = _plan(variant=("torch_manual",), task=("epoch",), network=("softmax",), batch_size=(8,), dtype=("float32",))
    two = _plan(
        variant=("torch_manual", "torch_autograd"),
        task=("epoch",),
        network=("softmax",),
        batch_size=(8,),
        dtype=("float32",),
    )
    ours = _plan(variant=("jit",), task=("epoch",), network=("softmax",), batch_size=(8,), dtype=("float32",))
    seconds = [estimate_seconds(plan, plan.blocks[0]) for plan in (ours, one, two)]
    assert seconds[1] - seconds[0] > IMPORT_SECONDS["torch"]
    assert seconds[2] - seconds[1] < IMPORT_SECONDS["torch"]
    assert {name.partition("_")[0] for name in variants.names() if variants.is_peer(name)} == set(IMPORT_SECONDS)
