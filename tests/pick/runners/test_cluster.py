"""A Dask cluster gives the curves of this process, also when workers are killed; what is amiss is one sentence."""

import signal
import socket
import sys
import threading
from pathlib import Path

import distributed
import pytest

from gdbench.basics.records import plain
from gdbench.pick.record.record import read_record
from gdbench.pick.runners import cluster
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves
from kernels import InputError

from ..test_command import DIABETES, NEAR, QUICK, close_to, hurry, pick_here, steps_here, without_times
from .runner_cases import ENDLESS, TRIALS, Cluster, Ear, alike, environment_of


def test_a_dask_cluster_gives_the_command_the_steps_of_this_process(
    dask: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hurry(monkeypatch)
    dask.worker(1)
    dask.wait_for(1)
    arguments = [*DIABETES, *QUICK, *NEAR]
    options = ("--scheduler", dask.address, "--variant", "vectorized", "--json", "there.json")
    found = pick_here(*arguments, *options, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    there = read_record(tmp_path / "there.json")
    here = steps_here([*arguments, "--variant", "vectorized"], there.times)
    assert without_times(plain(there.steps)) == close_to(here)


def test_a_dask_cluster_gives_the_curves_of_this_process_also_when_its_workers_are_killed(
    own_dask: Cluster, problem: NetworkProblem, expected: list[Curves], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the last one is: that ends in one sentence."""

    def stop_the_last() -> None:
        own_dask.stop(third)
        monkeypatch.setenv("GDBENCH_PATIENCE_SECONDS", "0.5")

    first, second = own_dask.worker(1), own_dask.worker(2)
    own_dask.wait_for(2)
    with cluster.cluster(own_dask.address) as runner:
        third = own_dask.worker(3)  # it comes when it comes
        ear = Ear(at_first=lambda: own_dask.stop(first))
        found = runner.run(problem, TRIALS, on_done=ear)
        assert alike(found, expected)
        assert first.returncode == -signal.SIGKILL
        assert ear.agrees(found)

        ear = Ear(at_first=lambda: own_dask.stop(second))  # perhaps the only one that holds the problem
        found = runner.run(problem, TRIALS, on_done=ear)
        assert alike(found, expected)
        assert ear.agrees(found)

        ear = Ear(at_first=stop_the_last)
        with pytest.raises(InputError, match="lost all its workers: start some"):
            runner.run(problem, [*TRIALS, ENDLESS], on_done=ear)
        assert 1 <= ear.calls <= len(TRIALS)


def test_a_worker_with_other_sources_is_refused(
    own_dask: Cluster, problem: NetworkProblem, other_sources: Path
) -> None:
    own_dask.stop_workers()
    own_dask.start_worker(environment_of(other_sources))
    own_dask.wait_for(1)
    with (
        pytest.raises(InputError, match=r"1 of the workers, such as tcp://.* other versions"),
        cluster.cluster(own_dask.address),
    ):
        pass
    with pytest.raises(InputError, match="other versions"):  # as on a worker that joins later
        cluster._run_checked(problem, TRIALS[0], "0" * 64)


def test_a_scheduler_without_workers_ends_in_one_sentence(dask: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    dask.stop_workers()
    check = cluster._check_workers

    def check_at_once(client: distributed.Client, address: str) -> None:
        monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
        check(client, address)

    monkeypatch.setattr(cluster, "_check_workers", check_at_once)
    sentence = f"has no workers: start some with dask worker {dask.address}"
    with pytest.raises(InputError, match=sentence), cluster.cluster(dask.address):
        pass


@pytest.mark.parametrize("address", ["rubbish", "tcp://127.0.0.1:{port}", "127.0.0.1:{port}"])
def test_an_address_without_scheduler_ends_in_one_sentence_when_its_time_is_up(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with socket.socket() as held:  # bound, so that no other process takes it, but deaf
        held.bind(("127.0.0.1", 0))
        address = address.format(port=held.getsockname()[1])
        with pytest.raises(InputError, match=f"no Dask scheduler answers at {address}"), cluster.cluster(address):
            pass


def test_an_address_of_something_else_ends_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
                connection.recv(1)

        greeter = threading.Thread(target=greet)
        greeter.start()
        with pytest.raises(InputError, match="no Dask scheduler answers"), cluster.cluster(address):
            pass
        greeter.join()


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'gdbench\[cluster\]'"), cluster.cluster("tcp://127.0.0.1:1"):
        pass
