"""Results come back in the caller's kind of frame, with keys that can be joined with the caller's own."""

import copy
import datetime as dt
import gc
import pickle
import sys
import threading
import weakref
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sources import Capsule, contents, run_without_pyarrow

from engagekit.errors import EngagekitError, EventsError
from engagekit.frames import ArrowColumns, Out, arrow_stream, build, frame_of, frames_of, to_arrow

KINDS = ["pandas", "polars", "pyarrow", "duckdb", "dict", "arrow"]
CONNECTION = duckdb.connect()
GAP = np.array([False, True, False])
PAIR = (np.array([0, 1, 4, 4], np.int64), np.frombuffer(b"abcd", np.uint8))
TEXT_OF_PANDAS = pd.Series(["text"]).dtype


def results() -> dict[str, Out]:
    """One column of every kind, with gaps and without."""
    return {
        "integer": Out("integer", np.array([1, -2, 3])),
        "unsigned": Out("integer", np.array([1, 2, 2**64 - 1], np.uint64)),
        "integer_gap": Out("integer", np.array([1, 2, 2**62]), GAP),
        "float": Out("float", np.array([0.5, -1.5, 2.0])),
        "float_gap": Out("float", np.array([0.5, 1.5, 2.0]), GAP),
        "float_nan": Out("float", np.array([0.5, np.nan, 2.0])),
        "float_both": Out("float", np.array([np.nan, 1.5, 2.0]), GAP),
        "flag": Out("boolean", np.array([True, False, True])),
        "flag_gap": Out("boolean", np.array([True, False, True]), GAP),
        "instant": Out("instant", np.array([0, -1, 1_000_000])),
        "instant_gap": Out("instant", np.array([0, -1, 1_000_000]), GAP, aware=True),
        "text": Out("text", np.array(["a", None, "long " * 9], object)),
        "text_gap": Out("text", np.array(["a", "b", ""], object), GAP),
        "pair": Out("text", PAIR),
        "pair_gap": Out("text", PAIR, GAP),
        "category": Out("category", np.array([1, -1, 0], np.int32), categories=["low", "high"]),
        "category_gap": Out(
            "category", np.array([1, 1, 0], np.int32), GAP, categories=["low", "high", "spare"]
        ),
    }


EXPECTED = {
    "integer": [1, -2, 3],
    "unsigned": [1, 2, 2**64 - 1],
    "integer_gap": [1, None, 2**62],
    "float": [0.5, -1.5, 2.0],
    "float_gap": [0.5, None, 2.0],
    "float_nan": [0.5, None, 2.0],
    "float_both": [None, None, 2.0],
    "flag": [True, False, True],
    "flag_gap": [True, None, True],
    "instant": [0, -1, 1_000_000],
    "instant_gap": [0, None, 1_000_000],
    "text": ["a", None, "long " * 9],
    "text_gap": ["a", None, ""],
    "pair": ["a", "bcd", ""],
    "pair_gap": ["a", None, ""],
    "category": ["high", None, "low"],
    "category_gap": ["high", None, "low"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_built_reads_back(kind: str) -> None:
    """Every kind of column comes back from every kind of frame with its values and its nulls."""
    frame = frame_of(build(kind, results()))
    assert frame.kind == ("pyarrow" if kind == "arrow" else kind)
    assert frame.names == tuple(EXPECTED)
    for name, values in EXPECTED.items():
        assert (name, contents(frame.column(name))) == (name, values)


@pytest.mark.parametrize("kind", KINDS)
def test_results_without_rows(kind: str) -> None:
    """A result of no rows has its columns and their types."""
    empty = {
        name: Out(out.kind, (PAIR[0][:1], PAIR[1][:0]) if isinstance(out.values, tuple) else out.values[:0])
        for name, out in results().items()
    }
    for name in ("category", "category_gap"):
        empty[name].categories = []
    built = build(kind, empty)
    frame = frame_of(built)
    assert (frame.names, frame.rows) == (tuple(EXPECTED), 0)
    if kind in ("pandas", "polars"):
        assert str(built["float"].dtype).lower() == "float64"


def test_pandas_types() -> None:
    """A pandas frame has categoricals, microseconds, and nullable types only where there are gaps."""
    frame = build("pandas", results())
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "integer": "int64",
        "unsigned": "uint64",
        "integer_gap": "Int64",
        "float": "float64",
        "float_gap": "float64",
        "float_nan": "float64",
        "float_both": "float64",
        "flag": "bool",
        "flag_gap": "boolean",
        "instant": "datetime64[us]",
        "instant_gap": "datetime64[us, UTC]",
        "category": "category",
        "category_gap": "category",
        **dict.fromkeys(["text", "text_gap", "pair", "pair_gap"], str(TEXT_OF_PANDAS)),
    }
    assert frame["category"].cat.categories.tolist() == ["low", "high"]
    assert isinstance(frame.index, pd.RangeIndex)


def test_polars_types() -> None:
    """Polars gets categoricals, microseconds and UTC."""
    schema = build("polars", results()).schema
    assert schema["category"] == pl.Categorical
    assert schema["text"] == schema["pair"] == pl.String
    assert schema["instant"] == pl.Datetime("us")
    assert schema["instant_gap"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "duckdb", "dict", "arrow"])
