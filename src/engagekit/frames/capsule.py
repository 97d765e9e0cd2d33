"""The Arrow C stream interface, read through ctypes: chunks of columns as NumPy views of foreign memory.

Why by hand: the structs are a frozen ABI of some twenty fields, reading them takes no library, and one column
of an unusual type (a list view, a union) cannot make the rest of a frame unreadable. Every view keeps its
chunk alive, and a chunk gives its memory back when the last view of it is gone.

Layouts: https://arrow.apache.org/docs/format/CDataInterface.html and
https://arrow.apache.org/docs/format/CStreamInterface.html
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from engagekit.errors import EventsError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]
# CFUNCTYPE lets go of the GIL, which producers that run Python in other threads depend on.
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]
# A prototype of our own: the attributes of ctypes.pythonapi's functions belong to the whole process.
_pointer_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


@attrs.frozen
class Field:
    """The name and type of one Arrow column, with its children and its dictionary."""

    name: str
    format: str
    children: tuple[Field, ...] = ()
    dictionary: Field | None = None


class _Owner:
    """An ArrowArray as it came from the producer; released when nothing refers to it any more."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array = _Array()

    def __del__(self, byref: Callable[[Any], Any] = ctypes.byref) -> None:
        # The argument is bound early: at interpreter exit the module's own names may be gone before this is.
        if self.array.release:
            self.array.release(byref(self.array))


class _Memory:
    """A piece of a chunk's memory, as NumPy wants to be told of it."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, address: int, count: int, dtype: np.dtype[Any], owner: object) -> None:
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "shape": (count,),
            "typestr": dtype.str,
        }
        self.owner = owner


@attrs.frozen(eq=False)
class Chunk:
    """A run of rows of one column: `length` rows from `offset` on, in buffers that `owner` keeps alive.

    The offset and the length of a parent struct are already applied.
    """

    array: Any
    owner: _Owner
    offset: int
    length: int

    def child(self, index: int) -> Chunk:
        """Return one column of a struct chunk."""
        if not 0 <= index < self.array.n_children:
            raise EventsError(f"Arrow data: expected a child {index}, got {self.array.n_children} children")
        child = self.array.children[index].contents
        if child.length < self.offset + self.length:
            raise EventsError(
                f"Arrow data: expected a child of {self.offset + self.length:,} rows, got {child.length:,}"
            )
        return Chunk(child, self.owner, child.offset + self.offset, self.length)

    def dictionary(self) -> Chunk:
        """Return the values that a dictionary chunk's indices point into."""
        if not self.array.dictionary:
            raise EventsError("Arrow data: expected a dictionary, got none")
        values = self.array.dictionary.contents
        return Chunk(values, self.owner, values.offset, values.length)

    @property
    def n_buffers(self) -> int:
        """How many buffers the chunk has."""
        return int(self.array.n_buffers)

    def buffer(self, index: int, dtype: DTypeLike, start: int, stop: int) -> NDArray[Any]:
        """Return items `start` to `stop` of a buffer as a read-only view (a copy if it is not aligned)."""
        dtype = np.dtype(dtype)
        if not 0 <= index < self.n_buffers:
            raise EventsError(f"Arrow data: expected a buffer {index}, got {self.n_buffers} buffers")
        address = self.array.buffers[index]
        if stop <= start:
            return np.empty(0, dtype)
        if not address:
            raise EventsError(f"Arrow data: expected {stop:,} items in buffer {index}, got none")
        memory = _Memory(address + start * dtype.itemsize, stop - start, dtype, self.owner)
        view = np.asarray(memory)
        return view if view.flags.aligned else view.copy()

    def validity(self) -> tuple[NDArray[np.uint8] | None, int]:
        """Return the bitmap of the rows that are not null (None: all are) and the bit of the first row."""
        # A buffer's absence means that nothing is null; a count of -1 means that nobody has counted.
        if self.array.null_count == 0 or self.n_buffers == 0 or not self.array.buffers[0] or not self.length:
            return None, 0
        bit_offset = self.offset % 8
        bits = self.buffer(0, np.uint8, self.offset // 8, (self.offset + self.length + 7) // 8)
        return bits, bit_offset

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
    # The capsule stays the owner: its destructor releases the stream when this function is left.
    stream = ctypes.cast(_pointer_in(capsule, b"arrow_array_stream"), ctypes.POINTER(_Stream))
    if not stream.contents.release:
        raise EventsError("expected an Arrow stream, got one that was consumed before")
    field = _field_of_stream(stream)
    chunks: list[Chunk] = []
    while True:
        owner = _Owner()
        _checked(stream, stream.contents.get_next(stream, ctypes.byref(owner.array)))
        if not owner.array.release:
            return field, chunks
        if owner.array.length:
            chunks.append(Chunk(owner.array, owner, owner.array.offset, owner.array.length))


def _field_of_stream(stream: Any) -> Field:
    schema = _Schema()
    _checked(stream, stream.contents.get_schema(stream, ctypes.byref(schema)))
    try:
        return _field_of(schema)
    finally:
        if schema.release:
            schema.release(ctypes.byref(schema))


def _field_of(schema: Any) -> Field:
    return Field(
        name=(schema.name or b"").decode("utf-8", "replace"),
        format=(schema.format or b"").decode("utf-8", "replace"),
        children=tuple(_field_of(schema.children[i].contents) for i in range(schema.n_children)),
        dictionary=_field_of(schema.dictionary.contents) if schema.dictionary else None,
    )


def _checked(stream: Any, status: int) -> None:
    if status:
        text = stream.contents.get_last_error(stream) or b""
        reason = text.decode("utf-8", "replace") or f"error {status}"
        raise EventsError(f"expected an Arrow stream that can be read to its end, got: {reason}")


def move_dictionary(source: int, *, into: int) -> None:
    """Move an array into the dictionary slot of another one, which owns it from then on.

    Parameters
    ----------
    source, into
        The addresses of two ArrowArrays, of which the second was made for a dictionary type; nanoarrow builds
        both but cannot join them.
    """
    values, slot = _Array.from_address(source), _Array.from_address(into).dictionary.contents
    if slot.release:
        slot.release(ctypes.byref(slot))
    ctypes.memmove(ctypes.byref(slot), ctypes.byref(values), ctypes.sizeof(_Array))
    # What is marked as released belongs to nobody: that is how the interface moves an array.
    values.release = type(values.release)()
