"""Remarks under the table: none says what the table has said, and none is repeated for each case."""

from pathlib import Path

import pytest

from .asv_results import CASES, RESULTS, SLOW, make_repository, regressions, times, write_result

N, AT, BACK = 30, 10, 20


def _slower(folder: Path, moved: range, *, missing: int = 0, back: int = N) -> str:
    """Make cases slower by half at a commit, until another; what is said of it."""
    for i, commit in enumerate(make_repository(folder, [str(i) for i in range(N)])):
        if not AT - missing <= i < AT:
            slow = dict.fromkeys(moved, 1.5) if i < back else {}
            write_result(folder / RESULTS, commit, times(i, step_at=AT, slow=slow))
    done = regressions(folder, "--markdown", str(folder / "steps.md"))
    assert done.returncode == 0, done.stderr
    assert "cases moved at this commit" not in (folder / "steps.md").read_text(encoding="utf-8").partition("\n- ")[2]
    return str(done.stdout)


def test_a_step_that_most_cases_share_takes_one_line(tmp_path: Path) -> None:
    said = _slower(tmp_path, range(len(CASES)))
    assert said.count(f"{len(CASES)} of {len(CASES)} cases moved at this commit") == 1


def test_what_happened_to_all_that_share_a_step_is_said_once(tmp_path: Path) -> None:
    said = _slower(tmp_path, range(len(CASES)), missing=2, back=BACK)
    assert said.count("went away at") == 1
    assert said.count("the 2 commits before it have no result") == 1
    assert said.count(f" and {len(CASES) - 3} more: ") == 2


@pytest.mark.parametrize(
    ("missing", "told"), [(1, "the commit before it has no result"), (3, "the 3 commits before it have no result")]
)
def test_commits_without_a_result_are_counted(missing: int, told: str, tmp_path: Path) -> None:
    said = _slower(tmp_path, range(SLOW, SLOW + 1), missing=missing)
    assert said.count(told) == 1
