"""Arrow streams of any shape are read right, kept alive as long as their columns, and given back."""

import ctypes
import gc
import threading
from typing import Any

import nanoarrow as na
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanoarrow.c_array_stream import CArrayStream
from sources import Capsule, contents

from engagekit.errors import EventsError
from engagekit.frames import frame_of, frames_of
from engagekit.frames.arrow import type_name
from engagekit.frames.capsule import Field, read_stream

WORDS = st.one_of(st.none(), st.text(max_size=4), st.text(min_size=11, max_size=14), st.just("ß" * 40))
NUMBERS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
TYPES = {
    "string": (pa.string(), WORDS),
    "large_string": (pa.large_string(), WORDS),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), WORDS),
    "narrow dictionary": (pa.dictionary(pa.int8(), pa.large_string()), WORDS),
    "int64": (pa.int64(), NUMBERS),
    "int8": (pa.int8(), st.one_of(st.none(), st.integers(-128, 127))),
    "timestamp": (pa.timestamp("us"), NUMBERS),
    "bool": (pa.bool_(), st.one_of(st.none(), st.booleans())),
    "float": (pa.float64(), st.one_of(st.none(), st.floats(allow_nan=False))),
}
if hasattr(pa, "string_view"):
    TYPES["string_view"] = (pa.string_view(), WORDS)


def array_of(values: list[Any], dtype: pa.DataType) -> pa.Array:
    """Return an Arrow array, from plain text where pyarrow cannot make the type directly."""
    if pa.types.is_dictionary(dtype):
        return pa.array(values, pa.string()).dictionary_encode().cast(dtype)
    return pa.array(values, dtype)


def streamed(*arrays: Any) -> Capsule:
    """Return arrays, as they are with their offsets, as an Arrow stream."""
    # nanoarrow's copy of an array of text views corrupts the heap, so the arrays are moved.
    made = [na.c_array(array) for array in arrays]
    return Capsule(CArrayStream.from_c_arrays(made, na.c_schema(arrays[0].type), move=True))


@st.composite
def chunks_and_cuts(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> list[tuple[list[Any], int, int]]:
    """Draw chunks, each with where it is cut at both ends."""
    chunks = draw(st.lists(st.lists(values, max_size=20), max_size=4))
    return [(chunk, draw(st.integers(0, 12)), draw(st.integers(0, 12))) for chunk in chunks]


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data())
def test_chunks_and_slices(dtype: str, data: st.DataObject) -> None:
    """Any chunks, cut anywhere, read as their rows: as columns, in frames, and in structs cut themselves."""
    kind, values = TYPES[dtype]
    drawn = data.draw(chunks_and_cuts(values))
    arrays = [array_of(chunk, kind)[start : max(len(chunk) - end, start)] for chunk, start, end in drawn]
    expected = [row for chunk, start, end in drawn for row in chunk[start : max(len(chunk) - end, start)]]
    column = pa.chunked_array(arrays, kind)
    table = pa.table({"other": pa.nulls(len(column)), "a": column})
    structs = [pa.StructArray.from_arrays([array_of(chunk, kind)], ["a"]) for chunk, _, _ in drawn]
    cut = [
        struct[start : max(len(struct) - end, start)]
        for struct, (_, start, end) in zip(structs, drawn, strict=True)
    ]
    sources = [table, Capsule(table), {"a": column}]
    if cut:
        sources.append(streamed(*cut))
    if "dictionary" not in dtype:
        sources.append(pl.DataFrame(table.select(["a"])))
    for source in sources:
        (frame,) = frames_of(source)
        assert frame.rows == len(expected)
        assert contents(frame.column("a")) == expected


@given(st.lists(st.lists(WORDS, max_size=9), max_size=5), st.integers(0, 30), st.integers(0, 30))
def test_polars_in_chunks(chunks: list[list[str | None]], start: int, length: int) -> None:
    """Polars frames of many chunks and slices of them read as their rows, text and categories alike."""
    frames = [pl.DataFrame({"a": pl.Series(chunk, dtype=pl.String)}) for chunk in chunks] or [
        pl.DataFrame({"a": pl.Series([], dtype=pl.String)})
    ]
    frame = pl.concat(frames, rechunk=False).with_columns(c=pl.col("a").cast(pl.Categorical))[
        start : start + length
    ]
    expected = [word for chunk in chunks for word in chunk][start : start + length]
    for source in (frame, Capsule(frame), frame.lazy()):
        assert contents(frame_of(source).column("a")) == expected
        assert contents(frame_of(source).column("c")) == expected
        assert contents(next(frames_of(source)).column("c")) == expected


