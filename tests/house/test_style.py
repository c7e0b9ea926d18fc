"""Style, layout and types hold everywhere: what the hooks check before a commit, checked again."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = {
    "lint": ("ruff", "check", "--no-cache", "."),
    "layout": ("ruff", "format", "--check", "--no-cache", "."),
    "types": ("mypy",),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_tool_finds_nothing(check: str) -> None:
    done = subprocess.run([sys.executable, "-m", *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
