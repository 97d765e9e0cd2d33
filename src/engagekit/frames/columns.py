"""Columns as they come out of any frame: a kind, NumPy values, a mask of nulls; text in its own layout."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from engagekit.errors import EventsError, in_all
from engagekit.frames.capsule import unpacked
from engagekit.frames.kept import Own

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["integer", "float", "boolean", "instant", "text", "other"]
Layout = Literal["utf8", "large_utf8", "view", "objects", "dictionary"]

_NAT = np.iinfo(np.int64).min
_MAX = np.iinfo(np.int64).max


@attrs.define(kw_only=True, eq=False)
class Text:
    """A run of rows of text in the layout in which it came; nothing is copied.

    Attributes
    ----------
    layout
        ``"utf8"`` and ``"large_utf8"``: `offsets` (int32, int64; `rows` + 1 of them) into `data` (uint8).
        ``"view"``: `views` (16 bytes a row: an int32 length, then the text itself up to 12 bytes, or 4 bytes
        of it, an int32 buffer and an int32 offset into `buffers`). ``"objects"``: `objects`, a str or a null
        (None, NaN, NA) each. ``"dictionary"``: `indices` (of any integer type, -1 is null; nobody has checked
        them) into `dictionary`, whose words may be null.
    rows
        The number of rows.
    validity, bit_offset
        A bitmap of the rows that are not null (None: all are), lowest bit first; the bit of the first row.
    own
        Of a dictionary's rows: their type, where its library sees to it that indices are codes of words that
        are distinct and not null.
    """

    layout: Layout
    rows: int
    offsets: NDArray[Any] | None = None
    data: NDArray[np.uint8] | None = None
    views: NDArray[np.uint8] | None = None
    buffers: list[NDArray[np.uint8]] = attrs.field(factory=list)
    validity: NDArray[np.uint8] | None = None
    bit_offset: int = 0
    objects: Sequence[Any] | NDArray[np.object_] | None = None
    indices: NDArray[np.integer[Any]] | None = None
    dictionary: Text | None = None
    own: Own | None = None

    def strings(self) -> list[str | None]:
        """Return the rows as Python strings, None for a null (slow: for small tables and for tests).

        Examples
        --------
        >>> import numpy as np
        >>> data = np.frombuffer(b"openclick", np.uint8)
        >>> Text(layout="utf8", rows=2, offsets=np.array([0, 4, 9], np.int32), data=data).strings()
        ['open', 'click']
        """
        if self.layout == "objects":
            assert self.objects is not None
            return [str(text) if isinstance(text, str) else None for text in self.objects]
        if self.layout == "dictionary":
            assert self.indices is not None and self.dictionary is not None
            words, indices = self.dictionary.strings(), _signed(self.indices, self.validity, self.bit_offset)
            _refuse_beyond_words(indices, len(words))
            return [words[index] if index >= 0 else None for index in indices.tolist()]
        pieces = self._viewed() if self.layout == "view" else self._sliced()
        valid: list[bool] = [True] * self.rows
        if self.validity is not None:
            valid = unpacked(self.validity, self.bit_offset, self.rows).tolist()
        kept = zip(pieces, valid, strict=True)
        return [piece.decode("utf-8", "replace") if keep else None for piece, keep in kept]

    def taken(self, rows: NDArray[np.int64]) -> Text:
        """Return some rows of a dictionary's."""
        assert self.indices is not None
        indices = _signed(self.indices, self.validity, self.bit_offset)[rows]
        return Text(layout="dictionary", rows=len(rows), indices=indices, dictionary=self.dictionary)

    def is_same(self, other: Text) -> bool:
        """Return whether both are the same rows of the same memory, as a dictionary is that chunks share."""
        return (
            (self.layout, self.rows, self.bit_offset) == (other.layout, other.rows, other.bit_offset)
            and self.objects is other.objects
            and self.dictionary is other.dictionary
            and list(map(_address, self._memory())) == list(map(_address, other._memory()))
        )

    def _memory(self) -> list[NDArray[Any] | None]:
        return [self.offsets, self.data, self.views, self.validity, self.indices, *self.buffers]

    def _sliced(self) -> list[bytes]:
        assert self.offsets is not None and self.data is not None
        memory, ends = self.data.data, self.offsets.tolist()
        return [bytes(memory[start:end]) for start, end in pairwise(ends)]

    def _viewed(self) -> list[bytes]:
        assert self.views is not None
        memory = self.views.data
        words = self.views.view(np.int32).reshape(-1, 4).tolist()
        pieces = []
        for row, (length, _, buffer, offset) in enumerate(words):
            if length <= 12:
                pieces.append(bytes(memory[16 * row + 4 : 16 * row + 4 + length]))
            else:
                pieces.append(bytes(self.buffers[buffer].data[offset : offset + length]))
        return pieces


