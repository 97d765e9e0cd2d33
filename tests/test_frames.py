"""Frames of every library are read as the same columns, without copies, and what is none is refused."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sources import EXPECTED, LONG, SOURCES, TABLE, Capsule, contents, read, run_without_pyarrow

from engagekit.errors import EventsError
from engagekit.frames import Frame, frame_of, frames_of


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "open_frame", [frame_of, lambda source: next(frames_of(source))], ids=["one", "stream"]
)
def test_every_library_gives_the_same_columns(source: str, open_frame: Callable[[Any], Frame]) -> None:
    """The same table is read with the same kinds, values and nulls, whatever library holds it."""
    frame = open_frame(SOURCES[source]())
    assert set(frame.names) == set(EXPECTED)
    assert frame.rows == 3
    for name, (kind, values) in EXPECTED.items():
        column = frame.column(name)
        assert (name, column.kind, column.rows) == (name, kind, 3)
        assert column.dtype
        if values is not None:
            assert (name, contents(column)) == (name, values)
        assert column.aware == (name == "zoned")


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("polars", "polars"),
        ("polars lazy", "polars"),
        ("pyarrow table", "pyarrow"),
        ("pyarrow batch", "pyarrow"),
        ("pyarrow reader", "pyarrow"),
        ("pandas nullable", "pandas"),
        ("duckdb", "duckdb"),
        ("capsule of polars", "arrow"),
        ("dict of polars series", "dict"),
    ],
)
def test_kinds(source: str, kind: str) -> None:
    """A frame knows whose it is, read alone or from a stream."""
    assert frame_of(SOURCES[source]()).kind == kind
    assert next(frames_of(SOURCES[source]())).kind == kind


def test_native_is_the_callers_object() -> None:
    """What was handed over is at hand unchanged; a lazy frame is collected once."""
    frame = pd.DataFrame({"a": [1]})
    assert frame_of(frame).native is frame
    lazy = frame_of(TABLE.lazy())
    assert lazy.native is lazy.native
    assert lazy.native.equals(TABLE)


def test_frames_pass_through() -> None:
    """A Frame is a frame too, and so is a frame that narwhals has wrapped."""
    import narwhals as nw

    frame = frame_of({"a": [1]})
    assert frame_of(frame) is frame
    assert [one.kind for one in frames_of(nw.from_native(TABLE))] == ["polars"]
    assert frame_of(nw.from_native(TABLE.lazy())).kind == "polars"
    assert frame_of({"a": nw.from_native(TABLE["number"], series_only=True)}).column("a").kind == "integer"


# --- pandas ---


def test_pandas_text_types() -> None:
    """Every way in which pandas holds text is text."""
    words = ["open", None, LONG]
    dtypes = [
        object,
        "string",
        pd.StringDtype("python"),
        pd.StringDtype("pyarrow"),
        pd.ArrowDtype(pa.string()),
    ]
    if pd.Series(["a"]).dtype != object:
        dtypes.append("str")
    for dtype in dtypes:
        column = frame_of(pd.DataFrame({"a": pd.Series(words, dtype=dtype)})).column("a")
        assert (column.kind, contents(column)) == ("text", words)


def test_pandas_columns_that_are_no_kind() -> None:
    """Periods and intervals can be named but not read; sparse columns are read."""
    frame = pd.DataFrame({"p": pd.period_range("2024", periods=2, freq="D"), "i": pd.interval_range(0, 2)})
    assert [(frame_of(frame).column(name).kind) for name in "pi"] == ["other", "other"]
    assert frame_of(frame).column("p").dtype == "period[D]"
    sparse = frame_of(pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 5])})).column("s")
    assert (sparse.kind, contents(sparse)) == ("integer", [0, 0, 5])


def test_pandas_labels_that_are_no_text() -> None:
    """Columns are found by the text of their labels."""
    frame = frame_of(pd.DataFrame({0: [1], ("a", 1): [2]}))
    assert frame.names == ("0", "('a', 1)")
    assert contents(frame.column("0")) == [1]


def test_a_column_in_the_index_is_pointed_at() -> None:
    """A missing column that stands in the pandas index is told from one that is nowhere."""
    frame = frame_of(pd.DataFrame({"a": [1]}, index=pd.Index([7], name="contact")))
    with pytest.raises(EventsError, match=r"column 'contact' \(it is in the index: reset_index\(\)"):
        frame.column("contact")


def test_reading_without_pyarrow() -> None:
    """pandas, polars and DuckDB are read where pyarrow is not installed."""
    printed = run_without_pyarrow(
        """
        import datetime as dt
        import duckdb, numpy as np, pandas as pd, polars as pl
        from engagekit.frames import frame_of, frames_of

        frame = pd.DataFrame({"a": [1, 2], "s": ["x", None], "t": pd.to_datetime(["1970-01-01", None])})
        frame["z"] = frame["t"].dt.tz_localize("UTC")
        frame["c"] = frame["s"].astype("category")
        frame["i"] = pd.array([1, None], "Int64")
        table = pl.DataFrame({"a": [1, 2], "s": ["x", None], "t": [dt.datetime(1970, 1, 1), None]})
        table = table.with_columns(c=pl.col("s").cast(pl.Categorical))
        rows = "(values (1::bigint, 'x', timestamp '1970-01-01'), (2, null, null)) t(a, s, t)"
        relation = duckdb.sql("select * from " + rows)
        for source in (frame, table, table.lazy(), relation):
            for read in (frame_of(source), *frames_of(source)):
                for name in read.names:
                    column = read.column(name)
                    texts = [text.strings() for text in column.text]
                    values = None if column.values is None else column.values[:1].tolist()
                    print(read.kind, name, column.kind, texts, values, column.null)
        assert sys.modules["pyarrow"] is None
        """
    )
    lines = set(printed.splitlines())
    for kind in ("pandas", "polars", "duckdb"):
        assert f"{kind} a integer [] [1] None" in lines
        assert f"{kind} s text [['x', None]] None None" in lines
        assert f"{kind} t instant [] [0] [False  True]" in lines
    assert "pandas z instant [] [0] [False  True]" in lines
    assert "pandas i integer [] [1] [False  True]" in lines
    assert {line for line in lines if " c " in line} == {
        "pandas c text [['x', None]] None None",
        "polars c text [['x', None]] None None",
    }


# --- no copies ---


def aligned_int64() -> np.ndarray[Any, Any]:
    """Return numbers that lie as the kernel wants them."""
    return np.arange(1000, dtype=np.int64)


@pytest.mark.parametrize("kind", ["integer", "instant", "float"])
def test_contiguous_columns_are_not_copied(kind: str) -> None:
    """Whole columns of 64 bits are the caller's own memory in every library, and never to be written to."""
    array = aligned_int64()
    array = {"integer": array, "instant": array.view("datetime64[us]"), "float": array.view(np.float64)}[kind]
    table = pa.table({"a": array})
    frame = pl.DataFrame(table)
    sources: list[tuple[Any, Any]] = [
        ({"a": array}, array),
        (pd.DataFrame({"a": array}, copy=False), array),
        (table, array),
        (Capsule(table), array),
        (frame, frame["a"].to_physical().to_numpy(allow_copy=False)),
    ]
    for source, memory in sources:
        column = next(frames_of(source)).column("a")
        assert column.kind == kind
        assert column.null is None
        assert column.values is not None
        assert column.values.flags.c_contiguous and column.values.flags.aligned
        assert np.shares_memory(column.values, memory)


