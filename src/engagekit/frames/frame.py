"""One table of any library, seen through a small window: its names, its rows, and its columns on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from engagekit.errors import EventsError
from engagekit.frames.arrays import array_column, pyarrow_column, series_column
from engagekit.frames.arrow import arrow_column, categorical_column, only_column
from engagekit.frames.capsule import Chunk, Field, read_stream
from engagekit.frames.columns import RawColumn, other_column
from engagekit.frames.kept import Foreign, KeyType, Own

EXPECTED = (
    "expected a frame (of pandas, polars, pyarrow, DuckDB, a dict of arrays, any with __arrow_c_stream__)"
)


class Frame(ABC):
    """A table of some library.

    Attributes
    ----------
    kind
        ``"pandas"``, ``"polars"``, ``"pyarrow"``, ``"duckdb"``, ``"dict"``, ``"arrow"`` (anything else with
        an Arrow stream) or the name that narwhals has for its library.
    names
        The columns' names, as text.

    Notes
    -----
    A lazy frame and a DuckDB relation run when the first column, the rows or `native` are asked for.
    """

    kind = "arrow"

    def __init__(self, native: Any, names: Iterable[Any]) -> None:
        self._native = native
        try:
            self.names = tuple(str(name) for name in names)
        except ValueError:  # an integer of more digits than Python writes
            raise EventsError("expected names of columns that are text, got one that cannot be") from None
        self._place = {name: place for place, name in enumerate(self.names)}
        if len(self._place) < len(self.names):
            twice = ", ".join(repr(name) for name, count in Counter(self.names).items() if count > 1)
            raise EventsError(f"expected columns of different names, got some twice: {twice}")

    @property
    def native(self) -> Any:
        """The caller's object; a lazy one collected."""
        return self._native

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._count()

    def column(self, name: str) -> RawColumn:
        """Return a column, without a copy where its memory can be used as it is.

        Parameters
        ----------
        name
            One of `names`.

        Raises
        ------
        EventsError
            If there is no such column or an instant in it leaves the range of 64-bit microseconds.

        Examples
        --------
        >>> from engagekit.frames import frame_of
        >>> frame = frame_of({"contact": [7, 8], "type": ["open", "click"]})
        >>> frame.column("contact").values
        array([7, 8])
        >>> frame.column("typ")
        Traceback (most recent call last):
        ...
        engagekit.errors.EventsError: expected a column 'typ' (did you mean 'type'?), got 'contact', 'type'
        """
        self.require([name])
        return self._read(self._place[name], name)

    def pieces(self, name: str) -> list[RawColumn]:
        """Return a column chunk by chunk, where it lies in chunks that `column` would have to put together.

        Examples
        --------
        >>> from engagekit.frames import frame_of
        >>> import polars as pl
        >>> frame = frame_of(pl.concat([pl.DataFrame({"contact": [7]}), pl.DataFrame({"contact": [8]})]))
        >>> [piece.values.tolist() for piece in frame.pieces("contact")]
        [[7], [8]]
        """
        self.require([name])
        return self._pieces(self._place[name], name)

    def require(self, names: Iterable[str]) -> None:
        """Raise an EventsError that names every one of these columns that there is not.

        Examples
        --------
        >>> from engagekit.frames import frame_of
        >>> frame_of({"user": [7], "kind": ["open"], "time": [0]}).require(["contact", "type", "time"])
        Traceback (most recent call last):
        ...
        engagekit.errors.EventsError: expected columns 'contact' and 'type', got 'user', 'kind', 'time'
        """
        missing = [f"{name!r}{self._hint(name)}" for name in dict.fromkeys(names) if name not in self._place]
        if not missing:
            return
        wanted = f"a column {missing[0]}"
        if len(missing) > 1:
            wanted = f"columns {', '.join(missing[:-1])} and {missing[-1]}"
        got = ", ".join(repr(known) for known in self.names[:20]) or "none"
        more = f" and {len(self.names) - 20} more" if len(self.names) > 20 else ""
        raise EventsError(f"expected {wanted}, got {got}{more}")

    def nearest(self, name: str) -> str | None:
        """Return the column whose name is most like another, in large or small letters, if there is any."""
        import difflib

        folded = {known.casefold(): known for known in reversed(self.names)}
        close = difflib.get_close_matches(name.casefold(), folded, 1)
        return folded[close[0]] if close else None

    def narrow(self, names: Iterable[str]) -> Frame:
        """Return a frame that has at least these columns, so that what runs lazily need not make the others.

        Parameters
        ----------
        names
            Some of `names`; once each.

        Examples
        --------
        >>> from engagekit.frames import frame_of
        >>> import polars as pl
        >>> frame_of(pl.LazyFrame({"contact": [7], "type": ["open"]})).narrow(["contact"]).names
        ('contact',)
        """
        names = list(names)
        self.require(names)
        return self._narrowed(names)

    def like(self, name: str) -> KeyType:
        """Return the type of a column, for a result's key to take (`Out.like`); it keeps no rows.

        Examples
        --------
        >>> import numpy as np
        >>> from engagekit.frames import frame_of
        >>> frame_of({"contact": np.array([7, 8], np.int16)}).like("contact").dtype
        dtype('int16')
        """
        self.require([name])
        return self._like(self._place[name])

    def foreign(self, name: str) -> Foreign:
        """Return a column that cannot be read, to be handed on as it is."""
        self.require([name])
        try:
            dtype = self.column(name).dtype
        except EventsError:
            dtype = "what cannot be read"
        return Foreign(name, dtype, self.rows, self._own(self._place[name]))

    @abstractmethod
    def _count(self) -> int: ...

    @abstractmethod
    def _read(self, place: int, name: str) -> RawColumn: ...

    def _pieces(self, place: int, name: str) -> list[RawColumn]:
        return [self._read(place, name)]

    @abstractmethod
    def _like(self, place: int) -> KeyType: ...

    @abstractmethod
    def _own(self, place: int) -> Any: ...

    def _narrowed(self, names: list[str]) -> Frame:  # noqa: ARG002
        return self

    def _ready(self) -> bool:
        return True

    def _hint(self, name: str) -> str:
        near = self.nearest(name)
        return f" (did you mean {near!r}?)" if near else ""

    def __repr__(self) -> str:
        # To look at a frame must not run it.
        rows = f"{self.rows:,} rows, " if self._ready() else ""
        return f"Frame({self.kind}, {rows}{', '.join(self.names)})"


