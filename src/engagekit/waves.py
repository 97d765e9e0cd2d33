"""Rows coded by several threads, wave by wave, with the codes that one thread would give.

A wave is a stretch of rows for each thread. In it the threads only look up, which any number of them may do
in one table at once, and note the rows whose ids they miss; then one thread adds those in the order of the
rows. Where most rows bring a new id, as at the beginning, a wave is one stretch for one thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from attrs import define

from engagekit import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.frames import Text

    Missed: TypeAlias = "NDArray[np.int64]"

STRETCH = 1 << 17
"""Rows that a thread is given at a time: some milliseconds, beside which its wake-up counts for nothing."""
MOST_THREADS = 16
"""What all threads miss is added by one: more of them would wait for it."""


class Rows(Protocol):
    """Rows to be coded, with the place where their codes go."""

    @property
    def count(self) -> int:
        """How many there are."""

    def code(self, first: int, last: int, *, insert: bool) -> int:
        """Code a stretch; return how many ids were new."""

    def find(self, first: int, last: int, missed: Missed) -> int:
        """Look up a stretch; return how many rows were missed, and write which."""

    def add(self, missed: Missed) -> None:
        """Code these rows, whose ids may be new."""


@define
class Integers:
    """Rows of int64, or of uint64 seen as such."""

    ids: _core.IntegerIds
    values: NDArray[np.int64]
    null: NDArray[np.uint8] | None
    out: NDArray[np.int32]
    signed: bool = False
    """Whether the upper bit of any value was set."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    def code(self, first: int, last: int, *, insert: bool) -> int:
        """Code a stretch."""
        known = len(self.ids)
        if self.ids.code(self.values, self.null, self.out, insert, first, last):
            self.signed = True
        return len(self.ids) - known

    def find(self, first: int, last: int, missed: Missed) -> int:
        """Look up a stretch."""
        count, signed = self.ids.find(self.values, self.null, self.out, first, last, missed)
        if signed:
            self.signed = True
        return count

    def add(self, missed: Missed) -> None:
        """Code these rows."""
        self.ids.add(self.values, self.out, missed)


MANY_VIEWS = 1 << 18
"""Views of a chunk from which on those that were coded are remembered: the same view is the same text."""


class Texts:
    """Rows of text in Arrow's memory; `before` of them belong to earlier chunks of the same column."""

    def __init__(self, ids: _core.TextIds, text: Text, out: NDArray[np.int32], before: int) -> None:
        self.ids, self.out, self.before = ids, out, before
        self.count = text.rows
        self.rows = text_rows(text)
        self._many = text.views is not None and text.rows >= MANY_VIEWS
        self._sights: _core.Sights | None = None
        self._lacked: list[Missed] = []

    def _counted(self, error: IndexError) -> IndexError:
        return IndexError(self.before + error.args[0])

    def code(self, first: int, last: int, *, insert: bool) -> int:
        """Code a stretch; an IndexError has the first row that is outside of its memory."""
        known = len(self.ids)
        try:
            self.ids.code(self.rows, self.out, insert, first, last, self._seen() if insert else None)
        except IndexError as error:
            raise self._counted(error) from None
        return len(self.ids) - known

    def find(self, first: int, last: int, missed: Missed) -> int:
        """Look up a stretch; raises as `code` does."""
        try:
            count, lacked = self.ids.find(self.rows, self.out, first, last, missed, self._sights)
        except IndexError as error:
            raise self._counted(error) from None
        if lacked:
            self._lacked.append(missed[-lacked:])
        return count

    def add(self, missed: Missed) -> None:
        """Code these rows."""
        sights = self._seen()
        self.ids.add(self.rows, self.out, missed, sights=sights)
        if sights is not None:
            for rows in self._lacked:
                self.ids.see(self.out, rows, sights)
        self._lacked.clear()

    def _seen(self) -> _core.Sights | None:
        """Return what was seen of the chunk's views, while that pays."""
        if self._many and self._sights is None:
            self._sights = _core.Sights(self.ids, self.rows)
        if self._sights is not None and not self._sights.pays:
            self._sights, self._many = None, False
        return self._sights


def text_rows(text: Text) -> _core.TextRows:
    """Return text in one of Arrow's layouts as the kernel takes it."""
    return _core.TextRows(
        text.rows, text.offsets, text.data, text.views, text.buffers, text.validity, text.bit_offset
    )


Stretch: TypeAlias = tuple[Rows, int, int]


def code_rows(parts: Sequence[Rows], *, insert: bool, threads: int) -> None:
    """Code all rows of a column's chunks.

    Parameters
    ----------
    parts
        The chunks.
    insert
        Whether ids that are unknown are added.
    threads
        How many threads may work on it; small columns are coded by one.
    """
    threads = min(threads, MOST_THREADS)
    if sum(part.count for part in parts) < 2 * STRETCH:
        for part in parts:
            part.code(0, part.count, insert=insert)
        return
    # One thread takes stretches too: between them Python looks whether somebody has pressed Ctrl-C.
    stretches = _stretches(parts)
    shared = not insert
    with ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        while wave := list(islice(stretches, threads if shared else 1)):
            rows = sum(last - first for stretch in wave for _, first, last in stretch)
            if len(wave) > 1:
                pool = pool or stack.enter_context(ThreadPoolExecutor(threads - 1))
                found = _found(pool, wave)
                missed = sum(len(rows) for _, rows in found)
                if insert:
                    for part, which in found:
                        part.add(which)
            else:
                missed = sum(part.code(first, last, insert=insert) for part, first, last in wave[0])
            # Where one thread adds nearly every id, the others had better not look it up first.
            shared = not insert or missed * threads <= rows * (threads - 1)


def _stretches(parts: Iterable[Rows]) -> Iterator[list[Stretch]]:
    """Cut the rows into stretches, which may take in several small chunks."""
    stretch: list[Stretch] = []
    rows = 0
    for part in parts:
        for first in range(0, part.count, STRETCH):
            last = min(first + STRETCH, part.count)
            stretch.append((part, first, last))
            rows += last - first
            if rows >= STRETCH:
                yield stretch
                stretch, rows = [], 0
    if stretch:
        yield stretch


def _found(pool: ThreadPoolExecutor, wave: Sequence[list[Stretch]]) -> list[tuple[Rows, Missed]]:
    """Look up a stretch in each thread, this one included; return the rows that were missed, in order."""
    others = [pool.submit(_find, stretch) for stretch in wave[1:]]
    found = _find(wave[0])
    for other in others:
        found += other.result()
    return found


def _find(stretch: Iterable[Stretch]) -> list[tuple[Rows, Missed]]:
    found = []
    for part, first, last in stretch:
        missed = np.empty(last - first, np.int64)
        found.append((part, missed[: part.find(first, last, missed)]))
    return found
