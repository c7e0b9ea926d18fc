"""Certificates are stored whatever their numbers, and one measure says how close they came to their tolerance."""

import math
import signal
from dataclasses import replace
from pathlib import Path
from threading import Event, get_ident
from time import sleep

import pandas as pd
import pytest

from gdbench.basics import records
from gdbench.cli.live import _verdict
from gdbench.experiments.cases import Case
from gdbench.experiments.grid import networks
from gdbench.run.folder import SAMPLE_COLUMNS, certificates_file, read_certificates
from gdbench.run.summary import summarise
from gdbench.verify import certificates
from gdbench.verify.certificates import CertificateRow, Job, row_of
from gdbench.verify.stages import Certificate

WAIT_SECONDS = 30.0
"""Longest that a signal may take to be heard."""

JOB = Job(networks()["logistic"], "breast_cancer", "float64", ("jit",))


def row(max_error: float, tolerance: float, *, certified: bool = False) -> CertificateRow:
    proof = Certificate("jit", "logistic", "float64", max_error, tolerance, certified, "forward")
    return row_of(JOB, proof, first_call_seconds=0.0)


@pytest.mark.parametrize("tolerance", [math.nan, math.inf, 0.0, 1e-9])
@pytest.mark.parametrize("max_error", [math.inf, 0.5])
def test_a_certificate_comes_back_from_its_file(max_error: float, tolerance: float, tmp_path: Path) -> None:
    rows = [row(max_error, tolerance)]
    records.write(certificates_file(tmp_path), rows)
    assert read_certificates(tmp_path) == rows
    assert rows[0].refusal.startswith("forward")


@pytest.mark.parametrize(
    ("max_error", "tolerance", "strain"),
    [(0.5, 2.0, 0.25), (0.0, 0.0, 0.0), (0.5, 0.0, math.inf), (math.inf, 1.0, math.inf), (0.5, math.nan, math.inf)],
)
def test_strain_is_the_same_in_the_process_and_in_the_file(max_error: float, tolerance: float, strain: float) -> None:
    assert row(max_error, tolerance).strain == strain
    assert Certificate("jit", "logistic", "float64", max_error, tolerance, False, "forward").strain == strain


def test_the_summary_says_of_a_refused_variant_what_its_certificate_says() -> None:
    names = {"measured": row(0.5, 1e-9), "nothing to compare": row(math.inf, math.nan)}
    cases = tuple(Case("logistic", "breast_cancer", 569, "loss", name, 1, "float64") for name in (*names, "unproven"))
    proofs = [replace(proof, variant=name) for name, proof in names.items()]
    samples = pd.DataFrame(columns=SAMPLE_COLUMNS)
    found = summarise(cases, samples, proofs, {}, networks=networks(), limits={}).set_index("variant")
    assert found["status"].to_dict() == {"measured": "failed", "nothing to compare": "failed", "unproven": "missing"}
    assert [found.loc[proof.variant, "reason"] for proof in proofs] == [proof.refusal for proof in proofs]
    assert found.loc["nothing to compare", "max_error"] == math.inf
    assert found[["tolerance"]].isna()["tolerance"].to_list() == [False, True, True]


def test_certificates_without_a_tolerance_have_a_verdict_too() -> None:
    assert "worst error is 0.00 %" in str(_verdict((row(0.0, 0.0, certified=True),)))


def test_a_signal_that_the_system_gives_to_another_thread_is_heard_while_certificates_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard, in_time = Event(), list[bool]()

    def hear(number: int, frame: object) -> None:
        heard.set()
        raise KeyboardInterrupt

    def certify(*_: object) -> list[CertificateRow]:
        sleep(0.5)  # until the main thread waits
        signal.pthread_kill(get_ident(), signal.SIGUSR1)
        in_time.append(heard.wait(WAIT_SECONDS))
        return []

    monkeypatch.setattr(certificates, "_certify", certify)
    before = signal.signal(signal.SIGUSR1, hear)
    try:
        with pytest.raises(KeyboardInterrupt):
            certificates.certify_all([JOB])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert in_time == [True]
