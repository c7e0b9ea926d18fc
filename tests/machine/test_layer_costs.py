"""What zeros cost is measured with the real variants, kept, and decides what ``gdbench train --variant auto`` takes."""

import json
import math
import re
from dataclasses import asdict, replace

import numpy as np
import pytest

from gdbench.basics import records
from gdbench.machine import layer_costs
from kernels import InputError
from kernels.costs import LayerCosts, typical
from kernels.variants._tiled.emitter import WIDE

from ..helpers import invoke

ZEROS = "synthetic_classification:n=200,d=784,k=10,sparsity=0.8"


def test_what_is_measured_prefers_skipping_where_nearly_all_is_zero_and_outputs_are_many(dtype: type) -> None:
    found = layer_costs.measure(np.dtype(dtype).name)
    assert found.lanes * np.dtype(dtype).itemsize == (64 if WIDE else 32)
    for batch_size in (1, 64):
        assert found.skipping(256, batch_size, 0.02) < found.dense(256, batch_size) / 2
    assert found.skipping(16, 4, 0.39) > found.dense(16, 4)
    assert found.gathered > found.product > 0


def test_costs_are_kept_and_measured_again_where_the_file_is_damaged(tmp_path, monkeypatch) -> None:
    measured = [typical(4), replace(typical(4), listing=7.0)]
    monkeypatch.setattr(layer_costs, "measure", lambda dtype: measured.pop(0))
    assert layer_costs.kept_costs("float32", tmp_path) is None
    first = layer_costs.layer_costs("float32", tmp_path)
    assert layer_costs.layer_costs("float32", tmp_path) == layer_costs.kept_costs("float32", tmp_path) == first
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert layer_costs.layer_costs("float32", tmp_path).listing == 7
    assert not measured


@pytest.mark.parametrize(
    "change", [{"product": math.nan}, {"gathered": -5.0}, {"listing": math.inf}, {"lanes": 0}, {"row_product": 0.0}]
)
def test_costs_that_cannot_have_been_measured_are_not_believed(change, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(layer_costs, "measure", lambda dtype: typical(4))
    layer_costs.layer_costs("float32", tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(json.dumps(asdict(typical(4)) | change), encoding="utf-8")
    assert layer_costs.kept_costs("float32", tmp_path) is None
    with pytest.raises(InputError, match="costs must be finite"):
        replace(typical(4), **change)


def test_typical_ones_stand_for_what_no_costs_explain_and_are_not_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(layer_costs, "measure", lambda dtype: replace(typical(4), product=-1.0))
    assert layer_costs.layer_costs("float32", tmp_path) == typical(4)
    assert not list(tmp_path.iterdir())


def test_where_they_cannot_be_kept_they_are_measured_all_the_same(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(layer_costs, "measure", lambda dtype: typical(8))
    assert layer_costs.layer_costs("float64", tmp_path / "file" / "folder") == typical(8)


@pytest.mark.parametrize(("listing", "taken"), [(500.0, "tiled"), (0.0, "sparse")])
def test_the_command_decides_by_the_costs_of_this_machine_and_list_shows_them(
    listing: float, taken: str, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("GDBENCH_CACHE", str(tmp_path))
    kept = tmp_path / "costs" / layer_costs._path("float64", None).name
    kept.parent.mkdir()
    records.write(kept, LayerCosts(8, 0.03, listing, 0.0, 0.0, 0.0, 0.03, listing, 0.0))
    options = ("--network", "softmax", "--epochs", "1", "--batch-size", "32", "--variant", "auto", "--json", "-")
    done = invoke("train", "--dataset", ZEROS, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fits"][0]["variant"] == taken
    listed = " ".join(invoke("list", cwd=tmp_path).stdout.split())
    assert re.search(rf"float64 .*where zeros are skipped {listing:.3g} ns.*; measured here", listed)
    assert re.search(r"float32 .*; typical: ", listed)
