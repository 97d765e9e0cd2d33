"""Events on their way into a live state: one, a table, or a stream of tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit import _core
from engagekit.batch import coded_events
from engagekit.errors import EventsError
from engagekit.events import CONTENT
from engagekit.instants import microseconds_of
from engagekit.live.classing import hashes_of, label_of, moment_of
from engagekit.live.identity import refuse_surrogates
from engagekit.live.statefiles import packed
from engagekit.matching import match
from engagekit.model.wording import shown, typed
from engagekit.running import attach, contents_of
from engagekit.threads import cores

if TYPE_CHECKING:
    from engagekit.live.live import Live

Position = str | int | None


def take_one(
    live: Live,
    contact: int | str,
    type: str,
    time: Any,
    value: Any,
    id: int | str | None,
    context: Mapping[str, Any] | None,
) -> None:
    """Take in one event of any kind; `LiveState.add` takes the plain ones itself."""
    present = live._present()
    micros = present if time is None else microseconds_of(time, "time")
    if not isinstance(type, str):
        raise EventsError(f"type: expected text, got {typed(type)}")
    refuse_surrogates(type, "type")
    if context is not None and not isinstance(context, Mapping):
        raise EventsError(
            f"context: expected values by name such as {{'page': 'home'}}, got {typed(context)}"
        )
    row = {**(context or {}), "contact": contact, "type": type, "value": value}
    if "time" in live.model.fields:
        row["time"] = moment_of(micros)
    classes = live._classes
    key = classes.of_row(row)
    read = classes.read(live, row)
    content = live._contents.get(label_of(row.get(CONTENT), CONTENT) or "", -1) if live._contents else -1
    label = None if id is None else label_of(id, "id")
    identity = None if label is None else live.hashed(label)
    with live._lock:
        kind = live._who.kind_of(contact)  # of the first that comes, whichever thread brings it
        live.admit(present)
        number = classes.number(live, key)
        code = live._who.place(live, contact, kind)
        named = live._types.code(live, type)
        live.take_one(code, micros, number, named, content, identity, *read, present)
        if classes.is_plain(type) and not live._contents:
            live.plain[str(type)] = number << 32 | named
        if isinstance(time, datetime) and time.tzinfo is not None:
            live.aware = True


def ingest(live: Live, events: Any, position: Position, mapping: Mapping[str, str | None]) -> None:
    """Take in a table, a stream of tables as one, or a stream of (frame, position) pairs one by one."""
    position = plain_position(position)
    if _is_pair(events) and isinstance(events[1], (str, int)):
        raise EventsError(
            "events: expected frames, got one and its position: give them as ingest(frame, position)"
        )
    source = iter(events) if _is_stream(events) else None
    if source is None:
        _take_table(live, events, position, mapping)
        return
    first = next(source, None)
    if first is None:
        if position is not None:
            live.read_until = position
        return
    whole = chain([first], source)
    if not _is_pair(first):
        _take_table(live, whole, position, mapping)
        return
    if position is not None:
        raise EventsError("position=: the stream is of (frame, position) pairs and says it itself")
    for pair in whole:
        if not _is_pair(pair):
            raise EventsError(f"events: expected (frame, position) pairs, got {shown(pair)}")
        _take_table(live, pair[0], plain_position(pair[1]), mapping)


def _take_table(live: Live, source: Any, position: Position, given: Mapping[str, str | None]) -> None:
    events = coded_events(live.model, source, given, spill=False, ids=True)
    classes = live._classes
    matched = match(classes.judging, events)
    identity = events.mapping.id
    ids = None if identity is None else events.codes(identity)
    contents = contents_of(live._plan, events)
    labels = [events.codes(name)[1] for name in live._plan.codes]
    keys = classes.of_view(matched.view)
    scorer = attach(classes.judging, events, matched)
    hashes = [hashes_of(live, names) for names in labels]
    named, hashed = np.empty(0, np.uint8), np.empty(0, np.int64)
    if ids is not None:
        named = (ids[0] >= 0).view(np.uint8)
        hashed = hashes_of(live, ids[1])[ids[0]]
    with live._lock:
        present = live._present()
        live._who.refuse(events)
        live.admit(present)
        live.aware = live.aware or events.aware
        live._who.like = live._who.like or events.source.like(events.mapping.contact)
        live._frame_kind = events.source.kind
        live._key = events.mapping.contact
        if len(events.contacts):
            numbers = [classes.number(live, key) for key in keys]
            kept = _core.Kept(
                live._who.place_all(live, events),
                np.array(numbers, np.int32),
                live._types.codes(live, events.types_by_code),
                contents,
                hashed,
                named,
                hashes,
                matched.codes,
            )
            live.take_all(scorer, kept, present, cores(), len(events.dropped_codes), position)
        elif position is not None:
            live.read_until = position


def plain_position(position: object) -> Position:
    """Return a position as a file gives it back; raise an EventsError for what cannot be one."""
    if position is None:
        return None
    if isinstance(position, bool) or not isinstance(position, (str, int)):
        raise EventsError(f"position: expected a text or an integer, got {typed(position)}")
    try:
        packed(position)
    except UnicodeEncodeError:
        raise EventsError(f"position: expected text that UTF-8 can hold, got {shown(position)}") from None
    except ValueError:  # Python neither writes nor reads longer integers
        raise EventsError(f"position: expected at most 4,300 digits, got {shown(position)}") from None
    return str.__str__(position) if isinstance(position, str) else int(position)


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple) and len(item) == 2


def _is_stream(events: Any) -> bool:
    """Whether events come as a list or an iterator, and are no frame."""
    if isinstance(events, (list, tuple)):
        return True
    return isinstance(events, Iterator) and not hasattr(events, "__arrow_c_stream__")
