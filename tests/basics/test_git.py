"""Git answers as it writes, whatever bytes and blanks these are; where it has no answer there is None, or its error."""

import os
import subprocess
from pathlib import Path

import pytest

from gdbench.basics.git import ask_git, git_output
from gdbench.history.repository import look

AUTHOR = {f"GIT_{who}_{what}": "nobody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
LATIN = b" caf\xe9 \n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits, of which the newest has no subject."""
    folder = tmp_path_factory.mktemp("repository")
    git_output(folder, "init", "-q")
    for subject in ("first", ""):
        command = ["git", "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", subject]
        subprocess.run(command, cwd=folder, env={**os.environ, **AUTHOR}, check=True)
    return folder


def test_a_commit_without_a_subject_is_read(repository: Path) -> None:
    assert [commit.subject for commit in look(repository).commits] == ["first", ""]


def test_what_is_no_utf_8_comes_as_bytes_or_readable(repository: Path) -> None:
    (repository / "latin").write_bytes(LATIN)
    blob = ask_git(repository, "hash-object", "-w", "latin")
    assert git_output(repository, "cat-file", "-p", str(blob)) == LATIN
    assert ask_git(repository, "cat-file", "-p", str(blob)) == " caf\ufffd "


def test_where_git_has_no_answer_there_is_none(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask_git(repository, "rev-parse", "--verify", "--quiet", "nonsense") is None
    assert ask_git(tmp_path / "nowhere", "status") is None
    with pytest.raises(subprocess.CalledProcessError):
        git_output(repository, "archive", "nonsense")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_git(repository, "status") is None
