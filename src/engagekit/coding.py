"""Ids as codes: integers or text, numbered in order of first appearance by the kernel's hash table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from engagekit import _core
from engagekit.errors import EventsError
from engagekit.frames import RawColumn, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

Codes: TypeAlias = "NDArray[np.int32]"

MOST_SIGNED = 2**63 - 1


class Described(Protocol):
    """Anything with a kind and the caller's word for it."""

    @property
    def kind(self) -> str:
        """Our word."""

    @property
    def dtype(self) -> str:
        """The caller's word."""


class Coder:
    """Gives ids of one kind, integers or text, their codes in order of first appearance.

    Parameters
    ----------
    what
        How errors name the column, such as ``"events column 'contact'"``.

    Attributes
    ----------
    place
        Where in a stream of frames the column of the moment stands; errors about its kind name it.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.place = ""
        self.kind: str | None = None
        self._unsigned = False
        self._negative = False
        self._ids: _core.IntegerIds | _core.TextIds = _core.IntegerIds()

    def __len__(self) -> int:
        return len(self._ids)

    def _where(self) -> str:
        return self.what + self.place

    def code(self, column: RawColumn, *, insert: bool = True, first_row: int = 0) -> Codes:
        """Return the codes of a column's rows, -1 for null and, unless `insert`, for unknown ids."""
        if column.rows == 0 or (column.null is not None and bool(column.null.all())):
            return np.full(column.rows, -1, np.int32)  # a column of nothing is of any kind
        if column.kind not in ("integer", "text"):
            raise EventsError(
                f"{self._where()}: expected integers or text, got {described(column)}{_advice(column)}"
            )
        if self.kind is None and not insert:
            return np.full(column.rows, -1, np.int32)  # no id is known, of whatever kind
        if self.kind is None:
            self.kind = column.kind
            if column.kind == "text":
                self._ids = _core.TextIds()
        elif self.kind != column.kind:
            raise EventsError(
                f"{self._where()}: expected ids of one kind ({_kinds(self.kind)} as before, 7 is not '7'), "
                f"got {_kinds(column.kind)}"
            )
        if column.kind == "integer":
            return self._integers(column, insert)
        return np.concatenate([np.empty(0, np.int32), *self._texts(column.text, insert, first_row)])

    def _integers(self, column: RawColumn, insert: bool) -> Codes:
        values = column.values
        assert values is not None
        unknown = np.zeros(len(values), bool) if column.null is None else column.null
        if values.dtype == np.uint64:
            high = values > MOST_SIGNED
            if insert:
                self._unsigned = self._unsigned or bool((high & ~unknown).any())
            elif not self._unsigned:
                unknown = unknown | high  # their bits would be taken for negative ids
            values = values.view(np.int64)
        elif values.size and int(values.min()) < 0:
            low = values < 0
            if insert:
                self._negative = self._negative or bool((low & ~unknown).any())
            elif self._unsigned:
                unknown = unknown | low
        if self._unsigned and self._negative:
            raise EventsError(
                f"{self.what}: expected ids within 64 bits, got negative ones and some above 2^63 - 1"
            )
        out = np.empty(len(values), np.int32)
        null = unknown.view(np.uint8) if unknown.any() else None
        self._integer_ids.code(np.ascontiguousarray(values), null, out, insert)
        return out

    def refuse_beside(self, other: Coder) -> None:
        """Refuse ids that one table of integers could not hold beside another's."""
        if (self._unsigned or other._unsigned) and (self._negative or other._negative):
            raise EventsError(
                f"{self.what}: expected ids within 64 bits, got negative ones and some above 2^63 - 1, "
                f"those of {other.what} included"
            )

    def _texts(self, texts: Iterable[Text], insert: bool, first_row: int) -> Iterable[Codes]:
        for text in texts:
            yield self._text(text, insert, first_row)
            first_row += text.rows

    def _text(self, text: Text, insert: bool, first_row: int) -> Codes:
        ids = self._text_ids
        out = np.empty(text.rows, np.int32)
        if text.layout == "objects":
            bad = ids.code_objects(text.objects, out, insert)
            if bad >= 0:
                assert text.objects is not None
                raise EventsError(
                    f"{self.what}, row {first_row + bad:,}: expected text, got {text.objects[bad]!a} "
                    f"({_wrong(text.objects[bad])})"
                )
        elif text.layout == "dictionary":
            assert text.indices is not None and text.dictionary is not None
            return self._dictionary(text.indices, text.dictionary, insert, first_row)
        elif text.layout == "view":
            ids.code_views(text.views, text.buffers, text.validity, text.bit_offset, out, insert)
        else:
            ids.code_offsets(text.offsets, text.data, text.validity, text.bit_offset, out, insert)
        return out

    def _dictionary(
        self, indices: NDArray[np.int64], dictionary: Text, insert: bool, first_row: int
    ) -> Codes:
        known = np.append(self._text(dictionary, False, first_row), np.int32(-1))
        if not insert or int(known[:-1].min(initial=0)) >= 0:  # as in every frame of a stream but the first
            return known[indices]
        # in order of first appearance in the rows, whatever the order of the dictionary
        used, words = _core.IntegerIds(), Coder(self.what)
        words.kind, words._ids = "text", _core.TextIds()
        dense = np.empty(len(indices), np.int32)
        used.code(indices, (indices < 0).view(np.uint8), dense)
        order = np.empty(len(used), np.int64)
        used.export(order)
        of_word = np.append(words._text(dictionary, True, first_row), np.int32(-1))
        strings = [*words.strings(), None]
        codes = np.empty(len(order) + 1, np.int32)
        codes[-1] = -1
        self._text_ids.code_objects([strings[of_word[i]] for i in order.tolist()], codes[:-1])
        return codes[dense]

    def forget(self) -> None:
        """Drop the ids; those to come are still to be of the same kind."""
        self._ids = _core.TextIds() if self.kind == "text" else _core.IntegerIds()

    @property
    def _integer_ids(self) -> _core.IntegerIds:
        assert isinstance(self._ids, _core.IntegerIds)
        return self._ids

    @property
    def _text_ids(self) -> _core.TextIds:
        assert isinstance(self._ids, _core.TextIds)
        return self._ids

    def strings(self) -> list[str]:
        """Return the ids by code as text."""
        if self.kind == "text":
            try:
                return self._text_ids.strings()
            except UnicodeDecodeError as error:
                raise EventsError(f"{self.what}: expected text in UTF-8, got {error.object!r}") from None
        return [str(value) for value in self.integers().tolist()]

    def refuse_other_encodings(self) -> None:
        """Raise an EventsError where text that came in Arrow's buffers is not UTF-8."""
        if self.kind == "text":
            try:
                self.buffers()[1].tobytes().decode()
            except UnicodeDecodeError:
                self.strings()

    def integers(self) -> NDArray[Any]:
        """Return the ids by code, int64 or (where one is above 2^63 - 1) uint64."""
        out = np.empty(len(self), np.int64)
        self._integer_ids.export(out)
        return out.view(np.uint64) if self._unsigned else out

    def buffers(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return text ids by code as offsets and UTF-8 bytes."""
        ids = self._text_ids
        starts, data = np.empty(len(ids) + 1, np.int64), np.empty(ids.size, np.uint8)
        ids.export(starts, data)
        return starts, data


NOUNS = {"integer": "integers", "float": "numbers", "boolean": "flags", "instant": "instants", "text": "text"}


def described(column: Described) -> str:
    """Say what a column holds, in our word and the caller's."""
    noun = NOUNS.get(column.kind)
    return f"{noun} ({column.dtype})" if noun else column.dtype


def no_instants(what: str, column: Described) -> str:
    """Word the error for a column that should hold instants."""
    advice = ""
    if column.kind == "text":
        advice = " (make timestamps of them first, as with pandas.to_datetime or polars' str.to_datetime)"
    return f"{what}: expected timestamps, got {described(column)}{advice}"


def of_stream(number: int) -> str:
    """Name a frame of a stream; that of a single one goes without saying."""
    return f", frame {number:,} of the stream (counted from 0)" if number else ""


def _kinds(kind: str) -> str:
    return "integers" if kind == "integer" else kind


def _wrong(value: object) -> str:
    return "not encodable as UTF-8: a lone surrogate" if isinstance(value, str) else type(value).__name__


def _advice(column: RawColumn) -> str:
    if column.kind == "float":
        return " (a column of integers with gaps? drop the rows without an id and cast it to integers)"
    return " (a flag is no id)" if column.kind == "boolean" else " (convert them to text first)"
