"""The fingerprint tells apart whatever computes trials: sources, NumPy, processor."""

import subprocess
import sys

import numpy as np
import pytest

from gdbench.pick.runners import fingerprint
from gdbench.processes.launch import thread_environment

DECIDE_NOTHING = {"curvature"}
"""Modules that are loaded with a trial but tell only where a search begins."""


def test_it_covers_every_module_that_a_trial_needs() -> None:
    code = "import sys, gdbench.pick.steps.trials; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    names = subprocess.run(command, env=thread_environment(1), text=True, capture_output=True, check=True).stdout
    loaded = {name.split(".")[-1] for name in names.split() if name.startswith("gdbench.pick.steps.")}
    assert loaded == {*fingerprint.COMPUTING} | DECIDE_NOTHING


def test_it_covers_the_version_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    make = fingerprint.fingerprint.__wrapped__
    assert make() == fingerprint.fingerprint()
    monkeypatch.setattr(np, "__version__", "0.1")
    assert make() != fingerprint.fingerprint()


def test_a_processor_restricted_for_numba_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    make = fingerprint.processor.__wrapped__
    before = make()
    monkeypatch.setenv("NUMBA_CPU_NAME", "haswell" if "haswell" not in before else "generic")
    assert make() != before