def test_many_long_texts() -> None:
    """Text views over many data buffers are right, row by row."""
    words = [f"{number:06d} {'x' * (number % 50)}" for number in range(60_000)]
    frame = pl.DataFrame({"a": words})
    (text,) = frame_of(frame).column("a").text
    assert text.layout == "view"
    assert text.strings() == words
    pieces = pl.concat([frame[start : start + 777] for start in range(0, 60_000, 777)], rechunk=False)
    column = frame_of(pieces).column("a")
    assert contents(column) == words
    assert sum(text.rows for text in column.text) == column.rows == 60_000


def test_nulls_that_nobody_has_counted() -> None:
    """A null count of -1 is made up for by a look at the bitmap, without a bitmap nothing is null."""
    whole = pa.array([1, None, 3, 4])
    for array, expected in ((whole[2:], [3, 4]), (whole[:2], [1, None])):
        uncounted = pa.Array.from_buffers(pa.int64(), len(array), array.buffers(), -1, array.offset)
        column = frame_of(pa.table({"a": uncounted})).column("a")
        assert contents(column) == expected
        assert (column.null is None) == (None not in expected)
    bare = pa.Array.from_buffers(pa.int64(), 4, [None, whole.buffers()[1]], -1)
    assert frame_of(pa.table({"a": bare})).column("a").null is None


def test_memory_that_is_not_aligned() -> None:
    """Numbers at an odd address are copied to an even one."""
    raw = b"\0" + np.arange(5).tobytes()
    array = na.c_array_from_buffers(na.int64(), 5, [None, na.c_buffer(memoryview(raw)[1:])], null_count=0)
    batch = na.c_array_from_buffers(na.struct({"a": na.int64()}), 5, [None], null_count=0, children=[array])
    source = Capsule(CArrayStream.from_c_arrays([batch], na.c_schema(na.struct({"a": na.int64()}))))
    column = next(frames_of(source)).column("a")
    assert column.values is not None and column.values.flags.aligned
    assert column.values.tolist() == [0, 1, 2, 3, 4]


def test_unusual_columns_leave_the_others_readable() -> None:
    """Columns that are no kind of ours are named, and read nobody else's way."""
    columns: dict[str, Any] = {
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        "struct": pa.array([{"x": 1}]),
        "list": pa.array([[1]]),
        "union": pa.UnionArray.from_dense(
            pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([5])]
        ),
        "runs": pa.RunEndEncodedArray.from_arrays([1], [5]),
        "bytes": pa.array([b"x"], pa.binary(1)),
        "time": pa.array([1], pa.time64("us")),
        "span": pa.array([1], pa.duration("us")),
        "fixed": pa.array([[1, 2]], pa.list_(pa.int64(), 2)),
        "bytes of any length": pa.array([b"x"]).dictionary_encode(),
    }
    table = pa.table({**columns, "good": [7]})
    for source in (table, Capsule(table)):
        (frame,) = frames_of(source)
        for name in columns:
            column = frame.column(name)
            assert (column.kind, column.rows) == ("other", 1)
            assert column.dtype
        assert contents(frame.column("good")) == [7]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("l", "int64"),
        ("C", "uint8"),
        ("b", "bool"),
        ("vu", "utf8_view"),
        ("tsn:", "timestamp[ns]"),
        ("tss:UTC", "timestamp[s, UTC]"),
        ("tDu", "duration"),
        ("ttm", "time"),
        ("tin", "interval"),
        ("d:9,2", "decimal(9,2)"),
        ("+w:3", "list"),
        ("w:16", "fixed_size_binary"),
        ("+ud:0,1", "union"),
        ("zz", "Arrow format 'zz'"),
    ],
)
def test_names_of_types(form: str, name: str) -> None:
    """A type of a stream without a library has a name that people know."""
    assert type_name(Field("a", form)) == name


# --- life and death ---


