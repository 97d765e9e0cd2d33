"""Frames of every library are read as the same columns, without copies, and what is none is refused."""

import datetime as dt
import gc
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagekit.errors import EventsError
from engagekit.frames import Frame, RawColumn, frame_of, frames_of

UTC = dt.UTC
MICROSECOND = dt.timedelta(microseconds=1)
LONG = "a text that is too long to be written into a view"


class Capsule:
    """An object of no known library that shows an Arrow stream."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
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
    zone = UTC if instant.tzinfo else None
    return (instant - dt.datetime(1970, 1, 1, tzinfo=zone)) // MICROSECOND


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
    frame["zoned"] = pd.Series(ZONED, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    frame["day"] = TABLE["day"].to_list()
    frame["span"] = pd.Series(TABLE["span"].to_list())
    return frame


SOURCES: dict[str, Callable[[], Any]] = {
    "polars": lambda: TABLE,
    "polars lazy": lambda: TABLE.lazy(),
    "polars in chunks": lambda: pl.concat([TABLE[:1], TABLE[1:]], rechunk=False),
    "pyarrow table": lambda: TABLE.to_arrow(),
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
    "dict of polars series": lambda: TABLE.to_dict(),
    "dict of pyarrow arrays": lambda: dict(zip(TABLE.columns, TABLE.to_arrow().columns, strict=True)),
    "dict of pandas series": lambda: dict(nullable_pandas().items()),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("open_frame", [frame_of, lambda source: next(frames_of(source))], ids=["one", "stream"])
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


# --- numbers --------------------------------------------------------------------------------------------------------

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("library", ["numpy", "polars", "pyarrow", "pandas", "pandas nullable", "big-endian"])
def test_integers_of_every_width(dtype: str, library: str) -> None:
    """Integers come as int64, uint64 as uint64, with their extremes."""
    bounds = np.iinfo(dtype)
    array = np.array([bounds.min, 0, bounds.max], dtype)
    source: Any = {
        "numpy": lambda: {"a": array},
        "polars": lambda: pl.DataFrame({"a": array}),
        "pyarrow": lambda: pa.table({"a": array}),
        "pandas": lambda: pd.DataFrame({"a": array}),
        "pandas nullable": lambda: pd.DataFrame({"a": pd.array(array, dtype.replace("i", "I").replace("uI", "UI"))}),
        "big-endian": lambda: {"a": array.astype(array.dtype.newbyteorder(">"))},
    }[library]()
    column = frame_of(source).column("a")
    assert column.kind == "integer"
    assert column.null is None
    assert column.values is not None
    assert column.values.dtype == (np.uint64 if dtype == "uint64" else np.int64)
    assert column.values.tolist() == array.tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_of_every_width(dtype: type) -> None:
    """Floats come as float64; NaN is null, infinity is not."""
    column = read(np.array([0.5, np.nan, np.inf], dtype))
    assert column.kind == "float"
    assert column.values is not None
    assert column.values.dtype == np.float64
    assert contents(column) == [0.5, None, np.inf]
    assert read(np.array([0.5, -np.inf], dtype)).null is None


def test_arrow_half_floats() -> None:
    """Arrow's float16 and float32 are widened."""
    for kind in (pa.float16(), pa.float32()):
        table = pa.table({"a": pa.array(np.array([0.5, 2.0, 0.0], kind.to_pandas_dtype()), kind)})
        assert contents(frame_of(table).column("a")) == [0.5, 2.0, 0.0]


def test_nan_and_null_in_one_column() -> None:
    """A float column's NaN joins the nulls that are marked."""
    assert contents(frame_of(pl.DataFrame({"a": [1.0, float("nan"), None]})).column("a")) == [1.0, None, None]


def test_whole_floats_stay_floats() -> None:
    """A column of floats that happen to be whole is no column of integers."""
    assert read(np.array([1.0, 2.0])).kind == "float"
    assert frame_of(pd.DataFrame({"a": [1, None]})).column("a").kind == "float"


