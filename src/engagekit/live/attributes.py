"""What is known of contacts beside their events: attributes by contact, seen as columns when scores ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from attrs import define

from engagekit.columns import Column
from engagekit.contacts import NO_INSTANT, column_in, key_name, single
from engagekit.errors import EventsError
from engagekit.instants import microseconds_of
from engagekit.live.classing import moment_of
from engagekit.live.identity import refuse_surrogates
from engagekit.model.scalars import is_null, kind_of, plain_scalar
from engagekit.model.wording import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.frames import Frame
    from engagekit.model import Model

SINCE: Final = "customer_since"
UNSAID: Final = object()
"""Stands for an attribute of which nothing is said: it stays as it was."""
_KEPT: Final[Mapping[str, tuple[type, ...]]] = {
    "number": (int, float),
    "boolean": (bool,),
    "text": (str,),
    "instant": (int,),
}
_DTYPES: Final[Mapping[str, Any]] = {"number": np.float64, "boolean": np.bool_, "instant": np.int64}


@define
class Rows:
    """How many rows a table of attributes has."""

    rows: int


class Attributes:
    """The attributes that a model reads, by the code of the contact.

    Parameters
    ----------
    model
        What it does not read is not kept.
    """

    def __init__(self, model: Model) -> None:
        self.names = (SINCE, *sorted(model.attributes - {SINCE}))
        self._tests = model.attribute_tests
        self.kinds: dict[str, str] = {}
        self.of: dict[int, dict[str, Any]] = {}

    def read(self, name: str, values: list[Any], what: str) -> list[Any]:
        """Return values as they are kept: None, bool, int, float, str, or int microseconds of an instant."""
        read: list[Any] = []
        kind = self.kinds.get(name)
        for value in values:
            if value is UNSAID:
                read.append(UNSAID)
                continue
            value = plain_scalar(value)  # noqa: PLW2901 - the same value
            found = kind_of(value)
            if found == "null":
                read.append(None)
                continue
            if name == SINCE:
                read.append(microseconds_of(value, what))
                continue
            kind = kind or found
            if found != kind or kind not in ("number", "boolean", "text", "instant"):
                raise EventsError(f"{what}: expected values of one kind ({kind}), got {shown(value)}")
            read.append(_kept(value, found, what))
        if kind is not None and name not in self.kinds:
            self._refuse(name, values, what)
        return read

    def _refuse(self, name: str, values: list[Any], what: str) -> None:
        """Raise an EventsError if values are of a kind that something the model asks cannot be asked of."""
        known = next(value for value in values if value is not UNSAID and not is_null(plain_scalar(value)))
        for test in self._tests:
            if test.field == name:
                try:
                    test.matches({name: known})
                except EventsError as error:
                    raise EventsError(str(error).replace(f"field {name!r}", what, 1)) from None

    def put(self, codes: list[int], read: Mapping[str, list[Any]], kinds: Mapping[str, str]) -> None:
        """Keep what was read, an entry of each attribute a contact."""
        self.kinds.update(kinds)
        for number, code in enumerate(codes):
            own = self.of.setdefault(code, {})
            for name, values in read.items():
                if values[number] is None:
                    own.pop(name, None)
                elif values[number] is not UNSAID:
                    own[name] = values[number]

    def restore(self, kinds: Mapping[str, str], of: Mapping[int, Mapping[str, Any]]) -> None:
        """Take what a file says.

        Raises
        ------
        ValueError
            If `read` would never have kept it.
        """
        told = {**kinds, SINCE: "instant"}
        if not told.keys() <= set(self.names) or not set(told.values()) <= _KEPT.keys():
            raise ValueError("attributes that are not the model's")
        for own in of.values():
            for name, value in own.items():
                if type(value) not in _KEPT[told[name]]:
                    raise ValueError(f"an attribute {name!r} of another kind")
                if told[name] == "instant":
                    moment_of(value)
        self.kinds, self.of = dict(kinds), {code: dict(own) for code, own in of.items()}

    def given(self, contacts: Any, key: str) -> tuple[list[Any], dict[str, list[Any]]]:
        """Read what `Live.update` is given: the contacts, and by attribute a value (or `UNSAID`) of each.

        A table's key may be named `key` or ``contact``.
        """
        rows = contacts.values() if isinstance(contacts, Mapping) else ()
        if isinstance(contacts, Mapping) and all(isinstance(row, Mapping) for row in rows):
            told = [name for name in self.names if any(name in row for row in rows)]
            return list(contacts), {name: [row.get(name, UNSAID) for row in rows] for name in told}
        refuse_scalars(contacts, self.names[-1])
        frame = single(contacts, "contacts")
        name = key_name(frame, key, "contacts")
        keys = _values_of(frame, name)
        if len(set(keys)) < len(keys):
            twice = next(key for key, count in Counter(keys).items() if count > 1)
            raise EventsError(
                f"contacts column {name!r}: expected each contact once, got {shown(twice)} again"
            )
        return keys, {each: _values_of(frame, each) for each in self.names if each in frame.names}

    def since_of(self, code: int) -> int:
        """Return a contact's `customer_since`, `NO_INSTANT` if there is none."""
        own = self.of.get(code)
        return NO_INSTANT if own is None else int(own.get(SINCE, NO_INSTANT))

    def since(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each contact's `customer_since`, `NO_INSTANT` where there is none."""
        if not self.of:
            return np.full(len(codes), NO_INSTANT, np.int64)
        return np.array([self.since_of(code) for code in codes.tolist()], np.int64)

    def table(self, codes: list[int]) -> tuple[Table, NDArray[np.int64]]:
        """Return the attributes of some contacts as a table, and each contact's row in it (-1: none)."""
        known = [code for code in codes if code in self.of]
        places = {code: place for place, code in enumerate(known)}
        rows = np.array([places.get(code, -1) for code in codes], np.int64)
        return Table(self, known), rows


class Table:
    """Attributes as columns: what a contacts table is to the lead side of scores."""

    def __init__(self, attributes: Attributes, codes: list[int]) -> None:
        self.frame = Rows(len(codes))
        self._attributes = attributes
        self._codes = codes

    def refuse_missing(self, asked: Mapping[str, str]) -> None:
        """Miss nothing: an attribute that was never told is null."""

    def attribute(self, name: str) -> Column:
        """Return an attribute of all rows."""
        kind = "instant" if name == SINCE else self._attributes.kinds.get(name)
        found = [self._attributes.of[code].get(name) for code in self._codes]
        null = np.array([value is None for value in found], bool)
        if kind is None:
            return Column(kind="float", values=np.zeros(len(found)), null=np.ones(len(found), bool))
        if kind == "text":
            words: dict[str, int] = {}
            texts = [-1 if value is None else words.setdefault(value, len(words)) for value in found]
            codes = np.array(texts, np.int32)
            return Column(kind="text", values=codes, null=null, categories=list(words), dtype="text")
        whole = kind == "number" and all(type(value) is int for value in found if value is not None)
        dtype = np.int64 if whole and _fits(found) else _DTYPES[kind]
        values = np.array([0 if value is None else value for value in found], dtype)
        named: Any = ("integer" if dtype is np.int64 else "float") if kind == "number" else kind
        return Column(kind=named, values=values, null=null, dtype=kind)


def _kept(value: Any, kind: str, what: str) -> Any:
    """Return a value, not null, as it is kept: one that a file can hold, and a table's column."""
    if kind == "instant":
        return microseconds_of(value, what)
    if kind == "text":
        refuse_surrogates(value, what)
        return str.__str__(value)
    if kind == "boolean" or (type(value) is int and -(2**63) <= value < 2**63):
        return value
    try:
        return float(value)
    except OverflowError:
        raise EventsError(f"{what}: expected numbers that 64 bits can hold, got a larger one") from None


def _fits(values: list[Any]) -> bool:
    bound = 2**63
    return all(value is None or -bound <= value < bound for value in values)


def _values_of(frame: Frame, name: str) -> list[Any]:
    """Return an attribute's column as Python values, instants as datetimes."""
    column = column_in(frame, name, f"contacts column {name!r}")
    if column.kind == "other":
        raise EventsError(
            f"contacts column {name!r}: expected text, numbers, flags or instants, got {column.dtype}"
        )
    values = column.values.tolist()
    if column.kind == "text":
        words = cast("list[str]", column.categories)
        return [None if code < 0 else words[code] for code in values]
    null = column.null.tolist() if column.null is not None else [False] * len(values)
    if column.kind == "instant":
        return [None if gone else moment_of(value) for value, gone in zip(values, null, strict=True)]
    return [None if gone else value for value, gone in zip(values, null, strict=True)]


def refuse_scalars(contacts: Any, attribute: str) -> None:
    """Raise an EventsError for a mapping to single values, neither columns nor attributes of a contact."""
    for name, value in contacts.items() if isinstance(contacts, Mapping) else ():
        if kind_of(value) != "other":
            raise EventsError(
                "contacts: expected a frame, or attributes by contact such as "
                f"{{'ann': {{{attribute!r}: ...}}}}, got {shown(value)} under {shown(name)}"
            )


def kind_in(values: list[Any]) -> str | None:
    """Return the kind of the first value that is not null."""
    for value in values:
        if value is not UNSAID and (isinstance(value, datetime) or not is_null(value)):
            return kind_of(plain_scalar(value))
    return None
