"""Columns of events: read frame by frame, put together in grouped order, seen as numbers or as codes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import define, evolve, field

from engagekit import _core
from engagekit.coding import MOST_SIGNED, Coder, Codes, described, of_stream
from engagekit.errors import EventsError
from engagekit.threads import cores, even, in_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.frames import RawColumn

_STEP = 262_144
"""Rows between two looks for Ctrl-C."""
_NARROW = (np.uint8, np.int16, np.int32)
_DTYPES: dict[str, Any] = {"integer": np.int64, "float": np.float64, "boolean": np.bool_, "instant": np.int64}


@define(kw_only=True)
class Column:
    """A column of events in grouped order.

    `values` are integers of any width, float64, bool or int64 microseconds; of text the int32 codes of
    `categories`, -1 for null. `null` marks the nulls (None: there are none).
    """

    kind: Literal["integer", "float", "boolean", "instant", "text", "other"]
    values: NDArray[Any]
    null: NDArray[np.bool_] | None
    categories: list[str] | None = None
    dtype: str = ""

    def kept(self, keep: NDArray[np.bool_]) -> Column:
        """Return the column of fewer events."""
        return evolve(self, values=self.values[keep], null=None if self.null is None else self.null[keep])

    def floats(self) -> NDArray[np.float64]:
        """Return numbers as float64, NaN for null."""
        values = self.values.astype(np.float64, copy=False)
        return values if self.null is None else np.where(self.null, np.nan, values)

    def coded(self, what: str) -> tuple[Codes, list[str]]:
        """Return a code for each value (-1: null) and, by code, the value as text."""
        if self.kind == "other":
            raise EventsError(f"{what}: expected text, numbers, flags or instants, got {described(self)}")
        if self.kind == "text":
            assert self.categories is not None
            return self.values, self.categories
        values, null = self.values, self.null
        if self.kind == "float":
            values = values + 0.0  # -0.0 and 0.0 are one value
            null = np.isnan(values) if null is None else null | np.isnan(values)
        codes = np.empty(len(values), np.int32)
        nulls = None if null is None else null.view(np.uint8)
        if values.dtype == np.uint8:
            return codes, [str(byte) for byte in _core.code_bytes(np.ascontiguousarray(values), nulls, codes)]
        patterns = values.view(np.int64) if values.itemsize == 8 else values.astype(np.int64)
        ids = _core.IntegerIds()
        ids.code(np.ascontiguousarray(patterns), nulls, codes)
        distinct = np.empty(len(ids), np.int64)
        ids.export(distinct)
        if self.kind == "float":
            numbers = distinct.view(np.float64).tolist()
            return codes, [str(int(x)) if x.is_integer() else repr(x) for x in numbers]
        if self.kind == "boolean":
            return codes, ["true" if x else "false" for x in distinct.tolist()]
        unsigned = values.dtype == np.uint64
        return codes, [str(x) for x in (distinct.view(np.uint64) if unsigned else distinct).tolist()]


@define
class Pieces:
    """One column, frame by frame: text is coded at once, so that a stream's frames can go."""

    name: str
    kind: str | None = None
    dtype: str = ""
    values: list[NDArray[Any] | None] = field(factory=list)
    """By frame; None: nothing but nulls."""
    nulls: list[NDArray[np.bool_] | None] = field(factory=list)
    sizes: list[int] = field(factory=list)
    coder: Coder | None = None
    frames: int = 0
    rows: int = 0

    def add(self, column: RawColumn | None, rows: int) -> None:
        """Take the column of the next frame; None: the frame has none."""
        values, null = None, None
        if column is not None and rows and not (column.null is not None and column.null.all()):
            self._agree(column.kind, column.dtype)
            if column.kind == "text":
                self.coder = self.coder or Coder(f"events column {self.name!r}")
                values = self.coder.code(column, first_row=self.rows)
            else:
                values, null = column.values, column.null
                values = np.zeros(rows, np.int8) if values is None else values
                values = alone(values) if self.frames else values
        elif column is not None:
            self.dtype = self.dtype or column.dtype
        self.values.append(values)
        self.nulls.append(null)
        self.sizes.append(rows)
        self.frames += 1
        self.rows += rows

    def drain(self) -> Column | None:
        """Give up the rows so far, text without its categories; None: nothing but nulls.

        The kind stays, and so do the codes of text: later rows go on from there.
        """
        known = any(values is not None for values in self.values)
        drained = self.put(slice(None), None) if known else None
        self.values, self.nulls, self.sizes = [], [], []
        return drained

    def _agree(self, kind: str, dtype: str) -> None:
        if self.kind in (None, kind):
            self.kind, self.dtype = kind, dtype
        elif {self.kind, kind} == {"integer", "float"}:
            self.kind, self.dtype = "float", dtype
        else:
            raise EventsError(
                f"events column {self.name!r}{of_stream(self.frames)}: expected one kind in all frames, "
                f"got {self.dtype} before and {dtype} here"
            )

    def column(self, order: NDArray[Any]) -> Column:
        """Put the pieces together, in grouped order."""
        return self.put(order, None if self.coder is None else self.coder.strings())

    def put(self, order: NDArray[Any] | slice, categories: list[str] | None) -> Column:
        """Put the pieces together as `column` does, where the texts by code are known already."""
        kind: Any = self.kind or "float"
        if kind == "text":
            codes = ordered(self._joined(np.dtype(np.int32), -1), order)
            return Column(kind=kind, values=codes, null=codes < 0, categories=categories, dtype=self.dtype)
        dtype = np.dtype(np.int8) if kind == "other" else np.dtype(_DTYPES[kind])
        if kind == "integer":
            dtype = self._integers(narrow=not isinstance(order, slice))
        values = self._joined(dtype, 0)
        null = None
        if any(m is not None for m in self.nulls) or any(v is None for v in self.values):
            parts = [
                np.full(size, v is None) if m is None else m
                for m, v, size in zip(self.nulls, self.values, self.sizes, strict=True)
            ]
            null = ordered(np.concatenate([np.empty(0, bool), *parts]), order)
        return Column(kind=kind, values=ordered(values, order), null=null, dtype=self.dtype)

    def _joined(self, dtype: np.dtype[Any], filler: int) -> NDArray[Any]:
        parts = [
            np.full(size, filler, dtype) if v is None else v.astype(dtype, copy=False)
            for v, size in zip(self.values, self.sizes, strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])

    def _integers(self, *, narrow: bool) -> np.dtype[Any]:
        """Choose the dtype that holds all integers; a `narrow` one is sooner put into another order."""
        parts = [v for v in self.values if v is not None and v.size]
        above = any(v.dtype == np.uint64 and v.max(initial=0) > MOST_SIGNED for v in parts)
        if above and any(v.dtype != np.uint64 and v.min(initial=0) < 0 for v in parts):
            raise EventsError(
                f"events column {self.name!r}: expected integers within 64 bits, got negative ones and some "
                "above 2^63 - 1"
            )
        if narrow and not above:
            least, most = min([0, *(int(v.min()) for v in parts)]), max([0, *(int(v.max()) for v in parts)])
            for dtype in _NARROW:
                if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
                    return np.dtype(dtype)
        return np.dtype(np.uint64 if above else np.int64)


def ordered(values: NDArray[Any], order: NDArray[Any] | slice) -> NDArray[Any]:
    """Return values in an order, many of them by all cores: each is somewhere else in memory."""
    if isinstance(order, slice) or len(order) < _STEP:
        return values[order]
    values, out = np.ascontiguousarray(values), np.empty(len(order), values.dtype)
    bits = f"u{values.itemsize}"

    def take(_: int, lo: int, hi: int) -> None:
        _core.fetch(values.view(bits), order[lo:hi], out[lo:hi].view(bits))

    in_steps(take, even(len(order), cores()), lambda lo, hi: pairwise([*range(lo, hi, _STEP), hi]))
    return out


def alone(values: NDArray[Any]) -> NDArray[Any]:
    """Return values that keep no frame alive, where a column may share the memory of all the others."""
    return values if values.flags.owndata else values.copy()
