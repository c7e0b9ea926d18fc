"""What every page is made with: templates, the drawing library in the page itself, tables and environments as data."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from gdbench.basics.records import plain
from gdbench.machine.environment import UNKNOWN, Environment

TEMPLATES = Path(__file__).parent / "templates"
DIGITS = 4
"""Significant digits of the numbers in a page, which shows three; its tables on disk have more."""


def templates() -> jinja2.Environment:
    """Return the environment of all pages' templates: it escapes, and refuses names that are not given."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # ASCII would only make it longer; keys stay in the order of the tables; NaN is not JSON.
    made.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
    return made


def environment_lines(environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield the environment as lines of a table; each of several libraries has a line of its own."""
    for name, value in plain(environment).items():
        several = value if isinstance(value, list) else [value]
        for entry in several or [None]:
            yield name.replace("_", " "), _describe(entry)


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_word(key)} {_describe(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return UNKNOWN if value in (None, "") else str(value)


def _word(key: str) -> str:
    """Write a key as words, unless it is the name of a variable."""
    return key if key.isupper() else key.replace("_", " ")


def columns(table: pd.DataFrame) -> dict[str, object]:
    """Return a table as lists for JSON; a column of texts becomes its distinct values and their positions."""
    return {str(name): _column(table[name]) for name in table}


def _column(values: pd.Series) -> object:
    if pd.api.types.is_string_dtype(values):
        codes, levels = pd.factorize(values.fillna(""))
        return {"levels": [str(level) for level in levels], "codes": codes.tolist()}
    return [_round(value) if isinstance(value, float) else value for value in values.tolist()]


def _round(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


@cache
def packed_plotly() -> str:
    """Return plotly.js as gzip in base 85 (templates/unpack.js), a comma in place of the sign that opens a tag."""
    script = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return base64.b85encode(gzip.compress(script, 9, mtime=0)).decode().replace("<", ",")