@given(
    st.lists(st.one_of(st.none(), st.decimals(allow_nan=False, allow_infinity=False, places=3)), max_size=20),
    st.sampled_from(["128", "256"]),
)
def test_decimals_are_the_nearest_floats(decimals: list[Decimal | None], width: str) -> None:
    """A decimal reads as the float that Python reads from its digits."""
    bound = 10 ** (34 if width == "128" else 70)
    decimals = [None if one is None or abs(one) >= bound else one for one in decimals]
    kind = pa.decimal128(38, 3) if width == "128" else pa.decimal256(76, 3)
    column = frame_of(pa.table({"a": pa.array(decimals, kind)})).column("a")
    assert column.kind == "float"
    assert contents(column) == [None if one is None else float(one) for one in decimals]


@pytest.mark.parametrize("scale", [-2, 0, 1, 22, 23, 30])
def test_decimals_of_any_scale(scale: int) -> None:
    """Scales below zero and beyond the exact powers of ten are right too."""
    numbers = [Decimal(n).scaleb(-scale) for n in (1, -(2**62), 2**53 + 1, 0)]
    column = frame_of(pa.table({"a": pa.array(numbers, pa.decimal128(38, scale))})).column("a")
    assert contents(column) == [float(number) for number in numbers]


def test_narrow_decimals() -> None:
    """Decimals of 32 and 64 bits are read like the wide ones."""
    kinds = [getattr(pa, name)(9, 2) for name in ("decimal32", "decimal64") if hasattr(pa, name)]
    for kind in kinds:
        table = pa.table({"a": pa.array([Decimal("12.34"), None, Decimal("-0.05")], kind)})
        assert contents(frame_of(table).column("a")) == [12.34, None, -0.05]


def test_decimals_that_int64_cannot_negate() -> None:
    """The least 64-bit integer is judged by its size, although its absolute value does not exist."""
    lowest = Decimal(-(2**63)).scaleb(-2)
    assert contents(frame_of(pa.table({"a": pa.array([lowest], pa.decimal128(38, 2))})).column("a")) == [float(lowest)]


def test_masked_arrays() -> None:
    """The mask of a NumPy masked array marks nulls, whatever is under it."""
    mask = [False, True]
    assert contents(read(np.ma.array([1, 2], mask=mask))) == [1, None]
    assert contents(read(np.ma.array(["a", "b"], mask=mask))) == ["a", None]
    assert contents(read(np.ma.array([True, True], mask=mask))) == [True, None]
    assert contents(read(np.ma.array(np.array([5, 6], "datetime64[us]"), mask=mask))) == [5, None]
    assert contents(read(np.ma.array([1, 2]))) == [1, 2]


# --- instants -------------------------------------------------------------------------------------------------------

TICKS = {
    "W": Fraction(604_800_000_000),
    "D": Fraction(86_400_000_000),
    "h": Fraction(3_600_000_000),
    "m": Fraction(60_000_000),
    "s": Fraction(1_000_000),
    "ms": Fraction(1_000),
    "us": Fraction(1),
    "ns": Fraction(1, 1_000),
    "ps": Fraction(1, 10**6),
    "fs": Fraction(1, 10**9),
    "as": Fraction(1, 10**12),
    "25s": Fraction(25_000_000),
    "3D": Fraction(3 * 86_400_000_000),
    "25ns": Fraction(25, 1_000),
    "300ns": Fraction(300, 1_000),
}


