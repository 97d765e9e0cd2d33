"""Events of one contact side by side, in order of (time, row): counted, placed and sorted on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engagekit import _core, apart
from engagekit.coding import Codes
from engagekit.errors import EventsError
from engagekit.threads import cores, even, in_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ROWS = 2**32 - 1
SMALL = 65_536
"""Rows below which threads cost more than they save."""
_STEP = 4_194_304
"""Rows between two looks for Ctrl-C: some tens of milliseconds."""


class Grouped(NamedTuple):
    """Events in order of (contact, time, row)."""

    starts: NDArray[np.int64]
    """The place of each contact's first event, and at the end how many events there are."""
    times: NDArray[np.int64]
    types: NDArray[Any]
    order: NDArray[np.uint32] | None
    """The number of each event's row."""


def group(
    codes: Codes,
    times: Sequence[NDArray[np.int64]],
    types: NDArray[Any],
    *,
    contacts: int,
    numbered: bool,
    rising: bool,
    threads: int | None = None,
) -> Grouped:
    """Group rows by contact.

    Parameters
    ----------
    codes, times, types
        The rows: contacts by code, microseconds (in any number of pieces), types by code (see `narrow`).
    contacts
        How many contacts there are.
    numbered
        Whether the rows' numbers are asked for.
    rising
        Whether the rows are known to come in order of time.
    threads
        At most how many work at a time; None: as many as there are cores.

    Raises
    ------
    EventsError
        If the rows' numbers do not fit into 32 bits.

    Examples
    --------
    >>> import numpy as np
    >>> times = np.array([30, 10, 20])
    >>> types = np.array([0, 1, 0], np.uint8)
    >>> one = group(np.array([0, 1, 0], np.int32), [times], types, contacts=2, numbered=True, rising=False)
    >>> one.starts.tolist(), one.times.tolist(), one.order.tolist()
    ([0, 2, 3], [20, 30, 10], [2, 0, 1])
    """
    count = len(codes)
    _refuse_more(count)
    edges = _blocks(count, contacts, threads)
    places = np.zeros((len(edges) - 1, contacts), np.uint32)
    block = dict(zip(edges[:-1], places, strict=True))
    in_steps(lambda first, lo, hi: _core.count_rows(codes[lo:hi], block[first]), edges, _steps)
    grouped = _placed(codes, times, types, edges, places, None, numbered=numbered)
    if not rising:
        _in_order(grouped, edges)
    return grouped


