"""Events: any frame of events coded once, grouped by contact, in order of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit import _core, partitions
from engagekit.coding import Coder, Codes, Ids, described, of_stream
from engagekit.columns import Column, Pieces, alone
from engagekit.errors import EventsError, in_all
from engagekit.frames import Frame, RawColumn
from engagekit.grouping import Grouped, group, group_ids, group_words, narrow
from engagekit.instants import EARLIEST, LATEST, refuse_out_of_range
from engagekit.mapped import (
    REQUIRED,
    Mapped,
    coded_column,
    column_of,
    instants_of,
    is_bare,
    named_frames,
    pieces_of,
    refuse_nulls,
    require,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTENT = "content"
"""The column, if there is one, that bears the id of the content that an event brought."""


class Events:
    """Events coded once, to be scored many times.

    Parameters
    ----------
    frame
        A frame of any library (pandas, polars, pyarrow, DuckDB, anything with an Arrow stream, a dict of
        NumPy arrays) or a stream (iterable) of them. It is not changed, and must not change while the
        Events live: columns beside contact, type and time are read when a model first needs them. All of
        a stream is held in memory; `Model.score` takes streams that are larger.
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
    events come in order of time. Memory beside the ids: 13 bytes a row for up to 255 types, at most 16.

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

    disk: partitions.Partitions | None = None
    """Where the rows of a stream lie that memory should not hold."""

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

    def _read(
        self,
        source: Any,
        mapping: Mapped,
        wanted: list[str] | None,
        *,
        optional: Collection[str] = (),
        spill: bool = False,
    ) -> None:
        self.mapping = mapping
        self.contacts: Any = Coder(f"events column {mapping.contact!r}")
        types = Coder(f"events column {mapping.type!r}")
        ids = Coder(f"events column {mapping.id!r}")
        self._lock = RLock()
        self._columns: dict[str, Column] = {}
        self._coded: dict[str, tuple[Codes, list[str]]] = {}
        self._frames: list[Frame] = []
        self.rows = 0
        self.aware = False
        self.rising, self._newest = True, EARLIEST  # whether all rows so far came in order of time
        self.source: Any = None
        self._optional = frozenset(optional)
        pieces = {name: Pieces(mapping.column(name)) for name in (*(wanted or ()), *optional)}
        twins = Pieces(mapping.value) if mapping.id is not None else None
        codes: list[Codes] = []
        bare: list[RawColumn] = []  # ids that need no codes if no other frame follows
        type_codes: list[NDArray[Any]] = []
        times: list[NDArray[np.int64]] = []
        id_codes: list[Codes] = []
        # no column is put into grouped order by it: scored once, it is not made
        numbered = wanted is None or bool(pieces) or mapping.id is not None
        last: Frame | None = None
        held, most = 0, partitions.HELD
        width = partitions.width(len(pieces), ids=mapping.id is not None)

        def store() -> None:
            self.disk = self.disk or partitions.Partitions(pieces, twins)
            of_rows = None if twins is None else (ids, id_codes)
            self.disk.take(codes, type_codes, times, contacts=len(self.contacts), ids=of_rows)

        for number, whole in enumerate(named_frames(source, "events")):
            if bare:
                codes.append(np.concatenate([self.contacts.code(piece) for piece in bare]))
                bare.clear()
            if held > most and spill:
                self._take(pieces, last)
                store()
                last, held, most = None, 0, partitions.BLOCK
            require(whole, mapping, REQUIRED, number)
            for coder in (self.contacts, types, ids):
                coder.place = of_stream(number)
            self.source = self.source or whole
            frame = whole if wanted is None else self._narrowed(whole, wanted)
            keys = pieces_of(frame, mapping.contact)
            if number == 0 and is_bare(frame, keys):
                bare = keys
            else:
                codes.append(coded_column(self.contacts, frame, mapping.contact, keys, self.rows))
            del keys
            named = pieces_of(frame, mapping.type)
            some = coded_column(types, frame, mapping.type, named, self.rows, text=True)
            del named
            type_codes.append(narrow(some, len(types)))
            del some
            copied = number > 0 and self.disk is None  # what goes to disk soon may keep its frame so long
            times += [alone(piece) if copied else piece for piece in self._times(frame)]
            if mapping.id is not None:
                id_codes.append(ids.code(column_of(frame, mapping.id), first_row=self.rows))
            if wanted is None:
                self._frames.append(frame)
            else:
                self._take(pieces, last)
            if twins is not None:
                twins.add(frame.column(mapping.value) if mapping.value in frame.names else None, frame.rows)
            last = frame
            self.rows += (rows := frame.rows)
            held += rows * width
        if self.source is None:
            raise EventsError("events: expected at least one frame, got an empty stream")
        self.contacts.refuse_other_encodings()
        self.types_by_code = types.strings()
        del types, coder  # with the column that they hold on to
        self.type_ranks = _ranks(tuple(self.types_by_code))
        self.dropped_codes, self.dropped_times = np.empty(0, np.int32), np.empty(0, np.int64)
        if self.disk is not None:
            self._take(pieces, last)
            store()
            self.disk.written()
            return
        # each thing only now, and each list emptied, so that little is held at once
        narrowed = narrow(_joined(type_codes, np.uint8), len(self.types_by_code))
        if bare:
            grouped = self._grouped(bare, times, narrowed, numbered=numbered)
        else:
            grouped = group(
                _joined(codes, np.int32),
                times,
                narrowed,
                contacts=len(self.contacts),
                numbered=numbered,
                rising=self.rising,
            )
        self.starts, self.times, self.types, self.order = grouped
        self._take(pieces, last)
        self._columns.update({name: pieces.pop(name).column(self._numbers()) for name in list(pieces)})
        if twins is not None:
            self._drop_duplicates(_joined(id_codes, np.int32), twins.column(self._numbers()))

    def _grouped(
        self,
        bare: list[RawColumn],
        times: list[NDArray[np.int64]],
        types: NDArray[Any],
        *,
        numbered: bool,
    ) -> Grouped:
        """Group rows by ids that have no codes yet, and take over the ids."""
        if bare[0].kind == "text":
            indices = [text.indices for text in bare[0].text if text.indices is not None]
            words = bare[0].text[0].dictionary
            assert words is not None
            grouped, distinct = group_words(
                _joined(indices, np.uint32),
                times,
                types,
                count=words.rows,
                numbered=numbered,
                rising=self.rising,
            )
            self.contacts.adopt_words(words, distinct, bare[0].text[0].own)
            return grouped
        own = [piece.values for piece in bare if piece.values is not None]
        grouped, distinct = group_ids(
            [np.ascontiguousarray(values.view(np.int64)) for values in own],
            times,
            types,
            numbered=numbered,
            rising=self.rising,
        )
        self.contacts.adopt(distinct, unsigned=own[0].dtype == np.uint64)
        return grouped

    def _narrowed(self, frame: Frame, wanted: list[str]) -> Frame:
        """Let a lazy frame make only what is asked for (one that lacks some of it says so by itself)."""
        mapping = self.mapping
        own = [mapping.contact, mapping.type, mapping.time, *map(mapping.column, wanted)]
        own += [name for name in self._optional if name in frame.names]
        if mapping.id is not None:
            # the value decides which of two events of one id and time counts
            own += [mapping.id, *(name for name in [mapping.value] if name in frame.names)]
        names = dict.fromkeys(own)
        return frame.narrow(names) if names.keys() <= set(frame.names) else frame

    def _take(self, pieces: Mapping[str, Pieces], frame: Frame | None) -> None:
        if frame is None:
            return
        for name, piece in pieces.items():
            lacking = name in self._optional and name not in frame.names
            piece.add(None if lacking else self._field(frame, name), frame.rows)

    def _field(self, frame: Frame, name: str) -> RawColumn:
        if name == "value":
            require(frame, self.mapping, [name])
        return column_of(frame, self.mapping.column(name))

    def _drop_duplicates(self, ids: Codes, value: Column) -> None:
        keep = np.empty(len(self.times), np.uint8)
        values = value.floats() if value.kind in ("integer", "float") else np.zeros(len(self.times))
        ranks = self.type_ranks[self.types]
        if _core.duplicates(self.starts, self.times, ids[self._numbers()], ranks, values, keep):
            kept = keep.view(bool)
            codes = np.repeat(np.arange(len(self.contacts), dtype=np.int32), np.diff(self.starts))
            self.dropped_codes, self.dropped_times = codes[~kept], self.times[~kept]
            before = np.concatenate([[0], np.cumsum(kept)])
            self.starts = before[self.starts]
            self.times, self.types = self.times[kept], self.types[kept]
            self.order = self._numbers()[kept]
            self._columns = {name: column.kept(kept) for name, column in self._columns.items()}

    def _times(self, frame: Frame) -> list[NDArray[np.int64]]:
        name = self.mapping.time
        what = f"events column {name!r}"
        if not frame.rows:
            return [np.empty(0, np.int64)]
        times = []
        for piece in pieces_of(frame, name):
            values = instants_of(piece, self.mapping)
            self.aware = self.aware or piece.aware
            first, last, rising = _core.span_of(values)
            if piece.null is not None or first < EARLIEST or last > LATEST:
                # told of the column as a whole
                column = column_of(frame, name)
                refuse_nulls(column.null, what, self.rows)
                refuse_out_of_range(instants_of(column, self.mapping), what, self.rows)
            self.rising = self.rising and rising and first >= self._newest
            self._newest = last
            times.append(values)
        return times

    def newest(self, present: int) -> int | None:
        """Return the latest time not after the present, None if there is none."""
        if not self.times.size:
            return None
        # each contact's newest event is its last
        latest = int(self.times[self.starts[1:][np.diff(self.starts) > 0] - 1].max())
        if latest > present:
            latest = int(self.times[self.times <= present].max(initial=EARLIEST - 1))
        return latest if latest >= EARLIEST else None

    def named(self, name: str) -> str:
        """Say which column is meant, for an error's text."""
        return f"events column {self.mapping.column(name)!r}"

    def column(self, name: str) -> Column:
        """Return a column in grouped order (`contact`, `type`, `time`, `value` mean the mapped ones)."""
        with self._lock:
            if name not in self._columns:
                self._columns[name] = self._own(name) or self._context(name)
            return self._columns[name]

    def _own(self, name: str) -> Column | None:
        if name == "time":
            return Column(kind="instant", values=self.times, null=None, dtype="instant")
        if name == "type":
            codes = self.types.astype(np.int32)
            return Column(kind="text", values=codes, null=None, categories=self.types_by_code, dtype="text")
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

    def _numbers(self) -> NDArray[np.uint32]:
        """Return the number of each event's row."""
        assert self.order is not None, "what asks for columns is read with the rows' numbers"
        return self.order

    def _context(self, name: str) -> Column:
        pieces = Pieces(self.mapping.column(name))
        for frame in self._frames:
            pieces.add(self._field(frame, name), frame.rows)
        return pieces.column(self._numbers())

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64 in grouped order, NaN for null.

        Raises
        ------
        EventsError
            If it is no column of numbers or a number is infinite.
        """
        column = self.column(name)
        what = self.named(name)
        if column.kind not in ("integer", "float"):
            raise EventsError(f"{what}: expected numbers for an amount, got {described(column)}")
        values = column.floats()
        bad = np.isinf(values)
        if bad.any():
            raise infinite(what, int(self._numbers()[bad].min()), int(bad.sum()))
        return values

    def codes_if_any(self, name: str) -> tuple[Codes, list[str]] | None:
        """Do as `codes` for a column that the events need not have, or that some of their frames lack."""
        with self._lock:
            if name in self._columns or not self._frames:
                return self.codes(name) if name in self._columns else None
            if not any(name in frame.names for frame in self._frames):
                return None
            pieces = Pieces(name)
            for frame in self._frames:
                pieces.add(column_of(frame, name) if name in frame.names else None, frame.rows)
            return pieces.column(self._numbers()).coded(self.named(name))

    def codes(self, name: str) -> tuple[Codes, list[str]]:
        """Return a column's codes in grouped order (-1 for null) and, by code, its values as text.

        Whole numbers read as integers (``"7"``), flags as ``"true"`` and ``"false"``.
        """
        with self._lock:
            if name not in self._coded:
                self._coded[name] = self.column(name).coded(self.named(name))
            return self._coded[name]

    def _adopt(self, whole: Events, contacts: Any) -> None:
        """Become a part of other events, for now without rows: of some contacts, by codes of their own."""
        self.contacts = contacts
        for name in ("mapping", "types_by_code", "type_ranks", "aware", "source", "rising"):
            setattr(self, name, getattr(whole, name))
        self._lock = RLock()
        self._columns, self._coded, self._frames = {}, {}, []
        self.dropped_codes, self.dropped_times = np.empty(0, np.int32), np.empty(0, np.int64)

    def close(self) -> None:
        """Delete what lies on disk."""
        if self.disk is not None:
            self.disk.close()

    def detach(self, *, ids: bool) -> None:
        """Let go of the caller's frame and of the table of ids; what was read for a model remains.

        No column can be read any more, and the contacts' `ids` themselves only if they are asked for here.
        """
        self.source, self.order = None, None
        self._frames.clear()
        self.contacts = Ids(self.contacts, kept=ids)

    def release(self) -> None:
        """Let go of the events; contacts, types and counts, all that a result still asks for, remain."""
        self.times, self.types = np.empty(0, np.int64), np.empty(0, np.uint8)
        self.order = None
        self._columns.clear()
        self._coded.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=RLock())

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


def read(
    source: Any, mapping: Mapped, wanted: Iterable[str], *, optional: Collection[str] = (), spill: bool
) -> Events:
    """Code events and no context columns but the wanted ones, so that a stream's frames can go.

    The `optional` ones may be missing. With `spill` a stream that is more than memory should hold goes to
    disk.
    """
    events = Events.__new__(Events)
    try:
        events._read(source, mapping, list(wanted), optional=optional, spill=spill)  # noqa: SLF001 - its class's other constructor
    except BaseException:
        events.close()
        raise
    return events


def infinite(what: str, row: int, count: int) -> EventsError:
    """Word the error for an amount's column with infinite numbers, the first of them in that row."""
    return EventsError(
        f"{what}, row {row:,}: expected finite numbers for an amount, got an infinite one; {in_all(count)}"
    )


@lru_cache(maxsize=64)
def _ranks(names: tuple[str, ...]) -> NDArray[np.int32]:
    """Give each name's place in their alphabetic order; kept, for small tables come often."""
    ranks = {name: rank for rank, name in enumerate(sorted(names))}
    return np.array([ranks[name] for name in names], np.int32)


def _joined(pieces: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    if len(pieces) == 1:
        return np.ascontiguousarray(pieces.pop())
    joined = np.concatenate([np.empty(0, dtype), *pieces])
    pieces.clear()
    return joined
