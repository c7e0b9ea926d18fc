"""A history that was measured once for all that read it."""

from pathlib import Path

import pytest

from .asv_results import COMMITS, RESULTS, SLOW, STEP, make_repository, times, write_result


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A repository whose commit 25 slows one case by a fifth; three commits have no result."""
    folder = tmp_path_factory.mktemp("history")
    commits = make_repository(folder, [f"Commit {i} | <b>{i}</b>" for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        if i not in (3, 24, 30):
            write_result(folder / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.2}), position=COMMITS - i)
    return folder, commits