class DictFrame(Frame):
    """A mapping of names to NumPy arrays, lists, or columns of other libraries."""

    kind = "dict"

    def __init__(self, native: Mapping[Any, Any]) -> None:
        super().__init__(native, native)
        self._columns = [_one_dimensional(name, column) for name, column in native.items()]
        lengths = {name: len(column) for name, column in zip(self.names, self._columns, strict=True)}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
            raise EventsError(f"expected columns of one length, got {listed}")
        self._rows = next(iter(lengths.values()), 0)

    def _count(self) -> int:
        return self._rows

    def _like(self, place: int) -> KeyType:
        dtype = getattr(self._columns[place], "dtype", None)
        return KeyType(dtype if isinstance(dtype, np.dtype) else None)

    def _own(self, place: int) -> Any:
        return self._columns[place]

    def _read(self, place: int, name: str) -> RawColumn:
        column = self._columns[place]
        if isinstance(column, (list, np.ndarray)):
            return array_column(column, name=name)
        if is_of(column, "pandas"):
            return series_column(column, name=name)
        if is_of(column, "pyarrow"):
            return pyarrow_column(column, name=name, dtype=str(column.type))
        if is_of(column, "polars"):
            return _polars_column(column, name)
        return arrow_column(*read_stream(column), name=name)


