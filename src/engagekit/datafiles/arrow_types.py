"""Name Arrow types in a companion file, and find them again by their names."""

import re
from typing import TYPE_CHECKING

from engagekit.datafiles.paths import pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]+)\]")
_DECIMAL = re.compile(r"decimal(128|256)\((\d+), (-?\d+)\)")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(u?int(?:8|16|32|64)), ordered=([01])>")


def type_named(name: str) -> "pa.DataType | None":
    """Find the type of a name (as ``str(type)`` gives it), None for a type that text cannot hold."""
    pa = pyarrow()
    if found := _ZONED.fullmatch(name):
        return pa.timestamp(found[1], found[2])
    if found := _DECIMAL.fullmatch(name):
        return _decimal(int(found[1]), int(found[2]), int(found[3]))
    if found := _DICTIONARY.fullmatch(name):
        # A dictionary of dictionaries is no type of a column; a name that nests them is no name we wrote.
        values = None if found[1].startswith("dictionary") else type_named(found[1])
        return values and pa.dictionary(type_named(found[2]), values, found[3] == "1")
    simple = [
        pa.null(),
        pa.bool_(),
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.date32(),
        pa.date64(),
    ]
    simple += [
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.uint8(),
        pa.uint16(),
        pa.uint32(),
        pa.uint64(),
    ]
    simple += [
        pa.float16(),
        pa.float32(),
        pa.float64(),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    ]
    return next((each for each in simple if str(each) == name), None)


def _decimal(bits: int, precision: int, scale: int) -> "pa.DataType | None":
    pa = pyarrow()
    try:
        return (pa.decimal128 if bits == 128 else pa.decimal256)(precision, scale)
    except ValueError:
        return None


def as_written(values: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Turn a column into what CSV and JSON can hold: whole numbers, floats, booleans, text.

    Instants become ISO-8601, with Z where they are aware.
    """
    pa, compute = pyarrow(), pyarrow("compute")
    types, kind = pa.types, values.type
    if types.is_dictionary(kind):
        return as_written(values.cast(kind.value_type))
    if types.is_timestamp(kind):
        text = values.cast(pa.timestamp(kind.unit, "UTC" if kind.tz else None)).cast(pa.timestamp(kind.unit))
        text = compute.replace_substring(text.cast(pa.string()), " ", "T", max_replacements=1)
        text = compute.replace_substring_regex(text, r"\.0+$", "")
        return compute.binary_join_element_wise(text, "Z", "") if kind.tz else text
    if types.is_date64(kind):
        return values.cast(pa.date32()).cast(pa.string())
    if types.is_date32(kind) or types.is_decimal(kind) or types.is_string_view(kind):
        return values.cast(pa.string())
    return values.cast(pa.float32()) if types.is_float16(kind) else values


def written_type(kind: "pa.DataType") -> "pa.DataType":
    """Tell the type that `as_written` gives to a column of this type."""
    return as_written(pyarrow().chunked_array([], kind)).type


def restored(values: "pa.ChunkedArray", kind: "pa.DataType") -> "pa.ChunkedArray":
    """Turn a column that `as_written` made back into its own type."""
    pa = pyarrow()
    types = pa.types
    if types.is_dictionary(kind):
        return restored(values, kind.value_type).dictionary_encode().cast(kind)
    if types.is_timestamp(kind) and kind.tz:
        return values.cast(pa.timestamp(kind.unit, "UTC")).cast(kind)
    if types.is_date64(kind):
        return values.cast(pa.date32()).cast(kind)
    return values.cast(kind)


def csvw_type(kind: "pa.DataType") -> str:
    """Name a type as CSVW does."""
    types = pyarrow().types
    if types.is_timestamp(kind):
        return "dateTime"
    if types.is_date(kind):
        return "date"
    named = (("integer", types.is_integer), ("double", types.is_floating), ("boolean", types.is_boolean))
    return next(
        (name for name, fits in named if fits(kind)), "decimal" if types.is_decimal(kind) else "string"
    )
