"""The key of a result: in which row a contact stands, whom a misspelt id may mean, ids of two results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve

from engagekit import _core
from engagekit.coding import Coder, Codes
from engagekit.errors import EventsError
from engagekit.frames import ArrowColumns, Frame, Out, RawColumn, Text, frame_of
from engagekit.model.wording import shown, typed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEARCHES = 32
"""How often all ids are searched before they are indexed, which takes as long as some dozen searches."""
_NEAREST = 3
"""How many ids a misspelt one may mean."""
_COMPARED = 200
"""How many ids are compared letter by letter."""
_LONGEST = 64
"""How many letters of an id are looked at to tell which others are like it."""


class Keys:
    """The key column of a result.

    Parameters
    ----------
    out
        The column: integers, or text.
    name
        What it is called.

    Examples
    --------
    >>> keys = Keys(Out("text", np.array(["ann", "bob", "ann"], object)), "contact")
    >>> keys.rows_of("ann").tolist()
    [0, 2]
    >>> keys.rows_of("anne")
    Traceback (most recent call last):
    ...
    engagekit.errors.EventsError: contact 'anne': not among the scores, did you mean 'ann'?
    """

    def __init__(self, out: Out, name: str) -> None:
        self.out = out
        self.name = name
        self._searches = 0
        self._index: _Index | None = None

    @classmethod
    def of(cls, frame: Frame, name: str) -> Keys:
        """Take a column of a frame of the caller's for the key."""
        column, like = frame.column(name), frame.like(name)
        if column.kind != "text":
            return cls(Out("integer", column.values, like=like), name)
        texts = np.array([text for piece in column.text for text in piece.strings()], object)
        return cls(Out("text", texts, like=like), name)

    def rows_of(self, contact: Any) -> NDArray[np.int64]:
        """Return the rows of a contact.

        Raises
        ------
        EventsError
            If there is none, with the ids that are most like it; or if it is of another kind than the key.
        """
        self._refuse_other_kind(contact)
        if self._index is None and self._searches >= _SEARCHES:
            self._index = _Index(self)
        self._searches += 1
        found = self._searched(contact) if self._index is None else self._index.rows_of(contact)
        if not len(found):
            beyond = self.out.kind == "integer" and abs(int(contact)) >= 2**64
            raise unknown(contact, [] if beyond else self.near(contact))
        return np.asarray(found, np.int64)

    def _searched(self, contact: Any) -> NDArray[np.intp]:
        """Look for a contact among all ids."""
        if self.out.kind == "integer":
            return np.flatnonzero(self.out.values == (contact if abs(int(contact)) < 2**64 else np.nan))
        if isinstance(self.out.values, tuple):
            starts, data = self.out.values
            return _texts_like(starts, data, contact.encode("utf-8", "surrogatepass"))
        # as an object: an array of text would forget the NULs at its end
        return np.flatnonzero(self.out.values == np.array(contact, object))

    def _refuse_other_kind(self, contact: Any) -> None:
        of_integers = isinstance(contact, (int, np.integer)) and not isinstance(contact, bool)
        if self.out.kind == "integer" and not of_integers:
            expected = "an integer"
        elif self.out.kind != "integer" and not isinstance(contact, str):
            expected = "text"
        else:
            return
        raise EventsError(
            f"contact: expected {expected} as in the column {self.name!r} (7 is not '7'), "
            f"got {typed(contact)}"
        )

    def near(self, contact: Any) -> list[Any]:
        """Return the ids that are most like another one, the most alike first."""
        return nearest(contact, self.out)

    def at(self, row: int) -> Any:
        """Return the id in a row."""
        values = self.out.values
        if isinstance(values, tuple):
            starts, data = values
            return data[starts[row] : starts[row + 1]].tobytes().decode()
        return values[row].item() if self.out.kind == "integer" else values[row]

    def column(self) -> RawColumn:
        """Return the key as a column, to be coded."""
        source = ArrowColumns({"key": evolve(self.out, like=None)})
        return frame_of(source).column("key")

    def taken(self, rows: NDArray[np.int64]) -> Out:
        """Return the key of some rows, of the same type."""
        return evolve(self.out, values=_taken(self.out.values, rows), null=None)

    def same_as(self, other: Keys) -> bool:
        """Whether another result has the same ids in the same order."""
        one, two = (each.out.values for each in (self, other))
        if isinstance(one, tuple) and isinstance(two, tuple):
            return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        if isinstance(one, tuple) or isinstance(two, tuple):
            return False
        return one.dtype == two.dtype and np.array_equal(one, two)

    def __len__(self) -> int:
        return self.out.rows


class _Index:
    """The rows of each id, so that nobody has to read all ids to find one."""

    def __init__(self, keys: Keys) -> None:
        self._coder = None if keys.out.kind == "integer" else Coder("")
        self._ids = keys.out.values if self._coder is None else self._coder.code(keys.column())
        self._order = np.argsort(self._ids)

    def rows_of(self, contact: Any) -> NDArray[np.intp]:
        """Return the rows of an id of the keys' kind, which nobody need have."""
        own = int(contact) if self._coder is None else self._code(self._coder, contact)
        bounds = np.iinfo(self._ids.dtype)
        if not (bounds.min if self._coder is None else 0) <= own <= bounds.max:
            return self._order[:0]
        # of the ids' own type: int64 and uint64 would meet as floats, in which large integers are the same
        sought = self._ids.dtype.type(own)
        first = self._ids.searchsorted(sought, "left", self._order)
        last = self._ids.searchsorted(sought, "right", self._order)
        return np.sort(self._order[first:last])

    @staticmethod
    def _code(coder: Coder, word: str) -> int:
        """Return the code of a text, which need not be one that can be encoded; -1: it has none."""
        data = np.frombuffer(word.encode("utf-8", "surrogatepass"), np.uint8)
        text = Text(layout="large_utf8", rows=1, offsets=np.array([0, len(data)]), data=data)
        return int(coder.code(RawColumn(kind="text", dtype="str", rows=1, text=[text]), insert=False)[0])


