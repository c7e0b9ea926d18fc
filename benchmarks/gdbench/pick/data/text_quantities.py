"""Which values of a column of text are quantities: what one value does not tell, a comparison of them all does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from gdbench.pick.data.text_formats import (
    ANY,
    DOTTED_DATES,
    MAX_LENGTH,
    NUMERALS,
    SIGN,
    UNITS,
    WITH_UNIT,
    WITHIN_TEXT,
    WITHOUT_PREFIX,
    Format,
    format_of,
    normalised,
)

MIN_VALUES = 3
"""Different values from which a doubtful format is believed: of two categories, one-hot says what a number would."""
MAX_UNITS = 3
"""Different units in a column of quantities; where more are not known, the letters are part of a code, such as 12AB."""
KNOWN_UNITS = re.compile(
    r"[kmgtp]?i?b|bytes?|[nuµm]?s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?|d|days?|wks?|w|weeks?|mos?|months?|yrs?|y"
    r"|years?|ago|hundred|thousand|million|billion|trillion|[kmµ]?g|lbs?|oz|[ckmµn]?m|ft|yd|mi|miles?|[cdm]?l|[km]?v"
    r"|[km]?w|[kmg]?hz",
    re.IGNORECASE,
)
SCALES = (
    ({"k", "K", "M", "B", "G", "T", "bn", "mn"}, ({"k"}, {"K"}, {"M"})),
    (
        {"B", "b", "kB", "KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "K", "M", "G", "T"},
        ({"B", "KB"}, {"B", "kB"}, {"B", "MB"}, {"K", "M"}),
    ),
    ({"d", "h", "m", "s", "w", "y", "min", "mins", "sec", "secs", "hr", "hrs", "ms", "us", "ns"}, ({"h", "m"},)),
    ({"C", "F"}, ({"C", "F"},)),
)
"""Units of one letter: those that may be in one column, and which of them make it believable."""
LETTERED = re.compile(rf"{SIGN}{ANY} ?([^\W\d_]{{1,4}})")
MIN_ALIKE, ALIKE = 11, 0.9
"""Different values, and their part of all, that are the same but for their numbers, from which these are quantities."""
FOOTNOTE = re.compile(rf"({SIGN}{ANY}) ?[a-rt-z*†‡§]?")
"""No s, as decades have."""
DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.\d\d", re.ASCII)
MIN_LETTERS = 4
"""Letters at the ends of hexadecimal numbers; fewer may be parts of codes."""
NUMBER = re.compile(rf"(?:(?<![\w)\]])[-+])?{ANY}")
SPAN = re.compile(
    r"(?:v(?:er(?:sion|\.)?)?\.? ?)?0(?:(?: ?(?:[-:._/]|to) ?)?0)*"
    r"|[(\[]0(?: ?(?:[-:.]|to) ?0)+[)\]]|0(?:st|nd|rd|th|s)\b.*|[#№] ?0"
)
"""Templates of names, a 0 for each number: ranges, parts of codes without letters, ordinals, decades."""
CODE = re.compile(r"[^\W\d_](?:[\w\s.,:/&#@-]*\w)?")
"""Templates that begin with a letter, as of ``doors-2``: names, where their numbers are whole and no bounds."""
BOUND = re.compile(
    r"(?:about|approx\.?|approximately|ca\.?|circa|around|over|under|from|up to|(?:more|less) than|at (?:least|most)) ",
    re.IGNORECASE,
)
SEASON = re.compile(r"(\d{4})[-/](\d\d)", re.ASCII)


def formats_of(values: Iterable[str]) -> dict[str, Format]:
    """Return the format of each different value that is a quantity, as far as a column of them can be believed.

    Parameters
    ----------
    values : iterable of str
        Different values of a column.
    """
    values = [value for value in values if len(value) <= MAX_LENGTH]
    if values and all(map(_is_season, values)):
        return {}
    found = {value: entry for value in values if (entry := format_of(value)) is not None}
    found |= dict.fromkeys(_on_a_scale(values, found), WITH_UNIT)
    found |= {value: WITHIN_TEXT for value in [*_alike(values), *_with_footnotes(values)] if value not in found}
    if _are_dotted_dates(values):
        return dict.fromkeys(values, DOTTED_DATES)
    if _are_hexadecimal(values):
        return dict.fromkeys(values, WITHOUT_PREFIX)
    found = _without_codes(found)
    if len(found) < MIN_VALUES:
        found = {value: entry for value, entry in found.items() if not entry.doubtful or entry is NUMERALS}
    return found


def _without_codes(found: Mapping[str, Format]) -> dict[str, Format]:
    """Leave out numbers with letters behind them where these are too many to be units."""
    units = {value: UNITS.findall(value) for value, entry in found.items() if entry is WITH_UNIT}
    if len(Counter(unit for there in units.values() for unit in there)) <= MAX_UNITS:
        return dict(found)
    codes = {value for value, there in units.items() if not all(map(KNOWN_UNITS.fullmatch, there))}
    return {value: entry for value, entry in found.items() if value not in codes}


def _on_a_scale(values: Sequence[str], found: Mapping[str, Format]) -> list[str]:
    """Return the numbers with one letter behind them, if those of the column are units of one scale."""
    lettered = {value: match[1] for value in values if (match := LETTERED.fullmatch(normalised(value)))}
    units = set(lettered.values())
    units |= {unit for value, entry in found.items() if entry is WITH_UNIT for unit in UNITS.findall(value)}
    believed = any(units <= scale and any(least <= units for least in needed) for scale, needed in SCALES)
    return [value for value in lettered if value not in found] if believed else []


def _with_footnotes(values: Sequence[str]) -> list[str]:
    """Return numbers with a letter or a sign behind them, if no number has two: flats have 12a and 12b."""
    numbers = {value: match[1] for value in values if (match := FOOTNOTE.fullmatch(normalised(value)))}
    are_many = len(numbers) >= max(MIN_ALIKE, ALIKE * len(values))
    letters = {value[-1] for value in numbers if not value[-1].isdigit()}
    is_once = len(set(numbers.values())) == len(numbers)
    return list(numbers) if are_many and is_once and 0 < len(letters) <= MAX_UNITS else []


def _are_dotted_dates(values: Sequence[str]) -> bool:
    """Whether all are such as 1.12.20, with days beyond 12 and no month beyond; in versions either is chance."""
    parts = [(int(match[1]), int(match[2])) for value in values if (match := DOTTED.fullmatch(value.strip()))]
    if len(parts) < max(MIN_ALIKE, len(values)):
        return False
    days, months = sorted(zip(*parts, strict=True), key=max, reverse=True)
    return bool(12 < max(days) <= 31 and max(months) <= 12 and min(*days, *months) > 0)


def _are_hexadecimal(values: Sequence[str]) -> bool:
    """Whether all are short hexadecimal numbers without a prefix, which end with digits as well as letters."""
    ends = [value[-1].lower() for value in values if WITHOUT_PREFIX.pattern.fullmatch(value)]
    all_text = "".join(values)
    if len(ends) < max(MIN_ALIKE, len(values)) or all_text not in (all_text.lower(), all_text.upper()):
        return False
    return len({end for end in ends if end.isalpha()}) >= MIN_LETTERS and any(end.isdigit() for end in ends)


def _is_season(value: str) -> bool:
    """Whether a value is a year and the next one, such as 2019-20; a column of them has names, not months."""
    found = SEASON.fullmatch(value.strip())
    return found is not None and (int(found[1]) + 1) % 100 == int(found[2])


def _alike(values: Sequence[str]) -> list[str]:
    """Return the values that are the same but for their numbers, if nearly all are and it is not how names look."""
    templates: dict[str, list[str]] = {}
    for value in values:
        templates.setdefault(NUMBER.sub("0", normalised(value)), []).append(value)
    template, alike = max(templates.items(), key=lambda item: len(item[1]), default=("", []))
    if len(alike) < MIN_ALIKE or len(alike) < ALIKE * len(values) or "0" not in template or SPAN.fullmatch(template):
        return []
    numbers = (number for value in alike for number in NUMBER.findall(normalised(value)))
    are_whole = all(number.lstrip("+-").rstrip(".").isdecimal() for number in numbers)
    return [] if CODE.fullmatch(template) and are_whole and not BOUND.match(template) else alike
