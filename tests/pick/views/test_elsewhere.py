"""An answer for people who train with another library says which half was measured with whose code."""

from dataclasses import replace

import pytest

from gdbench.pick.views.markdown import render
from gdbench.pick.views.sentences import in_words

from ..pick_records import make_record, make_steps, make_times

PEERS = "torch_manual", "torch_autograd", "jax_scan", "sklearn_partial_fit"


@pytest.mark.parametrize("name", PEERS)
def test_the_seconds_are_those_of_the_library_and_the_steps_ours(name: str) -> None:
    record = make_record(make_steps(), make_times(variant=name))
    sentence = (
        f"This is for people who train with {name}: the seconds per step were measured with it, the steps counted with "
        "jit, which makes the same ones faster."
    )
    assert sentence in record.sentences
    assert sentence.replace("_", r"\_") in render(record)


def test_without_steps_only_the_seconds_are_told() -> None:
    record = replace(make_record(make_steps(), make_times(variant="jax_scan"), objective="throughput"), steps=None)
    record = in_words(record)
    told = [sentence for sentence in record.sentences if "people who train" in sentence]
    assert told == ["This is for people who train with jax_scan: the seconds per step were measured with it."]


@pytest.mark.parametrize("name", ["tiled", "vectorized", "reference"])
def test_with_a_variant_of_ours_nothing_is_said(name: str) -> None:
    record = make_record(make_steps(), make_times(variant=name))
    assert not any("people who train" in sentence for sentence in (*record.sentences, *record.details))