def test_memory_is_given_back() -> None:
    """Reading leaves nothing behind: what was streamed goes when the last of its columns goes."""
    table = pa.table({"a": np.arange(10_000), "s": [f"text number {number}" for number in range(10_000)]})
    batches = table.to_batches(max_chunksize=100)
    del table
    gc.collect()
    before = pa.total_allocated_bytes()
    for _ in range(20):
        fresh = pa.Table.from_batches(batches).take(np.arange(10_000))
        frame = next(frames_of(Capsule(fresh)))
        columns = [frame.column("a"), frame.column("s")]
        del fresh, frame
        assert pa.total_allocated_bytes() > before
        del columns
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_columns_die_in_other_threads() -> None:
    """Columns may be read in some threads and let go in others."""
    frame = pl.DataFrame({"a": np.arange(1000), "s": [f"some text that is long {n}" for n in range(1000)]})
    failures: list[BaseException] = []
    shared: list[Any] = []

    def work() -> None:
        try:
            for _ in range(100):
                read = next(frames_of(Capsule(frame)))
                shared.append((read.column("a"), read.column("s")))
                integers, texts = shared.pop()
                assert integers.values is not None and int(integers.values.sum()) == 499_500
                assert texts.text[0].strings()[-1] == "some text that is long 999"
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_stream_that_breaks_off() -> None:
    """A producer's failure is an EventsError that gives its reason."""

    def batches() -> Any:
        yield pa.RecordBatch.from_pydict({"a": [1]})
        raise ValueError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())
    with pytest.raises(
        EventsError, match=r"expected an Arrow stream that can be read to its end, got: .*the disk is gone"
    ):
        frames_of(Capsule(reader))


def test_what_a_failed_read_leaves_is_no_array() -> None:
    """A producer that fails with an array half filled in is told of, and the array is not touched."""

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t))
    def failing(_stream: object, array: Any) -> int:
        array[8] = 1  # its `release`, which nobody can call
        return 5

    capsule = pa.table({"a": [1]}).__arrow_c_stream__()
    pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_in.restype, pointer_in.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    fields = ctypes.cast(pointer_in(capsule, b"arrow_array_stream"), ctypes.POINTER(ctypes.c_void_p))
    fields[1] = ctypes.cast(failing, ctypes.c_void_p).value

    class Failing:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return capsule

    with pytest.raises(EventsError, match="that can be read to its end"):
        frames_of(Failing())


def test_a_stream_is_read_once() -> None:
    """A capsule that was consumed before is refused, whether by others or by us."""

    class Once:
        def __init__(self) -> None:
            self.capsule = pa.table({"a": [1]}).__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return self.capsule

    for read in (lambda one: pa.RecordBatchReader.from_stream(one).read_all(), frames_of):
        source = Once()
        read(source)
        with pytest.raises(EventsError, match="got one that was consumed before"):
            frames_of(source)


def test_what_a_producer_raises_passes() -> None:
    """An object that fails to make its stream explains itself; one that gives something else is refused."""

    class Failing:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise RuntimeError("not today")

    class Lying:
        def __init__(self, given: object) -> None:
            self.given = given

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return self.given

    with pytest.raises(RuntimeError, match="not today"):
        frames_of(Failing())
    for wrong, named in ((pa.schema([]).__arrow_c_schema__(), "PyCapsule"), ("rows", "str")):
        with pytest.raises(EventsError, match=f"expected an Arrow stream .*, got: {named} in place of its"):
            frames_of(Lying(wrong))
        with pytest.raises(EventsError, match=r"expected a frame .*, got .*Lying"):
            frame_of(Lying(wrong))


def test_rows_that_are_null_as_a_whole() -> None:
    """A struct that is null in place of a row is no row."""
    struct = pa.StructArray.from_arrays([pa.array([1, 2, 3])], ["a"], mask=pa.array([False, False, True]))
    with pytest.raises(EventsError, match="expected rows, got a null in place of row 5"):
        frames_of(streamed(pa.StructArray.from_arrays([pa.array([0, 0, 0])], ["a"]), struct))


def test_chunks_that_contradict_their_type() -> None:
    """Chunks with too few buffers, children or rows are refused before anything is read beyond them."""
    field, (chunk,) = read_stream(pa.table({"a": [1, 2]}))
    with pytest.raises(EventsError, match="expected a child 1, got 1 children"):
        chunk.child(1)
    child = chunk.child(0)
    with pytest.raises(EventsError, match="expected a buffer 2, got 2 buffers"):
        child.buffer(2, np.int64, 0, 1)
    with pytest.raises(EventsError, match="expected 1 items in buffer 0, got none"):
        child.buffer(0, np.uint8, 0, 1)
    with pytest.raises(EventsError, match="expected a dictionary, got none"):
        child.dictionary()
    assert child.buffer(1, np.int64, 1, 1).tolist() == []
    assert field.children[0].format == "l"