@attrs.define(kw_only=True, eq=False)
class RawColumn:
    """One column of a frame.

    Attributes
    ----------
    kind
        What it holds; ``"other"`` (lists, durations, bytes, mixtures) has neither values nor text.
    dtype
        What its owner calls its type; for error texts.
    rows
        The number of rows.
    values
        For a kind that is not text: contiguous int64 or uint64 (``"integer"``), float64, bool, or int64
        microseconds since 1970 in UTC, floored (``"instant"``). What stands at a null means nothing.
    null
        A mask of the nulls, or None when there are none.
    aware
        Whether an instant's column carries a time zone.
    text
        For text: its chunks, together `rows` rows.
    untyped
        Whether the column is of no kind of its own, because nothing but nulls is in it (an Arrow null column,
        objects that are all None, an empty list). Its `kind` is then ``"float"``; it fits any other kind too.
    """

    kind: Kind
    dtype: str
    rows: int
    values: NDArray[Any] | None = None
    null: NDArray[np.bool_] | None = None
    aware: bool = False
    text: list[Text] = attrs.field(factory=list)
    untyped: bool = False


def other_column(dtype: str, rows: int) -> RawColumn:
    """Return a column that can be named but not read."""
    return RawColumn(kind="other", dtype=dtype, rows=rows)


def null_column(dtype: str, rows: int) -> RawColumn:
    """Return a column of nothing but nulls that has no kind of its own."""
    null = np.ones(rows, np.bool_) if rows else None
    values = np.full(rows, np.nan)
    return RawColumn(kind="float", dtype=dtype, rows=rows, values=values, null=null, untyped=True)


def number_column(values: NDArray[Any], null: NDArray[np.bool_] | None, dtype: str) -> RawColumn:
    """Return a column of numbers or booleans from an array of any integer, float or boolean type.

    Examples
    --------
    >>> import numpy as np
    >>> number_column(np.array([1, 2], np.int8), None, "int8").values
    array([1, 2])
    >>> number_column(np.array([1.5, np.nan], np.float32), None, "float32").null
    array([False,  True])
    """
    null = some(null)
    kind: Kind = "integer"
    if values.dtype.kind == "b":
        kind, values = "boolean", np.ascontiguousarray(values)
    elif values.dtype.kind == "f":
        kind = "float"
        # A longdouble beyond float64 becomes infinite, which whoever uses the column judges.
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(values, np.float64)
        if len(values) and np.isnan(values.min()):
            # The minimum of an array with a NaN is NaN: a mask is made only where there is something to mark.
            null = np.isnan(values) if null is None else null | np.isnan(values)
    else:
        wide = values.dtype.kind == "u" and values.dtype.itemsize == 8
        values = np.ascontiguousarray(values, np.uint64 if wide else np.int64)
    return RawColumn(kind=kind, dtype=dtype, rows=len(values), values=values, null=null)


