"""Quantities that a table has as text: in which format they are written, and how they become numbers.

One-hot encoded, each price or date would be a category of its own: an answer, but to another question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace

MAX_LOOKED_AT = 10_000
"""Different values that a format is sought among; a column with more of them is no column of categories anyway."""
MAX_LENGTH = 100
"""Characters beyond which a value is not looked at: matching takes their square."""
MAX_SHOWN = 40
"""Characters of a value in a message."""
MISSING = {"", "?", "-", "--", ".", "*", "na", "n/a", "nan", "null", "none", "unknown", "missing"}
"""Words for values that are missing, in lower case; they tell nothing of the others."""


@dataclass(frozen=True)
class Format:
    """A way to write a quantity that is no number to a computer."""

    words: str
    pattern: re.Pattern[str]
    """Matches the whole value, with spaces and minus signs as ``normalised`` returns them."""
    remedy: str
    doubtful: bool = False
    """Whether labels of categories may look the same; for a target that is asked for as classes, they are labels."""


SIGN = r"[-+]?"
PLAIN = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
GROUPED = "(?:" + "|".join(rf"\d{{1,3}}(?:{mark}\d{{3}})+" for mark in (" ", ",", "['\u2019]", r"\.", "_"))
GROUPED += r"|\d{1,2}(?:,\d{2})+,\d{3})(?:[.,]\d+)?"  # the last one as in India
COMMA = r"\d*,\d+(?:[eE][-+]?\d+)?"
ANY = f"(?:{GROUPED}|{COMMA}|{PLAIN})"
CURRENCY = (
    r"(?:(?:US|A|C|NZ|HK|R)?\$|[€£¥₹₽₩₺฿₫₪₴₦₱₡¢]|Rs\.?|kr\.?|zł|Kč|Ft|Fr\.?|"
    r"(?:USD|EUR|GBP|JPY|CNY|RMB|INR|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|BRL|MXN|ZAR|KRW|TRY|SGD|HKD|AED|SAR"
    r"|QAR|KWD|EGP|ILS|THB|IDR|MYR|PHP|VND|TWD|PKR|BDT|LKR|NGN|KES|GHS|MAD|ARS|CLP|COP|PEN|UAH|RON|BGN|ISK))"
)
MAGNITUDE = r"(?:[kKmMbB]|[mb]n|[mM]io\.?|(?i:cr(?:ores?)?|la(?:c|kh)s?|thousand|million|billion|trillion)\b\.?)"
NO_UNITS = r"(?!(?:st|nd|rd|th|[2-9]?X*[SL]|wd)\b)"
"""Letters behind a number that make it a name: ordinals, sizes of clothes, driven wheels."""
LONG_UNIT = NO_UNITS + r"(?:[^\W\d_]{2,}[²³23]?\.?|[°'\"\u2032\u2033][CF]?|[^\W\d_]+/[^\W\d_]+[²³23]?)"
UNIT = rf"(?:{LONG_UNIT}|[a-zKMGCFVWΩµ][²³23]?)"
"""One letter right behind a number is a unit only in company, as in 2h 15m: 3d and 320i are names."""
UNITS = re.compile(rf"(?<=[\d\s.,])({UNIT})")
MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|january|february|march|april|june|july|august|september"
MONTH += "|october|november|december"
MONTH += "|januar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|mars|avril|juin|juillet|août|septembre"
MONTH += "|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre"
MONTH += "|diciembre|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro|gennaio|febbraio"
MONTH += "|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|januari|februari|maart|mei|augustus"
DAY = "mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
CLOCK = r"\d{1,3}:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?: ?[ap]\.?m\.?)?"
ZONE = r"(?: ?(?:z|utc|gmt|[a-z]{3,4}|[-+]\d\d:?\d\d))?"
ISO_DURATION = r"-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:[.,]\d+)?S)?)?"
BETWEEN = r"[\s.,/-]*"
WORDED = (
    rf"(?:(?:{DAY})\b{BETWEEN})?(?:"
    rf"(?:(?:the )?\d{{1,2}}(?:st|nd|rd|th)?{BETWEEN}(?:of )?)?(?:{MONTH})\b{BETWEEN}\d{{1,4}}(?:st|nd|rd|th)?"
    rf"(?:{BETWEEN}(?:'?\d\d|\d{{4}}))?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?{BETWEEN}(?:of )?(?:{MONTH})|\d{{4}}{BETWEEN}(?:{MONTH})\b(?:{BETWEEN}\d{{1,2}})?"
    rf"|\d{{1,2}}\.? (?:de )?[^\W\d_]+\.? (?:de )?(?:19|20)\d\d)"  # in other languages: a day, a word, a year
    rf"(?:[\s,T]+(?:at )?{CLOCK}{ZONE}(?: \d{{4}})?)?"
)
NUMERIC_DATE = (
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{4}-(?:0?[1-9]|1[0-2])|(?:19|20)\d\d/(?:0[1-9]|1[0-2])"
    r"|\d{1,2}([-/.])\d{1,2}\2\d{4}|\d{1,2}([-/])\d{1,2}\3\d\d|\d\d\.\d\d\.\d\d"  # 1.2.30 is a version
    r"|\d{4}-?W\d\d(?:-?\d)?|(?:19|20)\d\d[-/ ]?Q[1-4]|Q[1-4][-/ ]?(?:19|20)\d\d"
    r"|(?:明治|大正|昭和|平成|令和) ?(?:\d{1,2}|元) ?年(?: ?\d{1,2} ?月(?: ?\d{1,2} ?日)?)?"
    r"|\d{4} ?[年년] ?\d{1,2} ?[月월](?: ?\d{1,2} ?[日일])?"
    rf"|\d{{8}}T\d{{4,6}}Z?)(?:[ T]+{CLOCK}{ZONE})?"
)
AS_NUMBERS = "save plain numbers, such as 1137.5"


def _format(words: str, pattern: str, remedy: str, *, doubtful: bool = False, flags: int = 0) -> Format:
    return Format(words, re.compile(pattern, flags), remedy, doubtful)


NUMERALS = _format(
    "numbers as text",
    rf"{SIGN}(?:{PLAIN}|inf|infinity)",
    "turn them into numbers by astype(float)",
    doubtful=True,
    flags=re.ASCII | re.IGNORECASE,
)
DATES = _format(
    "dates or times",
    f"(?:{NUMERIC_DATE}|{WORDED})",
    "turn it into numbers, such as days since the first one",
    flags=re.IGNORECASE,
)
DECIMAL_COMMA = _format(
    "numbers with a decimal comma",
    rf"{SIGN}(?:\d*,(?:\d{{1,2}}|\d{{4,}})|\d{{1,3}}(?:[. '\u2019]\d{{3}})+,\d+|0,\d+)(?:[eE][-+]?\d+)?",
    "save them with a decimal point, as by read_csv(..., decimal=',') and to_csv in pandas",
)
WITH_UNIT = _format(
    "numbers with a unit",
    rf"{SIGN}(?:{ANY} ?{LONG_UNIT}|{ANY} {UNIT}|{ANY} ?{UNIT}(?:[, ]*{ANY} ?{UNIT})+)(?: ago)?",
    "save plain numbers of one unit, and the unit in the column's name",
    doubtful=True,
)
WITHIN_TEXT = _format(
    "numbers within text",
    rf"(?:[~≈<>≤≥]=?|(?:ca|approx)\.?|circa|approximately|about) ?{SIGN}{ANY}|{SIGN}{ANY} ?[*†‡§]+"
    rf"|\{{ ?(['\"])[^'\":{{}}]*\1 ?: ?{SIGN}{ANY} ?\}}",
    AS_NUMBERS + ", without the text",
    doubtful=True,
    flags=re.IGNORECASE,
)
"""Others that no pattern foresees are found by comparing values."""
FORMATS = (
    DATES,
    _format(
        "percentages",
        rf"{SIGN}{ANY} ?(?:%|‰|percent|per ?cent|pct\.?)",
        "save plain numbers, as by str.rstrip(' %') and astype(float)",
    ),
    DECIMAL_COMMA,
    _format(
        "numbers with thousands separators",
        SIGN + GROUPED,
        "save them without, as by read_csv(..., thousands=',') and to_csv in pandas",
    ),
    _format(
        "amounts of money",
        rf"\(?{SIGN}(?:{CURRENCY} ?{SIGN}{ANY} ?{MAGNITUDE}?|{ANY} ?{MAGNITUDE}? ?{CURRENCY}|{ANY}\.-"
        r"|\d+[$€£¥]\d\d)\)?",
        AS_NUMBERS + ", without the currency",
    ),
    _format(
        "ranges of amounts",
        rf"{CURRENCY} ?{ANY} ?{MAGNITUDE}? ?(?:-|to) ?{CURRENCY}? ?{ANY} ?{MAGNITUDE}?"
        rf"|{ANY} ?{MAGNITUDE} ?(?:-|to) ?{ANY} ?{MAGNITUDE}"
        rf"|{ANY} ?{MAGNITUDE}? ?(?:-|to) ?{ANY} ?{MAGNITUDE}? ?{CURRENCY}",
        "save a column for each end, or their middle",
        doubtful=True,
    ),
    _format(
        "numbers as in accounts",
        rf"\({ANY}\)|{ANY} ?(?:-|CR|DR)",
        "save negative numbers with a minus sign in front, such as -1137",
    ),
    _format("numbers with other digits or signs", SIGN + ANY, AS_NUMBERS),
    _format(
        "numbers in quotation marks",
        rf"=?(['\"`\u2018\u2019\u201c\u201d]+){SIGN}{ANY}['\"`\u2018\u2019\u201c\u201d]+",
        AS_NUMBERS,
    ),
    _format(
        "numbers with powers of ten",
        rf"{SIGN}{ANY}? ?(?:[x*\u00d7\u00b7\u22c5] ?)?10(?: ?(?:\^|\*\*) ?[({{]?[-+]?\d+[)}}]?|[⁺⁻]?[⁰¹²³⁴-⁹]+)"
        rf"|{SIGN}{ANY}[dD][-+]?\d+",
        "save them as 1.1375e3",
    ),
    _format("numbers in hexadecimal, octal or binary", SIGN + r"0(?:[xX][\dA-Fa-f]+|[oO][0-7]+|[bB][01]+)", AS_NUMBERS),
    _format(
        "complex numbers",
        rf"\(?{SIGN}{PLAIN}(?:[-+]{PLAIN}[ij]|j)\)?",
        "save real and imaginary part as columns of their own",
    ),
    _format(
        "clock times or durations",
        rf"-?{CLOCK}|\d{{1,2}} ?[ap]\.?m\.?|-?\d+ days?(?:,? [-+]?{CLOCK})?|{ISO_DURATION}",
        "turn them into numbers, such as seconds, by to_timedelta in pandas",
        doubtful=True,
        flags=re.IGNORECASE,
    ),
    _format(
        "fractions or ratios", rf"{SIGN}(?:\d+ )?(?:{PLAIN} ?[/:] ?{PLAIN}|\d*[½⅓⅔¼¾⅛⅜⅝⅞])", AS_NUMBERS, doubtful=True
    ),
    _format(
        "coordinates",
        rf"[NSEWO]? ?{SIGN}{ANY} ?°(?: ?\d+ ?['\u2019\u2032](?: ?{ANY} ?(?:[\"\u201d\u2033]|''))?)? ?[NSEWO]?",
        "save them in degrees, negative in the south and the west",
        doubtful=True,
    ),
    WITH_UNIT,
    WITHIN_TEXT,
    _format(
        "several numbers in one field",
        rf"[\[({{]?{SIGN}{PLAIN}(?:[,;|\s]+{SIGN}{PLAIN})+[,\s]*[\])}}]?",
        "save a column for each",
        doubtful=True,
    ),
)
DOTTED_DATES = replace(DATES, doubtful=True)
"""Dates such as 1.12.20, which a version may look like."""
WITHOUT_PREFIX = _format("numbers in hexadecimal", r"[\da-f]{1,4}", AS_NUMBERS, doubtful=True, flags=re.IGNORECASE)
SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", "\uff0b": "+"})


def shown(value: object) -> str:
    """Return a value for a message: on one line, in quotation marks, long ones cut."""
    text = " ".join(str(value).split())
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")


def normalised(value: str) -> str:
    """Return a value with plain spaces and minus signs, and none of either around it."""
    visible = value if value.isascii() else "".join(mark for mark in value if unicodedata.category(mark) != "Cf")
    return " ".join(visible.translate(SIGNS).split())


def format_of(value: str) -> Format | None:
    """Return the format of one value, or None if it is no quantity."""
    if len(value) > MAX_LENGTH:
        return None
    if NUMERALS.pattern.fullmatch(value.strip()):
        return NUMERALS
    plain = normalised(value)
    return next((entry for entry in FORMATS if entry.pattern.fullmatch(plain)), None)


def most_telling(found: Mapping[str, Format]) -> tuple[str, Format]:
    """Return a value that tells how a column is written: a decimal comma first, last of all a plain number."""
    order = {DECIMAL_COMMA: 0, NUMERALS: 2}  # a comma before three digits may be either, one before two is decimal
    return min(found.items(), key=lambda pair: order.get(pair[1], 1))