@pytest.mark.parametrize("gap", [False, True])
def test_few_codes_in_many_rows(kind: str, gap: bool) -> None:
    """Categories by place among a few codes are those of the codes themselves, gaps too."""
    places = np.random.default_rng(5).integers(0, 6, 300).astype(np.int32)
    other = places[::-1].copy()
    codes = np.arange(6, dtype=np.int32)
    few = {
        "a": Out("category", codes % 2, categories=["x", "y"], of=places),
        "b": Out("category", codes - np.int32(gap), categories=[f"b{k}" for k in range(6)], of=places),
        "c": Out("category", codes // 2, categories=["p", "q", "r"], of=other, whole=True),
    }
    many = {
        name: Out("category", column.values[column.of], categories=column.categories)
        for name, column in few.items()
    }
    columns = list(few.values())
    assert [column.rows for column in columns] == [300] * 3
    assert [column.nulls() is not None for column in columns] == [False, gap, False]
    for name, column in few.items():
        assert column.coded()[0].tolist() == many[name].coded()[0].tolist()
    got, wanted = build(kind, few), build(kind, many)
    if kind == "dict":
        got, wanted = ({name: list(values) for name, values in made.items()} for made in (got, wanted))
    elif kind == "duckdb":
        got, wanted = got.fetchall(), wanted.fetchall()
    elif kind == "polars":
        assert got.schema == wanted.schema
    assert got.equals(wanted) if hasattr(got, "equals") else got == wanted


@pytest.mark.parametrize("many", [4, 100])
def test_polars_categories(many: int) -> None:
    """Categories of one byte are each row's own, whether a byte can number all that meet or not."""
    rng = np.random.default_rng(many)
    words = {"a": ["x", "y"], "b": [f"b{k}" for k in range(many)], "c": ["p", "q", "r"], "d": ["x"]}
    codes = {name: rng.integers(0, len(some), 500).astype(np.int8) for name, some in words.items()}
    outs = {name: Out("category", codes[name], categories=some) for name, some in words.items()}
    gap = np.where(codes["b"] == 2, np.int8(-1), codes["b"])
    outs["gap"] = Out("category", gap, categories=words["b"])
    outs["wide"] = Out("category", codes["b"].astype(np.int32), categories=words["b"])
    frame = build("polars", outs)
    assert frame.columns == [*words, "gap", "wide"]
    assert all(dtype == pl.Categorical for dtype in frame.dtypes)
    for name, column in outs.items():
        assert frame[name].to_list() == column.objects().tolist()


def test_arrow_types() -> None:
    """Arrow gets dictionaries of 32-bit codes, large strings and UTC."""
    table = to_arrow(results())
    table.validate(full=True)
    assert table.schema.field("category").type == pa.dictionary(pa.int32(), pa.string())
    assert table.schema.field("text").type == table.schema.field("pair").type == pa.large_string()
    assert table.schema.field("instant_gap").type == pa.timestamp("us", "UTC")
    assert table.schema.field("unsigned").type == pa.uint64()
    assert [table.column(name).null_count for name in ("float", "float_gap", "text", "category")] == [
        0,
        1,
        1,
        1,
    ]


def test_dict_types() -> None:
    """A dict gets NumPy arrays, of objects only for text and for gaps that the type cannot hold."""
    arrays = build("dict", results())
    assert {name for name, array in arrays.items() if array.dtype == object} == {
        *("integer_gap", "flag_gap", "text", "text_gap", "pair", "pair_gap", "category", "category_gap")
    }
    assert arrays["instant"].dtype == arrays["instant_gap"].dtype == "datetime64[us]"


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_not_the_columns_that_were_given(kind: str) -> None:
    """Building changes neither the arrays nor the masks that it is given."""
    columns = results()
    gap = GAP.copy()
    before = {
        name: Out(out.kind, out.values, out.null, out.categories).nulls() for name, out in columns.items()
    }
    build(kind, columns)
    assert np.array_equal(GAP, gap)
    for name, out in columns.items():
        after = out.nulls()
        assert (after is None) == (before[name] is None)
        if after is not None:
            assert np.array_equal(after, before[name])


# --- beside the caller's own columns ---

BASE = pl.DataFrame(
    {
        "contact": pl.Series([30, 10, 20], dtype=pl.Int32),
        "at": [dt.datetime(2024, 1, day) for day in (3, 1, 2)],
        "note": ["x", None, "z"],
        "share": pl.Series([0.5, None, 1.5], dtype=pl.Float32),
    }
)


def bases() -> dict[str, Any]:
    """Return the same table in every library."""
    return {
        "pandas": BASE.to_pandas().set_index(pd.Index([5, 5, 7])),
        "polars": BASE,
        "polars lazy": BASE.lazy(),
        "pyarrow": BASE.to_arrow(),
        "pyarrow batch": BASE.to_arrow().to_batches()[0],
        "pyarrow reader": BASE.to_arrow().to_reader(),
        "duckdb": CONNECTION.from_arrow(BASE.to_arrow()),
        "dict": BASE.to_dict(as_series=False),
        "arrow": Capsule(BASE),
    }


@pytest.mark.parametrize("source", bases())
def test_results_beside_the_callers_columns(source: str) -> None:
    """The caller's columns come first, as they are and in their order, then the results."""
    frame = frame_of(bases()[source])
    kinds = [(frame.column(name).kind, contents(frame.column(name))) for name in frame.names]
    built = frame_of(build(frame.kind, {"score": Out("float", np.array([3.0, 1.0, 2.0]))}, frame))
    assert built.names == (*BASE.columns, "score")
    assert [(built.column(name).kind, contents(built.column(name))) for name in frame.names] == kinds
    assert contents(built.column("score")) == [3.0, 1.0, 2.0]


def test_base_types_are_kept() -> None:
    """The caller's columns keep their types, and pandas its index, even one with repeated labels."""
    frames = {source: frame_of(base) for source, base in bases().items()}
    score = {"score": Out("float", np.array([3.0, 1.0, 2.0]))}
    built = {source: build(frame.kind, score, frame) for source, frame in frames.items()}
    assert built["pandas"].index.tolist() == [5, 5, 7]
    assert built["pandas"].dtypes[:-1].equals(bases()["pandas"].dtypes)
    assert built["polars"].schema.to_python() is not None
    assert dict(built["polars"].schema) == {**dict(BASE.schema), "score": pl.Float64}
    assert isinstance(built["polars lazy"], pl.DataFrame)
    assert built["pyarrow"].schema.field("contact").type == pa.int32()
    assert [str(kind) for kind in built["duckdb"].types] == [
        "INTEGER",
        "TIMESTAMP",
        "VARCHAR",
        "FLOAT",
        "DOUBLE",
    ]
    assert built["dict"]["contact"] == [30, 10, 20]


def test_a_large_relation_stays_aligned() -> None:
    """A relation without a fixed order is held, so that results stand beside the right rows."""
    connection = duckdb.connect()
    relation = connection.sql("select hash(i) % 1000003 as k, i from range(400000) t(i) order by random()")
    frame = frame_of(relation)
    numbers = frame.column("i").values
    assert numbers is not None
    built = build("duckdb", {"twice": Out("integer", numbers * 2)}, frame)
    for _ in range(2):
        assert built.filter("twice != 2 * i").fetchall() == []
        assert built.aggregate("count(*)").fetchall() == [(400_000,)]


@pytest.mark.parametrize("source", bases())
def test_names_that_are_taken(source: str) -> None:
    """A result with the name of one of the caller's columns is refused."""
    frame = frame_of(bases()[source])
    with pytest.raises(EventsError, match="no column with the name of a result, got 'note': rename it"):
        build(frame.kind, {"note": Out("float", np.zeros(3))}, frame)


def score_and(name: str) -> dict[str, Out]:
    """Return two result columns."""
    return {name: Out("float", np.array([1.0])), "score": Out("float", np.array([2.0]))}


def test_names_that_duckdb_cannot_tell_apart() -> None:
    """Names that differ in case alone are refused for DuckDB, whose SQL would read one for the other."""
    base = frame_of(CONNECTION.sql("select 7 as Contact"))
    key = Out("integer", np.array([7]), like=base.like("Contact"))
    for columns, beside, pair in [
        (score_and("Score"), None, "'Score' and 'score'"),
        ({"SCORE": key, **score_and("channel_web")}, None, "'SCORE' and 'score'"),
        (score_and("CONTACT"), base, "'Contact' and 'CONTACT'"),
    ]:
        with pytest.raises(EventsError, match=f"names that DuckDB can tell apart, got {pair}: rename one"):
            build("duckdb", columns, beside)


def test_names_that_differ_in_case() -> None:
    """Every kind of frame but DuckDB's holds names that differ in case; DuckDB too, beyond ASCII."""
    for kind, name, twin in [
        *((kind, "Score", "score") for kind in KINDS if kind != "duckdb"),
        ("duckdb", "É", "é"),
    ]:
        columns = {name: Out("float", np.array([1.0])), twin: Out("float", np.array([2.0]))}
        frame = frame_of(build(kind, columns))
        assert [contents(frame.column(each)) for each in (name, twin)] == [[1.0], [2.0]]


def test_a_relation_whose_names_differ_in_case() -> None:
    """Columns of a relation are told apart even where SQL cannot."""
    (frame,) = frames_of(CONNECTION.sql('select 1 as a, 2 as "A", 3 as b'))
    narrow = frame.narrow(["A"])
    assert contents(narrow.column("A")) == [2]


def test_results_of_one_connection_do_not_mix() -> None:
    """Relations made one after the other keep their own rows, however often they run."""
    made = []
    for number in (1, 2):
        at = frame_of(CONNECTION.sql(f"select {number} as k"))
        made.append(build("duckdb", {"s": Out("integer", np.array([number]))}, at))
        made.append(build("duckdb", {"k": Out("integer", np.array([number]), like=at.like("k"))}))
        made.append(build("duckdb", {"k": Out("integer", np.array([number]))}))
    for _ in range(2):
        assert [each.fetchall() for each in made] == [
            [(number,) * width] for number in (1, 2) for width in (2, 1, 1)
        ]


def test_a_key_type_lets_go_of_a_relations_sources() -> None:
    """What a result keeps of a relation is the connection, not the tables behind it."""
    table = BASE.select("contact", "share").to_pandas()
    watch = weakref.ref(table)
    frame = frame_of(CONNECTION.from_df(table))
    like = frame.like("contact")
    del frame, table
    gc.collect()
    assert watch() is None
    relation = build("duckdb", {"contact": Out("integer", np.array([10]), like=like)})
    assert [str(kind) for kind in relation.types] == ["INTEGER"]
    assert relation.fetchall() == [(10,)]


def test_a_key_type_does_not_run_a_lazy_frame() -> None:
    """The type of a lazy frame's column is known without its rows."""

    def never(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError

    lazy = BASE.lazy().map_batches(never, schema=BASE.schema)
    assert frame_of(lazy).like("contact").dtype == pl.Int32


def test_a_stream_is_no_base() -> None:
    """What was consumed as a stream, or would run again in another order, is refused as a base."""
    for source in (Capsule(BASE), duckdb.from_arrow(BASE.to_arrow())):
        (frame,) = frames_of(source)
        with pytest.raises(EngagekitError, match="expected a base that frame_of\\(\\) made"):
            build(frame.kind, {"score": Out("float", np.zeros(3))}, frame)


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "pandas"])
def test_libraries_that_only_narwhals_knows(kind: str) -> None:
    """Results for any other library are made, cast and put beside its columns by narwhals."""
    import narwhals as nw

    from engagekit.frames.building import _narwhals
    from engagekit.frames.frame import NarwhalsFrame

    native = {"polars": BASE, "pyarrow": BASE.to_arrow(), "pandas": BASE.to_pandas()}[kind]
    frame = NarwhalsFrame(nw.from_native(native, eager_only=True))
    score = Out("float", np.array([3.0, 1.0, 2.0]))
    key = frame_of(
        _narwhals(
            kind, {"k": Out("integer", np.array([1, 2, 3]), like=frame.like("contact")), "score": score}, None
        )
    )
    assert key.column("k").dtype.lower() == "int32"
    beside = frame_of(_narwhals(kind, {"score": score}, frame))
    assert beside.names == (*BASE.columns, "score")
    assert contents(beside.column("score")) == [3.0, 1.0, 2.0]