def instant_column(
    values: NDArray[Any],
    null: NDArray[np.bool_] | None,
    *,
    tick: Fraction,
    dtype: str,
    name: str,
    aware: bool = False,
) -> RawColumn:
    """Return a column of instants from counts of ticks since 1970.

    Parameters
    ----------
    values
        Counts, of an integer type.
    null
        The nulls among them.
    tick
        The length of a tick in microseconds; finer ones are floored, before 1970 too.
    dtype, name, aware
        The type's and the column's name for error texts, and whether there is a time zone.

    Examples
    --------
    >>> import numpy as np
    >>> from fractions import Fraction
    >>> instant_column(np.array([-1, 1999]), None, tick=Fraction(1, 1000), dtype="ns", name="time").values
    array([-1,  1])
    """
    null = some(null)
    values = np.ascontiguousarray(values, dtype=np.int64)
    up, down = tick.numerator, tick.denominator
    if down > 1:
        values, rest = np.divmod(values, down) if up > 1 else (values // down, None)
        values = _scaled(values, up, null, dtype, name)
        if rest is not None:
            values = values + rest * up // down
    else:
        values = _scaled(values, up, null, dtype, name)
    return RawColumn(kind="instant", dtype=dtype, rows=len(values), values=values, null=null, aware=aware)


def _scaled(
    values: NDArray[np.int64], factor: int, null: NDArray[np.bool_] | None, dtype: str, name: str
) -> NDArray[np.int64]:
    """Return the product; where it leaves 64 bits at a row that is not null, say so."""
    if factor == 1 or not len(values):
        return values
    # One factor is left over at either end for a remainder that is added later.
    low, high = -(_MAX // factor) + 1, _MAX // factor - 1
    if values.min() < low or values.max() > high:
        outside = (values < low) | (values > high)
        if null is not None:
            outside &= ~null
        refuse_beyond(outside, values, dtype=dtype, name=name)
        values = np.where(outside if null is None else null, 0, values)
    return values * np.int64(factor)


def refuse_beyond(outside: NDArray[np.bool_], ticks: NDArray[np.int64], *, dtype: str, name: str) -> None:
    """Raise an EventsError if any instant is marked as being outside of 64-bit microseconds."""
    if outside.any():
        row = int(outside.argmax())
        raise EventsError(
            f"column {name!r}, row {row:,}: expected an instant that 64-bit microseconds can hold, "
            f"got {int(ticks[row])} ({dtype}); {in_all(int(outside.sum()))}"
        )


def text_column(chunks: Sequence[Text], dtype: str) -> RawColumn:
    """Return a column of text from its chunks; empty ones are left out."""
    chunks = [chunk for chunk in chunks if chunk.rows]
    return RawColumn(kind="text", dtype=dtype, rows=sum(chunk.rows for chunk in chunks), text=chunks)


def taken(
    column: RawColumn,
    indices: NDArray[np.integer[Any]],
    dtype: str,
    *,
    validity: NDArray[np.uint8] | None = None,
    bit_offset: int = 0,
    own: Own | None = None,
) -> RawColumn:
    """Return the column whose rows are the rows of another one, by index; null by its bit or by -1.

    The indices of text stay as they are, to be followed (and checked) by whoever codes them.

    Examples
    --------
    >>> import numpy as np
    >>> words = text_column([Text(layout="objects", rows=2, objects=["open", "click"])], "object")
    >>> taken(words, np.array([1, -1, 0], np.int8), "category").text[0].strings()
    ['click', None, 'open']
    """
    rows = len(indices)
    if column.kind == "text":
        words = column.text[0] if len(column.text) == 1 else _objects_of(column)
        text = Text(
            layout="dictionary",
            rows=rows,
            indices=indices,
            dictionary=words,
            validity=validity,
            bit_offset=bit_offset,
            own=own,
        )
        return text_column([text], dtype)
    if column.kind == "other":
        return other_column(dtype, rows)
    assert column.values is not None
    places = _signed(indices, validity, bit_offset)
    _refuse_beyond_words(places, column.rows)
    # An index of -1 looks up the spare value at the end.
    values = np.append(column.values, np.zeros(1, column.values.dtype))[places]
    gaps = np.append(np.zeros(column.rows, np.bool_) if column.null is None else column.null, True)[places]
    return attrs.evolve(column, dtype=dtype, rows=rows, values=values, null=some(gaps))


def _signed(
    indices: NDArray[np.integer[Any]], validity: NDArray[np.uint8] | None, bit_offset: int
) -> NDArray[np.int64]:
    """Return indices as int64, -1 for null: what stands at a null means nothing and may point anywhere."""
    signed = indices.astype(np.int64, copy=False)
    return signed if validity is None else np.where(unpacked(validity, bit_offset, len(signed)), signed, -1)


def _refuse_beyond_words(indices: NDArray[np.int64], count: int) -> None:
    if len(indices) and (indices.min() < -1 or indices.max() >= count):
        raise EventsError(
            f"expected indices into a dictionary of {count:,} values, "
            f"got {int(indices.min())} to {int(indices.max())}"
        )


def _address(memory: NDArray[Any] | None) -> tuple[int, int] | None:
    return None if memory is None else (memory.__array_interface__["data"][0], memory.nbytes)


def _objects_of(column: RawColumn) -> Text:
    strings = [string for chunk in column.text for string in chunk.strings()]
    return Text(layout="objects", rows=len(strings), objects=strings)


def some(null: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return the mask, or None if it marks nothing."""
    return null if null is not None and null.any() else None


def joined(parts: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the parts as one array; a single part as it is."""
    if not parts:
        return np.empty(0, dtype)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def joined_nulls(masks: Sequence[NDArray[np.bool_] | None], rows: Sequence[int]) -> NDArray[np.bool_] | None:
    """Return the masks of consecutive chunks as one; None if none of them marks anything."""
    if all(mask is None for mask in masks):
        return None
    return np.concatenate(
        [np.zeros(n, np.bool_) if mask is None else mask for mask, n in zip(masks, rows, strict=True)]
    )
