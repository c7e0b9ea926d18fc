"""``gdbench check`` certifies our variants; the peers only when they are asked for, by --peers or by name."""

import pytest

import kernels
from gdbench.cli import check
from gdbench.experiments import variants
from gdbench.experiments.grid import Filters


class EnoughError(Exception):
    """The jobs are known."""


USUAL, EVERY = kernels.variants(), variants.names()


def _certified(usual: tuple[str, ...], **filters) -> set[str]:
    return {name for job in check._jobs(Filters(**filters), usual) for name in job.variants}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), set(USUAL)),
        (("--peers",), set(EVERY)),
        (("--variant", "jit,torch_manual"), {"jit", "torch_manual"}),
        (("--peers", "--variant", "jit"), {"jit"}),
    ],
    ids=["usual", "peers", "by name", "a name decides"],
)
def test_options_decide_whether_peers_are_certified(options, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[check.Job] = []

    def stop(jobs: list[check.Job]) -> None:
        asked.extend(jobs)
        raise EnoughError  # before minutes of certificates

    monkeypatch.setattr(check, "certify", stop)
    arguments = ["--network", "softmax", "--dataset", "digits", *options]
    with pytest.raises(EnoughError):
        check.command.main(arguments, standalone_mode=False, prog_name="gdbench check")
    assert {name for job in asked for name in job.variants} == expected


def test_a_peer_is_asked_only_for_networks_that_it_supports() -> None:
    assert "sklearn_partial_fit" in _certified(EVERY, network=("softmax",))
    squared = [job for job in check._jobs(Filters(), EVERY) if job.spec.loss == "squared_error" and job.spec.hidden]
    sigmoid = [job for job in squared if job.spec.output == "sigmoid"]
    assert sigmoid
    assert not [job for job in sigmoid if "sklearn_partial_fit" in job.variants]
