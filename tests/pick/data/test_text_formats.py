"""Quantities that a file has as text are refused with an example and the way to numbers; categories are not."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gdbench.cli.pick import command
from gdbench.cli.pick_options import question_of
from gdbench.pick.data.files import read_file
from kernels import InputError

from .user_files import NUMBERS, SAVERS, N, X, saved

AMOUNTS = 1000 + 137 * np.arange(N)
WRITTEN: dict[str, tuple[Callable[[int], str], str]] = {
    "comma for thousands": (lambda v: f"{v:,}", "thousands separators, such as '1,000': save them without"),
    "space for thousands": (lambda v: f"{v:,}".replace(",", " "), "thousands separators, such as '1 000'"),
    "thin space": (lambda v: f"{v:,}".replace(",", "\u202f"), "thousands separators"),
    "apostrophe": (lambda v: f"{v:,}".replace(",", "'"), 'thousands separators, such as "1\'000"'),
    "underscore": (lambda v: f"{v:_}", "thousands separators, such as '1_000'"),
    "points for thousands": (lambda v: f"1.{v % 900 + 100}.000", "thousands separators, such as '1."),
    "lakhs": (lambda v: f"12,34,{v % 900 + 100}", "thousands separators, such as '12,34,"),
    "decimal comma": (lambda v: f"{v},5", "a decimal comma, such as '1000,5': save them with a decimal point"),
    "German": (lambda v: f"{v:,}".replace(",", ".") + ",25", "a decimal comma, such as '1.000,25'"),
    "either comma": (lambda v: f"{v},{v}" if v > 2000 else f"{v:,}", "a decimal comma"),
    "currency before": (lambda v: f"${v}", "amounts of money, such as '$1000': save plain numbers"),
    "currency after": (lambda v: f"{v:,}.50 €", "amounts of money, such as '1,000.50 €'"),
    "code of a currency": (lambda v: f"EUR {v}", "amounts of money, such as 'EUR 1000'"),
    "millions": (lambda v: f"${v / 1000:g}M", "amounts of money, such as '$1M'"),
    "percent": (lambda v: f"{v / 100:.1f}%", "percentages, such as '10.0%': save plain numbers"),
    "percent with a comma": (lambda v: f"{v / 100:.1f} %".replace(".", ","), "percentages, such as '10,0 %'"),
    "account": (lambda v: f"({v})", "as in accounts, such as '(1000)': save negative numbers with a minus sign"),
    "minus behind": (lambda v: f"{v}-", "as in accounts, such as '1000-'"),
    "typeset minus": (lambda v: f"\u2212{v}", "other digits or signs, such as '\u22121000'"),
    "Arabic digits": (
        lambda v: str(v).translate({48 + d: 0x660 + d for d in range(10)}),
        "numbers with other digits",
    ),
    "quotation marks": (lambda v: f"'{v}'", "numbers in quotation marks"),
    "as for a spreadsheet": (lambda v: f'="{v}"', "numbers in quotation marks"),
    "powers of ten": (lambda v: f"{v / 1000:g}x10^3", "powers of ten, such as '1x10^3': save them as 1.1375e3"),
    "Fortran": (lambda v: f"{v / 1000:.3f}d+03", "powers of ten, such as '1.000d+03'"),
    "hexadecimal": (hex, "hexadecimal, octal or binary, such as '0x3e8'"),
    "complex": (lambda v: f"{v}+2j", "complex numbers, such as '1000+2j'"),
    "unit": (lambda v: f"{v} kg", "a unit, such as '1000 kg': save plain numbers of one unit"),
    "unit without a space": (lambda v: f"{v}km/h", "a unit, such as '1000km/h'"),
    "degrees": (lambda v: f"{v / 100:g} °C", "a unit, such as '10 °C'"),
    "feet and inches": (lambda v: f"{v % 7}'{v % 11}\"", "a unit"),
    "time of day": (lambda v: f"{v % 24}:{v % 60:02}", "clock times or durations, such as '16:40'"),
    "time of half a day": (lambda v: f"{v % 12 + 1}:{v % 60:02} PM", "clock times or durations, such as '5:40 PM'"),
    "duration": (lambda v: f"{v} days 03:00:00", "clock times or durations, such as '1000 days 03:00:00'"),
    "fraction": (lambda v: f"{v}/7", "fractions or ratios, such as '1000/7'"),
    "vulgar fraction": (lambda v: f"{v}½", "fractions or ratios, such as '1000½'"),
    "list": (lambda v: f"[{v}, 2]", "several numbers in one field, such as '[1000, 2]': save a column for each"),
    "ISO date and time": (lambda v: f"2024-05-{v % 28 + 1:02}T10:00:00Z", "dates or times, such as '2024-05-21T10"),
    "month": (lambda v: f"{v}-{v % 12 + 1:02}", "dates or times, such as '1000-05'"),
    "week": (lambda v: f"2024-W{v % 52 + 1:02}", "dates or times, such as '2024-W13'"),
    "worded date": (lambda v: f"{v % 28 + 1} May 2024", "dates or times, such as '21 May 2024'"),
    "American date": (lambda v: f"May {v % 28 + 1}, 2024", "dates or times, such as 'May 21, 2024'"),
    "letter's date": (lambda v: f"Monday, 3rd of March {v}", "dates or times, such as 'Monday, 3rd of March 1000'"),
    "French date": (lambda v: f"{v % 28 + 1} février 2024", "dates or times, such as '21 février 2024'"),
    "invisible space": (lambda v: f"\u200b{v}.40", r"other digits or signs, such as '\u200b1000.40'"),
    "byte order mark": (lambda v: f"{v / 7:.2f}\ufeff", r"other digits or signs, such as '142.86\ufeff'"),
    "mark of direction": (lambda v: f"\u200e{v}", r"other digits or signs, such as '\u200e1000'"),
    "another currency": (lambda v: f"AED {v}", "amounts of money, such as 'AED 1000'"),
    "typeset powers": (lambda v: f"{v / 1000:g} \u00d7 10⁻³", "powers of ten, such as '1 \u00d7 10⁻³'"),
    "quarter": (lambda v: f"Q{v % 4 + 1} {2000 + v % 20}", "dates or times, such as 'Q1 2000'"),
    "year and quarter": (lambda v: f"{2000 + v % 20} Q{v % 4 + 1}", "dates or times, such as '2000 Q1'"),
    "Chinese date": (lambda v: f"2020年5月{v % 28 + 1}日", "dates or times, such as '2020年5月21日'"),
    "ISO duration": (lambda v: f"PT{v}H9M", "clock times or durations, such as 'PT1000H9M'"),
    "ISO days": (lambda v: f"P{v}D", "clock times or durations, such as 'P1000D'"),
    "hours and minutes": (lambda v: f"{v % 24}h {v % 60}m", "a unit, such as '16h 40m'"),
    "coordinate": (lambda v: f"{v % 90}°{v % 60}'{'NS'[v % 2]}", 'coordinates, such as "10°40\'N"'),
    "thousands and millions": (lambda v: f"{v / 1000:g}{('k', 'M', '')[v % 3]}", "a unit, such as '1M'"),
    "duration of Python": (
        lambda v: f"{v % 9 + 2} days, {v % 24}:00:00",
        "clock times or durations, such as '3 days, ",
    ),
    "hours or minutes": (lambda v: (f"{v % 24}h", f"{v % 24}h {v % 60}m", f"{v % 60}m")[v % 3], "a unit"),
    "Celsius or Fahrenheit": (lambda v: f"{v % 90}{'CF'[v % 2]}", "a unit, such as '10C'"),
    "bytes of any size": (lambda v: f"{v % 900} {('B', 'kB', 'MB', 'GB', 'TB')[v % 5]}", "a unit, such as '"),
    "bytes without a space": (lambda v: f"{v % 900}{('B', 'KB', 'MB', 'GB', 'TB')[v % 5]}", "a unit, such as '"),
    "time past": (
        lambda v: f"{v % 9} {('seconds', 'minutes', 'hours', 'days', 'weeks', 'months')[v % 6]} ago",
        "a unit, such as '1 weeks ago'",
    ),
    "spelled magnitudes": (
        lambda v: f"{v} {('thousand', 'million', 'billion', 'trillion')[v % 4]}",
        "a unit, such as '1000 thousand'",
    ),
    "lakhs and crores": (lambda v: f"₹{v / 100:g} {('Cr', 'Lac')[v % 2]}", "amounts of money, such as '₹10 Cr'"),
    "spelled money": (lambda v: f"${v / 7:.1f} million", "amounts of money, such as '$142.9 million'"),
    "euros and cents": (lambda v: f"{v}€50", "amounts of money, such as '1000€50'"),
    "range of money": (lambda v: f"${v}-${v + 10}", "ranges of amounts, such as '$1000-$1010'"),
    "range of thousands": (lambda v: f"{v}k-{v + 10}k", "ranges of amounts, such as '1000k-1010k'"),
    "short German date": (lambda v: f"{v % 28 + 1}.{v % 12 + 1}.20", "dates or times, such as '21.5.20'"),
    "German month": (
        lambda v: f"{('Januar', 'März', 'Mai')[v % 3]} {2000 + v % 20}",
        "dates or times, such as 'März 200",
    ),
    "Japanese era": (lambda v: f"令和{v % 7 + 1}年", "dates or times, such as '令和7年'"),
    "hexadecimal without a prefix": (lambda v: f"{v % 1000:x}", "numbers in hexadecimal, such as '"),
    "some with an asterisk": (lambda v: f"{v}{('*', '')[v % 2]}", "numbers within text, such as '"),
    "footnotes": (lambda v: f"{v}{'ab*'[v % 3]}", "numbers within text, such as '"),
    **{
        f"within text: {form}": (
            lambda v, form=form: form.format(v=v, f=v / 7, a=v % 24, b=v % 60),
            "numbers within text, such as ",
        )
        for form in (
            "${v}+",
            "${v} per night",
            "${v}/month",
            "£{v} pcm",
            "NT${v}",
            "{v}元",
            "{f:.1f}万",
            "Rs {v}/-",
            "%{f:.2f}",
            "~{v}",
            ">{v}",
            "<{f:.1f}",
            "{v}+",
            "{v}*",
            "{f:.1f} ± 0.3",
            "{f:.2f}[1]",
            "{a}h{b:02}",
            "{a}:{b:02}h",
            "{a}:{b:02} Uhr",
            "{v} sq ft",
            "{v} m^2",
            "{v} kWh/100km",
            "{v}L",
            "tensor({f:.1f})",
            "tensor({v})",
            "np.float64({f:.1f})",
            "[{f:.1f}]",
            "'{v}",
            "about {v}",
            "price {f:.2f}",
            "{v} (est.)",
        )
    },
}
"""How a quantity may be written, and what is said of it."""
NAMES = {
    "types": ("Type 1", "Type 2", "Type 3"),
    "ages": ("0-17", "18-64", "65+"),
    "drives": ("4wd", "2wd"),
    "flats": ("12A", "7B", "7C", "9D", "12E"),
    "incomes": ("<=50K", ">50K"),
    "classes": ("I", "II", "III", "IV"),
    "sizes": ("S", "M", "L", "XL"),
    "versions": ("1.0.1", "1.2.0", "v2"),
    "months": ("May", "June", "March"),
    "days": ("Mon", "Tue", "Sunday"),
    "words": ("one", "two", "four"),
    "answers": ("2 of 3", "3 of 3", "none"),
    "models": ("320i", "328i", "330i"),
    "versions alike": ("1.2.30", "1.2.31", "1.3.10"),
    "seasons": ("2019-20", "2020-21", "2021-22"),
    "seasons with a stroke": ("2009/10", "2010/11", "2019/20"),
    "seasons that look like months": ("2009-10", "2010-11", "2011-12"),
    "ordinals": ("1st", "2nd", "3rd", "10th"),
    "clothes": ("2XL", "3XL", "4XL"),
    "driven wheels": ("2wd", "4wd", "6wd"),
    "decades": ("1980s", "1990s", "2000s"),
    "arms of chromosomes": ("2p", "3q", "5p", "7q"),
    "orbitals": ("3d", "4s", "4d", "5d"),
    "invisible": ("low\u200b", "high\u200b", "middle"),
    "letters and numbers": ("A1", "B2", "C3", "D4"),
    "rooms": ("room 12", "room 14", "room 7"),
    "postal codes": ("1012 AB", "1017 GB", "1071 MB", "3511 CD", "9712 KZ", "5611 TV"),
    "ages alone": ("18-24", "25-34", "35-44"),
    "ages and beyond": ("<18", "18-24", "25-34", "65+"),
    "ratings by age": ("4+", "9+", "12+", "17+"),
    "planets": ("Venus 7", "Luna 9", "Mars 2"),
    "a mark among words": ("Private", "?", "State"),
    "words beside few numbers": ("low", "middle", "high", "1", "2"),
    "words of ours": ("doors-2", "doors-3", "doors-4"),
    "many seasons": tuple(f"{year}/{(year + 1) % 100:02}" for year in range(1993, 2018)),
    **{
        f"many of {form}": tuple(form.format(v=v, w=v + 4) for v in range(10, 34))
        for form in (
            "Type {v}",
            "no. {v}",
            "doors-{v}",
            "A{v}",
            "#{v}",
            "{v}-{w}",
            "[{v}-{w})",
            "{v} to {w}",
            "{v}th",
            "19{v}s",
            "E{v}-B{w}",
            "Boeing 7{v}-{w}",
        )
    },
    "many versions": tuple(f"{v}.{w}.{w}" for v in range(3) for w in range(8)),
    "many tags": tuple(f"v{v}.{w}" for v in range(3) for w in range(8)),
    "many addresses": tuple(f"192.168.1.{v}" for v in range(24)),
    "many bus lines": tuple(f"{v}{letter}" for v in range(1, 13) for letter in "ab"),
    "many lower codes": tuple(f"{a}{b}" for a in "abcdef" for b in range(10, 14)),
    "many flats": tuple(f"{v}{letter}" for v in range(1, 7) for letter in "ABCD"),
}
"""Categories in which there are numbers or words of dates."""


@pytest.mark.parametrize("form", WRITTEN)
def test_quantities_as_text_are_refused_wherever_they_stand(tmp_path: Path, form: str) -> None:
    write, words = WRITTEN[form]
    frame = NUMBERS.assign(price=[write(int(value)) for value in AMOUNTS])
    for ending, target, kind in product(SAVERS, ("price", "size"), (None, "regression")):
        path = saved(tmp_path, ending, frame)
        with pytest.raises(InputError) as caught:
            read_file(path, target=[target], kind=kind)
        assert str(caught.value).startswith(f"the column price of {path.name} holds ")
        assert words in str(caught.value)


@pytest.mark.parametrize("repeated", [1, 4])
def test_numbers_as_text_are_refused_or_read(tmp_path: Path, repeated: int) -> None:
    """In text all is text, so that marks around a number say nothing; a typed file says that they are no numbers."""
    texts = [str(value) for value in np.resize(AMOUNTS[::repeated], N)]
    (tmp_path / "a.csv").write_text("size,price\n" + "".join(f'"{i}","{text}"\n' for i, text in enumerate(texts)))
    data = read_file(tmp_path / "a.csv", target=["price"], standardise=False)
    np.testing.assert_array_equal(data.Y[:, 0], pd.to_numeric(pd.Series(texts)))
    with pytest.raises(InputError, match=r"numbers as text, such as '1000': turn them into numbers by astype\(float\)"):
        read_file(saved(tmp_path, ".parquet", NUMBERS.assign(price=texts)), target=["size"])
    np.savez(tmp_path / "a.npz", X=X, y=np.array(texts))
    with pytest.raises(InputError, match=r"the column y of .* holds numbers as text"):
        read_file(tmp_path / "a.npz")


def test_a_few_other_texts_do_not_hide_quantities(tmp_path: Path) -> None:
    prices = [f"{value:,}" for value in AMOUNTS[:-2]]
    path = saved(tmp_path, ".csv", NUMBERS.assign(price=[*prices, "on request", "on request"]))
    with pytest.raises(InputError, match="thousands separators but for 2 of 60 rows, the first with 'on request'"):
        read_file(path, target=["size"])
    with pytest.raises(InputError, match="thousands separators but for 2 of 60 rows, the first with 'on request'"):
        read_file(path, target=["price"], kind="classification")


@pytest.mark.parametrize(
    "values",
    [("~100", "~200", "~300", "~400"), (">100", ">200", ">300"), ('{"v": 3}', '{"v": 4}', '{"v": 7}')],
)
def test_a_few_numbers_within_text_are_quantities(tmp_path: Path, values: tuple[str, ...]) -> None:
    path = saved(tmp_path, ".parquet", NUMBERS.assign(doors=np.resize(values, N)))
    with pytest.raises(InputError, match=r"the column doors of .* holds numbers within text, such as"):
        read_file(path, target=["price"])


@pytest.mark.parametrize("write", [str, "{:.1f}".format, "{:,}".format, "{} kg".format])
@pytest.mark.parametrize("word", ["?", "unknown", "<0.1", "Varies with device"])
def test_one_text_in_most_rows_does_not_hide_quantities(tmp_path: Path, word: str, write: Callable[[int], str]) -> None:
    """What counts is how many different values there are, since any of the quantities would be a category."""
    values = [word if i % 3 else write(int(value)) for i, value in enumerate(AMOUNTS)]
    path = saved(tmp_path, ".csv", NUMBERS.assign(mass=values))
    with pytest.raises(InputError, match=r"the column mass of .* holds numbers"):
        read_file(path, target=["price"])


def test_a_mark_for_missing_values_is_no_category_beside_a_few_numbers(tmp_path: Path) -> None:
    path = saved(tmp_path, ".csv", NUMBERS.assign(doors=np.resize(["?", "?", "?", "2", "4"], N)))
    with pytest.raises(InputError, match=r"holds numbers but for 36 of 60 rows, the first with '\?'"):
        read_file(path, target=["price"])


@pytest.mark.parametrize("ending", SAVERS)
@pytest.mark.parametrize("name", NAMES)
def test_categories_with_numbers_in_them_are_categories(tmp_path: Path, ending: str, name: str) -> None:
    column = pd.Series(np.resize(NAMES[name], N))
    data = read_file(saved(tmp_path, ending, NUMBERS.assign(kind=column)), target=["price"], standardise=False)
    np.testing.assert_array_equal(data.X[:, 2:], pd.get_dummies(column, dtype=float))


@pytest.mark.parametrize("labels", [("1", "3", "5"), ("1 star", "2 stars", "5 stars"), ("1/2", "1/4", "3/4")])
def test_labels_are_labels_where_classes_are_asked_for(tmp_path: Path, labels: tuple[str, ...]) -> None:
    column = pd.Series(np.resize(labels, N))
    path = saved(tmp_path, ".parquet", NUMBERS.assign(label=column))
    data = read_file(path, target=["label"], kind="classification")
    np.testing.assert_array_equal(data.Y, pd.get_dummies(column, dtype=float))
    with pytest.raises(InputError, match="the column label of"):
        read_file(path, target=["label"])
    categorical = saved(tmp_path, ".parquet", NUMBERS.assign(label=column.astype("category")))
    np.testing.assert_array_equal(read_file(categorical, target=["label"]).Y, data.Y)


@pytest.mark.parametrize("network", [("linear",), ("mlp", "--output-activation", "identity")])
@pytest.mark.parametrize("ending", SAVERS)
def test_a_network_for_numbers_takes_no_text_for_its_target(tmp_path: Path, ending: str, network: list[str]) -> None:
    words = np.resize(["low", "middle", "high"], N)
    path = saved(tmp_path, ending, NUMBERS.assign(price=words))
    arguments = [str(path), "--target", "price", "--network"]
    with pytest.raises(InputError, match=r"a regression needs numbers, but the target price .* such as 'low': name an"):
        question_of(command.make_context("pick", [*arguments, *network]).params)
    assert question_of(command.make_context("pick", [*arguments, "softmax"]).params).network.sizes == (2, 3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            ("2", "3", "4", "5more"),
            "a unit, such as '5more': save plain numbers of one unit",
        ),
        (
            ("20", "60", "70", "RL"),
            "numbers but for 15 of 60 rows, the first with 'RL': correct these rows or drop them",
        ),
        (
            ("1 year", "2 years", "9 years", "10+ years"),
            "a unit but for 15 of 60 rows, the first with '10+ years': correct",
        ),
        (("1 star", "2 stars", "5 stars"), "a unit, such as '1 star': save plain numbers of one unit"),
    ],
)
def test_who_has_categories_is_told_how_to_write_them(tmp_path: Path, values: tuple[str, ...], words: str) -> None:
    frame = NUMBERS.assign(doors=np.resize(values, N))
    with pytest.raises(InputError) as caught:
        read_file(saved(tmp_path, ".csv", frame), target=["price"])
    assert words in str(caught.value)
    assert str(caught.value).endswith(" or, if they are categories, write them as words (such as doors-2)")


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (("2020-01", "2020-02"), None, "dates or times, such as '2020-01': turn it into numbers"),
        (("Mar 1", "Apr 1"), None, "dates or times, such as 'Mar 1': turn it into numbers"),
        (("$5", "$10", "$20"), "classification", "amounts of money, such as '$5': save plain numbers"),
        (("1 star", "2 stars", "3 stars"), None, "a unit, such as '1 star': save plain numbers"),
        (("1", "2", "3", "5more"), None, "a unit, such as '5more': save plain numbers"),
    ],
)
def test_a_target_is_never_to_be_dropped(tmp_path: Path, values: tuple[str, ...], kind: str | None, words: str) -> None:
    """Classification lets through only what may be a label: not what is a date or an amount beyond doubt."""
    path = saved(tmp_path, ".csv", NUMBERS.assign(label=np.resize(values, N)))
    with pytest.raises(InputError) as caught:
        read_file(path, target=["label"], kind=kind)
    assert words in str(caught.value)
    assert "drop it" not in str(caught.value)
    assert "if they are classes, write them as words (such as doors-2)" in str(caught.value)
    assert ("--kind classification" in str(caught.value)) == (values[0] in ("1 star", "1"))


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    rows = [str(value) for value in AMOUNTS[:-1]]
    with pytest.raises(InputError) as caught:
        read_file(saved(tmp_path, ".csv", NUMBERS.assign(price=[*rows, "word " * 1000])), target=["size"])
    assert len(str(caught.value)) < 300
