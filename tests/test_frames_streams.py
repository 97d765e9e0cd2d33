"""What runs late and what comes in pieces is read once and in order, and what is no frame is refused."""

import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sources import EXPECTED, LONG, SOURCES, TABLE, Capsule, contents

from engagekit.errors import EventsError
from engagekit.frames import frame_of, frames_of
from engagekit.frames.frame import NarwhalsFrame
from engagekit.frames.reading import _by_narwhals

# --- DuckDB and lazy frames ---


def test_a_relation_runs_once_and_leaves_its_connection_free() -> None:
    """A relation is drained in one go, however many columns are read, and not before it has to be."""
    connection = duckdb.connect()
    connection.execute("create sequence runs")
    relation = connection.sql("select nextval('runs') as run, i from range(300000) t(i)")
    frame = next(frames_of(relation))
    assert frame.names == ("run", "i")
    assert frame.rows == 300_000
    assert frame.column("run").values is not None and frame.column("run").values.max() == 300_000
    assert frame.column("i").values is not None and frame.column("i").values.tolist() == list(range(300_000))
    assert connection.sql("select nextval('runs')").fetchall() == [(300_001,)]


def test_a_relation_of_its_own_types() -> None:
    """DuckDB's own types are read by what they are."""
    relation = duckdb.sql(
        "select 'b'::enum('a', 'b') e, 12::hugeint h, timestamptz '1970-01-01 00:00:00+00' z, "
        "interval 1 day i, timestamp_ns '1970-01-01 00:00:00.000001500' n, [1] l, time '10:00' t, "
        "3::uinteger u"
    )
    frame = frame_of(relation)
    assert {name: frame.column(name).kind for name in frame.names} == {
        "e": "text",
        "h": "float",
        "z": "instant",
        "n": "instant",
        "i": "other",
        "l": "other",
        "t": "other",
        "u": "integer",
    }
    assert frame.column("z").aware
    assert contents(frame.column("n")) == [1]
    assert contents(frame.column("e")) == ["b"]


def test_narrowing_a_lazy_frame_leaves_the_other_columns_out() -> None:
    """Columns that nobody asks for are never computed."""

    def fail(series: pl.Series) -> pl.Series:
        raise AssertionError(series)

    lazy = TABLE.lazy().with_columns(costly=pl.col("number").map_batches(fail, return_dtype=pl.Int64))
    frame = frame_of(lazy).narrow(["word", "number"])
    assert frame.names == ("word", "number")
    assert contents(frame.column("number")) == [7, -1, None]


def test_narrowing_a_relation_leaves_the_other_columns_out() -> None:
    """A relation gives only what is asked for, under names that SQL would trip over."""
    relation = duckdb.sql('select 1 as "a ""b""", ' + "error('computed') as costly")
    frame = next(frames_of(relation)).narrow(['a "b"'])
    assert contents(frame.column('a "b"')) == [1]


def test_narrowing_needs_known_columns() -> None:
    """A frame cannot be narrowed to what it does not have; one that is there anyway stays as it is."""
    for source in (TABLE, TABLE.lazy(), TABLE.to_dict()):
        with pytest.raises(EventsError, match="expected a column 'wrod' \\(did you mean 'word'\\?\\)"):
            frame_of(source).narrow(["wrod"])
    frame = frame_of(TABLE.to_dict())
    assert frame.narrow(["word"]) is frame


# --- streams ---


def test_streams_of_frames() -> None:
    """A list, a tuple, a generator and an iterator of frames of any libraries are streams."""
    frames = [{"a": [1]}, pl.DataFrame({"a": [2, 3]}), pd.DataFrame({"a": [4]}), pa.table({"a": [5]})]
    for source in (frames, tuple(frames), iter(frames), (frame for frame in frames)):
        assert [contents(frame.column("a")) for frame in frames_of(source)] == [[1], [2, 3], [4], [5]]
    assert list(frames_of([])) == []


def test_streams_are_read_as_they_are_consumed() -> None:
    """An item of a stream is made only when its turn has come."""
    made = []

    def source() -> Iterator[dict[str, list[int]]]:
        for number in range(3):
            made.append(number)
            yield {"a": [number]}

    frames = frames_of(source())
    assert made == []
    next(frames)
    assert made == [0]


