"""A certificate is kept for exactly what it was granted on; whoever has it still confirms in every process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdbench.pick.seconds import kept_proofs
from gdbench.pick.seconds.fleet import Fleet, NotTimed
from gdbench.pick.seconds.kept_proofs import KeptProofs
from gdbench.pick.seconds.proof import certified
from gdbench.verify.stages import Certificate
from kernels import Choice, Network

ROWS = np.arange(20.0).reshape(10, 2), np.ones((10, 1))
CHOICE = {8: Choice(("jit",), "")}


class Proving(Fleet):
    """Two processes that note what they are asked to verify in full, and confirm what they are told to."""

    def __init__(self, *, right: bool = True) -> None:
        self.network, self.size, self.alive = Network.linear(2), 2, {0: None, 1: None}  # type: ignore[dict-item]
        self.right, self.whole, self.quick = right, list[str](), list[str]()

    def fill(self) -> None:
        """Need nothing."""

    def ask_each(self, numbers: Any, name: str, arguments: Any) -> dict[int, Any]:
        proof = Certificate("jit", "2-1", "float64", 0.0, 1e-15, certified=self.right, where="gradient")
        for whole, quick in arguments:
            self.whole += whole
            self.quick += quick
        jobs = zip(numbers, arguments, strict=True)
        return {number: dict.fromkeys([*whole, *quick], proof) for number, (whole, quick) in jobs}


def kept(folder: Path, network: Network | None = None, rows=ROWS, threads: int = 1) -> KeptProofs:
    return KeptProofs(network or Network.linear(2), *rows, threads=threads, folder=folder)


def test_what_is_kept_is_confirmed_by_every_process_and_not_verified_again(tmp_path: Path) -> None:
    first, again = Proving(), Proving()
    assert certified(first, CHOICE, kept(tmp_path)) == certified(again, CHOICE, kept(tmp_path))
    assert (first.whole, first.quick) == (["jit"], ["jit"])
    assert (again.whole, again.quick) == ([], ["jit", "jit"])


def test_a_kept_certificate_does_not_help_a_process_that_computes_something_else(tmp_path: Path) -> None:
    certified(Proving(), CHOICE, kept(tmp_path))
    with pytest.raises(NotTimed, match="variant 'jit' is not certified"):
        certified(Proving(right=False), CHOICE, kept(tmp_path))


def test_a_wrong_variant_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(NotTimed):
        certified(Proving(right=False), CHOICE, kept(tmp_path))
    assert not kept(tmp_path).has("jit")


def test_anything_else_has_a_certificate_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path).keep("jit")
    assert kept(tmp_path).has("jit")
    X, Y = ROWS
    other = X.copy()
    other[3, 1] = np.nextafter(other[3, 1], 9)
    assert not kept(tmp_path).has("tiled")
    assert not kept(tmp_path, threads=2).has("jit")
    assert not kept(tmp_path, Network.logistic(2)).has("jit")
    assert not kept(tmp_path, rows=(other, Y)).has("jit")
    assert not kept(tmp_path, rows=(X.astype(np.float32), Y)).has("jit")
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_OPT", "1")
        assert not kept(tmp_path).has("jit")
    monkeypatch.setattr(kept_proofs, "_code", lambda: "other sources")
    assert not kept(tmp_path).has("jit")


def test_other_libraries_are_verified_each_time(tmp_path: Path) -> None:
    kept(tmp_path).keep("torch_manual")
    assert not kept(tmp_path).has("torch_manual")


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    kept(tmp_path / "file").keep("jit")
    assert not kept(tmp_path / "file").has("jit")