def group_ids(
    ids: Sequence[NDArray[np.int64]],
    times: Sequence[NDArray[np.int64]],
    types: NDArray[Any],
    *,
    numbered: bool,
    rising: bool,
    threads: int | None = None,
) -> tuple[Grouped, NDArray[np.int64]]:
    """Group rows by contact as `group` does, with ids in place of codes, which they are given on the way.

    There is at least one row; the memory of the types is taken for the grouped ones.

    Returns
    -------
    grouped, distinct
        The rows, and the contacts' ids in order of first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> ids, times, types = np.array([9, 5, 9]), np.array([30, 10, 20]), np.array([0, 1, 0], np.uint8)
    >>> one, distinct = group_ids([ids], [times], types, numbered=False, rising=False)
    >>> distinct.tolist(), one.starts.tolist(), one.times.tolist()
    ([9, 5], [0, 2, 3], [20, 30, 10])
    """
    _refuse_more(len(types))
    made = apart.regroup(ids, times, types, numbered=numbered, threads=threads)
    grouped = Grouped(made.starts, made.times, made.types, made.order)
    if not rising:
        _in_order(grouped, even(len(types), min(threads or cores(), 1 + len(types) // SMALL)))
    return grouped, made.ids


def group_words(
    words: NDArray[np.uint32],
    times: Sequence[NDArray[np.int64]],
    types: NDArray[Any],
    *,
    count: int,
    numbered: bool,
    rising: bool,
    threads: int | None = None,
) -> tuple[Grouped, NDArray[np.int64]]:
    """Group rows by contact as `group` does, with indices below `count` in place of codes, never made.

    Returns
    -------
    grouped, distinct
        The rows, and the contacts' indices in order of first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> words, times = np.array([3, 1, 3], np.uint32), np.array([30, 10, 20])
    >>> one, distinct = group_words(
    ...     words, [times], np.array([0, 1, 0], np.uint8), count=4, numbered=False, rising=False
    ... )
    >>> distinct.tolist(), one.starts.tolist(), one.times.tolist()
    ([3, 1], [0, 2, 3], [20, 30, 10])
    """
    _refuse_more(len(words))
    edges = _blocks(len(words), count, threads)
    places = np.zeros((len(edges) - 1, count), np.uint32)
    block = {first: number for number, first in enumerate(edges[:-1])}
    fresh = [np.empty(min(last - first, count), np.int64) for first, last in pairwise(edges)]
    known = [0] * len(fresh)

    def tally(first: int, lo: int, hi: int) -> None:
        one = block[first]
        known[one] = _core.count_words(words[lo:hi], places[one], fresh[one], known[one])

    in_steps(tally, edges, _steps)
    distinct = _first_of(fresh, known, count)
    codes = words.view(np.int32)
    grouped = _placed(codes, times, types, edges, places, distinct, numbered=numbered)
    if not rising:
        _in_order(grouped, edges)
    return grouped, distinct


def _first_of(fresh: list[NDArray[np.int64]], known: list[int], count: int) -> NDArray[np.int64]:
    """Return the words of all blocks in order of first appearance."""
    seen, distinct = np.zeros(count, np.bool_), []
    for words, last in zip(fresh, known, strict=True):
        own = words[:last]
        distinct.append(own[~seen[own]])
        seen[own] = True
    return np.concatenate(distinct)


def _blocks(count: int, contacts: int, threads: int | None) -> list[int]:
    """Cut rows into blocks; each counts all contacts, in memory that must not come near the rows'."""
    return even(count, min(threads or cores(), 1 + count // (SMALL + 2 * contacts)))


def _refuse_more(count: int) -> None:
    if count > MOST_ROWS:
        raise EventsError(f"events: expected at most {MOST_ROWS:,} rows at once, got {count:,}")


def _in_order(grouped: Grouped, edges: list[int]) -> None:
    """Sort each contact's rows by time, where they are not."""
    contacts, halt = len(grouped.starts) - 1, _core.Halt()
    inner = np.searchsorted(grouped.starts, edges[1:-1]).tolist() if len(edges) > 2 else []
    in_steps(
        lambda _, lo, hi: _core.sort_times(grouped.starts, lo, hi, *grouped[1:], halt),
        sorted({0, contacts, *inner}) if contacts else [0, 0],
        lambda first, last: apart.runs(grouped.starts, first, last),
        stop=halt.ask,
    )


def _placed(
    codes: Codes,
    times: Sequence[NDArray[np.int64]],
    types: NDArray[Any],
    edges: list[int],
    places: NDArray[np.uint32],
    contacts: NDArray[np.int64] | None,
    *,
    numbered: bool,
) -> Grouped:
    """Sort rows by contact, those of one contact as they come: a counting sort over blocks of rows.

    `places` says how many rows each block has by code (and is used up), `contacts` in which order codes go;
    None: in theirs.
    """
    count = len(codes)
    starts = np.empty(1 + (places.shape[1] if contacts is None else len(contacts)), np.int64)
    order = np.empty(count, np.uint32) if numbered else None
    grouped = Grouped(starts, np.empty(count, np.int64), np.empty(count, types.dtype), order)
    block = dict(zip(edges[:-1], places, strict=True))
    begins = [0, *accumulate(len(piece) for piece in times[:-1])] if times else []

    def pieces(first: int, last: int) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
        for piece, begin in zip(times, begins, strict=True):
            for lo, hi in _steps(max(first, begin), min(last, begin + len(piece))):
                yield lo, hi, piece[lo - begin : hi - begin]

    def place(first: int, lo: int, hi: int, some: NDArray[np.int64]) -> None:
        _core.place_rows(codes[lo:hi], some, types[lo:hi], lo, block[first], *grouped[1:])

    _core.place_blocks(places, starts, contacts)
    in_steps(place, edges, pieces)
    return grouped


def _steps(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut rows into runs after which Python may look for signals."""
    for lo in range(first, last, _STEP):
        yield lo, min(lo + _STEP, last)


def narrow(codes: NDArray[Any], count: int) -> NDArray[Any]:
    """Return codes below `count` in the least of uint8, uint16 and int32 with a value to spare, for none.

    >>> import numpy as np
    >>> narrow(np.array([0, 254]), 255).dtype, narrow(np.array([0, 255]), 256).dtype
    (dtype('uint8'), dtype('uint16'))
    """
    dtype = np.uint8 if count < 2**8 else np.uint16 if count < 2**16 else np.int32
    return codes.astype(dtype, copy=False)
