"""Takes planted slowdowns through full verification: one that computes something else would prove nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from gdbench.verify.certificates import contract_networks
from gdbench.verify.stages import certify
from kernels.network import DTYPES
from selftest.verdicts.tree import environment_for, python


def refusals(tree: Path, variants: list[str], *, dtypes: tuple[str, ...] = DTYPES, every: int = 1) -> dict[str, str]:
    """Certify variants of a tree in a process, on every so-manieth small network; return why those that fail do."""
    command = [*python(), "-m", "selftest.verdicts.certified", json.dumps([variants, dtypes, every])]
    done = subprocess.run(command, env=environment_for(tree), capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _certify(variants: list[str], dtypes: list[str], every: int) -> dict[str, str]:
    found = {}
    for network in contract_networks()[::every]:
        for dtype in dtypes:
            for variant in variants:
                proof = certify(variant, network, dtype)
                if not proof.certified:
                    found[variant] = f"{network}, {dtype}: {proof.where}"
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_certify(*json.loads(sys.argv[1]))))
