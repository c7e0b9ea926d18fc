"""What ``--env`` takes: pip's requirements in one text, and a version of Python."""

import pytest

from gdbench.compare.environments.wishes import read_wish
from kernels import InputError


@pytest.mark.parametrize(
    ("text", "requirements", "python"),
    [
        ("numba==0.65.1", ("numba==0.65.1",), ""),
        ("numba==0.65.1,numpy==2.2.6", ("numba==0.65.1", "numpy==2.2.6"), ""),
        (" numba==0.65.1   numpy ", ("numba==0.65.1", "numpy"), ""),
        ("numba>=0.64,<0.66", ("numba<0.66,>=0.64",), ""),
        ("numba >= 0.64, < 0.66 numpy", ("numba<0.66,>=0.64", "numpy"), ""),
        ("numpy,numba!=0.65.0,~=0.65.0", ("numpy", "numba!=0.65.0,~=0.65.0"), ""),
        ("distributed[a,b]==1.0,numpy", ("distributed[a,b]==1.0", "numpy"), ""),
        ("numba @ file:///wheels/numba.whl numpy", ("numba @ file:///wheels/numba.whl", "numpy"), ""),
        ("python==3.12", (), "3.12"),
        ("Python==3.12.*,numpy==2.2.6", ("numpy==2.2.6",), "3.12"),
        ("numpy python == 3.12.1", ("numpy",), "3.12.1"),
    ],
)
def test_a_wish_is_requirements_joined_by_commas_or_blanks(
    text: str, requirements: tuple[str, ...], python: str
) -> None:
    wish = read_wish(text)
    assert (wish.text, wish.requirements, wish.python) == (text, requirements, python)


def test_names_are_written_as_installers_compare_them_in_the_order_of_the_wish() -> None:
    assert read_wish("Scikit_Learn==1.6,python==3.12,numba").names == ("scikit-learn", "python", "numba")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "--env names no package: write for instance --env numba==0.65.1"),
        (" , ", "--env names no package"),
        ("numba==", "'numba==' is no requirement of pip"),
        ("./numba.whl", "'./numba.whl' is no requirement of pip"),
        ("numba=0.65.1", "'numba=0.65.1' is no requirement of pip"),
        ("numpy==2.2.6,NumPy", "--env numpy==2.2.6,NumPy names numpy twice"),
        ("python", "python names no version of Python: write python==3.12"),
        ("python>=3.12", "python>=3.12 names no version of Python"),
        ("python==3", "python==3 names no version of Python"),
    ],
)
def test_what_is_no_wish_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        read_wish(text)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
