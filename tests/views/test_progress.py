"""Progress where there is no terminal: a line per stage, and one whenever nothing was said for a while."""

import re
from io import StringIO
from time import monotonic, sleep

import pytest
from rich.console import Console

from gdbench.views import progress
from gdbench.views.progress import REFRESH_SECONDS, bar, countdown

PATIENCE = 20.0
"""Seconds until a line that must come is missed."""


def _log() -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=1000, markup=False), text


def test_a_new_stage_is_a_line_and_a_new_detail_is_not() -> None:
    console, text = _log()
    with bar("Measuring", console) as tell:
        tell(0.1, "block 1", ", 3 min left")
        tell(0.2, "block 1", ", 2 min left")
        tell(0.5, "block 2", ", 1 min left")
    assert text.getvalue().splitlines() == ["Measuring: block 1, 3 min left", "Measuring: block 2, 1 min left"]


def test_work_that_is_silent_is_heard_of_with_its_newest_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.02)
    console, text = _log()
    with bar("Measuring", console) as tell:
        tell(0.1, "block 1", ", 3 min left")
        tell(0.2, "block 1", ", 2 min left")
        begun = monotonic()
        while len(text.getvalue().splitlines()) < 4 and monotonic() - begun < PATIENCE:
            sleep(0.01)
    first, *others = text.getvalue().splitlines()
    assert first == "Measuring: block 1, 3 min left"
    assert len(others) >= 3
    assert set(others[1:]) == {"Measuring: block 1, 2 min left"}


def test_a_detail_is_told_as_it_is_when_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    console, text = _log()
    left = iter(range(9, 0, -1))
    with bar("Picking", console) as tell:
        tell(None, "compiling", lambda: f", {next(left)} s left")
        until = monotonic() + PATIENCE
        while text.getvalue().count("\n") < 3 and monotonic() < until:
            sleep(0.01)
    assert text.getvalue().splitlines()[:3] == [f"Picking: compiling, {number} s left" for number in (9, 8, 7)]


def test_the_time_left_is_that_of_now_and_none_is_told_once_it_is_over() -> None:
    words = countdown(60, ", 3 done")
    assert words() == ", 3 done, about 1 min left"
    sleep(1.0)
    assert re.fullmatch(", 3 done, about 5[0-9] s left", words())
    assert countdown(0.4, ", 3 done")() == ", 3 done"


def test_work_that_says_nothing_at_all_is_heard_of_by_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.02)
    console, text = _log()
    with bar("Certifying", console):
        begun = monotonic()
        while not text.getvalue() and monotonic() - begun < PATIENCE:
            sleep(0.01)
    assert text.getvalue().splitlines()[0] == "Certifying"


def test_no_line_comes_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.01)
    console, text = _log()
    with bar("Measuring", console):
        pass
    said = text.getvalue()
    sleep(0.1)
    assert text.getvalue() == said


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_terminal_has_a_bar_that_is_gone_in_the_end(by_hand: bool) -> None:
    text = StringIO()
    console = Console(file=text, width=100, force_terminal=True, legacy_windows=False)
    with bar("Measuring", console, by_hand=by_hand) as tell:
        tell(0.5, "block 1", ", 3 min left")
        tell(None, "block 2", "")
    assert "Measuring" in text.getvalue()
    assert text.getvalue().endswith(("\x1b[2K", "\x1b[?25h", "\r\x1b[1A\x1b[2K"))


@pytest.mark.parametrize("width", [40, 60, 200])
def test_all_of_the_words_beside_a_bar_are_seen_in_a_terminal_of_any_width(width: int) -> None:
    words = "certifying, and compiling what this machine has not yet, at most 10 s left"
    text = StringIO()
    console = Console(file=text, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with bar("Measuring", console, by_hand=True) as tell:
        tell(0.5, words, "")
        sleep(2 * REFRESH_SECONDS)
        tell(0.5, words, "")
        drawn = text.getvalue()
    assert "Measuring" in drawn
    assert "…" not in drawn
    assert set(words.split()) <= set(drawn.split())
