"""Events: any frame of events coded once, grouped by contact, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import define, field

from engagekit import _core
from engagekit.coding import MOST_SIGNED, Coder, Codes, described, no_instants, of_stream
from engagekit.errors import EventsError, in_all
from engagekit.frames import Frame, RawColumn, frames_of
from engagekit.instants import EARLIEST, LATEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULTS = {"contact": "contact", "type": "type", "time": "time", "value": "value"}
EXAMPLES = {"contact": "customer_id", "type": "event_name", "time": "timestamp", "id": "event_id"}
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


@define(frozen=True, kw_only=True)
class Mapped:
    """Which column is which, and what integer times count."""

    contact: str = "contact"
    type: str = "type"
    time: str = "time"
    value: str = "value"
    id: str | None = None
    unit: str | None = None

    @classmethod
    def of(cls, *mappings: Mapping[str, str | None]) -> Mapped:
        """Lay mappings over each other; what a later one leaves out is taken from an earlier one."""
        names: dict[str, str] = {}
        for mapping in mappings:
            for key, name in mapping.items():
                if name is None:
                    continue
                if not isinstance(name, str):
                    raise EventsError(
                        f"{key}=: expected the name of a column, got {name!r} ({type(name).__name__})"
                    )
                names[key] = name
        if names.get("unit", "us") not in (*UNITS, "ns"):
            raise EventsError(f"unit=: expected 's', 'ms', 'us' or 'ns', got {names['unit']!r}")
        return cls(**names)

    def column(self, name: str) -> str:
        """Return the column that `contact`, `type`, `time` or `value` stands for, any other name as it is."""
        return str(getattr(self, name)) if name in DEFAULTS else name


@define(kw_only=True)
class Column:
    """A column of events in grouped order.

    `values` are int64, uint64, float64, bool or int64 microseconds; of text the int32 codes of
    `categories`, -1 for null. `null` marks the nulls (None: there are none).
    """

    kind: Literal["integer", "float", "boolean", "instant", "text", "other"]
    values: NDArray[Any]
    null: NDArray[np.bool_] | None
    categories: list[str] | None = None
    dtype: str = ""


@define
class _Pieces:
    """One context column, frame by frame: coded at once, so that a stream's frames can go."""

    name: str
    kind: str | None = None
    dtype: str = ""
    values: list[NDArray[Any]] = field(factory=list)
    nulls: list[NDArray[np.bool_] | None] = field(factory=list)
    coder: Coder | None = None
    rows: int = 0

    def add(self, column: RawColumn, rows: int) -> None:
        empty = column.null is not None and bool(column.null.all()) if column.kind != "text" else False
        if column.kind == "other" and not empty:
            self._agree("other", column.dtype)
            self.values.append(np.zeros(rows, np.int8))
            self.nulls.append(None)
        elif column.kind == "text":
            self._agree("text", column.dtype)
            if self.coder is None:
                self.coder = Coder(f"events column {self.name!r}")
            self.values.append(self.coder.code(column, first_row=self.rows))
            self.nulls.append(None)
        elif empty or rows == 0:
            self.values.append(np.zeros(rows, np.int8))
            self.nulls.append(np.ones(rows, bool))
            self.dtype = self.dtype or column.dtype
        else:
            self._agree(column.kind, column.dtype)
            assert column.values is not None
            self.values.append(column.values)
            self.nulls.append(column.null)
        self.rows += rows

    def _agree(self, kind: str, dtype: str) -> None:
        if self.kind in (None, kind):
            self.kind, self.dtype = kind, dtype
        elif {self.kind, kind} == {"integer", "float"}:
            self.kind, self.dtype = "float", dtype
        else:
            place = of_stream(len(self.values))
            raise EventsError(
                f"events column {self.name!r}{place}: expected one kind in all frames, "
                f"got {self.dtype} before and {dtype} here"
            )

    def column(self, order: NDArray[Any]) -> Column:
        """Put the pieces together, in grouped order."""
        kind: Any = self.kind or "float"
        null = None
        if any(piece is not None for piece in self.nulls):
            pairs = zip(self.nulls, self.values, strict=True)
            null = np.concatenate([np.zeros(len(v), bool) if m is None else m for m, v in pairs])[order]
        dtypes = {"integer": np.int64, "float": np.float64, "boolean": np.bool_, "instant": np.int64}
        if kind == "text":
            pairs = zip(self.nulls, self.values, strict=True)
            values = np.concatenate([v if m is None else np.full(len(v), -1, np.int32) for m, v in pairs])[
                order
            ]
            assert self.coder is not None
            return Column(
                kind=kind, values=values, null=values < 0, categories=self.coder.strings(), dtype=self.dtype
            )
        if kind == "other":
            return Column(kind=kind, values=np.zeros(len(order), np.int8), null=null, dtype=self.dtype)
        if kind == "integer" and all(v.dtype in (np.uint64, np.int8) for v in self.values):
            dtypes["integer"] = np.uint64
        pieces: list[NDArray[Any]] = [v.astype(dtypes[kind], copy=False) for v in self.values]
        values = pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, dtypes[kind]), *pieces])
        return Column(kind=kind, values=values[order], null=null, dtype=self.dtype)