def _one_dimensional(name: Any, column: Any) -> Any:
    expected = f"column {name!r}: expected a one-dimensional array or a list"
    if isinstance(column, (str, bytes, Mapping, set, frozenset)) or not hasattr(column, "__len__"):
        raise EventsError(f"{expected}, got {described(column)}")
    shape = getattr(column, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:
        raise EventsError(f"{expected}, got {described(column)} of shape {shape}")
    if is_of(column, "narwhals"):
        return _one_dimensional(name, column.to_native())
    if is_of(column, "pandas"):
        import pandas as pd

        return column if isinstance(column, (pd.Series, pd.Index)) else pd.Series(column)
    if isinstance(column, (list, np.ndarray)) or is_of(column, "pyarrow"):
        return column
    if hasattr(column, "__arrow_c_stream__"):
        return column
    if hasattr(column, "__array__"):
        return _one_dimensional(name, np.asarray(column))
    if hasattr(column, "__iter__"):
        return list(column)
    raise EventsError(f"{expected}, got {described(column)}")


class PandasFrame(Frame):
    """A pandas DataFrame."""

    kind = "pandas"

    def __init__(self, native: Any) -> None:
        super().__init__(native, native.columns)

    def _count(self) -> int:
        return len(self._native)

    def _like(self, place: int) -> KeyType:
        return KeyType(self._native.dtypes.iloc[place])

    def _own(self, place: int) -> Any:
        return self._native.iloc[:, place]

    def _read(self, place: int, name: str) -> RawColumn:
        return series_column(self._native.iloc[:, place], name=name)

    def _hint(self, name: str) -> str:
        if name in self._native.index.names:
            return " (it is in the index: reset_index() makes it a column)"
        return super()._hint(name)


class PolarsFrame(Frame):
    """A polars DataFrame, or a LazyFrame until it has run."""

    kind = "polars"

    def __init__(self, native: Any) -> None:
        self._lazy = type(native).__name__ == "LazyFrame"
        super().__init__(native, native.collect_schema().names() if self._lazy else native.columns)

    @property
    def native(self) -> Any:
        """The DataFrame; a LazyFrame is collected first."""
        if self._lazy:
            self._native, self._lazy = self._native.collect(), False
        return self._native

    def _count(self) -> int:
        return int(self.native.height)

    def _like(self, place: int) -> KeyType:
        if self._lazy:  # whose type takes no run of it
            return KeyType(self._native.collect_schema().dtypes()[place])
        return KeyType(self._own(place).dtype)

    def _own(self, place: int) -> Any:
        return self.native.to_series(place)

    def _ready(self) -> bool:
        return not self._lazy

    def _narrowed(self, names: list[str]) -> Frame:
        return PolarsFrame(self._native.select(names)) if self._lazy else self

    def _read(self, place: int, name: str) -> RawColumn:  # noqa: ARG002
        return _polars_column(self.native.get_column(name), name)

    def _pieces(self, place: int, name: str) -> list[RawColumn]:  # noqa: ARG002
        series = self.native.get_column(name)
        if series.n_chunks() > 1 and (series.dtype.is_integer() or series.dtype.is_temporal()):
            return [_polars_column(chunk, name) for chunk in series.get_chunks()]
        return [_polars_column(series, name)]


_MANY = 1 << 16
"""Rows beside which all the words that a process has in categoricals are few enough to be listed."""


def _polars_column(series: Any, name: str) -> RawColumn:
    kind = series.dtype.base_type().__name__
    dtype = kind if kind == "Enum" else str(series.dtype)  # without all its words
    if dtype.startswith(("Int", "UInt", "Float", "String", "Boolean")) and "128" not in dtype:
        # Chunk by chunk as they are, where a frame might put them together first.
        return arrow_column(*read_stream(series), name=name, dtype=dtype)
    if dtype.startswith(("Categorical", "Enum")) and len(series) >= _MANY:
        # The stream of a categorical takes a second per ten million rows, that of an enum makes all its
        # codes anew; the parts of both are there for the asking.
        codes = series.to_physical()
        words = _polars_words(series.dtype, codes)
        if words is not None:
            own = Own(codes.clear().to_numpy(), series.clear()) if hasattr(series.cat, "to") else None
            return categorical_column(codes, words, name=name, dtype=dtype, own=own)
    if dtype.startswith(("Date", "Categorical", "Enum", "Decimal", "Null")):
        # Early polars 1 cannot stream a Series of these, only a frame that holds it.
        return only_column(series.to_frame(), name=name, dtype=dtype)
    # The others are no kind that we read, and early polars 1 ends the process when asked to stream objects.
    return other_column(dtype, len(series))


def _polars_words(dtype: Any, codes: Any) -> Any:
    """Return the words of a categorical or an enum by code; None where this polars does not tell them."""
    words: Any = getattr(dtype, "categories", None)
    if not hasattr(words, "to_series"):  # of an enum: a Series already
        return words if hasattr(words, "get_chunks") else None
    if not hasattr(codes.cat, "to"):
        return words.to_series()  # word by word, in Python
    import polars as pl

    count = (codes.max() or 0) + 1
    return pl.int_range(count, dtype=codes.dtype, eager=True).cat.to(dtype).cast(pl.String)


class PyarrowFrame(Frame):
    """A pyarrow Table or RecordBatch, or what was read into one."""

    kind = "pyarrow"

    def __init__(self, native: Any, *, kind: str = "pyarrow") -> None:
        super().__init__(native, native.schema.names)
        import pyarrow

        self.kind = kind
        # Record batches have columns without a stream.
        self.table = native if isinstance(native, pyarrow.Table) else pyarrow.Table.from_batches([native])

    def _count(self) -> int:
        return int(self._native.num_rows)

    def _like(self, place: int) -> KeyType:
        import pyarrow

        column = self.table.column(place)
        words = None
        if pyarrow.types.is_dictionary(column.type) and column.num_chunks:
            words = column.unify_dictionaries().chunk(0).dictionary
        return KeyType(column.type, words)

    def _own(self, place: int) -> Any:
        return self.table.column(place)

    def _read(self, place: int, name: str) -> RawColumn:
        column = self.table.column(place)
        return pyarrow_column(column, name=name, dtype=str(column.type))

    def _pieces(self, place: int, name: str) -> list[RawColumn]:
        import pyarrow

        column, of = self.table.column(place), pyarrow.types
        if column.num_chunks > 1 and (of.is_integer(column.type) or of.is_temporal(column.type)):
            chunks = (pyarrow.chunked_array([chunk]) for chunk in column.chunks)
            return [pyarrow_column(chunk, name=name, dtype=str(column.type)) for chunk in chunks]
        return [self._read(place, name)]


class StreamFrame(Frame):
    """A table behind an Arrow stream of struct chunks, drained once."""

    def __init__(self, native: Any) -> None:
        self._field, self._chunks = read_stream(native)
        _check_table(native, self._field, self._chunks)
        super().__init__(native, (child.name for child in self._field.children))

    def _count(self) -> int:
        return sum(chunk.length for chunk in self._chunks)

    def _like(self, place: int) -> KeyType:
        return KeyType(self._field.children[place])

    def _own(self, place: int) -> Any:  # noqa: ARG002 (there is no library to hand it on)
        return None

    def _read(self, place: int, name: str) -> RawColumn:
        children = [chunk.child(place) for chunk in self._chunks]
        return arrow_column(self._field.children[place], children, name=name)


def _check_table(source: Any, field: Field, chunks: list[Chunk]) -> None:
    """Refuse a stream that is no table: of a single column, or with rows that are null as a whole."""
    if field.format != "+s":
        raise EventsError(f"{EXPECTED}, got a single column ({described(source)})")
    before = 0
    for chunk in chunks:
        null = chunk.null_mask()
        if null is not None:
            raise EventsError(f"expected rows, got a null in place of row {before + int(null.argmax()):,}")
        before += chunk.length


class NarwhalsFrame(Frame):
    """An eager frame of any other library that narwhals knows (modin, cuDF), read as pandas."""

    def __init__(self, frame: Any) -> None:
        super().__init__(frame.to_native(), frame.columns)
        self.kind = str(frame.implementation)
        self.frame = frame

    def _count(self) -> int:
        return len(self.frame)

    def _like(self, place: int) -> KeyType:
        return KeyType(self.frame.schema[self.frame.columns[place]])

    def _own(self, place: int) -> Any:
        return self.frame[:, place].to_pandas()

    def _read(self, place: int, name: str) -> RawColumn:
        return series_column(self.frame[:, place].to_pandas(), name=name)


def is_of(source: object, *libraries: str) -> bool:
    """Return whether a base of the object's type is of a library, without importing that."""
    return not _libraries(type(source).__mro__).isdisjoint(libraries)


@lru_cache(maxsize=64)
def _libraries(bases: tuple[type, ...]) -> frozenset[str]:
    """Return what libraries a type's bases are of; kept, for it is asked many times of each frame."""
    return frozenset(base.__module__.partition(".")[0] for base in bases)


def described(source: Any) -> str:
    """Return what an object is: a short one itself, of any other the type.

    Examples
    --------
    >>> described(7), described([7])
    ('7', 'list')
    """
    huge = isinstance(source, int) and source.bit_length() > 128  # of too many digits for Python to write
    if source is None or (isinstance(source, (str, bytes, int, float)) and not huge):
        text = repr(source)
        return text if len(text) <= 40 else f"{text[:37]}..."
    return type(source).__name__