# --- columns of the caller's that are not read ---

LISTS = [["x", "y"], None, []]


def foreign_sources() -> dict[str, Any]:
    """Return a table with lists in its cells in every library."""
    table = pl.DataFrame({"n": [1, 2, 3], "l": LISTS})
    return {
        "pandas": pd.DataFrame({"n": [1, 2, 3], "l": LISTS}),
        "pandas of arrow": table.to_arrow().to_pandas(types_mapper=pd.ArrowDtype),
        "polars": table,
        "pyarrow": table.to_arrow(),
        "pyarrow batch": table.to_arrow().to_batches()[0],
        "duckdb": CONNECTION.from_arrow(table.to_arrow()),
        "dict": {"n": [1, 2, 3], "l": LISTS},
        "dict of arrow": {"n": np.array([1, 2, 3]), "l": table.to_arrow()["l"]},
        "dict of capsules": {"n": [1, 2, 3], "l": SizedCapsule(table["l"])},
        "arrow": Capsule(table),
    }


class SizedCapsule(Capsule):
    """A column of no known library."""

    def __len__(self) -> int:
        """Return the rows."""
        return len(self.frame)


class OneCapsule(SizedCapsule):
    """One that can be read once."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream and forget it."""
        self.frame, frame = self.frame[:0], self.frame
        if not len(frame):
            raise ValueError("the stream was read")
        return frame.__arrow_c_stream__()