class Events:
    """Events coded once, to be scored many times.

    Parameters
    ----------
    frame
        A frame of any library (pandas, polars, pyarrow, DuckDB, anything with an Arrow stream, a dict of
        NumPy arrays) or a stream (iterable) of them. It is not changed, and must not change while the
        Events live: columns beside contact, type and time are read when a model first needs them.
    contact, type, time, value, id
        The columns' names where they are not ``contact``, ``type``, ``time`` and ``value``; without `id` no
        event is a duplicate.
    unit
        What integer times count since 1970: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``.

    Raises
    ------
    EventsError
        If a column is missing, of the wrong kind or has a null (contact, type, time): it names the column,
        the first row (counted from 0) and how many rows there are.

    Notes
    -----
    Grouped by a counting sort (contact, then time, then row): linear in the rows where each contact's
    events come in order of time. Memory beside the ids: 20 bytes a row up to 2^32 rows, 24 above.

    Examples
    --------
    >>> import engagekit as ek
    >>> import numpy as np
    >>> times = np.array(["2026-01-01", "2026-01-02", "2026-01-03"], "datetime64[us]")
    >>> types = ["visit", "visit", "demo"]
    >>> events = ek.Events({"contact": ["ann", "bob", "ann"], "type": types, "time": times})
    >>> events
    Events(3 rows, 2 contacts, 2 types, 2026-01-01 ... 2026-01-03)
    """

    def __init__(
        self,
        frame: Any,
        *,
        contact: str | None = None,
        type: str | None = None,
        time: str | None = None,
        value: str | None = None,
        id: str | None = None,
        unit: str | None = None,
    ) -> None:
        mapping = {"contact": contact, "type": type, "time": time, "value": value, "id": id, "unit": unit}
        self._read(frame, Mapped.of(mapping), None)

    def _read(self, source: Any, mapping: Mapped, wanted: list[str] | None) -> None:
        self.mapping = mapping
        self.contacts = Coder(f"events column {mapping.contact!r}")
        types = Coder(f"events column {mapping.type!r}")
        ids = Coder(f"events column {mapping.id!r}")
        self._pieces: dict[str, _Pieces] = {}
        self._columns: dict[str, Column] = {}
        self._coded: dict[str, tuple[Codes, list[str]]] = {}
        self._frames: list[Frame] = []
        self.rows = 0
        self.aware = False
        self.source: Any = None
        codes, type_codes, times, id_codes = [], [], [], []
        for number, whole in enumerate(named_frames(source, "events")):
            _require(whole, mapping, number)
            for coder in (self.contacts, types, ids):
                coder.place = of_stream(number)
            self.source = self.source or whole
            frame = whole if wanted is None else self._narrowed(whole, wanted)
            codes.append(_whole(self.contacts, frame, mapping.contact, self.rows))
            type_codes.append(_whole(types, frame, mapping.type, self.rows, text=True))
            times.append(self._times(frame))
            if mapping.id is not None:
                id_codes.append(ids.code(_column(frame, mapping.id), first_row=self.rows))
            for name in wanted or ():
                self._add(frame, name)
            if wanted is None:
                self._frames.append(frame)
            self.rows += frame.rows
        if self.source is None:
            raise EventsError("events: expected at least one frame, got an empty stream")
        self.types_by_code = types.strings()
        order = sorted(range(len(self.types_by_code)), key=self.types_by_code.__getitem__)
        self.type_ranks = np.empty(len(order), np.int32)
        self.type_ranks[order] = np.arange(len(order), dtype=np.int32)
        self._group(_joined(codes, np.int32), _joined(type_codes, np.int32), _joined(times, np.int64))
        self.dropped_codes, self.dropped_times = np.empty(0, np.int32), np.empty(0, np.int64)
        if mapping.id is not None:
            self._drop_duplicates(_joined(id_codes, np.int32))

    def _narrowed(self, frame: Frame, wanted: list[str]) -> Frame:
        """Let a lazy frame make only what is asked for (one that lacks some of it says so by itself)."""
        own = (self.mapping.contact, self.mapping.type, self.mapping.time, self.mapping.id)
        names = dict.fromkeys(name for name in (*own, *map(self.mapping.column, wanted)) if name is not None)
        return frame.narrow(names) if names.keys() <= set(frame.names) else frame

    def _group(self, codes: Codes, types: Codes, times: NDArray[np.int64]) -> None:
        self.starts = np.zeros(len(self.contacts) + 1, np.int64)
        self.order: NDArray[Any] = np.empty(len(codes), np.uint32 if len(codes) < 2**32 else np.uint64)
        self.times = np.empty(len(codes), np.int64)
        _core.group(codes, times, self.starts, self.times, self.order)
        self.types = types[self.order]

    def _drop_duplicates(self, ids: Codes) -> None:
        keep = np.empty(len(self.times), np.uint8)
        value = self.column("value") if self.has("value") else None
        values = np.zeros(len(self.times))
        if value is not None and value.kind in ("integer", "float"):
            values = _floats(value)
        ranks = self.type_ranks[self.types]
        if _core.duplicates(self.starts, self.times, ids[self.order], ranks, values, keep):
            kept = keep.view(bool)
            codes = np.repeat(np.arange(len(self.contacts), dtype=np.int32), np.diff(self.starts))
            self.dropped_codes, self.dropped_times = codes[~kept], self.times[~kept]
            before = np.concatenate([[0], np.cumsum(kept)])
            self.starts = before[self.starts]
            self.times, self.types, self.order = self.times[kept], self.types[kept], self.order[kept]
            self._columns.clear()

    def _times(self, frame: Frame) -> NDArray[np.int64]:
        name = self.mapping.time
        what = f"events column {name!r}"
        column = _column(frame, name)
        values = np.empty(0, np.int64) if not frame.rows or column.values is None else column.values
        if column.kind == "integer" and frame.rows:
            if self.mapping.unit is None:
                raise EventsError(
                    f"{what}: expected timestamps, got {described(column)}; say what "
                    "integers count with unit='s', 'ms', "
                    "'us' or 'ns'"
                )
            times = _scaled(values, self.mapping.unit)
        elif column.kind == "instant" or not frame.rows:
            self.aware = self.aware or column.aware
            times = values
        else:
            raise EventsError(no_instants(what, column))
        _refuse_nulls(column.null, what, self.rows)
        if times.size and not EARLIEST <= int(times.min()) <= int(times.max()) <= LATEST:
            bad = (times < EARLIEST) | (times > LATEST)
            first = int(bad.argmax())
            raise EventsError(
                f"{what}, row {self.rows + first:,}: expected an instant of the years 1 to 9999, "
                f"got {times[first]} microseconds since 1970; {in_all(int(bad.sum()))}"
            )
        return times

    def has(self, name: str) -> bool:
        """Whether there is such a column (`value` means the mapped one)."""
        column = self.mapping.column(name)
        return name in ("contact", "type", "time") or bool(self._frames and column in self._frames[0].names)

    def _add(self, frame: Frame, name: str) -> None:
        column = self.mapping.column(name)
        self._pieces.setdefault(name, _Pieces(column)).add(_column(frame, column), frame.rows)

    def column(self, name: str) -> Column:
        """Return a column in grouped order (`contact`, `type`, `time`, `value` mean the mapped ones)."""
        if name not in self._columns:
            self._columns[name] = self._own(name) or self._context(name)
        return self._columns[name]

    def _own(self, name: str) -> Column | None:
        if name == "time":
            return Column(kind="instant", values=self.times, null=None, dtype="instant")
        if name == "type":
            return Column(
                kind="text", values=self.types, null=None, categories=self.types_by_code, dtype="text"
            )
        if name == "contact":
            codes = np.repeat(np.arange(len(self.contacts), dtype=np.int32), np.diff(self.starts))
            if self.contacts.kind == "integer":
                return Column(
                    kind="integer", values=self.contacts.integers()[codes], null=None, dtype="integer"
                )
            return Column(
                kind="text", values=codes, null=None, categories=self.contacts.strings(), dtype="text"
            )
        return None

    def _context(self, name: str) -> Column:
        if name not in self._pieces:
            for frame in self._frames:
                self._add(frame, name)
        return self._pieces.pop(name).column(self.order)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64 in grouped order, NaN for null.

        Raises
        ------
        EventsError
            If it is no column of numbers or a number is infinite.
        """
        column = self.column(name)
        what = f"events column {self.mapping.column(name)!r}"
        if column.kind not in ("integer", "float"):
            raise EventsError(f"{what}: expected numbers for an amount, got {described(column)}")
        values = _floats(column)
        bad = np.isinf(values)
        if bad.any():
            raise EventsError(
                f"{what}, row {int(self.order[bad].min()):,}: expected finite numbers for an amount, "
                f"got an infinite one; {in_all(int(bad.sum()))}"
            )
        return values

    def codes(self, name: str) -> tuple[Codes, list[str]]:
        """Return a column's codes in grouped order (-1 for null) and, by code, its values as text.

        Whole numbers read as integers (``"7"``), flags as ``"true"`` and ``"false"``.
        """
        if name not in self._coded:
            column = self.column(name)
            if column.kind == "text":
                assert column.categories is not None
                self._coded[name] = column.values, column.categories
            else:
                self._coded[name] = _coded(column, f"events column {self.mapping.column(name)!r}")
        return self._coded[name]

    def release(self) -> None:
        """Let go of the events; contacts, types and counts, all that a result still asks for, remain."""
        self.times, self.types = np.empty(0, np.int64), np.empty(0, np.int32)
        self.order = np.empty(0, np.uint32)
        self._columns.clear()
        self._coded.clear()

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        from engagekit.instants import text_of

        span = ""
        if len(self.times):
            first, last = (text_of(int(t))[:10] for t in (self.times.min(), self.times.max()))
            span = f", {first} ... {last}"
        counts = f"{self.rows:,} rows, {len(self.contacts):,} contacts, {len(self.types_by_code):,} types"
        return f"Events({counts}{span})"


def read(source: Any, mapping: Mapped, wanted: Iterable[str]) -> Events:
    """Code events and no context columns but the wanted ones, so that a stream's frames can go."""
    events = Events.__new__(Events)
    events._read(source, mapping, list(wanted))  # noqa: SLF001 - its own class's other constructor
    return events


