"""The contacts table: whose attributes are known, and how its rows meet the contacts of the events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit.coding import Coder, Codes, no_instants
from engagekit.columns import Column, Pieces
from engagekit.errors import EventsError, in_all
from engagekit.events import Events
from engagekit.frames import Frame, RawColumn
from engagekit.instants import refuse_out_of_range
from engagekit.mapped import named_frames
from engagekit.model.wording import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_NAMED = 8
NO_INSTANT = np.iinfo(np.int64).max
"""An instant that never comes: the customer's half is not known from attributes."""


def key_name(frame: Frame, of_events: str, what: str) -> str:
    """Return the name of a table's key: as in the events, or ``contact``."""
    keys = dict.fromkeys((of_events, "contact"))
    for name in keys:
        if name in frame.names:
            return name
    names = ", ".join(repr(name) for name in frame.names[:20])
    expected = " or ".join(repr(name) for name in keys)
    raise EventsError(f"{what}: expected a column {expected}, got {names or 'none'}")


def codes_of(column: RawColumn, coder: Coder, *, insert: bool, what: str, rows: int) -> Codes:
    """Code a table's key by its own coder or by another's; ids must be there and of the same kind."""
    if rows == 0:
        return np.empty(0, np.int32)
    if column.null is not None and column.null.any():
        null = column.null
    elif column.kind == "text":
        null = Coder(what).code(column) < 0
    else:
        null = np.zeros(rows, bool)
    if null.any():
        raise EventsError(f"{what}, row {int(null.argmax()):,}: null; {in_all(int(null.sum()))}")
    named, coder.what = coder.what, what
    try:
        return coder.code(column, insert=insert)
    finally:
        coder.what = named


def column_in(frame: Frame, name: str, what: str) -> Column:
    """Return a column of a whole table as conditions see it; `what` names it in errors."""
    try:
        column = frame.column(name)
    except EventsError as error:
        raise EventsError(f"{what.partition(' ')[0]}: {error}") from None
    pieces = Pieces(name)
    if column.kind == "text":
        pieces.coder = Coder(what)
    pieces.add(column, frame.rows)
    return pieces.put(slice(None), [] if pieces.coder is None else pieces.coder.strings())


class Contacts:
    """A contacts table beside events.

    Parameters
    ----------
    source
        A frame with one row a contact: the key and attributes.
    events
        The events it goes with; ids must be of the same kind.

    Raises
    ------
    EventsError
        If the key is missing, null or there twice, or its ids are of another kind than the events'.
    """

    def __init__(self, source: Any, events: Events) -> None:
        self.frame = single(source, "contacts")
        self.key = key_name(self.frame, events.mapping.contact, "contacts")
        self.what = f"contacts column {self.key!r}"
        self._attributes: dict[str, Column] = {}
        column = self.frame.column(self.key)
        self.coder = Coder(self.what)
        own = codes_of(column, self.coder, insert=True, what=self.what, rows=self.frame.rows)
        repeated = own != np.arange(len(own))
        if repeated.any():
            # codes are in order of first appearance, so the first that lags behind is the first repetition
            first = int(repeated.argmax())
            name = self.coder.strings()[int(own[first])]
            raise EventsError(
                f"{self.what}, row {first:,}: expected each contact once, got {name!r} again; "
                f"{in_all(len(own) - len(self.coder))}"
            )
        self.coder.refuse_beside(events.contacts)
        self.codes = (
            codes_of(column, events.contacts, insert=False, what=self.what, rows=self.frame.rows)
            if len(events.contacts)
            else np.full(self.frame.rows, -1, np.int32)
        )

    def refuse_missing(self, asked: Mapping[str, str]) -> None:
        """Raise an EventsError for attributes that the table lacks; `asked` says of each what asks for it."""
        missing = [name for name in asked if name not in self.frame.names]
        if missing:
            told = ", ".join(f"{name!r} ({asked[name]})" for name in missing[:_MOST_NAMED])
            more = ", ..." if len(missing) > _MOST_NAMED else ""
            names = ", ".join(repr(name) for name in self.frame.names[:20])
            near = self.frame.nearest(missing[0])
            meant = f"; did you mean {near!r}?" if near else ""
            raise EventsError(f"contacts: expected the attributes {told}{more}, got {names}{meant}")

    def attribute(self, name: str) -> Column:
        """Return an attribute of all the table's rows."""
        if name not in self._attributes:
            self._attributes[name] = column_in(self.frame, name, f"contacts column {name!r}")
        return self._attributes[name]

    def since(self) -> NDArray[np.int64]:
        """Return each row's `customer_since` in microseconds, `NO_INSTANT` where there is none."""
        since = np.full(self.frame.rows, NO_INSTANT, np.int64)
        if "customer_since" in self.frame.names and self.frame.rows:
            column = self.frame.column("customer_since")
            if column.null is not None and column.null.all():
                return since
            if column.kind != "instant":
                raise EventsError(no_instants("contacts column 'customer_since'", column))
            since = np.array(column.values, np.int64)
            if column.null is not None:
                since[column.null] = 0
            refuse_out_of_range(since, "contacts column 'customer_since'")
            if column.null is not None:
                since[column.null] = NO_INSTANT
        return since


def single(source: Any, what: str) -> Frame:
    """Return the one frame that a table is."""
    if isinstance(source, Mapping) and source and all(isinstance(row, Mapping) for row in source.values()):
        key, row = next(iter(source.items()))
        told = "".join(f", {shown(name)}: [{shown(value)}, ...]" for name, value in [*row.items()][:1])
        raise EventsError(
            f"{what}: expected a frame with a row a contact, got attributes by contact; write them in "
            f"columns, as in {{'contact': [{shown(key)}, ...]{told}}}"
        )
    frames = list(named_frames(source, what))
    if len(frames) != 1:
        raise EventsError(f"{what}: expected one frame, got a stream of {len(frames)}")
    return frames[0]