@pytest.mark.parametrize("unit", TICKS)
@given(counts=st.lists(st.integers(-(10**6), 10**6), max_size=9))
def test_numpy_units_are_floored(unit: str, counts: list[int]) -> None:
    """An instant of any NumPy unit is floored to microseconds, before 1970 too."""
    column = read(np.array(counts, np.int64).view(f"datetime64[{unit}]"))
    assert column.kind == "instant"
    assert contents(column) == [count * TICKS[unit] // 1 for count in counts]


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1))
def test_nanoseconds_never_overflow(counts: list[int]) -> None:
    """All of nanoseconds' range fits microseconds."""
    assert contents(read(np.array(counts, np.int64).view("datetime64[ns]"))) == [count // 1000 for count in counts]


def test_months_and_years_go_by_the_calendar() -> None:
    """Months and years begin on their first day."""
    assert contents(read(np.array(["2024-03", "NaT"], "datetime64[M]"))) == [micros(dt.datetime(2024, 3, 1)), None]
    assert contents(read(np.array(["1969"], "datetime64[Y]"))) == [micros(dt.datetime(1969, 1, 1))]
    assert contents(read(np.array(["1968"], "datetime64[4Y]"))) == [micros(dt.datetime(1966, 1, 1))]


def test_nat_without_a_unit() -> None:
    """A NumPy NaT needs no unit."""
    column = read(np.array(["NaT", "NaT"], "datetime64"))
    assert (column.kind, contents(column)) == ("instant", [None, None])


@pytest.mark.parametrize(("unit", "count"), [("s", 10**13), ("ms", 10**16 + 5), ("D", 10**9), ("M", 10**8), ("Y", 10**7)])
@pytest.mark.parametrize("sign", [1, -1])
def test_instants_beyond_microseconds(unit: str, count: int, sign: int) -> None:
    """An instant that 64-bit microseconds cannot hold is refused by column, first row and count."""
    ticks = np.zeros(2000, np.int64)
    ticks[[1, 1500]] = np.iinfo(np.int64).min, sign * count
    ticks[1700] = sign * count
    with pytest.raises(EventsError) as caught:
        read(ticks.view(f"datetime64[{unit}]"), "time")
    assert str(caught.value) == (
        f"column 'time', row 1,500: expected an instant that 64-bit microseconds can hold, got {sign * count} "
        f"(datetime64[{unit}]); 2 rows in all"
    )


def test_arrow_instants_beyond_microseconds() -> None:
    """The same of Arrow's types; what stands at a null does not count, and rows go on over chunks."""
    seconds = pa.array([0, 10**13], pa.timestamp("s"), mask=np.array([False, True]))
    table = pa.table({"time": pa.chunked_array([seconds, pa.array([1, 10**13], pa.timestamp("s"))])})
    with pytest.raises(EventsError, match=r"column 'time', row 3: .* got 10000000000000 .*; 1 row in all"):
        frame_of(table).column("time")
    assert contents(frame_of(table[:3]).column("time")) == [0, None, 1_000_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_units_and_zones_of_libraries(unit: str, zone: str | None) -> None:
    """Every unit, with a time zone and without, reads as the same instant in Arrow and pandas."""
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    table = pa.table({"time": pa.array([-3 * factor, None, 5 * factor], pa.timestamp(unit, zone))})
    stamps = pd.Series(np.array([-3 * factor, np.iinfo(np.int64).min, 5 * factor]).view(f"datetime64[{unit}]"))
    if zone is not None:
        stamps = stamps.dt.tz_localize("UTC").dt.tz_convert(zone)
    for source in (table, pd.DataFrame({"time": stamps}), {"time": stamps}):
        column = frame_of(source).column("time")
        assert column.aware == (zone is not None)
        assert contents(column) == [-3_000_000, None, 5_000_000]


def test_date64() -> None:
    """Arrow's dates in milliseconds are instants."""
    table = pa.table({"day": pa.array([dt.date(1969, 12, 31), None], pa.date64())})
    assert contents(frame_of(table).column("day")) == [-86_400_000_000, None]


# --- text and categories --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k in ("string", "large_string", "string_view") if hasattr(pa, k)])
def test_arrow_text_layouts(kind: str) -> None:
    """Text keeps its layout; nulls, empty and long texts and slices are right."""
    words = ["", None, "ü", LONG, "open"] * 5
    array = pa.array(words, pa.large_string()) if kind == "large_string" else pa.array(words)
    if kind == "string_view":
        array = array.cast(pa.string_view())
    column = frame_of(pa.table({"a": array})).column("a")
    assert column.text[0].layout == {"string": "utf8", "large_string": "large_utf8", "string_view": "view"}[kind]
    assert contents(column) == words
    sliced = frame_of(pa.table({"a": array[3:20]})).column("a")
    assert contents(sliced) == words[3:20]
    assert 0 <= sliced.text[0].bit_offset < 8


def test_numpy_text() -> None:
    """Fixed-width and variable-width NumPy text is text, bytes are not."""
    assert contents(read(np.array(["a", "bcd"]))) == ["a", "bcd"]
    assert read(np.array([b"a"])).kind == "other"
    if hasattr(np.dtypes, "StringDType"):
        for gap in (None, np.nan):
            words = np.array(["a", gap, LONG], np.dtypes.StringDType(na_object=gap))
            assert contents(read(words)) == ["a", None, LONG]
        assert contents(read(np.array(["a"], np.dtypes.StringDType()))) == ["a"]
        marked = np.array(["a", "gone"], np.dtypes.StringDType(na_object="gone"))
        assert contents(read(marked)) == ["a", "gone"]
        strange = object()
        assert contents(read(np.array(["a", strange], np.dtypes.StringDType(na_object=strange)))) == ["a", None]


def test_categories_of_text() -> None:
    """Categories come as indices into their words, -1 for null."""
    frame = pd.DataFrame({"a": pd.Categorical(["b", None, "a"], categories=["a", "b"])})
    (text,) = frame_of(frame).column("a").text
    assert text.layout == "dictionary"
    assert text.indices is not None and text.indices.tolist() == [1, -1, 0]
    assert text.indices.dtype == np.int64
    assert text.dictionary is not None and text.dictionary.strings() == ["a", "b"]


@pytest.mark.parametrize(
    ("categories", "kind", "values"),
    [
        ([10, 20], "integer", [10, None, 20]),
        ([0.5, 1.5], "float", [0.5, None, 1.5]),
        ([True, False], "boolean", [True, None, False]),
        (pd.to_datetime(["1970-01-01", "1970-01-02"]), "instant", [0, None, 86_400_000_000]),
        (pd.to_datetime(["1970-01-01", "1970-01-02"], utc=True), "instant", [0, None, 86_400_000_000]),
    ],
)
def test_categories_of_anything(categories: Any, kind: str, values: list[Any]) -> None:
    """A categorical of numbers, flags or instants is read as what its categories are."""
    frame = pd.DataFrame({"a": pd.Categorical.from_codes([0, -1, 1], categories=categories)})
    column = frame_of(frame).column("a")
    assert (column.kind, contents(column), column.dtype) == (kind, values, "category")
    assert column.aware == (getattr(categories, "tz", None) is not None)


def test_arrow_dictionaries_of_numbers() -> None:
    """An Arrow dictionary of numbers is read as numbers, chunk by chunk, null words being null."""
    chunks = [pa.array([5, None, 7, 5]).dictionary_encode(), pa.array([9]).dictionary_encode()]
    chunks.append(pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.uint8()).cast(pa.int32()), pa.array([None, 3])))
    column = frame_of(pa.table({"a": pa.chunked_array(chunks)})).column("a")
    assert (column.kind, contents(column)) == ("integer", [5, None, 7, 5, 9, 3, None])