def test_readers_are_streams_of_batches() -> None:
    """A pyarrow reader gives a frame a batch, or all of itself as one frame; an empty one still has names."""
    table = pa.concat_tables([pa.table({"a": [1, 2]}), pa.table({"a": [3]})])
    assert [frame.rows for frame in frames_of(table.to_reader())] == [2, 1]
    assert contents(frame_of(table.to_reader()).column("a")) == [1, 2, 3]
    (empty,) = frames_of(pa.RecordBatchReader.from_batches(table.schema, []))
    assert (empty.names, empty.rows) == (("a",), 0)


@pytest.mark.parametrize("source", SOURCES)
def test_frames_without_rows(source: str) -> None:
    """A frame of no rows has its columns all the same."""
    whole = SOURCES[source]()
    if isinstance(whole, dict):
        empty: Any = {name: column[:0] for name, column in whole.items()}
    elif source == "duckdb":
        empty = whole.limit(0)
    elif source == "pyarrow reader":
        empty = pa.RecordBatchReader.from_batches(TABLE.to_arrow().schema, [])
    elif isinstance(whole, Capsule):
        empty = Capsule(TABLE[:0] if "polars" in source else TABLE.to_arrow()[:0])
    else:
        empty = whole[:0] if isinstance(whole, pd.DataFrame) else whole.slice(0, 0)
    frame = frame_of(empty)
    assert frame.rows == 0
    for name in EXPECTED:
        column = frame.column(name)
        assert column.rows == 0
        assert column.kind == "other" or contents(column) == []
        assert column.null is None


# --- errors ---

A_FRAME = (
    r"expected a frame \(of pandas, polars, pyarrow, DuckDB, a dict of arrays, any with __arrow_c_stream__\)"
)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, rf"{A_FRAME} or an iterable of frames, got None"),
        (7, rf"{A_FRAME} or an iterable of frames, got 7"),
        (
            "events.csv",
            rf"{A_FRAME} .*, got 'events\.csv'; read the file first, or use the command engagekit score",
        ),
        (Path("e.parquet"), rf"{A_FRAME} .*, got \w+Path; read the file first, .* engagekit score"),
        (b"events", rf"{A_FRAME} or an iterable of frames, got b'events'"),
        (np.zeros((2, 2)), rf"{A_FRAME} or an iterable of frames, got ndarray"),
        (object(), rf"{A_FRAME} or an iterable of frames, got object"),
        (TABLE["number"], rf"{A_FRAME}, got a single column \(Series\)"),
        ([1, 2], rf"item 0 of the stream: {A_FRAME}, got 1"),
        ([{"a": [1]}, "x"], rf"item 1 of the stream: {A_FRAME}, got 'x'; read the file first, .*"),
        (
            [{"a": 1, "b": "open"}],
            r".*, got 1; rows as dicts are no frame; make one first, as with pandas\.DataFrame\(rows\)",
        ),
        (
            [{"a": [1], "b": 1}],
            r"item 0 of the stream: column 'b': expected a one-dimensional array or a list, got 1",
        ),
        ({"a": 1}, r"column 'a': expected a one-dimensional array or a list, got 1"),
        ({"a": "text"}, r"column 'a': expected a one-dimensional array or a list, got 'text'"),
        ({"a": {"b": 1}}, r"column 'a': expected a one-dimensional array or a list, got dict"),
        ({"a": {1, 2}}, r"column 'a': expected a one-dimensional array or a list, got set"),
        (
            {"a": np.zeros((2, 2))},
            r"column 'a': expected a one-dimensional .*, got ndarray of shape \(2, 2\)",
        ),
        (
            {"a": np.array(1)},
            r"column 'a': expected a one-dimensional array or a list, got ndarray of shape \(\)",
        ),
        ({"a": TABLE}, r"column 'a': expected a one-dimensional .*, got DataFrame of shape \(3, 12\)"),
        ({"a": [1], "b": [1, 2]}, "expected columns of one length, got 'a' 1, 'b' 2"),
        (
            pa.table([[1], [2], [3]], ["a", "b", "a"]),
            "expected columns of different names, got some twice: 'a'",
        ),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            "expected columns of different names, got some twice: 'a'",
        ),
        (pd.Series([1]), rf"item 0 of the stream: {A_FRAME}, got 1"),
    ],
)
def test_what_is_no_frame(source: Any, message: str) -> None:
    """What is no frame and no stream of frames is refused with what was expected and what came."""
    with pytest.raises(EventsError, match=f"^{message}$"):
        list(frames_of(source))


