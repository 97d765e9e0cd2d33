"""Columns from chunks of Arrow data."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit.errors import EventsError
from engagekit.frames.capsule import Chunk, Field, read_stream, unpacked
from engagekit.frames.columns import (
    RawColumn,
    Text,
    instant_column,
    joined,
    joined_nulls,
    null_column,
    number_column,
    other_column,
    some,
    taken,
    text_column,
)
from engagekit.frames.kept import Own

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = {
    "c": "i1",
    "C": "u1",
    "s": "i2",
    "S": "u2",
    "i": "i4",
    "I": "u4",
    "l": "i8",
    "L": "u8",
    "e": "f2",
    "f": "f4",
    "g": "f8",
}
# Ticks in microseconds.
_UNITS = {
    "s": Fraction(1_000_000),
    "m": Fraction(1_000),
    "u": Fraction(1),
    "n": Fraction(1, 1_000),
}
_DAY = Fraction(86_400_000_000)
_NAMES = {
    "n": "null",
    "b": "bool",
    "e": "float16",
    "f": "float32",
    "g": "float64",
    "u": "utf8",
    "U": "large_utf8",
    "vu": "utf8_view",
    "z": "binary",
    "Z": "large_binary",
    "vz": "binary_view",
    "tdD": "date32",
    "tdm": "date64",
    "+l": "list",
    "+L": "large_list",
    "+vl": "list_view",
    "+vL": "large_list_view",
    "+s": "struct",
    "+m": "map",
    "+r": "run_end_encoded",
}
_TICKS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}


def type_name(field: Field) -> str:
    """Return a readable name of an Arrow type, for a producer whose own name of it is not known.

    Examples
    --------
    >>> type_name(Field("time", "tsu:UTC"))
    'timestamp[us, UTC]'
    >>> type_name(Field("kind", "I", dictionary=Field("", "vu")))
    'dictionary<uint32, utf8_view>'
    """
    form = field.format
    if field.dictionary is not None:
        return f"dictionary<{type_name(Field('', form))}, {type_name(field.dictionary)}>"
    if form in _NAMES:
        return _NAMES[form]
    if form in _NUMBERS:
        return str(np.dtype(_NUMBERS[form]))
    if form.startswith("ts"):
        unit, _, zone = form[2:].partition(":")
        return f"timestamp[{_TICKS.get(unit, unit)}{', ' if zone else ''}{zone}]"
    families = {"tD": "duration", "tt": "time", "ti": "interval", "w:": "fixed_size_binary", "+w": "list"}
    families |= {"+u": "union"}
    if form.startswith("d:"):
        return f"decimal({form[2:]})"
    return families.get(form[:2], f"Arrow format {form!r}")


def number_type(form: str) -> np.dtype[Any] | None:
    """Return the NumPy type of an Arrow format that is a number, else None."""
    return np.dtype(_NUMBERS[form]) if form in _NUMBERS else None


def arrow_column(field: Field, chunks: Sequence[Chunk], *, name: str, dtype: str | None = None) -> RawColumn:
    """Return the column that some chunks of Arrow data hold.

    Parameters
    ----------
    field, chunks
        The type and the data.
    name
        The column's name, for error texts.
    dtype
        What its owner calls the type.

    Raises
    ------
    EventsError
        If an instant leaves the range of 64-bit microseconds, or a chunk contradicts its type.
    """
    dtype = type_name(field) if dtype is None else dtype
    chunks = [chunk for chunk in chunks if chunk.length]
    rows = [chunk.length for chunk in chunks]
    form = field.format
    if field.dictionary is not None:
        return _dictionary_column(field, chunks, name, dtype)
    if form in ("u", "U", "vu"):
        return text_column([_text(chunk, form) for chunk in chunks], dtype)
    if form == "n":
        return null_column(dtype, sum(rows))
    null = joined_nulls([chunk.null_mask() for chunk in chunks], rows)
    if form in _NUMBERS:
        return number_column(_fixed(chunks, np.dtype(_NUMBERS[form])), null, dtype)
    if form == "b":
        return number_column(_bits(chunks), null, dtype)
    if form.startswith("d:"):
        return number_column(_decimals(chunks, form, null), null, dtype)
    if form == "tdD":
        days = _fixed(chunks, np.dtype(np.int32))
        return instant_column(days, null, tick=_DAY, dtype=dtype, name=name)
    if form == "tdm" or (form[:2] == "ts" and form[2:3] in _UNITS):
        tick = _UNITS["m"] if form == "tdm" else _UNITS[form[2]]
        ticks = _fixed(chunks, np.dtype(np.int64))
        aware = form != "tdm" and bool(form.partition(":")[2])
        return instant_column(ticks, null, tick=tick, dtype=dtype, name=name, aware=aware)
    return other_column(dtype, sum(rows))


def only_column(table: Any, *, name: str, dtype: str) -> RawColumn:
    """Return the column of a table that has no other, by way of its stream."""
    field, chunks = read_stream(table)
    return arrow_column(field.children[0], [chunk.child(0) for chunk in chunks], name=name, dtype=dtype)


def _fixed(chunks: Sequence[Chunk], dtype: np.dtype[Any]) -> NDArray[Any]:
    parts: list[NDArray[Any]] = [
        chunk.buffer(1, dtype, chunk.offset, chunk.offset + chunk.length) for chunk in chunks
    ]
    return joined(parts, dtype)


def _bits(chunks: Sequence[Chunk]) -> NDArray[np.bool_]:
    parts = []
    for chunk in chunks:
        bits = chunk.buffer(1, np.uint8, chunk.offset // 8, (chunk.offset + chunk.length + 7) // 8)
        parts.append(unpacked(bits, chunk.offset % 8, chunk.length))
    return joined(parts, np.dtype(np.bool_))


def _decimals(chunks: Sequence[Chunk], form: str, null: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Return decimals of any width as the nearest float64."""
    scale, width = ([int(part) for part in form[2:].split(",")[1:]] + [128])[:2]
    raw = _fixed(chunks, np.dtype(f"V{width // 8}"))
    limbs = raw.view(np.int32 if width == 32 else np.int64).reshape(-1, max(width // 64, 1))
    units = limbs[:, 0].astype(np.int64)
    # The higher limbs of a number that fits the lowest one repeat its sign.
    wide = (limbs[:, 1:] != (units >> 63)[:, None]).any(axis=1)
    # What float64 holds exactly, over an exact power of ten, is rounded once; Python's integers do the rest.
    slow = wide | (units > 2**53) | (units < -(2**53)) | (not 0 <= scale <= 22)
    if null is not None:
        slow &= ~null
    values: NDArray[np.float64] = units / 10.0**scale
    for row in np.flatnonzero(slow).tolist():
        number = int.from_bytes(limbs[row].tobytes(), "little", signed=True)
        values[row] = number / 10**scale if scale >= 0 else float(number * 10**-scale)
    return values


def _text(chunk: Chunk, form: str) -> Text:
    if form == "vu":
        return _viewed(chunk)
    dtype = np.dtype(np.int32 if form == "u" else np.int64)
    offsets = chunk.buffer(1, dtype, chunk.offset, chunk.offset + chunk.length + 1)
    first, last = int(offsets[0]), int(offsets[-1])
    if not 0 <= first <= last:
        raise EventsError(f"Arrow data: expected offsets that rise from 0, got {first} to {last}")
    validity, bit_offset = chunk.validity()
    return Text(
        layout="utf8" if form == "u" else "large_utf8",
        rows=chunk.length,
        offsets=offsets,
        data=chunk.buffer(2, np.uint8, 0, last),
        validity=validity,
        bit_offset=bit_offset,
    )


def _viewed(chunk: Chunk) -> Text:
    # Buffers: validity, views, any number of data buffers, and last the sizes of those.
    count = chunk.n_buffers - 3
    sizes = chunk.buffer(chunk.n_buffers - 1, np.int64, 0, count).tolist() if count > 0 else []
    validity, bit_offset = chunk.validity()
    return Text(
        layout="view",
        rows=chunk.length,
        views=chunk.buffer(1, np.uint8, 16 * chunk.offset, 16 * (chunk.offset + chunk.length)),
        buffers=[chunk.buffer(2 + index, np.uint8, 0, size) for index, size in enumerate(sizes)],
        validity=validity,
        bit_offset=bit_offset,
    )


def _dictionary_column(field: Field, chunks: Sequence[Chunk], name: str, dtype: str) -> RawColumn:
    assert field.dictionary is not None
    if field.format not in _NUMBERS:
        return other_column(dtype, sum(chunk.length for chunk in chunks))
    if not chunks:
        empty = arrow_column(field.dictionary, [], name=name)
        return taken(empty, np.empty(0, np.int64), dtype)
    parts = []
    for chunk in chunks:
        words = arrow_column(field.dictionary, [chunk.dictionary()], name=name)
        parts.append(_chosen(words, chunk, field, dtype))
    return _concatenated(parts, dtype)


def categorical_column(indices: Any, words: Any, *, name: str, dtype: str, own: Own | None) -> RawColumn:
    """Return the column of those rows of `words` that `indices` name; both have Arrow streams."""
    field, chunks = read_stream(indices)
    categories = arrow_column(*read_stream(words), name=name)
    return _concatenated([_chosen(categories, chunk, field, dtype, own) for chunk in chunks], dtype)


def _chosen(words: RawColumn, chunk: Chunk, field: Field, dtype: str, own: Own | None = None) -> RawColumn:
    indices = _fixed([chunk], np.dtype(_NUMBERS[field.format]))
    validity, bit_offset = chunk.validity()
    return taken(words, indices, dtype, validity=validity, bit_offset=bit_offset, own=own)


def _concatenated(parts: Sequence[RawColumn], dtype: str) -> RawColumn:
    """Return the parts of one column, which are all of one kind, as one."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    rows = [part.rows for part in parts]
    if first.kind == "text":
        return text_column([chunk for part in parts for chunk in part.text], dtype)
    if first.kind == "other":
        return other_column(dtype, sum(rows))
    values = [part.values for part in parts if part.values is not None]
    return RawColumn(
        kind=first.kind,
        dtype=dtype,
        rows=sum(rows),
        values=joined(values, values[0].dtype),
        null=some(joined_nulls([part.null for part in parts], rows)),
        aware=first.aware,
        untyped=first.untyped,
    )
