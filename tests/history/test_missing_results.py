"""A benchmark without results is never passed over: it failed, was skipped, is gone, renamed or of another version."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gdbench.history.confirm.bisect import CONFIRMED, Confirmation
from gdbench.history.record import Judged, judge, make_record

from .asv_results import RESULTS, history_of, regressions, write_result

N, AT = 20, 10
NAN = float("nan")
STEP = [1.0 + 0.5 * (i >= AT) + 0.001 * (-1) ** i for i in range(N)]
LEVEL = [1.0 + 0.001 * (-1) ** i for i in range(N)]
GONE = "gone"
Values = Sequence[float | str | None]


def _write(
    folder: Path, series: Mapping[str, Values], *, version: Mapping[str, int] | None = None, environment: str = "py"
) -> None:
    """Write a file for each commit; version tells at which commit the version of a benchmark changes."""
    for i in range(N):
        results: dict[str, Any] = {}
        for name, values in series.items():
            if values[i] != GONE:
                value = values[i]
                benchmark = {"name": name, "params": []}
                newer = "2" if i >= (version or {}).get(name, N) else "1"
                path = write_result(
                    folder / RESULTS,
                    _hash(i),
                    [value],
                    position=i,
                    benchmark=benchmark,
                    version=newer,
                    environment=environment,
                )
                stored = json.loads(path.read_text(encoding="utf-8"))
                results |= stored["results"]
                path.write_text(json.dumps({**stored, "results": results}), encoding="utf-8")


def _hash(i: int) -> str:
    return f"{i:08x}" * 5


def _until(last: float | str | None, *, at: int = AT) -> list[float | str | None]:
    return [*LEVEL[:at], *[last] * (N - at)]


def _everywhere(folder: Path) -> tuple[int, dict[str, Any], list[str]]:
    """Exit code, record, and what terminal, Markdown and page say."""
    options = ["--json", "-", "--markdown", str(folder / "steps.md"), "--output", str(folder / "page")]
    done = regressions(folder, *options)
    page = (folder / "page" / "regressions.html").read_text(encoding="utf-8")
    markdown = (folder / "steps.md").read_text(encoding="utf-8").replace("\\_", "_")
    return done.returncode, json.loads(done.stdout), [done.stderr, markdown, page]


ENDED = {
    "failing": (_until(None), f"suite.time_b has failed since {_hash(AT)[:8]}"),
    "failing once": (_until(None, at=N - 1), f"suite.time_b has failed since {_hash(N - 1)[:8]}"),
    "skipped": (_until(NAN), f"suite.time_b has been skipped since {_hash(AT)[:8]}"),
    "gone": (_until(GONE), f"suite.time_b has no results after {_hash(AT - 1)[:8]}"),
    "gone, then failing": (
        [*LEVEL[:AT], GONE, GONE, *[None] * (N - AT - 2)],
        f"suite.time_b has failed since {_hash(AT + 2)[:8]}",
    ),
}


@pytest.mark.parametrize(("values", "said"), ENDED.values(), ids=ENDED)
def test_a_benchmark_whose_results_end_is_named_everywhere_and_leaves_the_answer_open(
    values: Values, said: str, tmp_path: Path
) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": values})
    code, record, views = _everywhere(tmp_path)
    assert code == record["exit_code"] == 3
    assert [step["case"] for step in record["steps"]] == ["suite.time_a"]
    (told,) = record["incomplete"]
    assert told.startswith(f"{said}: ")
    assert [view for view in views if said not in view] == []


def test_a_confirmed_regression_counts_more_than_a_benchmark_that_fails(tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": _until(None)})
    history = history_of(tmp_path / RESULTS, "here", tmp_path)
    told = {0: Confirmation(CONFIRMED, "", None, 1.5, 1.4, 1.6, 1)}
    assert make_record([Judged(history, judge(history).proposals, told)], confirmed=True).exit_code == 1


def test_gaps_and_values_that_are_no_numbers_are_no_failure_that_lasts(tmp_path: Path) -> None:
    gaps = [None if i in (0, 5, 6) else value for i, value in enumerate(LEVEL)]
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": gaps, "suite.track_text": ["a text"] * N})
    code, record, _ = _everywhere(tmp_path)
    assert (code, record["incomplete"]) == (0, [])
    assert record["skipped"] == ["suite.track_text cannot be judged: every value is a text"]


def test_a_benchmark_that_is_damaged_at_the_newest_commit_is_told_once_and_not_said_to_be_gone(tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": LEVEL})
    (path,) = (tmp_path / RESULTS / "here").glob(f"{_hash(N - 1)[:8]}-*")
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["results"]["suite.time_b"] = 5
    path.write_text(json.dumps(stored), encoding="utf-8")
    code, record, _ = _everywhere(tmp_path)
    (told,) = record["incomplete"]
    assert (code, told.partition(" (")[0]) == (3, "1 result of suite.time_b cannot be used")


def test_several_that_fail_since_one_commit_share_a_sentence(tmp_path: Path) -> None:
    failing: dict[str, Values] = {f"suite.time_{i}": _until(None) for i in range(5)}
    _write(tmp_path, {"suite.time_a": STEP, **failing})
    (told,) = _everywhere(tmp_path)[1]["incomplete"]
    assert told.startswith("suite.time_0, suite.time_1, suite.time_2 and 2 more have failed since 0000000a: ")


def test_of_several_environments_the_one_in_which_it_fails_is_named(tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": LEVEL}, environment="old")
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": _until(None)}, environment="new")
    code, record, _ = _everywhere(tmp_path)
    assert code == 3
    assert [told.partition(":")[0] for told in record["incomplete"]] == [
        "suite.time_b in new has failed since 0000000a"
    ]


def _from(at: int, *, factor: float = 1.0) -> list[float | str | None]:
    return [*[GONE] * at, *[factor * value for value in LEVEL[at:]]]


def test_a_benchmark_that_begins_where_another_ends_may_hide_a_step_and_every_view_says_so(tmp_path: Path) -> None:
    """Both names together step by half, and neither series does."""
    renamed: dict[str, Values] = {"suite.time_a": _until(GONE), "suite.time_b": _from(AT, factor=1.5)}
    _write(tmp_path, {**renamed, "suite.time_c": LEVEL})
    code, record, views = _everywhere(tmp_path)
    assert (code, record["steps"]) == (3, [])
    told, ended = record["incomplete"]
    assert told == (
        "suite.time_a ends before 0000000a, where suite.time_b begins; if it was renamed, a change of speed there is "
        "not seen: measure earlier commits with suite.time_b"
    )
    assert ended.startswith("suite.time_a has no results after 00000009: ")
    assert [view for view in views if told not in " ".join(view.split())] == []


def test_several_that_may_be_renamed_share_a_sentence(tmp_path: Path) -> None:
    old: dict[str, Values] = {f"suite.time_{i}": _until(GONE) for i in range(5)}
    new: dict[str, Values] = {"suite.time_b": _from(AT), "suite.time_c": _from(AT)}
    _write(tmp_path, {**old, **new})
    told, _ = _everywhere(tmp_path)[1]["incomplete"]
    assert told == (
        "suite.time_0, suite.time_1, suite.time_2 and 2 more end before 0000000a, where suite.time_b and suite.time_c "
        "begin; if they were renamed, a change of speed there is not seen: measure earlier commits with the later ones"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [(_until(GONE), _from(AT - 1)), (_until(GONE), _from(AT + 1)), ([None] * AT + [GONE] * AT, _from(AT))],
    ids=["both at one commit", "neither at one commit", "the old one never worked"],
)
def test_a_benchmark_that_no_other_takes_the_place_of_is_not_said_to_be_renamed(
    old: Values, new: Values, tmp_path: Path
) -> None:
    _write(tmp_path, {"suite.time_a": old, "suite.time_b": new, "suite.time_c": LEVEL})
    assert not any("renamed" in told for told in _everywhere(tmp_path)[1]["incomplete"])


def test_a_changed_version_is_told_with_its_commit(tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": LEVEL}, version={"suite.time_a": AT})
    code, record, views = _everywhere(tmp_path)
    assert (code, record["steps"], record["judged"]) == (0, [], 2)
    (told,) = record["skipped"]
    assert told.startswith("suite.time_a changed its version at 0000000a: its results of 10 commits before are not ")
    assert [view for view in views if told not in " ".join(view.split())] == []


@pytest.mark.parametrize("since", [N - 7, N - 1])
def test_a_version_with_too_few_results_leaves_the_answer_open(since: int, tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": LEVEL}, version={"suite.time_a": since})
    code, record, views = _everywhere(tmp_path)
    assert (code, record["judged"]) == (3, 1)
    (told,) = record["incomplete"]
    assert told.startswith(f"suite.time_a changed its version at {_hash(since)[:8]}: its results of {since} commits ")
    assert "too few to judge" in told
    assert [view for view in views if told not in " ".join(view.split())] == []


def test_a_version_that_only_fails_is_a_failure_since_it_came(tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": _until(None)}, version={"suite.time_b": AT})
    code, record, _ = _everywhere(tmp_path)
    assert code == 3
    assert record["incomplete"][0].startswith("suite.time_b has failed since 0000000a")


def test_a_version_that_came_back_counts_with_its_first_results(tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": STEP})
    for i in (8, 9):
        other = {"name": "suite.time_a", "params": []}
        write_result(tmp_path / RESULTS, _hash(i), [9.0], position=i, benchmark=other, version="0", environment="py")
    code, record, _ = _everywhere(tmp_path)
    assert (code, [step["commit"] for step in record["steps"]]) == (0, [_hash(AT)])
    assert record["skipped"][0].startswith("suite.time_a changed its version at 0000000a: its results of 2 commits ")


@pytest.mark.parametrize(("value", "said"), [(None, "failed"), (NAN, "were skipped")])
def test_benchmarks_that_never_worked_are_said_to_have_failed(value: float | None, said: str, tmp_path: Path) -> None:
    _write(tmp_path, {"suite.time_a": [value] * N, "suite.time_b": [value] * N})
    code, record, views = _everywhere(tmp_path)
    assert (code, record["judged"]) == (4, 0)
    told = f"suite.time_a and suite.time_b {said} at all {N} commits"
    assert [view for view in views if told not in view] == []


def test_one_that_never_worked_is_named_beside_others_and_opens_nothing(tmp_path: Path) -> None:
    late = [*[GONE] * 5, *[None] * (N - 5)]
    _write(tmp_path, {"suite.time_a": STEP, "suite.time_b": [None] * N, "suite.time_c": late})
    code, record, _ = _everywhere(tmp_path)
    assert code == 0
    assert record["skipped"] == [
        "suite.time_b failed at all 20 commits",
        "suite.time_c failed at 15 of 20 commits, and has no result at any",
    ]


def _write_parameters(folder: Path, since: int, versions: tuple[str, str]) -> None:
    """Write a benchmark whose parameter 10 becomes 20 at a commit, beside one that steps."""
    _write(folder, {"suite.time_a": STEP})
    for i in range(N):
        newer = i >= since
        benchmark = {"name": "suite.time_x", "param_names": ["n"], "params": [["20"] if newer else ["10"]]}
        path = next((folder / RESULTS / "here").glob(f"{_hash(i)[:8]}-*"))
        before = json.loads(path.read_text(encoding="utf-8"))
        write_result(
            folder / RESULTS,
            _hash(i),
            [LEVEL[i]],
            position=i,
            benchmark=benchmark,
            version=versions[newer],
            environment="py",
        )
        stored = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**stored, "results": before["results"] | stored["results"]}), encoding="utf-8")


def test_parameters_that_a_benchmark_no_longer_has_are_named_and_open_nothing(tmp_path: Path) -> None:
    _write_parameters(tmp_path, AT, ("1", "1"))
    code, record, views = _everywhere(tmp_path)
    assert (code, record["incomplete"], record["judged"]) == (0, [], 3)
    (told,) = record["skipped"]
    assert told.startswith(f"suite.time_x(10) has no results after {_hash(AT - 1)[:8]}, where its benchmark has those ")
    assert [view for view in views if told not in " ".join(view.split())] == []


@pytest.mark.parametrize(("since", "expected"), [(N - 2, 3), (AT, 0)])
def test_parameters_of_an_earlier_version_alone_are_named(since: int, expected: int, tmp_path: Path) -> None:
    """The answer stays open only where those of the newest version are too few, which can be measured."""
    _write_parameters(tmp_path, since, ("1", "2"))
    code, record, _ = _everywhere(tmp_path)
    assert code == expected
    gone = f"suite.time_x(10) has no results after {_hash(since - 1)[:8]}, "
    assert [told for told in record["skipped"] if told.startswith(gone)]
    changed = f"suite.time_x changed its version at {_hash(since)[:8]}: its results of {since} commits before "
    assert [told for told in record["incomplete" if expected else "skipped"] if told.startswith(changed)]