def test_what_is_no_frame_is_refused_at_once() -> None:
    """A source that cannot be read raises when it is handed over, not when it is consumed."""
    for source in (None, "events.csv", {"a": 1}):
        with pytest.raises(EventsError):
            frames_of(source)


@pytest.mark.parametrize("source", [None, 7, "text", [{"a": [1]}], pd.Series([1]), np.zeros(2), iter([])])
def test_one_frame_is_no_stream(source: Any) -> None:
    """Where one frame is wanted, a stream of them is refused too."""
    with pytest.raises(EventsError, match=f"^{A_FRAME}, got "):
        frame_of(source)


def test_one_frame_of_a_single_column() -> None:
    """An Arrow stream of a column is no table."""
    for source in (TABLE["number"], Capsule(TABLE["number"])):
        with pytest.raises(EventsError, match=A_FRAME):
            frame_of(source)


def test_unknown_columns() -> None:
    """A missing column is named together with those that are there, and the nearest of them."""
    frame = frame_of({"contact": [1], "typ": ["a"]})
    with pytest.raises(
        EventsError, match=r"^expected a column 'type' \(did you mean 'typ'\?\), got 'contact', 'typ'$"
    ):
        frame.column("type")
    with pytest.raises(EventsError, match=r"^expected a column 'zzz', got none$"):
        frame_of({}).column("zzz")
    with pytest.raises(EventsError, match=r"and 5 more$"):
        frame_of({f"column{n}": [1] for n in range(25)}).column("zzz")


def test_repr() -> None:
    """A frame shows its library, its rows and its columns; one that has not run is not run for that."""
    lazy = frame_of(TABLE.select("number", "word").lazy())
    assert repr(lazy) == "Frame(polars, number, word)"
    assert lazy.rows == 3
    assert repr(lazy) == "Frame(polars, 3 rows, number, word)"
    assert repr(next(frames_of(duckdb.sql("select 1 as a")))) == "Frame(duckdb, a)"
    assert repr(frame_of(TABLE.select("number", "word"))) == "Frame(polars, 3 rows, number, word)"


def test_any_sequence_in_a_dict() -> None:
    """Ranges, tuples and objects that NumPy understands are columns too."""
    frame = frame_of(
        {"r": range(2), "t": ("a", "b"), "a": array.array("d", [0.5, 1.5]), "i": pd.Index([1, 2])}
    )
    assert [frame.column(name).kind for name in frame.names] == ["integer", "text", "float", "integer"]
    assert frame_of({"e": pd.array([1, None], "Int64")}).column("e").null is not None


# --- other libraries ---


def test_libraries_that_only_narwhals_knows() -> None:
    """An eager frame of any other library is read through narwhals, a lazy one is collected first."""
    frame = NarwhalsFrame(nw.from_native(TABLE.select("number", "word", "time")))
    assert (frame.kind, frame.rows, frame.names) == ("polars", 3, ("number", "word", "time"))
    assert frame.native is frame.frame.to_native()
    assert contents(frame.column("word")) == ["open", None, LONG]
    assert contents(frame.column("time")) == EXPECTED["time"][1]
    eager, lazy = _by_narwhals(TABLE), _by_narwhals(TABLE.lazy())
    assert isinstance(eager, NarwhalsFrame)
    assert lazy is not None and lazy.kind == "polars"


def test_what_narwhals_does_not_know_either() -> None:
    """An object with columns that no library knows is no frame."""

    class Table:
        columns = ("a", "b")

    with pytest.raises(EventsError, match=f"^{A_FRAME}, got Table$"):
        frame_of(Table())