@pytest.mark.parametrize("source", foreign_sources())
def test_a_column_that_is_not_read_is_handed_on(source: str) -> None:
    """Lists in cells go to dicts as objects and to Arrow as lists, in their place among the others."""
    column = Out("other", frame_of(foreign_sources()[source]).foreign("l"))
    beside = Out("float", np.zeros(3))
    objects = build("dict", {"l": column, "s": beside})["l"]
    assert [list(item) if hasattr(item, "__len__") else None for item in objects] == LISTS
    for table in (to_arrow({"a": beside, "l": column, "s": beside}), pa.table(ArrowColumns({"l": column}))):
        assert table["l"].to_pylist() == LISTS
        assert pa.types.is_list(table["l"].type) or pa.types.is_large_list(table["l"].type)
    assert to_arrow({"a": beside, "l": column, "s": beside}).column_names == ["a", "l", "s"]


HARD = {
    "mixed pandas": (pd.DataFrame({"x": [[1], "a"]}), "object (list and str)", [[1], "a"]),
    "polars objects": (pl.DataFrame({"x": pl.Series([{1}, 2j], dtype=pl.Object)}), "Object", [{1}, 2j]),
    "complex": ({"x": np.array([1j, 2j])}, "complex128", [1j, 2j]),
    "read once": ({"x": OneCapsule(pl.Series([[1]]))}, "large_list", None),
}


