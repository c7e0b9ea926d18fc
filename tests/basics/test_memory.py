"""The memory that is available is that of the machine, of the container or of the user's limit: the least of them."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gdbench.basics import memory
from gdbench.basics.memory import available_bytes

GIGABYTE = 1 << 30
LIMITED = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({3 * GIGABYTE}, -1))
from gdbench.basics.memory import available_bytes
before = available_bytes()
held = bytearray({GIGABYTE})
print(before, available_bytes())
"""


def test_no_more_is_available_than_the_machine_has() -> None:
    assert 0 < available_bytes() < psutil.virtual_memory().total


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes are set as on Linux")
def test_a_limit_of_the_user_counts_and_what_is_held_is_taken_off() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert GIGABYTE < before < 3 * GIGABYTE
    assert before - after == pytest.approx(GIGABYTE, rel=0.1)


@pytest.mark.parametrize(
    ("place", "names", "cached"),
    [
        (".", ("memory.max", "memory.current"), "inactive_file"),
        ("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes"), "total_inactive_file"),
    ],
    ids=["version 2", "version 1"],
)
def test_a_container_s_limit_counts_and_what_only_caches_files_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, names: tuple[str, str], cached: str
) -> None:
    monkeypatch.setattr(memory, "CONTROL_GROUPS", tmp_path)
    (tmp_path / place).mkdir(exist_ok=True)
    whole = available_bytes()
    for name, text in zip(
        (*names, "memory.stat"), ("50000000\n", "30000000\n", f"anon 1\n{cached} 7000000\n"), strict=True
    ):
        (tmp_path / place / name).write_text(text)
    assert available_bytes() == 27_000_000
    (tmp_path / place / names[0]).write_text("max\n")
    assert available_bytes() == pytest.approx(whole, rel=0.5)
