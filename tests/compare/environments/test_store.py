"""Environments are kept under what they were made of, by one command at a time; what differs in two is told."""

import signal
import socket
import sys
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest
from filelock import FileLock

import gdbench
import kernels
from gdbench.basics import records
from gdbench.compare.environments import store
from gdbench.compare.environments.packages import installed_here
from gdbench.compare.environments.record import Installed, VersionDifference, differences, in_words, name_of
from gdbench.compare.environments.wishes import read_wish
from kernels import InputError

from ...helpers import LIMIT_SECONDS, finish, have_ended, start, wait_for

HERE = (sys.executable, installed_here().python)
OLD = Installed("3.11.7", {"numba": "0.65.1", "llvmlite": "0.47.0", "numpy": "2.4.6", "pip": "23.2"})
NEW = Installed("3.11.7", {"numba": "0.66.0", "llvmlite": "0.48.0", "numpy": "2.4.6", "tbb": "2022.1"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of environments."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return store.environments_folder()


def put(text: str, installed: Installed) -> Path:
    """Put an environment into the cache, as if it had been made."""
    root = store.environments_folder() / store.key_of(read_wish(text), *HERE)
    root.mkdir(parents=True)
    records.write(root / store.RECORD, store.MadeEnvironment((text,), {}, installed))
    return root


def test_a_key_follows_from_interpreter_and_requirements_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(text: str, *python: str) -> str:
        return store.key_of(read_wish(text), *(python or HERE))

    first = key("numba==0.65.1,numpy==2.2.6")
    assert key("numpy==2.2.6  numba==0.65.1") == first
    others = [key("numba==0.65.1"), key("numba==0.65.1,numpy==2.2.5"), key("numba==0.65.1,numpy==2.2.6", "x", "3.12.1")]
    monkeypatch.setattr(store, "_pinned", lambda: {"numpy": "2.0.0"})
    others.append(key("numba==0.65.1,numpy==2.2.6"))
    assert len({first, *others}) == 5
    assert {len(one) for one in (first, *others)} == {store.KEY_DIGITS}


def test_both_sides_are_named_by_all_that_either_wish_names() -> None:
    put("numba==0.65.1", OLD)
    put("tbb", NEW)
    base, head = store.provide_both(["numba==0.65.1", "tbb"], lambda words: None)
    assert (base.name, head.name) == ("numba 0.65.1, tbb not installed", "numba 0.66.0, tbb 2022.1")
    assert Path(base.executable).parents[1] == base.root
    assert name_of(OLD, ["python", "numba"]) == "Python 3.11.7, numba 0.65.1"


def test_one_environment_stands_against_that_of_this_process() -> None:
    put("numba==0.65.1", OLD)
    base, head = store.provide_both(["numba==0.65.1"], lambda words: None)
    assert base.name == "numba 0.65.1"
    assert (head.executable, head.root, head.installed) == (sys.executable, None, installed_here())
    assert head.name == f"numba {installed_here().versions['numba']}"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["numba", "numpy", "scipy"], "3 environments are named: a comparison has two sides"),
        (["numba==0.65.1 numpy", "numpy,numba==0.65.1"], "both sides are the environment numba==0.65.1 numpy"),
        (["python==3.10"], "there is no Python 3.10 here"),
    ],
)
def test_what_makes_no_two_environments_is_refused(
    texts: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=sentence):
        store.provide_both(texts, lambda words: None)


def test_a_python_for_which_gdbench_is_not_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\necho 3.10.9\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"gdbench asks for Python >=3\.11 and --env python==3\.10 for 3\.10\.9"):
        store.provide_both(["python==3.10"], lambda words: None)


def test_what_differs_is_python_and_packages_but_no_installers() -> None:
    found = differences(OLD, NEW)
    assert found == (
        VersionDifference("llvmlite", "0.47.0", "0.48.0"),
        VersionDifference("numba", "0.65.1", "0.66.0"),
        VersionDifference("tbb", None, "2022.1"),
    )
    assert in_words(found) == "llvmlite 0.47.0 against 0.48.0, numba 0.65.1 against 0.66.0, tbb none against 2022.1"
    assert in_words(differences(OLD, Installed("3.12.1", OLD.versions))) == "Python 3.11.7 against 3.12.1"


def test_an_environment_finds_our_kernels_and_instrument_and_nothing_that_lies_by_them(tmp_path: Path) -> None:
    folder = store.links(tmp_path)
    assert store.links(tmp_path) == folder
    assert {path.name: path.resolve() for path in folder.iterdir()} == {
        "gdbench": Path(gdbench.__path__[0]).resolve(),
        "kernels": Path(kernels.__path__[0]).resolve(),
    }


def test_a_command_waits_for_the_other_that_makes_the_same(cache: Path) -> None:
    said, waits, found = [], Event(), []

    def tell(words: str) -> None:
        said.append(words)
        waits.set()

    cache.mkdir(parents=True)
    key = store.key_of(read_wish("numba==0.65.1"), *HERE)
    waiting = Thread(target=lambda: found.extend(store.provide_both(["numba==0.65.1"], tell)))
    with FileLock(cache / f".{key}.lock"):
        waiting.start()
        assert waits.wait(LIMIT_SECONDS)
        put("numba==0.65.1", OLD)
    waiting.join(LIMIT_SECONDS)
    assert said == ["waiting for another command, which makes the environment numba==0.65.1"]
    assert found[0].installed == OLD


def test_what_a_killed_process_left_is_gone_before_the_same_is_made_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = cache / store.key_of(read_wish("numba==99"), *HERE)
    left = root.with_name(f"{store.UNFINISHED}{root.name}-abc")
    (left / "environment" / "lib").mkdir(parents=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"cannot be made, since pip says"):
        store.provide_both(["numba==99"], lambda words: None)
    assert [path.name for path in cache.iterdir()] == [f".{root.name}.lock"]


def test_environments_that_nobody_uses_are_forgotten(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(store.KEPT + 1):
        put(f"numba==0.{number}", OLD)
    monkeypatch.setattr(store, "IN_USE_SECONDS", -1.0)
    base, _ = store.provide_both(["numba==0.0"], lambda words: None)
    assert base.root in cache.iterdir()
    assert len([path for path in cache.iterdir() if path.is_dir()]) == store.KEPT + 1
    monkeypatch.setattr(store, "KEPT", 0)
    store.provide_both(["numba==0.0"], lambda words: None)
    assert [path for path in cache.iterdir() if path.is_dir()] == [base.root]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_that_is_half_made_and_no_process(
    tmp_path: Path, cache: Path, number: signal.Signals
) -> None:
    """An index that takes connections and never answers: pip waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        variables = {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": "/dev/null", "XDG_CACHE_HOME": str(tmp_path)}
        path = f"{tmp_path}:/bin:/usr/bin"  # without uv
        process = start("compare", "--env", "numba==99", cwd=tmp_path, PATH=path, **variables)
        index.settimeout(LIMIT_SECONDS)
        with index.accept()[0]:
            children = psutil.Process(process.pid).children(recursive=True)
            wait_for(lambda: list(cache.glob(f"{store.UNFINISHED}*")), process)
            process.send_signal(number)
            answer = finish(process)
    assert answer.returncode == 128 + number, answer.stderr
    assert "stopped before there was a result: run the same command again" in answer.stderr
    assert children
    assert have_ended(children)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert {path.name for path in tmp_path.iterdir()} == {"gdbench"}
