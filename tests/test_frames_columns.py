"""Columns of every type become integers, floats, flags, instants, text, or are named as none of these."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import contents, micros, read

from engagekit.errors import EventsError
from engagekit.frames import frame_of

LONG = "a text that is too long to be written into a view"

# --- numbers ---

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
        "pandas nullable": lambda: pd.DataFrame(
            {"a": pd.array(array, dtype.replace("i", "I").replace("uI", "UI"))}
        ),
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
    assert contents(frame_of(pa.table({"a": pa.array([lowest], pa.decimal128(38, 2))})).column("a")) == [
        float(lowest)
    ]


def test_masked_arrays() -> None:
    """The mask of a NumPy masked array marks nulls, whatever is under it."""
    mask = [False, True]
    assert contents(read(np.ma.array([1, 2], mask=mask))) == [1, None]
    assert contents(read(np.ma.array(["a", "b"], mask=mask))) == ["a", None]
    assert contents(read(np.ma.array([True, True], mask=mask))) == [True, None]
    assert contents(read(np.ma.array(np.array([5, 6], "datetime64[us]"), mask=mask))) == [5, None]
    assert contents(read(np.ma.array([1, 2]))) == [1, 2]


# --- instants ---

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
    assert contents(read(np.array(counts, np.int64).view("datetime64[ns]"))) == [
        count // 1000 for count in counts
    ]


def test_months_and_years_go_by_the_calendar() -> None:
    """Months and years begin on their first day."""
    assert contents(read(np.array(["2024-03", "NaT"], "datetime64[M]"))) == [
        micros(dt.datetime(2024, 3, 1)),
        None,
    ]
    assert contents(read(np.array(["1969"], "datetime64[Y]"))) == [micros(dt.datetime(1969, 1, 1))]
    assert contents(read(np.array(["1968"], "datetime64[4Y]"))) == [micros(dt.datetime(1966, 1, 1))]


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
def test_nat_without_a_unit() -> None:
    """A NumPy NaT needs no unit."""
    column = read(np.array(["NaT", "NaT"], "datetime64"))
    assert (column.kind, contents(column)) == ("instant", [None, None])


@pytest.mark.parametrize(
    ("unit", "count"), [("s", 10**13), ("ms", 10**16 + 5), ("D", 10**9), ("M", 10**8), ("Y", 10**7)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_instants_beyond_microseconds(unit: str, count: int, sign: int) -> None:
    """An instant that 64-bit microseconds cannot hold is refused by column, first row and count."""
    ticks = np.zeros(2000, np.int64)
    ticks[[1, 1500]] = np.iinfo(np.int64).min, sign * count
    ticks[1700] = sign * count
    with pytest.raises(EventsError) as caught:
        read(ticks.view(f"datetime64[{unit}]"), "time")
    assert str(caught.value) == (
        "column 'time', row 1,500: expected an instant that 64-bit microseconds can hold, "
        f"got {sign * count} (datetime64[{unit}]); 2 such rows in all"
    )


def test_arrow_instants_beyond_microseconds() -> None:
    """The same of Arrow's types; what stands at a null does not count, and rows go on over chunks."""
    seconds = pa.array([0, 10**13], pa.timestamp("s"), mask=np.array([False, True]))
    table = pa.table({"time": pa.chunked_array([seconds, pa.array([1, 10**13], pa.timestamp("s"))])})
    with pytest.raises(
        EventsError, match=r"column 'time', row 3: .* got 10000000000000 .*; 1 such row in all"
    ):
        frame_of(table).column("time")
    assert contents(frame_of(table[:3]).column("time")) == [0, None, 1_000_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_units_and_zones_of_libraries(unit: str, zone: str | None) -> None:
    """Every unit, with a time zone and without, reads as the same instant in Arrow and pandas."""
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    table = pa.table({"time": pa.array([-3 * factor, None, 5 * factor], pa.timestamp(unit, zone))})
    stamps = pd.Series(
        np.array([-3 * factor, np.iinfo(np.int64).min, 5 * factor]).view(f"datetime64[{unit}]")
    )
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


# --- text and categories ---


@pytest.mark.parametrize("kind", [k for k in ("string", "large_string", "string_view") if hasattr(pa, k)])
def test_arrow_text_layouts(kind: str) -> None:
    """Text keeps its layout; nulls, empty and long texts and slices are right."""
    words = ["", None, "ü", LONG, "open"] * 5
    array = pa.array(words, pa.large_string()) if kind == "large_string" else pa.array(words)
    if kind == "string_view":
        array = array.cast(pa.string_view())
    column = frame_of(pa.table({"a": array})).column("a")
    assert (
        column.text[0].layout == {"string": "utf8", "large_string": "large_utf8", "string_view": "view"}[kind]
    )
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
        assert contents(read(np.array(["a", strange], np.dtypes.StringDType(na_object=strange)))) == [
            "a",
            None,
        ]


def test_categories_of_text() -> None:
    """Categories come as indices into their words, in their own type, -1 for null."""
    frame = pd.DataFrame({"a": pd.Categorical(["b", None, "a"], categories=["a", "b"])})
    (text,) = frame_of(frame).column("a").text
    assert text.layout == "dictionary"
    assert text.indices is not None and text.indices.tolist() == [1, -1, 0]
    assert text.indices.dtype == np.int8
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
    chunks.append(
        pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.uint8()).cast(pa.int32()), pa.array([None, 3]))
    )
    column = frame_of(pa.table({"a": pa.chunked_array(chunks)})).column("a")
    assert (column.kind, contents(column)) == ("integer", [5, None, 7, 5, 9, 3, None])


def test_null_words_of_a_dictionary() -> None:
    """A row whose word is null is null itself."""
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1]), pa.array([None, "a"]))
    (text,) = frame_of(pa.table({"a": words})).column("a").text
    assert text.strings() == [None, "a", None, "a"]


def test_dictionary_indices_must_point_at_words() -> None:
    """An index beyond the dictionary is refused instead of followed."""
    words = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array(["a"]), safe=False)
    (text,) = frame_of(pa.table({"a": words})).column("a").text
    with pytest.raises(EventsError, match="expected indices into a dictionary of 1 values, got 0 to 5"):
        text.strings()
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array([7]), safe=False)
    with pytest.raises(EventsError, match="expected indices into a dictionary of 1 values, got 0 to 5"):
        frame_of(pa.table({"a": numbers})).column("a")


# --- Python objects ---

NAIVE, AWARE = (
    dt.datetime(2024, 1, 1, 0, 0, 0, 7),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
)


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
        (
            [np.datetime64(1, "s"), np.datetime64("NaT", "s"), np.datetime64(-1, "ns")],
            "instant",
            [1_000_000, None, -1],
        ),
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
