"""Rows taken apart by contact before anything else, so that ids meet their like in the nearest caches.

A table of half a million ids and as many places to write to are more than a processor has at hand. Taken
apart into some hundred parts by their ids, mixed, the rows of each are numbered and grouped where it has
everything at hand, any number of parts at a time; then the contacts of all are numbered in order of first
appearance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engagekit import _core
from engagekit.threads import cores, even, in_parts, in_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

PART = 65_536
"""Rows that a part should have: with their contacts they fit into the second cache of a core."""
MOST_BITS = 10
"""More parts than these, and the fronts on which they are written are themselves too many to have at hand."""
LEAST = 262_144
"""Rows below which there is nothing to gain."""
STEP = 2_097_152
"""Rows between two looks for Ctrl-C: some ten milliseconds."""
MOST_THREADS = 64


class Regrouped(NamedTuple):
    """Rows of one contact side by side, as they come."""

    starts: NDArray[np.int64]
    times: NDArray[np.int64]
    types: NDArray[Any]
    order: NDArray[np.uint32] | None
    """The number of each row, if asked for."""
    ids: NDArray[np.int64]
    """The contacts' ids in order of first appearance."""


def regroup(
    ids: Sequence[NDArray[Any]],
    times: Sequence[NDArray[np.int64]],
    types: NDArray[Any],
    *,
    numbered: bool = False,
    threads: int | None = None,
) -> Regrouped:
    """Group rows by contact.

    Parameters
    ----------
    ids, times, types
        The rows, at least one: int64, microseconds, types by code. Ids and times in any number of pieces;
        the memory of the types is taken for those that are returned.
    numbered
        Whether the rows' numbers are asked for.
    threads
        At most how many work at a time; None: as many as there are cores.

    Examples
    --------
    >>> import numpy as np
    >>> ids, times = np.array([907, -3, 907]), np.array([10, 20, 30])
    >>> one = regroup([ids], [times], np.array([0, 1, 2], np.uint8))
    >>> one.ids.tolist(), one.starts.tolist(), one.times.tolist(), one.types.tolist()
    ([907, -3], [0, 2, 3], [10, 30, 20], [0, 2, 1])
    """
    count = len(types)
    edges = even(count, min(threads or cores(), MOST_THREADS, max(1, count // PART)))
    span = _span(ids, edges)
    width = max(1, (span[1] - span[0]).bit_length())
    bits = min(MOST_BITS, max(1, (count // PART).bit_length(), width - 32))  # if need be, for keys of 32 bits
    wide = width - bits > 32
    # Tags, wanted no more when the times are written, stand where those will.
    made = np.empty(count, np.int64)
    rows = np.empty(count, np.uint32) if wide or numbered else None
    placed = np.empty(count, np.int64), np.empty(count, types.dtype)
    apart = _core.Apart(*span, bits, len(edges) - 1, made.view(np.uint64), *placed, rows, numbered)
    block = {first: number for number, first in enumerate(edges[:-1])}

    def tally(first: int, some: NDArray[Any]) -> None:
        apart.count(block[first], some)

    def spread(first: int, lo: int, hi: int, some: NDArray[Any], when: NDArray[Any]) -> None:
        apart.spread(block[first], some, when, types[lo:hi], lo)

    in_steps(tally, edges, lambda first, last: ((some,) for _, _, some, _ in _steps(first, last, ids, ids)))
    sizes = np.diff(apart.lay())
    in_steps(spread, edges, lambda first, last: _steps(first, last, ids, times))
    queue = deque(
        np.argsort(-sizes, kind="stable").tolist()
    )  # the largest first, lest one is left for the end
    found = sum(in_parts(lambda *_: _settle(apart, queue), edges, stop=queue.clear))
    # nor are the types that were given, until they are written anew
    starts, begins, named = _coded(apart, types.view(np.uint8), found, len(sizes), len(edges) - 1)
    grouped = made, types
    order = np.empty(count, np.uint32) if numbered else None

    def gather(_: int, lo: int, hi: int) -> None:
        apart.gather(starts, begins, lo, hi, *grouped, order)

    inner = np.searchsorted(starts, edges[1:-1]).tolist()
    in_steps(gather, sorted({0, len(begins), *inner}), lambda first, last: runs(starts, first, last))
    return Regrouped(starts, *grouped, order, named)


def _span(ids: Sequence[NDArray[Any]], edges: list[int]) -> tuple[int, int]:
    """Return the least and the greatest id."""

    def within(first: int, last: int) -> tuple[int, int]:
        spans = [_core.span_of(some)[:2] for _, _, some, _ in _steps(first, last, ids, ids)]
        return min(least for least, _ in spans), max(most for _, most in spans)

    spans = in_parts(within, edges)
    return min(least for least, _ in spans), max(most for _, most in spans)


def _settle(apart: _core.Apart, queue: deque[int]) -> int:
    """Settle parts until none is left; return how many contacts they have."""
    bench, found = _core.Bench(), 0
    while True:
        try:
            part = queue.popleft()
        except IndexError:
            return found
        found += apart.settle(bench, part)


def _coded(
    apart: _core.Apart, spare: NDArray[np.uint8], found: int, parts: int, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.int64]]:
    """Give contacts their codes; return by code where they will begin and where they do, and their ids.

    What `spare` holds is lost.
    """
    starts, begins, ids = np.zeros(found + 1, np.int64), np.zeros(found, np.uint32), np.empty(found, np.int64)
    # a bit for each row, and a number for every 64 of them, in memory of at least a byte a row
    words = len(spare) // 64 + 1
    spare = spare if len(spare) >= 12 * words else np.empty(12 * words, np.uint8)
    seen, before = spare[: 8 * words].view(np.uint64), spare[8 * words : 12 * words].view(np.uint32)
    seen[:] = 0
    for first, last in pairwise(
        even(parts, min(parts, 1 + found // STEP))
    ):  # between them Python looks for Ctrl-C
        apart.mark(seen, first, last)
    _core.bits_before(seen, before)

    def enter(_: int, lo: int, hi: int) -> None:
        apart.enter(seen, before, lo, hi, starts[1:], begins, ids)

    in_steps(enter, even(parts, threads), lambda first, last: pairwise(range(first, last + 1)))
    np.cumsum(starts, out=starts)
    return starts, begins, ids


def runs(starts: NDArray[np.int64], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut contacts into runs that have not too many rows to wait for, unless one contact has."""
    rows = range(int(starts[first]) + STEP, int(starts[last]), STEP)
    if not rows:
        return iter([(first, last)])
    inner = np.searchsorted(starts, list(rows)).clip(first, last).tolist()
    return pairwise(sorted({first, last, *inner}))


def _steps(
    first: int, last: int, left: Sequence[NDArray[Any]], right: Sequence[NDArray[Any]]
) -> Iterator[tuple[int, int, NDArray[Any], NDArray[Any]]]:
    """Cut rows into runs that lie in one piece of either column, none of them too long to wait for."""
    edges = {*accumulate(map(len, left)), *accumulate(map(len, right))}
    edges = {edge for edge in edges if first < edge < last} | {*range(first, last, STEP), last}
    pieces = [iter(_places(column)) for column in (left, right)]
    at = [next(column, (0, 0, np.empty(0))) for column in pieces]
    for lo, hi in pairwise(sorted(edges)):
        for side in range(2):
            while at[side][1] <= lo:
                at[side] = next(pieces[side])
        (one, _, a), (two, _, b) = at
        yield lo, hi, a[lo - one : hi - one], b[lo - two : hi - two]


def _places(column: Sequence[NDArray[Any]]) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield pieces with the numbers of their first row and of the one after the last."""
    place = 0
    for piece in column:
        yield place, place + len(piece), piece
        place += len(piece)
