"""Ids as codes: integers or text, numbered in order of first appearance by the kernel's hash table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from attrs import evolve

from engagekit import _core, waves
from engagekit.errors import EventsError
from engagekit.frames import Own, RawColumn, Text
from engagekit.threads import cores, even, in_parts
from engagekit.waves import Integers, Rows, Texts, code_rows, text_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Codes: TypeAlias = "NDArray[np.int32]"

MOST_SIGNED = 2**63 - 1
MIXED = "expected ids within 64 bits, got negative ones and some above 2^63 - 1"


class Described(Protocol):
    """Anything with a kind and the caller's word for it."""

    @property
    def kind(self) -> str:
        """Our word."""

    @property
    def dtype(self) -> str:
        """The caller's word."""


class Words:
    """A dictionary's words, and the codes of those that have appeared."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.codes = _core.WordCodes(text.rows)
        self.out = np.empty(text.rows, np.int32)
        self.rows: _core.TextRows | None = None
        self.known = 0


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
    own
        The ids by code as their library has them, where these are words of its own and no table has them.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.place = ""
        self.kind: str | None = None
        self._unsigned = False
        self._negative = False
        self._ids: _core.IntegerIds | _core.TextIds = _core.IntegerIds()
        # ids by code that no table has yet, or their places among the words of a dictionary
        self._known: NDArray[np.int64] | None = None
        self._adopted: Text | None = None
        self.own: Own | None = None

    def __len__(self) -> int:
        return len(self._ids) if self._known is None else len(self._known)

    def _where(self) -> str:
        return self.what + self.place

    def code(
        self, column: RawColumn, *, insert: bool = True, first_row: int = 0, threads: int | None = None
    ) -> Codes:
        """Return the codes of a column's rows, -1 for null and, unless `insert`, for unknown ids.

        They are the same whatever the number of `threads` (None: as many as there are cores).
        """
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
        threads = threads or cores()
        if column.kind == "integer":
            return self._integers(column, insert, threads)
        return self._texts(column.text, insert, first_row, threads)

    def _integers(self, column: RawColumn, insert: bool, threads: int) -> Codes:
        values, null = column.values, column.null
        assert values is not None
        unsigned = values.dtype == np.uint64
        held = self._negative if unsigned else self._unsigned
        if held:
            # The table holds ids whose bits are those of some that may come here: see whether they do.
            beyond = values > MOST_SIGNED if unsigned else values < 0
            if null is not None:
                beyond &= ~null
            if beyond.any():
                if insert:
                    raise EventsError(f"{self.what}: {MIXED}")
                null = beyond if null is None else beyond | null
        out = np.empty(len(values), np.int32)
        nulls = None if null is None else null.view(np.uint8)
        rows = Integers(self._integer_ids, np.ascontiguousarray(values.view(np.int64)), nulls, out)
        code_rows([rows], insert=insert, threads=threads)
        if insert and rows.signed:
            self._unsigned, self._negative = self._unsigned or unsigned, self._negative or not unsigned
        return out

    def adopt(self, ids: NDArray[np.int64], *, unsigned: bool) -> None:
        """Take over distinct integers by code, of a coder that has seen none; `unsigned` ones as their bits.

        They come into the table when somebody first asks for one of them.
        """
        self.kind, self._known = "integer", ids
        if len(ids) and int(ids.min()) < 0:
            self._unsigned, self._negative = unsigned, not unsigned

    def adopt_words(self, words: Text, places: NDArray[np.int64], own: Own | None) -> None:
        """Take over distinct words of a dictionary by code, of a coder that has seen none."""
        self.kind, self._ids = "text", _core.TextIds()
        self._adopted, self._known = words, places
        self.own = None if own is None else evolve(own, codes=places.astype(own.codes.dtype))

    def refuse_beside(self, other: Coder) -> None:
        """Refuse ids that one table of integers could not hold beside another's."""
        if (self._unsigned or other._unsigned) and (self._negative or other._negative):
            raise EventsError(f"{self.what}: {MIXED}, those of {other.what} included")

    def _texts(self, texts: Sequence[Text], insert: bool, first_row: int, threads: int) -> Codes:
        out = np.empty(sum(text.rows for text in texts), np.int32)
        row = 0
        for plain, run in groupby(texts, lambda text: text.layout not in ("objects", "dictionary")):
            if plain:
                parts: list[Rows] = []
                for text in run:
                    parts.append(Texts(self._text_ids, text, out[row : row + text.rows], row))
                    row += text.rows
                try:
                    code_rows(parts, insert=insert, threads=threads)
                except IndexError as error:
                    raise EventsError(
                        f"{self.what}, row {first_row + error.args[0]:,}: expected text within the "
                        "buffers of its Arrow array, got some beyond them"
                    ) from None
                continue
            words: Words | None = None
            for text in run:
                part = out[row : row + text.rows]
                if text.layout == "objects":
                    self._objects(text, part, insert, first_row + row)
                else:
                    words = self._dictionary(text, part, insert, first_row + row, words, threads)
                row += text.rows
        return out

    def _objects(self, text: Text, out: Codes, insert: bool, first_row: int) -> None:
        assert text.objects is not None
        bad = self._text_ids.code_objects(text.objects, out, insert)
        if bad >= 0:
            raise EventsError(
                f"{self.what}, row {first_row + bad:,}: expected text, got {text.objects[bad]!a} "
                f"({_wrong(text.objects[bad])})"
            )

    def _dictionary(
        self, text: Text, out: Codes, insert: bool, first_row: int, words: Words | None, threads: int = 1
    ) -> Words:
        """Code rows by the array of their dictionary's words; return it, for the next chunk may share it."""
        assert text.indices is not None and text.dictionary is not None
        if words is None or not words.text.is_same(text.dictionary):
            words = Words(text.dictionary)
        fresh = np.empty(min(text.rows, text.dictionary.rows), np.int64)
        given = (text.indices, text.validity, text.bit_offset, out)
        first = min(text.rows, waves.STRETCH) if threads > 1 else text.rows
        by_index = words.codes

        def look(lo: int, hi: int) -> None:
            by_index.code(*given, lo, hi, 0, fresh)

        try:
            for lo, hi in ((0, first), (first, text.rows)):
                if words.known == text.dictionary.rows:  # nothing is fresh: any number of threads may look up
                    parts = min(threads, 1 + (hi - lo) // waves.STRETCH)
                    edges = [lo + edge for edge in even(hi - lo, parts)]
                    in_parts(look, edges)
                    continue
                count = words.codes.code(*given, lo, hi, len(self), fresh)
                words.known += count
                if count and not words.codes.settle(
                    fresh[:count], self._words(words, fresh[:count], insert, first_row)
                ):
                    look(lo, hi)
        except IndexError as error:
            row = error.args[0]
            raise EventsError(
                f"{self.what}, row {first_row + row:,}: expected indices into a dictionary of "
                f"{text.dictionary.rows:,} values, got {text.indices[row]}"
            ) from None
        return words

    def _words(self, words: Words, fresh: NDArray[np.int64], insert: bool, first_row: int) -> Codes:
        """Code those words of a dictionary; return the codes at the words' places."""
        text, codes = words.text, words.out
        if text.layout == "objects":
            assert text.objects is not None
            found = [text.objects[index] for index in fresh.tolist()]
            some = np.empty(len(found), np.int32)
            strings = [word if isinstance(word, str) else None for word in found]
            bad = self._text_ids.code_objects(strings, some, insert)
            if bad >= 0:
                raise EventsError(
                    f"{self.what}: expected text, got {found[bad]!a} ({_wrong(found[bad])}) in its dictionary"
                )
            codes[fresh] = some
        elif text.layout == "dictionary":
            some = np.empty(len(fresh), np.int32)
            self._dictionary(text.taken(fresh), some, insert, first_row, None)
            codes[fresh] = some
        else:
            words.rows = words.rows or text_rows(text)
            self._text_ids.add(words.rows, codes, fresh, insert)
        return codes

    def forget(self) -> None:
        """Drop the ids; those to come are still to be of the same kind."""
        self._ids = _core.TextIds() if self.kind == "text" else _core.IntegerIds()
        self._known = self._adopted = self.own = None

    @property
    def _integer_ids(self) -> _core.IntegerIds:
        known = self._known
        if known is not None:
            ids = _core.IntegerIds()
            code_rows([Integers(ids, known, None, np.empty(len(known), np.int32))], insert=True, threads=1)
            self._ids, self._known = ids, None
        assert isinstance(self._ids, _core.IntegerIds)
        return self._ids

    @property
    def _text_ids(self) -> _core.TextIds:
        assert isinstance(self._ids, _core.TextIds)
        words, places = self._adopted, self._known
        if words is not None and places is not None:
            self._ids.add(text_rows(words), np.empty(words.rows, np.int32), places)
            self._known = self._adopted = self.own = None
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
        if self.kind == "text" and self._adopted is None and self._text_ids.undecodable() >= 0:
            self.strings()

    def integers(self) -> NDArray[Any]:
        """Return the ids by code, int64 or (where one is above 2^63 - 1) uint64."""
        if self._known is not None:
            out = self._known.copy()
        else:
            out = np.empty(len(self), np.int64)
            self._integer_ids.export(out)
        return out.view(np.uint64) if self._unsigned else out

    def buffers(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return text ids by code as offsets and UTF-8 bytes."""
        starts = np.empty(len(self) + 1, np.int64)
        if self._adopted is not None and self._known is not None:
            words = _core.take_words(text_rows(self._adopted), self._known, starts)
            return starts, np.frombuffer(words, np.uint8)
        ids = self._text_ids
        data = np.empty(ids.size, np.uint8)
        ids.export(starts, data)
        return starts, data


class Ids:
    """The contacts' ids by code, without the table that finds them; what events ask of a `Coder`."""

    def __init__(self, coder: Coder, *, kept: bool) -> None:
        self.kind = coder.kind
        self.own = coder.own
        self._count = len(coder)
        self._values: Any = None
        if kept and coder.kind is not None:
            self._values = coder.integers() if coder.kind == "integer" else coder.buffers()

    def __len__(self) -> int:
        return self._count

    def integers(self) -> NDArray[Any]:
        """Return the ids by code, where they are integers."""
        values: NDArray[Any] = self._values
        return values

    def buffers(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the ids by code, where they are text, as offsets and UTF-8 bytes."""
        starts, data = self._values
        return starts, data

    def strings(self) -> list[str]:
        """Return the ids by code as text."""
        if self._values is None:
            return []
        if self.kind == "integer":
            return [str(value) for value in self._values.tolist()]
        starts, data = (part.tolist() for part in self._values)
        return [bytes(data[first:last]).decode() for first, last in pairwise(starts)]


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
