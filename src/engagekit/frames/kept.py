"""What a result keeps of the caller's frame once that is gone: the key's type, columns as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from engagekit.errors import EngagekitError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(eq=False)
class KeyType:
    """The type of a caller's column, for a result's key to take; it keeps no rows of the frame.

    A pickle leaves the connection behind.

    Attributes
    ----------
    dtype
        What the column's library has for it (an Arrow `Field` of a stream, the SQL of a DuckDB type).
    words
        The values of an Arrow dictionary or of DuckDB's enum, which belong to the type there.
    connection
        A relation without rows of the caller's DuckDB connection; results become relations of it too.
    """

    dtype: Any
    words: Any = None
    connection: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyType, (self.dtype, self.words)

    def __deepcopy__(self, memo: object) -> KeyType:
        return self


@attrs.frozen(eq=False)
class Own:
    """Rows of a caller's categorical, by code: a result's key that needs no look-up of its words.

    A pickle leaves it behind (None is in its place): codes mean something only in the process that gave them.

    Attributes
    ----------
    codes
        The codes of the rows, as the column's library has them.
    column
        A column of that type without rows, as long as which lives codes mean what they do.
    """

    codes: NDArray[Any]
    column: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    def __deepcopy__(self, memo: object) -> Own:
        return self


@attrs.frozen(eq=False)
class Foreign:
    """A column of the caller's that we cannot read (lists, durations, mixtures), handed on as it is.

    Attributes
    ----------
    name, dtype
        For error texts.
    rows
        The number of rows.
    column
        The column as its library has it; None where there is no library.
    """

    name: str
    dtype: str
    rows: int
    column: Any

    def __len__(self) -> int:
        return self.rows

    def objects(self) -> NDArray[np.object_] | None:
        """Return the rows as Python objects, or None where their library has none.

        Examples
        --------
        >>> Foreign("tags", "object (list)", 2, [["a"], None]).objects()
        array([list(['a']), None], dtype=object)
        """
        try:
            return np.fromiter(_items(self.column), np.object_, self.rows)
        except Exception:  # noqa: BLE001 (whatever another library finds wrong with its own column)
            return None

    def arrow(self) -> Any:
        """Return the rows as a pyarrow Array or ChunkedArray; EngagekitError if Arrow has no such type."""
        try:
            return _arrow(self.column)
        except Exception:  # noqa: BLE001 (whatever another library finds wrong with its own column)
            raise EngagekitError(
                f"column {self.name!r}: expected a type that Arrow can hold, got {self.dtype}"
            ) from None


def _items(column: Any) -> Any:
    for method in ("to_pylist", "to_list"):
        if hasattr(column, method):
            return getattr(column, method)()
    if hasattr(column, "__arrow_c_stream__"):
        import pyarrow

        return pyarrow.chunked_array(column).to_pylist()
    return column


def _arrow(column: Any) -> Any:
    import pyarrow

    if isinstance(column, (pyarrow.Array, pyarrow.ChunkedArray)):
        return column
    if str(getattr(column, "dtype", "")) == "Object":
        # Of these polars hands Arrow nothing but addresses.
        return pyarrow.array(column.to_list())
    if hasattr(column, "to_arrow"):
        return column.to_arrow()
    if hasattr(column, "__arrow_c_stream__"):
        return pyarrow.chunked_array(column)
    return pyarrow.array(column, from_pandas=True)
