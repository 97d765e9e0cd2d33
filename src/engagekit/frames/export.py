"""Result columns as an Arrow stream, over NumPy's own memory and without pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from engagekit import _core
from engagekit.errors import EngagekitError
from engagekit.frames.kept import Foreign, KeyType, Own

if TYPE_CHECKING:
    from numpy.typing import NDArray

OutKind = Literal["integer", "float", "instant", "boolean", "text", "category", "other"]


@attrs.define(eq=False)
class Out:
    """One column of a result.

    Parameters
    ----------
    kind
        What it holds.
    values
        ``"integer"``: int64 or uint64; ``"float"``: float64; ``"boolean"``: bool; ``"instant"``: int64
        microseconds since 1970, UTC; ``"text"``: an object array of str and None, or a pair of int64 offsets
        and UTF-8 bytes (uint8); ``"category"``: int32 or int8 codes into `categories`, -1 for
        null; ``"other"``: a `Foreign` column.
    null
        A mask of the nulls; None: there are none (but NaN, None and -1 are nulls anyway).
    categories
        The words that a category's codes mean.
    aware
        Whether instants carry the time zone UTC.
    like
        The type of a caller's column (`Frame.like`) that the column takes, where nothing is lost.
    of
        Of text as offsets and bytes, or of a category: each row's place (int32) among `values`, where few
        fill many rows.
    whole
        Whether it is known that nothing is null, so that no null is looked for.
    own
        Of text without gaps that is `like` a categorical: the same rows by code. `evolve` forgets it.

    Examples
    --------
    >>> import numpy as np
    >>> Out("category", np.array([1, -1], np.int32), categories=["low", "high"]).objects()
    array(['high', None], dtype=object)
    """

    kind: OutKind
    values: Any
    null: NDArray[np.bool_] | None = None
    categories: list[str] | None = None
    aware: bool = False
    like: KeyType | None = None
    of: NDArray[np.int32] | None = None
    whole: bool = False
    own: Own | None = attrs.field(default=None, init=False)

    @property
    def rows(self) -> int:
        """The number of rows."""
        if self.of is not None:
            return len(self.of)
        return len(self.values[0]) - 1 if isinstance(self.values, tuple) else len(self.values)

    def nulls(self) -> NDArray[np.bool_] | None:
        """Return the mask of all nulls, or None when there are none."""
        if self.whole:
            return None
        null = self.null
        if self.kind == "category":
            if len(self.values) and self.values.min() < 0:
                gaps = _placed(self.values < 0, self.of)
                null = gaps if null is None else null | gaps
        elif self.kind == "float" and len(self.values) and np.isnan(self.values.min()):
            null = np.isnan(self.values) if null is None else null | np.isnan(self.values)
        elif self.kind == "text" and not isinstance(self.values, tuple):
            gaps = np.fromiter((text is None for text in self.values), np.bool_, len(self.values))
            null = gaps if null is None else null | gaps
        return null if null is not None and null.any() else None

    def objects(self) -> NDArray[np.object_]:
        """Return text or categories as an array of str and None."""
        objects: NDArray[np.object_]
        if self.kind == "category":
            words = np.array([*(self.categories or ()), None], np.object_)
            objects = words[_placed(self.values, self.of)]
        elif isinstance(self.values, tuple):
            objects = np.fromiter(_decoded(*self.values), np.object_, len(self.values[0]) - 1)
            objects = _placed(objects, self.of)
        else:
            objects = np.asarray(self.values, np.object_)
        return objects if self.null is None else filled(objects, self.null, None)

    def coded(self) -> tuple[NDArray[np.int32], list[str]]:
        """Return text or categories as codes, -1 for null, and the words that they mean.

        Examples
        --------
        >>> import numpy as np
        >>> codes, words = Out("text", np.array(["low", None, "low"], object)).coded()
        >>> codes.tolist(), words
        ([0, -1, 0], ['low'])
        """
        if self.kind == "category":
            return _placed(self.values, self.of).astype(np.int32), list(self.categories or ())
        places: dict[str | None, int] = {None: -1}
        codes = [places.setdefault(text, len(places) - 1) for text in self.objects().tolist()]
        return np.array(codes, np.int32), [word for word in places if word is not None]


def _placed(values: NDArray[Any], places: NDArray[np.int32] | None) -> NDArray[Any]:
    return values if places is None else values[places]


def spread(column: Out) -> Out:
    """Return a column with a text or code a row, as Arrow has it.

    Examples
    --------
    >>> import numpy as np
    >>> texts = np.array([0, 3, 6]), np.frombuffer(b"annbob", np.uint8)
    >>> spread(Out("text", texts, of=np.array([1, 1, 0], np.int32))).values[1].tobytes()
    b'bobbobann'
    """
    if column.of is None:
        return column
    if column.kind == "category":
        return attrs.evolve(column, values=column.values[column.of], of=None)
    offsets = np.empty(len(column.of) + 1, np.int64)
    starts, texts = column.values
    data = _core.take_text(starts, texts, column.of.astype(np.int64), offsets)
    return attrs.evolve(column, values=(offsets, np.frombuffer(data, np.uint8)), of=None)


def _decoded(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> Iterator[str]:
    raw, ends = data.tobytes(), offsets.tolist()
    if raw.isascii():
        # A letter a byte: cutting one string is several times faster than decoding many.
        whole = raw.decode()
        return (whole[start:end] for start, end in pairwise(ends))
    return (raw[start:end].decode() for start, end in pairwise(ends))


def filled(values: NDArray[Any], null: NDArray[np.bool_], gap: object) -> NDArray[Any]:
    """Return a copy of the values with a gap where they are null.

    Examples
    --------
    >>> import numpy as np
    >>> filled(np.array([1.5, 2.5]), np.array([True, False]), np.nan)
    array([nan, 2.5])
    """
    values = values.copy()
    values[null] = gap
    return values


class ArrowColumns:
    """Result columns that show themselves as an Arrow stream, as often as they are asked to."""

    def __init__(self, columns: Mapping[str, Out]) -> None:
        self.columns = dict(columns)

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Return a new stream; a requested schema is only ever a wish."""
        return arrow_stream(self.columns)


