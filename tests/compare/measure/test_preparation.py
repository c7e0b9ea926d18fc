"""A side that is lost is put down to the case that it worked on, and to no case that was over by then."""

from types import SimpleNamespace
from typing import Any

import pytest

from gdbench.compare.measure.preparation import Lacking, at_case
from gdbench.compare.measure.session import State, note_lost
from gdbench.processes.live import ProcessLost


def a_pair() -> Any:
    return SimpleNamespace(sides=[SimpleNamespace(at=None, lost=None), SimpleNamespace(at=None, lost=None)])


def lose(pair: Any) -> None:
    pair.sides[1].lost = ProcessLost("head", "ended with code 3")
    raise pair.sides[1].lost


def test_a_side_that_is_lost_after_a_case_that_it_lacked_is_not_put_down_to_that_case() -> None:
    pair, state = a_pair(), State()
    with pytest.raises(Lacking), at_case(pair, "lacking"):
        raise Lacking
    with pytest.raises(ProcessLost):
        lose(pair)
    assert not note_lost(state, pair)
    assert state.broken == {}


def test_a_side_that_is_lost_in_a_case_is_put_down_to_it() -> None:
    pair, state = a_pair(), State()
    with pytest.raises(ProcessLost), at_case(pair, "deadly"):
        lose(pair)
    assert note_lost(state, pair)
    assert state.broken == {"deadly": "the process of head ended with code 3"}