def test_null_words_of_a_dictionary() -> None:
    """A row whose word is null is null itself."""
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1]), pa.array([None, "a"]))
    (text,) = frame_of(pa.table({"a": words})).column("a").text
    assert text.strings() == [None, "a", None, "a"]
    assert text.indices is not None and text.indices.tolist() == [-1, 1, -1, 1]


def test_dictionary_indices_must_point_at_words() -> None:
    """An index beyond the dictionary is refused instead of followed."""
    words = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array(["a"]), safe=False)
    with pytest.raises(EventsError, match="expected indices into a dictionary of 1 values, got 0 to 5"):
        frame_of(pa.table({"a": words})).column("a")


# --- Python objects -------------------------------------------------------------------------------------------------

NAIVE, AWARE = dt.datetime(2024, 1, 1, 0, 0, 0, 7), dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.mark.parametrize(
    ("objects", "kind", "values"),
    [
        (["a", None, np.str_("b"), float("nan"), pd.NA], "text", ["a", None, "b", None, None]),
        ([1, None, np.int8(2)], "integer", [1, None, 2]),
        ([2**63, 1], "integer", [2**63, 1]),
        ([True, None, np.False_], "boolean", [True, None, False]),
        ([1, 2.5, None, Decimal("0.1"), float("nan")], "float", [1.0, 2.5, None, 0.1, None]),
        ([Decimal("NaN"), Decimal(1)], "float", [None, 1.0]),
        ([NAIVE, pd.NaT, pd.Timestamp(1, unit="ns")], "instant", [micros(NAIVE), None, 0]),
        ([AWARE, None], "instant", [micros(AWARE), None]),
        ([dt.date(1970, 1, 2), None], "instant", [86_400_000_000, None]),
        ([np.datetime64(1, "s"), np.datetime64("NaT"), np.datetime64(-1, "ns")], "instant", [1_000_000, None, -1]),
        ([None, float("nan")], "float", [None, None]),
        ([], "float", []),
    ],
)
def test_objects_are_what_they_are(objects: list[Any], kind: str, values: list[Any]) -> None:
    """A column of Python objects is judged by its objects, as a list, an array or a pandas column."""
    array = np.empty(len(objects), object)
    array[:] = objects
    for column in (read(objects), read(array), frame_of(pd.DataFrame({"a": pd.Series(array)})).column("a")):
        assert (column.kind, contents(column)) == (kind, values)
        assert column.untyped == (not [value for value in values if value is not None])


