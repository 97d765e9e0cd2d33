"""Frames for the tests of frames, and a plain view of what was read from them."""

import datetime as dt
import subprocess
import sys
import textwrap
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from engagekit.frames import RawColumn, frame_of

LONG = "a text that is too long to be written into a view"


class Capsule:
    """An object of no known library that shows an Arrow stream."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream of what is inside."""
        return self.frame.__arrow_c_stream__()


def contents(column: RawColumn) -> list[Any]:
    """Return a column's rows, None for null."""
    if column.kind == "text":
        return [string for text in column.text for string in text.strings()]
    assert column.values is not None
    null = np.zeros(column.rows, bool) if column.null is None else column.null
    return [None if gap else value for value, gap in zip(column.values.tolist(), null.tolist(), strict=True)]


def read(values: Any, name: str = "column") -> RawColumn:
    """Return the column of a dict that has one."""
    return frame_of({name: values}).column(name)


def micros(instant: dt.datetime) -> int:
    """Return the microseconds since 1970."""
    zone = dt.UTC if instant.tzinfo else None
    return (instant - dt.datetime(1970, 1, 1, tzinfo=zone)) // dt.timedelta(microseconds=1)


# What is None among the modules can be neither found nor imported.
WITHOUT_PYARROW = "import sys; sys.modules['pyarrow'] = None"


def run_without_pyarrow(program: str) -> str:
    """Run a program in an interpreter that cannot import pyarrow and return what it prints."""
    source = WITHOUT_PYARROW + textwrap.dedent(program)
    command = [sys.executable, "-W", "error", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


TIMES = [dt.datetime(2024, 2, 29, 12, 30, 1, 5), None, dt.datetime(1960, 1, 1, 0, 0, 0, 1)]
TABLE = pl.DataFrame(
    {
        "number": [7, -1, None],
        "small": pl.Series([7, None, 0], dtype=pl.UInt8),
        "share": [1.5, None, -0.25],
        "flag": [True, None, False],
        "word": ["open", None, LONG],
        "choice": pl.Series(["b", None, "a"], dtype=pl.Categorical),
        "time": TIMES,
        "zoned": pl.Series(TIMES).dt.replace_time_zone("Europe/Berlin"),
        "day": [dt.date(1969, 12, 31), None, dt.date(2024, 1, 1)],
        "price": pl.Series([Decimal("12.34"), None, Decimal("-0.01")], dtype=pl.Decimal(10, 2)),
        "list": [[1], None, [2, 3]],
        "span": [dt.timedelta(1), None, dt.timedelta(0)],
    }
)
ZONED = TABLE["zoned"].dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_list()
EXPECTED = {
    "number": ("integer", [7, -1, None]),
    "small": ("integer", [7, None, 0]),
    "share": ("float", [1.5, None, -0.25]),
    "flag": ("boolean", [True, None, False]),
    "word": ("text", ["open", None, LONG]),
    "choice": ("text", ["b", None, "a"]),
    "time": ("instant", [None if time is None else micros(time) for time in TIMES]),
    "zoned": ("instant", [None if time is None else micros(time) for time in ZONED]),
    "day": ("instant", [-86_400_000_000, None, micros(dt.datetime(2024, 1, 1))]),
    "price": ("float", [12.34, None, -0.01]),
    "list": ("other", None),
    "span": ("other", None),
}


def nullable_pandas() -> pd.DataFrame:
    """The table with pandas' nullable types."""
    frame = pd.DataFrame({name: TABLE[name].to_list() for name in ("share", "word", "price", "list")})
    frame.insert(0, "number", pd.array([7, -1, None], "Int64"))
    frame.insert(1, "small", pd.array([7, None, 0], "UInt8"))
    frame["share"] = pd.array([1.5, None, -0.25], "Float32")
    frame["flag"] = pd.array([True, None, False], "boolean")
    frame["word"] = pd.array(["open", None, LONG], pd.StringDtype("python"))
    frame["choice"] = pd.Categorical(["b", None, "a"], categories=["a", "b", "c"])
    frame["time"] = pd.Series(TIMES, dtype="datetime64[us]")
    frame["zoned"] = (
        pd.Series(ZONED, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    )
    frame["day"] = TABLE["day"].to_list()
    frame["span"] = pd.Series(TABLE["span"].to_list())
    return frame


SOURCES: dict[str, Callable[[], Any]] = {
    "polars": lambda: TABLE,
    "polars lazy": TABLE.lazy,
    "polars in chunks": lambda: pl.concat([TABLE[:1], TABLE[1:]], rechunk=False),
    "pyarrow table": TABLE.to_arrow,
    "pyarrow batch": lambda: TABLE.to_arrow().to_batches()[0],
    "pyarrow reader": lambda: TABLE.to_arrow().to_reader(),
    "pyarrow in chunks": lambda: pa.concat_tables([TABLE.to_arrow()[:2], TABLE.to_arrow()[2:]]),
    "pandas of arrow": lambda: TABLE.to_arrow().to_pandas(types_mapper=pd.ArrowDtype),
    "pandas nullable": nullable_pandas,
    "duckdb": lambda: duckdb.from_arrow(TABLE.to_arrow()),
    "capsule of polars": lambda: Capsule(TABLE),
    "capsule of pyarrow": lambda: Capsule(TABLE.to_arrow()),
    "capsule of duckdb": lambda: Capsule(duckdb.from_arrow(TABLE.to_arrow())),
    "dict of lists": lambda: TABLE.to_dict(as_series=False),
    "dict of polars series": TABLE.to_dict,
    "dict of pyarrow arrays": lambda: dict(zip(TABLE.columns, TABLE.to_arrow().columns, strict=True)),
    "dict of pandas series": lambda: dict(nullable_pandas().items()),
}
