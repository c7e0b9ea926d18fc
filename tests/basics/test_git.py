"""Git answers as it writes, whatever bytes and blanks these are; where it has no answer there is None, or its error."""

import os
import shutil
import subprocess
from collections.abc import Callable
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


SIGNING = """#!/bin/sh
cat > /dev/null
case "$*" in
*--verify*) echo "gpg: Good signature" >&2; echo "[GNUPG:] GOODSIG 0 nobody" ;;
*) echo "[GNUPG:] SIG_CREATED " >&2
    for line in "-----BEGIN PGP SIGNATURE-----" "" abc "-----END PGP SIGNATURE-----"; do echo "$line"; done ;;
esac
"""
"""Signs anything, and believes any signature."""


def _make(folder: Path, subject: str, *options: str) -> None:
    command = ["git", "commit", "-q", "--allow-empty", "-m", subject, *options]
    subprocess.run(command, cwd=folder, env={**os.environ, **AUTHOR}, check=True)


@pytest.mark.skipif(os.name == "nt", reason="a shell script signs")
def test_settings_of_users_change_nothing_that_is_read(tmp_path: Path) -> None:
    signer = tmp_path / "signer"
    signer.write_text(SIGNING, encoding="utf-8")
    signer.chmod(0o755)
    folder = tmp_path / "repository"
    folder.mkdir()
    git_output(folder, "init", "-q")
    settings = {
        "gpg.program": str(signer),
        "log.showSignature": "true",
        "log.decorate": "full",
        "color.ui": "always",
        "core.pager": "false",
        "i18n.logOutputEncoding": "ISO-8859-1",
        "status.showUntrackedFiles": "no",
    }
    for name, value in settings.items():
        git_output(folder, "config", name, value)
    _make(folder, "caf\u00e9", "-S")
    assert b"Good signature" in subprocess.run(["git", "log"], cwd=folder, check=True, capture_output=True).stdout
    assert [commit.subject for commit in look(folder).commits] == ["caf\u00e9"]
    (folder / "new").touch()
    assert ask_git(folder, "status", "--porcelain") == "?? new"


def _no_configuration(folder: Path) -> None:
    (folder / ".git" / "config").write_text("[core\n", encoding="utf-8")


def _newer_format(folder: Path) -> None:
    git_output(folder, "config", "core.repositoryformatversion", "9")


def _no_objects(folder: Path) -> None:
    shutil.rmtree(folder / ".git" / "objects")
    (folder / ".git" / "objects").mkdir()


def _moved(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    (folder / ".git").write_text("gitdir: /nowhere/.git/worktrees/x\n", encoding="utf-8")


@pytest.mark.parametrize("damage", [_no_configuration, _newer_format, _no_objects, _moved])
def test_a_repository_that_git_cannot_read_is_said_to_be_one(damage: Callable[[Path], None], tmp_path: Path) -> None:
    git_output(tmp_path, "init", "-q")
    assert look(tmp_path).refused is None, "one without commits is whole"
    _make(tmp_path, "first")
    assert look(tmp_path).refused is None
    damage(tmp_path)
    found = look(tmp_path)
    assert found.commits == ()
    assert str(found.refused).startswith(f"git cannot read the repository in {tmp_path.resolve()}, since it says ")


def test_outside_a_repository_nothing_is_refused(tmp_path: Path) -> None:
    assert look(tmp_path).refused is None