def test_numbers_beyond_floats() -> None:
    """A Python integer that no float reaches is infinite among floats."""
    assert contents(read([10**400, -(10**400), 0.5])) == [float("inf"), float("-inf"), 0.5]


def test_objects_with_time_zones_are_aware() -> None:
    """A column of datetimes is aware when they are."""
    assert read([AWARE, None]).aware
    assert not read([NAIVE, None]).aware


@pytest.mark.parametrize(
    ("objects", "dtype"),
    [
        (["a", 1], "object (int and str)"),
        ([True, 1], "object (bool and int)"),
        ([NAIVE, dt.date(2024, 1, 1)], "object (date and datetime)"),
        ([NAIVE, AWARE], "object (datetime with and without time zone)"),
        ([object()], "object (object)"),
        ([np.timedelta64(1, "s")], "object (timedelta)"),
        ([b"a", None], "object (bytes)"),
        ([2**64], "object (int) beyond 64 bits"),
        ([-1, 2**63], "object (int) beyond 64 bits"),
        ([[1], [2]], "object (list)"),
    ],
)
def test_mixtures_are_named(objects: list[Any], dtype: str) -> None:
    """A mixture, or what is no kind of column, says in its dtype what is in it."""
    column = read(objects)
    assert (column.kind, column.dtype, column.rows) == ("other", dtype, len(objects))


def test_columns_of_nothing_fit_any_kind() -> None:
    """What holds only nulls and has no type of its own says so."""
    for source in (pa.table({"a": pa.nulls(2)}), pl.DataFrame({"a": [None, None]}), {"a": [None, None]}):
        column = frame_of(source).column("a")
        assert (column.kind, column.untyped, contents(column)) == ("float", True, [None, None])
    assert not frame_of({"a": np.array([np.nan])}).column("a").untyped


# --- pandas ---------------------------------------------------------------------------------------------------------


def test_pandas_text_types() -> None:
    """Every way in which pandas holds text is text."""
    words = ["open", None, LONG]
    dtypes = [object, "string", pd.StringDtype("python"), pd.StringDtype("pyarrow"), pd.ArrowDtype(pa.string())]
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


# What is None among the modules can be neither found nor imported.
WITHOUT_PYARROW = "import sys; sys.modules['pyarrow'] = None"


def run_without_pyarrow(program: str) -> str:
    """Run a program in an interpreter that cannot import pyarrow and return what it prints."""
    source = WITHOUT_PYARROW + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-W", "error", "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
        relation = duckdb.sql("select * from (values (1::bigint, 'x', timestamp '1970-01-01'), (2, null, null)) t(a, s, t)")
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


# --- no copies ------------------------------------------------------------------------------------------------------


def aligned_int64() -> np.ndarray[Any, Any]:
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
    assert array.tolist() == [3, 1, 2] and stamps.astype(str).tolist() == ["2024-01-01T00:00:00", "NaT", "1950-01-01T00:00:00"]
    assert objects == ["a", None]
    pd.testing.assert_frame_equal(frame, before)