def named_frames(source: Any, what: str) -> Iterator[Frame]:
    """Yield the frames of a source; errors about the frames themselves say which table they are of."""
    frames: Iterator[Frame] | None = None
    while True:
        try:
            frames = frames or frames_of(source)
            frame = next(frames)
        except StopIteration:
            return
        except EventsError as error:
            raise EventsError(f"{what}: {error}") from None
        yield frame


def _joined(pieces: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    if len(pieces) == 1:
        return np.ascontiguousarray(pieces[0])
    joined = np.concatenate([np.empty(0, dtype), *pieces])
    pieces.clear()
    return joined


def _require(frame: Frame, mapping: Mapped, number: int) -> None:
    """Tell all the mapped columns that a frame lacks, and how to name those that it has in their place."""
    names = {role: name for role in EXAMPLES if (name := getattr(mapping, role)) is not None}
    try:
        frame.require(names.values())
    except EventsError as error:
        role = next(role for role, name in names.items() if name not in frame.names)
        example = frame.nearest(names[role]) or EXAMPLES[role]
        raise EventsError(
            f'events{of_stream(number)}: {error}; name yours, as in {role}="{example}"'
        ) from None


def _column(frame: Frame, name: str) -> RawColumn:
    try:
        return frame.column(name)
    except EventsError as error:
        raise EventsError(f"events: {error}") from None


def _whole(coder: Coder, frame: Frame, name: str, first_row: int, *, text: bool = False) -> Codes:
    """Code a column that must not have nulls."""
    column = _column(frame, name)
    if frame.rows == 0:
        return np.empty(0, np.int32)
    if text and column.kind != "text":
        raise EventsError(f"{coder.what}: expected text (the type of each event), got {described(column)}")
    if column.null is not None:
        _refuse_nulls(column.null, coder.what, first_row)
    codes = coder.code(column, first_row=first_row)
    if column.kind == "text" and codes.size and int(codes.min()) < 0:
        _refuse_nulls(codes < 0, coder.what, first_row)
    return codes


def _refuse_nulls(null: NDArray[np.bool_] | None, what: str, first_row: int) -> None:
    if null is not None and null.any():
        raise EventsError(f"{what}, row {first_row + int(null.argmax()):,}: null; {in_all(int(null.sum()))}")


def _scaled(values: NDArray[Any], unit: str) -> NDArray[np.int64]:
    """Integer times as microseconds; what would overflow becomes an instant out of range."""
    if values.dtype == np.uint64:
        values = np.minimum(values, np.uint64(MOST_SIGNED)).astype(np.int64)
    if unit == "ns":
        return values // 1000
    bound = MOST_SIGNED // UNITS[unit]
    scaled: NDArray[np.int64] = np.clip(values, -bound, bound) * UNITS[unit]
    return scaled


def _floats(column: Column) -> NDArray[np.float64]:
    values = column.values.astype(np.float64, copy=False)
    return values if column.null is None else np.where(column.null, np.nan, values)


def _coded(column: Column, what: str) -> tuple[Codes, list[str]]:
    if column.kind == "other":
        raise EventsError(f"{what}: expected text, numbers, flags or instants, got {described(column)}")
    values, null = column.values, column.null
    if column.kind == "float":
        values = values + 0.0  # -0.0 and 0.0 are one value
        null = np.isnan(values) if null is None else null | np.isnan(values)
    patterns = values.astype(np.int64) if column.kind == "boolean" else values.view(np.int64)
    ids, codes = _core.IntegerIds(), np.empty(len(values), np.int32)
    ids.code(np.ascontiguousarray(patterns), None if null is None else null.view(np.uint8), codes)
    distinct = np.empty(len(ids), np.int64)
    ids.export(distinct)
    if column.kind == "float":
        return codes, [str(int(x)) if x.is_integer() else repr(x) for x in distinct.view(np.float64).tolist()]
    if column.kind == "boolean":
        return codes, ["true" if x else "false" for x in distinct.tolist()]
    return codes, [str(x) for x in distinct.view(values.dtype).tolist()]