def _taken(values: Any, rows: NDArray[np.int64]) -> Any:
    if not isinstance(values, tuple):
        return values[rows]
    starts, data = values
    taken = np.empty(len(rows) + 1, np.int64)
    content = _core.take_text(starts, data, np.ascontiguousarray(rows, np.int64), taken)
    return taken, np.frombuffer(content, np.uint8)


def joined(one: Keys, rows: NDArray[np.int64], other: Keys, more: NDArray[np.int64]) -> Out:
    """Return the ids of some rows of one result and then of some of another, in the type of the first."""
    first, second = one.taken(rows), other.taken(more)
    if not len(more):
        return first
    if isinstance(first.values, tuple) and isinstance(second.values, tuple):
        starts = np.concatenate([first.values[0], second.values[0][1:] + first.values[0][-1]])
        return evolve(first, values=(starts, np.concatenate([first.values[1], second.values[1]])))
    if first.kind == "integer":
        return evolve(first, values=_integers(first.values, second.values))
    return evolve(first, values=np.concatenate([first.objects(), second.objects()]))


def _integers(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    if one.dtype == other.dtype:
        return np.concatenate([one, other])
    return np.concatenate([one.astype(np.uint64), other.astype(np.uint64)])


def met(one: Keys, other: Keys, what: tuple[str, str]) -> tuple[Codes, Codes]:
    """Code the ids of two results alike: each once, and of one kind.

    Parameters
    ----------
    one, other
        The keys.
    what
        How errors name the two results.

    Returns
    -------
    tuple of ndarray
        The codes 0, 1, ... of the first; and of the second the same codes, beyond them those of ids that the
        first has not.
    """
    coder = Coder("")
    codes = []
    for keys, name in zip((one, other), what, strict=True):
        coder.what = f"{name}: column {keys.name!r}"
        own = coder.code(keys.column())
        twice = np.bincount(own, minlength=1)[own] > 1
        if twice.any():
            raise EventsError(
                f"{coder.what}: expected a row a contact, got several of "
                f"{shown(keys.at(int(twice.argmax())))}; compare scores of one instant"
            )
        codes.append(own)
    return codes[0], codes[1]


def unknown(contact: Any, near: list[Any]) -> EventsError:
    """Word the error for a contact that nobody knows."""
    meant = f", did you mean {' or '.join(map(shown, near))}?" if near else ""
    return EventsError(f"contact {shown(contact)}: not among the scores{meant}")


def nearest(contact: Any, out: Out) -> list[Any]:
    """Return the ids that are most like another one.

    Those that share most letters from the beginning and from the end are compared as a whole: ids are many,
    and mostly one letter is wrong.
    """
    import difflib

    starts, data = _as_text(out)
    word = str(contact).casefold()
    ends = _ends_alike(starts, data, word.encode("utf-8", "surrogatepass")[:_LONGEST])
    likely = np.argsort(-ends, kind="stable")[:_COMPARED]
    folded: dict[str, Any] = {}
    for row in likely.tolist():
        text = data[starts[row] : starts[row + 1]].tobytes().decode("utf-8", "replace")
        folded.setdefault(text[:_LONGEST].casefold(), int(text) if out.kind == "integer" else text)
    close = set(difflib.get_close_matches(word[:_LONGEST], folded, _NEAREST, cutoff=0.7))
    return [known for text, known in folded.items() if text in close]


def _as_text(out: Out) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    if isinstance(out.values, tuple):
        return out.values
    texts = [str(value).encode("utf-8", "surrogatepass") for value in out.values.tolist()]
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    return starts, np.frombuffer(b"".join(texts), np.uint8)


def _ends_alike(starts: NDArray[np.int64], data: NDArray[np.uint8], word: bytes) -> NDArray[np.int64]:
    """Count the letters that each text has in common with a word, from the beginning and from the end."""
    lower = np.arange(256, dtype=np.uint8)
    lower[65:91] += 32
    first, last = starts[:-1], starts[1:]
    alike = np.zeros(len(first), np.int64)
    for letters, backwards in ((word, False), (word[::-1], True)):
        rows = np.arange(len(first))
        for place, letter in enumerate(letters):
            at = last[rows] - 1 - place if backwards else first[rows] + place
            inside = (at >= first[rows]) & (at < last[rows])
            rows, at = rows[inside], at[inside]
            rows = rows[lower[data[at]] == letter]
            if not len(rows):
                break
            alike[rows] += 1
    # a text much longer or shorter than the word is not it
    return alike - abs(last - first - len(word))


def _texts_like(starts: NDArray[np.int64], data: NDArray[np.uint8], word: bytes) -> NDArray[np.int64]:
    """Return the rows of exactly that text."""
    rows = np.flatnonzero(np.diff(starts) == len(word))
    for place, letter in enumerate(word):
        if len(rows) <= 1:
            break
        rows = rows[data[starts[rows] + place] == letter]
    same = [data[starts[row] : starts[row + 1]].tobytes() == word for row in rows.tolist()]
    return np.asarray(rows[np.array(same, bool)], np.int64)