def arrow_stream(columns: Mapping[str, Out]) -> Any:
    """Return columns as the PyCapsule of an Arrow stream, for an ``__arrow_c_stream__``.

    Integers, floats, instants, codes and pairs of offsets and bytes are not copied: the stream keeps the
    arrays alive, which must not change any more.

    Parameters
    ----------
    columns
        By name, all of one length.

    Returns
    -------
    PyCapsule
        Of one chunk.

    Examples
    --------
    >>> import numpy as np
    >>> arrow_stream({"score": Out("float", np.array([1.5, 2.5]))})
    <capsule object "arrow_array_stream" at ...>
    """
    if any(isinstance(column.values, Foreign) for column in columns.values()):
        return to_arrow(columns).__arrow_c_stream__()
    rows = next((column.rows for column in columns.values()), 0)
    children = [_given(name, column) for name, column in columns.items()]
    return _core.stream_of(_core.ArrowColumn("", "+s", rows, 0, [None], children=children))


def _given(name: str, column: Out) -> _core.ArrowColumn:
    """Return a column as the kernel gives it away."""
    column = spread(column)
    null = column.nulls()
    validity = None if null is None else np.packbits(~null, bitorder="little")
    dictionary = None
    if column.kind == "category":
        offsets, data = encoded(np.array(column.categories or (), np.object_))
        words: list[NDArray[Any] | None] = [None, offsets.astype(np.int32), data]
        dictionary = _core.ArrowColumn("", "u", len(offsets) - 1, 0, words)
    return _core.ArrowColumn(
        name,
        _format(column),
        column.rows,
        0 if null is None else int(null.sum()),
        [validity, *_buffers(column)],
        dictionary=dictionary,
    )


def _format(column: Out) -> str:
    """Return Arrow's format of a column, of a category that of its codes."""
    if column.kind == "integer":
        return "L" if column.values.dtype == np.uint64 else "l"
    if column.kind == "category":
        return "c" if column.values.dtype == np.int8 else "i"
    if column.kind == "instant":
        return "tsu:UTC" if column.aware else "tsu:"
    return {"float": "g", "boolean": "b", "text": "U"}[column.kind]


def _buffers(column: Out) -> Iterator[NDArray[Any]]:
    if column.kind == "boolean":
        yield np.packbits(column.values, bitorder="little")
    elif column.kind == "text":
        yield from column.values if isinstance(column.values, tuple) else encoded(column.objects())
    else:
        yield np.ascontiguousarray(column.values)


def encoded(objects: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return texts as offsets and UTF-8 bytes; a null is empty.

    Examples
    --------
    >>> import numpy as np
    >>> encoded(np.array(["low", None, "high"], object))[0]
    array([0, 3, 3, 7])
    """
    pieces = ["" if text is None else text for text in objects.tolist()]
    try:
        raw = [piece.encode() for piece in pieces]
    except UnicodeEncodeError as error:
        raise EngagekitError(f"expected text that UTF-8 can hold, got {error.object!a}") from None
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw)), out=offsets[1:])
    return offsets, np.frombuffer(b"".join(raw), np.uint8)


def to_arrow(columns: Mapping[str, Out]) -> Any:
    """Return columns as a pyarrow Table.

    Parameters
    ----------
    columns
        By name, all of one length.

    Raises
    ------
    EngagekitError
        If pyarrow is not installed, or a column of the caller's is of a type that Arrow does not have.

    Examples
    --------
    >>> import numpy as np
    >>> to_arrow({"score": Out("float", np.array([1.5, 2.5]))}).to_pydict()
    {'score': [1.5, 2.5]}
    """
    pyarrow = required_pyarrow("an Arrow table")
    foreign = {name: out.values for name, out in columns.items() if isinstance(out.values, Foreign)}
    ours = ArrowColumns({name: out for name, out in columns.items() if name not in foreign})
    table = pyarrow.RecordBatchReader.from_stream(ours).read_all()
    if not foreign:
        return table
    arrays = {name: foreign[name].arrow() if name in foreign else table.column(name) for name in columns}
    return pyarrow.table(arrays)


def required_pyarrow(purpose: str) -> Any:
    """Return pyarrow, or say how to get it."""
    try:
        import pyarrow
    except ImportError:
        raise EngagekitError(f'{purpose} needs pyarrow: pip install "engagekit[files]"') from None
    return pyarrow


def pyarrow_table(source: Any) -> Any:
    """Return the rows of an Arrow stream as a pyarrow Table, or None without pyarrow."""
    try:
        import pyarrow
    except ImportError:
        return None
    return pyarrow.RecordBatchReader.from_stream(source).read_all()


def fits(values: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether an integer type holds all of the integers."""
    bounds = np.iinfo(dtype)
    return not len(values) or bool(bounds.min <= int(values.min()) and int(values.max()) <= bounds.max)
