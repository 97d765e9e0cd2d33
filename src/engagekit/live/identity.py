"""Who is who: the ids of a live state's contacts, all of one kind, and the codes of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit import _core
from engagekit.coding import MIXED, MOST_SIGNED
from engagekit.errors import EventsError
from engagekit.frames import Out
from engagekit.model.wording import is_unicode, shown, typed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.events import Events


class Identities:
    """The ids by code.

    Attributes
    ----------
    kind
        ``"integer"`` or ``"text"``; None: nobody has come yet.
    ids
        The table of them; None as well.
    signs
        Whether there is an integer that only 64 bits without a sign can hold, and a negative one.
    like
        How the caller's column of them is typed.
    """

    def __init__(self) -> None:
        self.kind: str | None = None
        self.ids: Any = None
        self.signs = (False, False)
        self.like: Any = None

    def kind_of(self, contact: Any) -> str:
        """Return what kind of id this is.

        Raises
        ------
        EventsError
            If it is none, or not of the kind of those before.
        """
        if type(contact) is str and self.kind == "text" and contact.isascii():
            return "text"
        if type(contact) is int and self.kind == "integer" and 0 <= contact <= MOST_SIGNED:
            return "integer"
        if isinstance(contact, str):
            kind = "text"
        elif isinstance(contact, (int, np.integer)) and not isinstance(contact, bool):
            kind = "integer"
            if not -(2**63) <= contact < 2**64:
                raise EventsError(f"contact: expected an integer within 64 bits, got {shown(contact)}")
            if (contact < 0 and self.signs[0]) or (contact > MOST_SIGNED and self.signs[1]):
                raise EventsError(f"contact: {MIXED}")
        else:
            raise EventsError(f"contact: expected an integer or a text, got {typed(contact)}")
        if self.kind not in (None, kind):
            wanted = "an integer" if self.kind == "integer" else "a text"
            raise EventsError(f"contact: expected {wanted} as before (7 is not '7'), got {shown(contact)}")
        if kind == "text":
            refuse_surrogates(contact, "contact")
        return kind

    def refuse_mixed(self, contacts: list[Any]) -> None:
        """Raise an EventsError if integers, each of which may come, cannot all stand beside one another."""
        numbers = [each for each in contacts if not isinstance(each, str)]
        if numbers and min(numbers) < 0 and max(numbers) > MOST_SIGNED:
            raise EventsError(f"contact: {MIXED}")

    def refuse(self, events: Events) -> None:
        """Raise an EventsError if a table's contacts cannot stand beside those before."""
        kind = events.contacts.kind
        what = f"events column {events.mapping.contact!r}"
        if kind is not None and self.kind not in (None, kind):
            raise EventsError(f"{what}: expected {self.kind} as before (7 is not '7'), got {kind}")
        if kind == "integer":
            values = events.contacts.integers()
            signs = bool(values.dtype == np.uint64), bool(values.min() < 0)
            if (signs[0] and self.signs[1]) or (signs[1] and self.signs[0]):
                raise EventsError(f"{what}: {MIXED}")

    def become(self, state: _core.LiveState, kind: str) -> None:
        """Be of a kind from now on."""
        if self.kind is None:
            self.kind = kind
            self.ids = _core.IntegerIds() if kind == "integer" else _core.TextIds()
            state.become(self.ids)

    def place(self, state: _core.LiveState, contact: Any, kind: str) -> int:
        """Return a contact's code, a new one if need be."""
        self.become(state, kind)
        if kind == "text":
            return int(state.code_text(self.ids, str.__str__(contact)))
        number = int(contact)
        self.signs = (self.signs[0] or number > MOST_SIGNED, self.signs[1] or number < 0)
        return int(state.code_integer(self.ids, _signed(number)))

    def find(self, state: _core.LiveState, contact: Any, kind: str) -> int:
        """Return a contact's code, -1 if it is unknown."""
        if self.kind is None:
            return -1
        if kind == "text":
            return int(state.code_text(self.ids, str.__str__(contact), False))
        return int(state.code_integer(self.ids, _signed(int(contact)), False))

    def place_all(self, state: _core.LiveState, events: Events) -> NDArray[np.int32]:
        """Return the codes of a table's contacts, new ones as need be."""
        kind = str(events.contacts.kind)
        self.become(state, kind)
        if kind == "text":
            return np.frombuffer(state.code_texts(self.ids, *events.contacts.buffers()), np.int32)
        values = events.contacts.integers()
        unsigned = values.dtype == np.uint64
        self.signs = (self.signs[0] or unsigned, self.signs[1] or bool(values.min() < 0))
        return np.frombuffer(state.code_integers(self.ids, values.view(np.int64)), np.int32)

    def integers(self, state: _core.LiveState) -> NDArray[np.int64]:
        """Return the ids by code, where they are integers."""
        return np.frombuffer(state.integers_of(self.ids), np.int64)

    def texts(self, codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the ids of some codes as offsets and UTF-8 bytes, where they are texts."""
        places = np.empty(len(codes) + 1, np.int64)
        content = _core.take_text(*self._texts(), codes, places)
        return places, np.frombuffer(content, np.uint8)

    def _texts(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        if self.ids is None:
            return np.zeros(1, np.int64), np.empty(0, np.uint8)
        while True:
            starts, data = np.empty(len(self.ids) + 1, np.int64), np.empty(self.ids.size, np.uint8)
            try:
                self.ids.export(starts, data)
            except ValueError:  # a thread has added one since they were counted
                continue
            return starts, data

    def out(self, state: _core.LiveState, codes: list[int] | NDArray[np.int64]) -> Out:
        """Give the ids of some codes as a result's key."""
        index = np.asarray(codes, np.int64)
        if self.kind == "integer":
            values = self.integers(state)[index] if len(index) else np.empty(0, np.int64)
            return Out(
                kind="integer", values=values.view(np.uint64) if self.signs[0] else values, like=self.like
            )
        return Out(kind="text", values=self.texts(index), like=self.like)

    def name(self, state: _core.LiveState, code: int) -> Any:
        """Return the id of one code."""
        return self.out(state, [code]).objects()[0]


def _signed(number: int) -> int:
    """Give the bits of an integer of 64 bits as one with a sign."""
    return number if number <= MOST_SIGNED else number - 2**64


def refuse_surrogates(text: str, what: str) -> None:
    """Raise an EventsError for text that no file could hold."""
    if not is_unicode(text):
        raise EventsError(f"{what}: expected text that UTF-8 can hold, got {text!a}: a lone surrogate")
