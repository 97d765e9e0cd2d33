"""The columns of a result: the kernel's numbers under their names, the key in the caller's own type."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve

from engagekit import _core
from engagekit.errors import EventsError
from engagekit.events import Events
from engagekit.frames import Frame, Out
from engagekit.instants import EPOCH, NAIVE_EPOCH
from engagekit.plan import LEVELS, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.contacts import Contacts

NEVER = np.iinfo(np.int64).min


def taken(values: NDArray[Any], rows: NDArray[np.int64] | None) -> NDArray[Any]:
    """Return some of the values, by place; None: all, as they are."""
    return values if rows is None else values[rows]


def result_columns(
    plan: Plan,
    events: Events,
    numbers: Mapping[str, NDArray[Any]],
    channels: NDArray[np.float64],
    rows: NDArray[np.int64] | None,
) -> dict[str, Out]:
    """Name the kernel's numbers as the result's columns, the key aside: of the jobs `rows` (None: of all)."""

    def number(values: NDArray[np.float64]) -> Out:
        return Out("float", taken(values, rows))

    def instant(name: str) -> Out:
        values = taken(numbers[name], rows)
        null = values == NEVER if len(values) and values[values.argmin()] == NEVER else None
        return Out("instant", values, null, aware=events.aware)

    def category(name: str, names: Sequence[str]) -> Out:
        return Out("category", taken(numbers[name], rows), None, list(names))

    return {
        "score": number(numbers["score"]),
        "engagement": number(numbers["engagement"]),
        "level": category("level", LEVELS),
        "half": category("half", ("prospect", "customer")),
        "phase": category("phase", plan.phase_names),
        "momentum": number(numbers["momentum"]),
        "next_change": instant("next_change"),
        "next_level": category("next_level", LEVELS),
        "next_phase": category("next_phase", plan.phase_names),
        "events": Out(kind="integer", values=taken(numbers["events"], rows)),
        "first_event": instant("first_event"),
        "last_event": instant("last_event"),
        "last_type": category("last_type", events.types_by_code),
        "silent_days": number(numbers["silent_days"]),
        "top_channel": category("top_channel", plan.channels),
        **{f"channel_{name}": number(channels[c]) for c, name in enumerate(plan.channels)},
    }


def ids_out(events: Events, contacts: Contacts | None, rows: NDArray[np.int64] | None) -> Out:
    """Give the key of the result's rows, in the caller's own type.

    Rows are codes of the events' contacts (None: all of them); beyond them, places among the contacts
    table's rows that no event knows.
    """
    known = len(events.contacts)
    like = events.source.like(events.mapping.contact)
    if contacts is not None and not known and contacts.frame.kind == events.source.kind:
        # Without a single id a column is of whatever type its library gives to nothing.
        like = evolve(contacts.frame.like(contacts.key), connection=like.connection)
    unknown = np.flatnonzero(contacts.codes < 0) if contacts is not None else np.empty(0, np.int64)
    coders = [events.contacts] if contacts is None else [events.contacts, contacts.coder]
    kind = next((coder.kind for coder in coders if coder.kind is not None), "text")
    if rows is None:
        whole = events.contacts.integers() if kind == "integer" else events.contacts.buffers()
        return _own(Out(kind="integer" if kind == "integer" else "text", values=whole, like=like), events)
    index = rows.copy()
    if len(unknown):
        index[rows >= known] = known + unknown[rows[rows >= known] - known]
    if kind == "integer":
        pieces = [coder.integers() for coder in coders if coder.kind is not None]
        if len({piece.dtype for piece in pieces}) > 1:
            pieces = [piece.astype(np.uint64) for piece in pieces]
        return Out(kind="integer", values=np.concatenate(pieces)[index], like=like)
    starts, data = np.zeros(1, np.int64), np.empty(0, np.uint8)
    for coder in coders:
        if coder.kind is not None:
            more, bytes_ = coder.buffers()
            starts, data = np.concatenate([starts[:-1], more + starts[-1]]), np.concatenate([data, bytes_])
    offsets = np.empty(len(index) + 1, np.int64)
    content = _core.take_text(starts, data, index, offsets)
    out = Out(kind="text", values=(offsets, np.frombuffer(content, np.uint8)), like=like)
    return _own(out, events, rows) if contacts is None else out


def _own(out: Out, events: Events, rows: NDArray[np.int64] | None = None) -> Out:
    """Return a key of the events' contacts with what they are to their own library, if it is known."""
    own = events.contacts.own
    out.own = None if own is None else evolve(own, codes=taken(own.codes, rows))
    return out


def outs_of(frame: Frame, names: Collection[str] | None = None) -> dict[str, Out]:
    """Return a frame's columns, or some of them, as result columns; what we cannot read stays as it is."""
    return {name: _out_of(frame, name) for name in frame.names if names is None or name in names}


def _out_of(frame: Frame, name: str) -> Out:
    try:
        column = frame.column(name)
    except EventsError:  # an instant of the caller's that 64-bit microseconds cannot hold
        return Out(kind="other", values=frame.foreign(name))
    if column.kind == "other":
        return Out(kind="other", values=frame.foreign(name))
    if column.kind == "text":
        strings = np.array([string for text in column.text for string in text.strings()], object)
        return Out(kind="text", values=strings)
    return Out(kind=column.kind, values=column.values, null=column.null, aware=column.aware)


def value_of(out: Out, place: int) -> Any:
    """Return one value of a result column as Python has it."""
    if out.kind == "text":
        return out.values[place]
    value = out.values.item(place)
    if out.kind == "float":
        return None if value != value else value
    if out.kind == "category":
        return None if value < 0 else (out.categories or [])[value]
    if out.null is not None and out.null[place]:
        return None
    if out.kind == "instant":
        epoch = EPOCH if out.aware else NAIVE_EPOCH
        return epoch + timedelta(microseconds=value)
    return value