def test_reading_five_million_rows_allocates_nothing() -> None:
    """Columns of a polars frame of five million rows are read without an allocation to speak of."""
    rows = 5_000_000
    frame = pl.DataFrame({"contact": np.arange(rows), "time": np.arange(rows).view("datetime64[us]")})
    memory = [frame[name].to_physical().to_numpy(allow_copy=False) for name in frame.columns]
    frame_of(frame[:1]).column("time")
    tracemalloc.start()
    columns = [frame_of(frame).column(name) for name in frame.columns]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
    for column, there in zip(columns, memory, strict=True):
        assert column.values is not None and np.shares_memory(column.values, there)


def test_memory_outlives_the_frame() -> None:
    """A column holds on to the memory that it shows."""
    columns = []
    for number in range(50):
        table = pl.DataFrame({"a": np.full(1000, number), "s": [f"{LONG} {number}"] * 1000})
        frame = frame_of(Capsule(table) if number % 2 else table)
        columns.append((number, frame.column("a"), frame.column("s")))
        del table, frame
    gc.collect()
    for number, integers, texts in columns:
        assert contents(integers) == [number] * 1000
        assert contents(texts) == [f"{LONG} {number}"] * 1000


def test_input_is_not_changed() -> None:
    """Reading leaves arrays, lists and frames as they were."""
    array = np.array([3, 1, 2], np.int32)
    stamps = np.array(["2024", "NaT", "1950"], "datetime64[s]")
    objects = ["a", None]
    frame = pd.DataFrame({"a": array, "t": stamps, "o": pd.Series(["x", None, "y"], dtype=object)})
    before = frame.copy(deep=True)
    read(array), read(stamps), read(objects)
    for name in frame.columns:
        frame_of(frame).column(name)
    assert array.tolist() == [3, 1, 2] and stamps.astype(str).tolist() == [
        "2024-01-01T00:00:00",
        "NaT",
        "1950-01-01T00:00:00",
    ]
    assert objects == ["a", None]
    pd.testing.assert_frame_equal(frame, before)


def test_strided_columns_are_copied() -> None:
    """Every second item of an array is not contiguous and comes as a contiguous copy."""
    column = read(aligned_int64()[::2])
    assert column.values is not None and column.values.flags.c_contiguous
    assert column.values.tolist() == list(range(0, 1000, 2))
