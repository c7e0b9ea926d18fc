"""Part ``history``: asv measures every commit of a generated history; ``gdbench regressions`` is to find the steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selftest.context import Context, gdbench
from selftest.verdicts.asv_tree import CONFIG, asv, cut_suite, scratch_for_asv
from selftest.verdicts.generated import BUMP, STEPS, generate
from selftest.verdicts.repository import Repository

PART = "history"
OLD_NUMPY = "2.2.6"
BENCH = r"time_task\('gradient'"
FAST = tuple(
    word for text in ("sample_time=0.005", "warmup_time=0.02", "repeat=5", "rounds=2") for word in ("-a", text)
)
OLD_CONFIG = "asv.old.conf.json"


def measure(context: Context, numpy: str = OLD_NUMPY) -> None:
    """Generate and measure the history, then ask for its steps, without and with confirmation."""
    repository = scratch_for_asv(context.scratch / "history")
    start = cut_suite(repository)
    commits = generate(repository)
    _old_config(repository, numpy)
    if not context.journal.has(PART, "measured"):
        for name, config, first, last in (
            ("older NumPy", OLD_CONFIG, start, commits[BUMP - 1]),
            ("newer NumPy", str(CONFIG), commits[BUMP - 1], commits[-1]),
        ):
            context.say(f"history: asv run {first[:8]}..{last[:8]} with the {name}")
            asv(
                repository,
                "--config",
                config,
                "run",
                "--skip-existing-commits",
                *FAST,
                "--bench",
                BENCH,
                f"{first}..{last}",
            )
        context.journal.write(PART, "measured", commits=commits, numpy=numpy)
    for key, options in (("proposed", ()), ("confirmed", ("--confirm",))):
        if not context.journal.has(PART, key):
            context.say(f"history: gdbench regressions {' '.join(options)}")
            context.journal.write(
                PART, key, commits=commits, planted=_planted(commits), **_found(context, repository, options)
            )


def _planted(commits: list[str]) -> list[dict[str, Any]]:
    return [{"commit": commits[step.at], "variant": step.variant, "size": step.size} for step in STEPS]


def _old_config(repository: Repository, numpy: str) -> None:
    """Write asv's configuration with an older NumPy beside that of the repository, outside its history."""
    config = json.loads((repository.folder / CONFIG).read_text(encoding="utf-8"))
    config["matrix"]["req"]["numpy"] = [numpy]
    (repository.folder / OLD_CONFIG).write_text(json.dumps(config, indent=4), encoding="utf-8")


def _found(context: Context, repository: Repository, options: tuple[str, ...]) -> dict[str, Any]:
    """Return the steps that the command proposes, with the end of each confirmation."""
    place = Path(context.scratch / "regressions.json")
    place.unlink(missing_ok=True)
    done = gdbench("regressions", *options, "--json", str(place), cwd=repository.folder)
    if not place.exists():
        raise RuntimeError(f"gdbench regressions ended with code {done.returncode}: {done.stderr[-2000:]}")
    record = json.loads(place.read_text(encoding="utf-8"))
    kept = ("case", "label", "status", "commit", "since", "ratio", "low", "high", "confirmation", "notes")
    return {"exit_code": done.returncode, "steps": [{name: row[name] for name in kept} for row in record["steps"]]}
