"""Two comparisons that the tests of its views share."""

import pytest

from gdbench.compare.record.record import Comparison

from .comparison_records import make, something_of_everything


@pytest.fixture(scope="session")
def quiet() -> Comparison:
    return make()


@pytest.fixture(scope="session")
def mixed() -> Comparison:
    return something_of_everything()