@pytest.mark.parametrize("case", HARD)
def test_a_column_that_arrow_cannot_hold(case: str) -> None:
    """What Arrow has no type for is an error that names the column; a dict has it as far as it can be had."""
    source, dtype, expected = HARD[case]
    column = frame_of(source).foreign("x")
    with pytest.raises(EngagekitError) as caught:
        to_arrow({"x": Out("other", column)})
    assert str(caught.value).startswith("column 'x': expected a type that Arrow can hold, got " + dtype)
    made = build("dict", {"x": Out("other", column), "s": Out("float", np.zeros(len(column)))})
    assert list(made) == (["s"] if expected is None else ["x", "s"])
    assert expected is None or made["x"].tolist() == expected


@pytest.mark.parametrize("source", bases())
def test_frames_are_pickled_and_copied(source: str) -> None:
    """A base and the type of a key come back from a pickle and a deep copy."""
    frame = frame_of(bases()[source])
    score = {"score": Out("float", np.array([3.0, 1.0, 2.0]))}
    like = frame.like("contact")
    for again in (pickle.loads(pickle.dumps((frame, like))), copy.deepcopy((frame, like))):
        built = frame_of(build(frame.kind, score, again[0]))
        assert built.names == (*BASE.columns, "score")
        for name in BASE.columns:
            assert contents(built.column(name)) == contents(frame_of(bases()[source]).column(name))
        key = build(frame.kind, {"contact": Out("integer", np.array([10]), like=again[1])})
        assert str(frame_of(key).column("contact").dtype).lower().startswith("int")
        assert (frame_of(key).like("contact").dtype == like.dtype) != (source == "dict")


