"""Arrow streams: chunks of columns as NumPy views of foreign memory, each of which keeps its chunk alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from engagekit import _core
from engagekit.errors import EventsError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


@attrs.define
class Field:
    """The name and type of one Arrow column, with its children and its dictionary."""

    name: str
    format: str
    children: tuple[Field, ...] = ()
    dictionary: Field | None = None


@attrs.define(eq=False)
class Chunk:
    """A run of rows of one column: `length` rows from `offset` on in an array's buffers.

    The offset and the length of a parent struct are already applied.
    """

    array: _core.ArrowArray
    offset: int
    length: int

    def child(self, index: int) -> Chunk:
        """Return one column of a struct chunk."""
        if not 0 <= index < self.array.n_children:
            raise EventsError(f"Arrow data: expected a child {index}, got {self.array.n_children} children")
        child = self.array.child(index)
        if child.length < self.offset + self.length:
            raise EventsError(
                f"Arrow data: expected a child of {self.offset + self.length:,} rows, got {child.length:,}"
            )
        return Chunk(child, child.offset + self.offset, self.length)

    def dictionary(self) -> Chunk:
        """Return the values that a dictionary chunk's indices point into."""
        values = self.array.dictionary
        if values is None:
            raise EventsError("Arrow data: expected a dictionary, got none")
        return Chunk(values, values.offset, values.length)

    @property
    def n_buffers(self) -> int:
        """How many buffers the chunk has."""
        return self.array.n_buffers

    def buffer(self, index: int, dtype: DTypeLike, start: int, stop: int) -> NDArray[Any]:
        """Return items `start` to `stop` of a buffer as a read-only view (a copy if it is not aligned)."""
        dtype = np.dtype(dtype)
        if not 0 <= index < self.n_buffers:
            raise EventsError(f"Arrow data: expected a buffer {index}, got {self.n_buffers} buffers")
        if stop <= start:
            return np.empty(0, dtype)
        memory = self.array.memory(index, start * dtype.itemsize, stop * dtype.itemsize)
        if memory is None:
            raise EventsError(f"Arrow data: expected {stop:,} items in buffer {index}, got none")
        view = np.frombuffer(memory, dtype)
        return view if view.flags.aligned else view.copy()

    def validity(self) -> tuple[NDArray[np.uint8] | None, int]:
        """Return the bitmap of the rows that are not null (None: all are) and the bit of the first row."""
        # A buffer's absence means that nothing is null; a count of -1 means that nobody has counted.
        if self.array.null_count == 0 or self.n_buffers == 0 or not self.length:
            return None, 0
        memory = self.array.memory(0, self.offset // 8, (self.offset + self.length + 7) // 8)
        return (None, 0) if memory is None else (np.frombuffer(memory, np.uint8), self.offset % 8)

    def null_mask(self) -> NDArray[np.bool_] | None:
        """Return a mask of the null rows, or None when there are none."""
        bits, bit_offset = self.validity()
        if bits is None:
            return None
        mask = ~unpacked(bits, bit_offset, self.length)
        return mask if mask.any() else None


def unpacked(bits: NDArray[np.uint8], bit_offset: int, count: int) -> NDArray[np.bool_]:
    """Return `count` bits from `bit_offset` on as booleans; Arrow's lowest bit comes first.

    Examples
    --------
    >>> import numpy as np
    >>> unpacked(np.array([0b1101], np.uint8), 1, 3)
    array([False,  True,  True])
    """
    return np.unpackbits(bits, count=bit_offset + count, bitorder="little")[bit_offset:].view(np.bool_)


def read_stream(source: Any) -> tuple[Field, list[Chunk]]:
    """Drain the Arrow stream of an object, once.

    Parameters
    ----------
    source
        Anything with ``__arrow_c_stream__``; what that raises passes through.

    Returns
    -------
    tuple
        The type of the stream and its chunks.
    """
    capsule = source.__arrow_c_stream__()
    try:
        field, chunks = _core.drain_stream(capsule, Field)
    except EOFError:
        raise EventsError("expected an Arrow stream, got one that was consumed before") from None
    except OSError as error:
        raise EventsError(f"expected an Arrow stream that can be read to its end, got: {error}") from None
    return field, [Chunk(array, array.offset, array.length) for array in chunks]