def test_strided_columns_are_copied() -> None:
    """Every second item of an array is not contiguous and comes as a contiguous copy."""
    column = read(aligned_int64()[::2])
    assert column.values is not None and column.values.flags.c_contiguous
    assert column.values.tolist() == list(range(0, 1000, 2))


# --- DuckDB and lazy frames -----------------------------------------------------------------------------------------


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
        "timestamp_ns '1970-01-01 00:00:00.000001500' n, interval 1 day i, [1] l, time '10:00' t, 3::uinteger u"
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
        raise AssertionError

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


# --- streams --------------------------------------------------------------------------------------------------------


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


# --- errors ---------------------------------------------------------------------------------------------------------

A_FRAME = r"expected a frame \(of pandas, polars, pyarrow, DuckDB, a dict of arrays, any with __arrow_c_stream__\)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, rf"{A_FRAME} or an iterable of frames, got None"),
        (7, rf"{A_FRAME} or an iterable of frames, got 7"),
        ("events.csv", rf"{A_FRAME} or an iterable of frames, got 'events\.csv'"),
        (b"events", rf"{A_FRAME} or an iterable of frames, got b'events'"),
        (np.zeros((2, 2)), rf"{A_FRAME} or an iterable of frames, got ndarray"),
        (object(), rf"{A_FRAME} or an iterable of frames, got object"),
        (TABLE["number"], rf"{A_FRAME}, got a single column \(Series\)"),
        ([1, 2], rf"item 0 of the stream: {A_FRAME}, got 1"),
        ([{"a": [1]}, "x"], rf"item 1 of the stream: {A_FRAME}, got 'x'"),
        ([{"a": 1}], r"item 0 of the stream: column 'a': expected a one-dimensional array or a list, got 1"),
        ({"a": 1}, r"column 'a': expected a one-dimensional array or a list, got 1"),
        ({"a": "text"}, r"column 'a': expected a one-dimensional array or a list, got 'text'"),
        ({"a": {"b": 1}}, r"column 'a': expected a one-dimensional array or a list, got dict"),
        ({"a": {1, 2}}, r"column 'a': expected a one-dimensional array or a list, got set"),
        ({"a": np.zeros((2, 2))}, r"column 'a': expected a one-dimensional .*, got ndarray of shape \(2, 2\)"),
        ({"a": np.array(1)}, r"column 'a': expected a one-dimensional array or a list, got ndarray of shape \(\)"),
        ({"a": TABLE}, r"column 'a': expected a one-dimensional .*, got DataFrame of shape \(3, 12\)"),
        ({"a": [1], "b": [1, 2]}, "expected columns of one length, got 'a' 1, 'b' 2"),
        (pa.table([[1], [2], [3]], ["a", "b", "a"]), "expected columns of different names, got some twice: 'a'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "expected columns of different names, got some twice: 'a'"),
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
    with pytest.raises(EventsError, match=r"^expected a column 'type' \(did you mean 'typ'\?\), got 'contact', 'typ'$"):
        frame.column("type")
    with pytest.raises(EventsError, match="^expected a column 'zzz', got none$"):
        frame_of({}).column("zzz")
    with pytest.raises(EventsError, match="and 5 more$"):
        frame_of({f"column{n}": [1] for n in range(25)}).column("zzz")


def test_repr() -> None:
    """A frame shows its library, its rows and its columns."""
    assert repr(frame_of(TABLE.select("number", "word"))) == "Frame(polars, 3 rows, number, word)"


def test_any_sequence_in_a_dict() -> None:
    """Ranges, tuples and objects that NumPy understands are columns too."""
    import array

    frame = frame_of({"r": range(2), "t": ("a", "b"), "a": array.array("d", [0.5, 1.5]), "i": pd.Index([1, 2])})
    assert [frame.column(name).kind for name in frame.names] == ["integer", "text", "float", "integer"]
    assert frame_of({"e": pd.array([1, None], "Int64")}).column("e").null is not None