def test_a_deep_copy_stays_with_its_connection() -> None:
    """A copied base and key make results that can be joined with the caller's other relations."""
    connection = duckdb.connect()
    other = connection.sql("select 7 as k, 'x' as note")
    frame, like = copy.deepcopy((frame := frame_of(other), frame.like("k")))
    score = Out("float", np.array([1.0]))
    key = Out("integer", np.array([7]), like=like)
    assert other.join(build("duckdb", {"k": key, "s": score}), "k").fetchall() == [(7, "x", 1.0)]
    assert other.join(build("duckdb", {"s": score}, frame), "k").fetchall() == [(7, "x", "x", 1.0)]


# --- Arrow ---


def test_streams_do_not_copy() -> None:
    """Numbers, instants, codes and pairs are streamed as the very memory that was given."""
    columns = {
        "integer": Out("integer", np.arange(100)),
        "float": Out("float", np.arange(100.0)),
        "instant": Out("instant", np.arange(100)),
    }
    table = to_arrow(columns)
    for name, out in columns.items():
        memory = np.frombuffer(table.column(name).chunk(0).buffers()[1], out.values.dtype)
        assert np.shares_memory(memory, out.values)
    text = to_arrow({"text": Out("text", PAIR)}).column("text").chunk(0)
    assert np.shares_memory(np.frombuffer(text.buffers()[2], np.uint8), PAIR[1])


