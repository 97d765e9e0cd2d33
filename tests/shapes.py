"""Rows (plain dicts) as a frame of any library and of many column types, and results back as rows."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

KINDS = ["pandas", "polars", "pyarrow", "duckdb", "dict"]
INSTANTS = {"time", "at", "customer_since", "first_event", "last_event", "next_change"}
NUMBERS = {"seconds": "integer", "campaign": "integer", "value": "float", "vip": "boolean"}
CATEGORICAL = {"type", "device"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shape:
    """How a table is to look: its library, the unit of its instants, with or without a zone, its text."""

    kind: str = "pandas"
    unit: str = "us"
    aware: bool = False
    categorical: bool = False
    nullable: bool = False
    parts: int = 1


PLAIN = Shape()


def shapes(grain=1, kinds=KINDS):
    """Draw a shape whose instants can hold multiples of `grain` microseconds."""
    units = {1: ["us", "ns"], 1000: ["us", "ns", "ms"], 10**6: ["us", "ns", "ms", "s"]}[grain]
    return st.builds(
        Shape,
        kind=st.sampled_from(kinds),
        unit=st.sampled_from(units),
        aware=st.booleans(),
        categorical=st.booleans(),
        nullable=st.booleans(),
        parts=st.sampled_from([1, 1, 2, 5]),
    )


def moment(micros):
    """Make an aware datetime of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=micros)


def micros_of(when):
    """Count the microseconds since the epoch of a datetime or datetime64, naive being UTC."""
    if isinstance(when, pd.Timestamp):
        when = when.to_datetime64()
    if isinstance(when, np.datetime64):
        return int(when.astype("datetime64[us]").astype(np.int64))
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - EPOCH) // timedelta(microseconds=1)


def ticks_of(values, unit):
    """Make datetime64 of microseconds; nanoseconds get digits of their own, which are to be floored."""
    missing = np.array([value is None for value in values], bool)
    ticks = np.array([0 if value is None else value for value in values], np.int64)
    if unit == "ns":
        ticks = ticks * 1000 + np.arange(len(ticks)) * 7 % 1000
    else:
        ticks = ticks // {"us": 1, "ms": 1000, "s": 10**6}[unit]
    when = ticks.astype(f"datetime64[{unit}]")
    when[missing] = np.datetime64("NaT", unit)
    return when


def frame_of(rows, names, shape=PLAIN, like=()):
    """Build one frame with these columns; without rows their kinds are those of the rows `like`."""
    columns = {name: [row.get(name) for row in rows] for name in names}
    kinds = {name: kind_of(name, [row.get(name) for row in (*like, *rows)]) for name in names}
    build = {"pandas": pandas_of, "polars": polars_of, "dict": dict_of}.get(shape.kind)
    if build:
        return build(columns, kinds, shape)
    table = arrow_of(columns, kinds, shape)
    return table if shape.kind == "pyarrow" else duckdb.from_arrow(table)


def kind_of(name, values):
    """Tell what a column holds; ids by their first value, the rest by name."""
    if name in INSTANTS:
        return "instant"
    if name in NUMBERS:
        return NUMBERS[name]
    return "key" if values and isinstance(values[0], int) else "text"


def frames_of(rows, names, shape):
    """Build the frame, or a stream of frames where the shape has several parts."""
    if shape.parts == 1:
        return frame_of(rows, names, shape)
    edges = [len(rows) * k // shape.parts for k in range(shape.parts + 1)]
    pieces = [rows[a:b] for a, b in pairwise(edges)]
    return (frame_of(piece, names, shape, like=rows) for piece in pieces)


def is_whole(values):
    """Whether nothing is missing."""
    return all(value is not None for value in values)


def pandas_of(columns, kinds, shape):
    """Build a pandas frame; without `nullable`, missing numbers are NaN."""
    types = {
        "integer": "Int64" if shape.nullable else "float64",
        "boolean": "boolean" if shape.nullable else object,
        "float": "float64",
        "key": "int64",
        "text": "category" if shape.categorical else "str",
    }
    made = {}
    for name, values in columns.items():
        if kinds[name] == "instant":
            series = pd.Series(ticks_of(values, shape.unit))
            made[name] = series.dt.tz_localize("UTC") if shape.aware else series
        else:
            made[name] = pd.Series(values, dtype=types[kinds[name]])
    return pd.DataFrame(made)


def polars_of(columns, kinds, shape):
    """Build a polars frame."""
    types = {
        "integer": pl.Int64,
        "key": pl.Int64,
        "boolean": pl.Boolean,
        "float": pl.Float64,
        "text": pl.String,
    }
    made = {}
    for name, values in columns.items():
        if kinds[name] == "instant":
            # There are no whole seconds in polars.
            series = pl.Series(name, ticks_of(values, shape.unit if shape.unit != "s" else "ms"))
            made[name] = series.dt.replace_time_zone("UTC") if shape.aware else series
        elif shape.categorical and name in CATEGORICAL:
            made[name] = pl.Series(name, values, dtype=pl.Categorical)
        else:
            made[name] = pl.Series(name, values, dtype=types[kinds[name]])
    return pl.DataFrame(made)


def arrow_of(columns, kinds, shape):
    """Build an Arrow table; text in dictionaries or as large strings by its shape."""
    types = {"integer": pa.int64(), "key": pa.int64(), "boolean": pa.bool_(), "float": pa.float64()}
    types["text"] = pa.large_string() if shape.nullable else pa.string()
    made = {}
    for name, values in columns.items():
        if kinds[name] == "instant":
            kind = pa.timestamp(shape.unit, "UTC" if shape.aware else None)
            made[name] = pa.array(ticks_of(values, shape.unit)).cast(kind)
        else:
            made[name] = pa.array(values, types[kinds[name]])
            if shape.categorical and kinds[name] == "text":
                made[name] = made[name].dictionary_encode()
    return pa.table(made)


def dict_of(columns, kinds, shape):
    """Build a dict of NumPy arrays; missing numbers are NaN, missing text and booleans None."""
    types = {"boolean": object, "key": np.int64, "text": object}
    made = {}
    for name, values in columns.items():
        if kinds[name] == "instant":
            made[name] = ticks_of(values, shape.unit)
        elif kinds[name] in ("integer", "float"):
            made[name] = np.array([math.nan if value is None else value for value in values], float)
        elif kinds[name] == "text" and shape.categorical and None not in values:
            made[name] = np.array(values, np.str_)
        else:
            made[name] = np.array(values, types[kinds[name]])
    return made


def plain(value):
    """Make a cell plain: null is None, an instant its microseconds, a NumPy scalar a Python one."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else micros_of(value)
    if isinstance(value, datetime):
        return micros_of(value)
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def cells_of(frame):
    """Take any frame apart into lists of its cells."""
    if isinstance(frame, pd.DataFrame):
        return {str(name): list(frame[name]) for name in frame.columns}
    if isinstance(frame, pl.DataFrame):
        return frame.to_dict(as_series=False)
    if isinstance(frame, pa.Table):
        return frame.to_pydict()
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return frame.to_arrow_table().to_pydict()
    return {name: list(column) for name, column in frame.items()}


def rows_of(frame):
    """Turn a result of any kind into rows of plain values."""
    cells = {name: [plain(cell) for cell in column] for name, column in cells_of(frame).items()}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