def test_streamed_memory_is_kept_and_given_back() -> None:
    """What was streamed lives as long as its reader, wherever that dies, and no longer."""

    class Memory(bytearray):
        """Memory that can be watched."""

    memory = Memory(np.arange(1000).tobytes())
    watch = weakref.ref(memory)
    array = np.frombuffer(memory, np.int64)
    frame = pl.DataFrame(ArrowColumns({"a": Out("integer", array), "b": Out("instant", array, array < 5)}))
    del memory
    del array
    gc.collect()
    assert frame["a"].sum() == 499_500
    assert watch() is not None
    holder = [frame]
    del frame
    thread = threading.Thread(target=holder.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert watch() is None


def test_a_stream_can_be_asked_for_twice() -> None:
    """Result columns can be streamed any number of times, and a stream that nobody reads is harmless."""
    columns = ArrowColumns(results())
    assert pa.table(columns).equals(pa.table(columns))
    for _ in range(100):
        arrow_stream(results())
    gc.collect()
    assert [contents(frame.column("category")) for frame in frames_of(columns)] == [["high", None, "low"]]


def test_columns_of_no_columns() -> None:
    """No columns make an empty table."""
    assert to_arrow({}).num_columns == 0
    assert build("polars", {}).shape == (0, 0)


def test_columns_of_different_lengths() -> None:
    """Columns of different lengths make no result."""
    with pytest.raises(EngagekitError, match="expected result columns of one length, got 'a' 1, 'b' 2"):
        build("dict", {"a": Out("float", np.zeros(1)), "b": Out("float", np.zeros(2))})


def test_text_that_utf8_cannot_hold() -> None:
    """A lone surrogate cannot go to Arrow, and the error shows it; pandas and dicts keep it."""
    columns = {"a": Out("text", np.array(["x", "\ud800"], object))}
    with pytest.raises(EngagekitError, match=r"expected text that UTF-8 can hold, got '\\ud800'"):
        to_arrow(columns)
    assert build("dict", columns)["a"].tolist() == ["x", "\ud800"]


def test_results_without_pyarrow() -> None:
    """Every kind but a pyarrow table is built without pyarrow; an error says where it is needed."""
    printed = run_without_pyarrow(
        """
        import duckdb, numpy as np, pandas as pd, polars as pl
        from engagekit.errors import EngagekitError
        from engagekit.frames import Out, build, frame_of, frames_of, to_arrow

        out = {"k": Out("text", np.array(["b", "a"], object)), "s": Out("float", np.array([2.0, 1.0]))}
        out["c"] = Out("category", np.array([0, -1], np.int32), categories=["low"])
        for kind in ("pandas", "polars", "duckdb", "dict", "arrow"):
            if kind == "duckdb" and duckdb.__version__ < "2":
                continue
            frame = frame_of(build(kind, out))
            texts = [text.strings() for name in "kc" for text in frame.column(name).text]
            print(frame.kind, texts, frame.column("s").values)
        at = duckdb.sql("select unnest([2, 1]) as i")
        if duckdb.__version__ >= "2":
            frame = frame_of(at)
            print(build("duckdb", {"s": out["s"]}, frame).order("i").fetchall())
        frame = frame_of(pl.DataFrame({"k": ["a"]}))
        print(build("polars", {"k": Out("text", np.array(["a"], object), like=frame.like("k"))}).rows())
        class Capsule:
            def __arrow_c_stream__(self, requested_schema=None):
                return frame.native.__arrow_c_stream__()
        print(frame_of(Capsule()).kind)
        for broken in (lambda: to_arrow(out), lambda: build("arrow", {"s": out["s"]}, frame_of(Capsule()))):
            try:
                broken()
            except EngagekitError as error:
                print(error)
        """
    )
    lines = printed.splitlines()
    for kind in ("pandas", "polars", "dict", "arrow"):
        assert f"{kind} [['b', 'a'], ['low', None]] [2. 1.]" in lines
    if duckdb.__version__ >= "2":
        assert "duckdb [['b', 'a'], ['low', None]] [2. 1.]" in lines
        assert "[(1, 1.0), (2, 2.0)]" in lines
    assert lines[-3:] == [
        "arrow",
        'an Arrow table needs pyarrow: pip install "engagekit[files]"',
        'appending columns to an Arrow stream needs pyarrow: pip install "engagekit[files]"',
    ]


@pytest.mark.parametrize("read", [False, True])
def test_arrays_are_let_go_of(read: bool) -> None:
    """What a stream points to is held as long as anybody has it or what was read of it, and no longer."""
    values, codes = np.arange(3.0), np.array([0, -1, 0], np.int8)
    columns = {"a": Out("float", values), "b": Out("category", codes, categories=["low"])}
    before = sys.getrefcount(values), sys.getrefcount(codes)
    holder: Any = ArrowColumns(columns)
    holder = pa.RecordBatchReader.from_stream(holder).read_all() if read else arrow_stream(holder.columns)
    assert (sys.getrefcount(values), sys.getrefcount(codes)) > before
    if read:
        assert holder.to_pydict() == {"a": [0.0, 1.0, 2.0], "b": ["low", None, "low"]}
        holder = holder.column("b")  # a part of what was read keeps itself alive
        gc.collect()
        assert holder.to_pylist() == ["low", None, "low"]
    del holder
    gc.collect()
    assert (sys.getrefcount(values), sys.getrefcount(codes)) == before
