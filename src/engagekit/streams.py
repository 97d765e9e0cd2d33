"""Scoring a stream that lies on disk: partition by partition, each as small events of its own.

A contact's events all lie in one partition, in the order in which they came, so that its numbers are bit for
bit those of the whole table in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from attrs import evolve

from engagekit import _core
from engagekit.columns import Column, Pieces
from engagekit.events import Events, infinite
from engagekit.grouping import group, narrow
from engagekit.matching import match
from engagekit.partitions import COUNT, Partitions, Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.plan import Plan
    from engagekit.running import Jobs

T = TypeVar("T")
Parts = Sequence["NDArray[Any] | None"]

_MANY = 4096
"""Distinct texts above which a partition has a list of its own: conditions are asked of each text."""


class Whole:
    """A stream's events on disk, and what all its partitions share."""

    def __init__(self, events: Events) -> None:
        assert events.disk is not None
        self.events = events
        self.disk: Partitions = events.disk
        self.texts = {
            name: [] if piece.coder is None else piece.coder.strings()
            for name, piece in self.disk.pieces.items()
        }
        self._lock = Lock()
        self._ids: Any = None

    def ids(self) -> Any:
        """Return the contacts' ids by code: integers, or offsets and bytes of texts."""
        with self._lock:
            if self._ids is None:
                coder = self.events.contacts
                self._ids = coder.integers() if coder.kind == "integer" else coder.buffers()
            return self._ids


class Share:
    """Some of the contacts by codes of their own; what events ask of a `Coder`."""

    def __init__(self, whole: Whole, codes: NDArray[np.int64]) -> None:
        self.kind = whole.events.contacts.kind
        self.codes = codes
        self._whole = whole

    def __len__(self) -> int:
        return len(self.codes)

    def integers(self) -> NDArray[Any]:
        """Return the ids by code, where they are integers."""
        ids: NDArray[Any] = self._whole.ids()[self.codes]
        return ids

    def strings(self) -> list[str]:
        """Return the ids by code, where they are text."""
        starts, data = self._whole.ids()
        return [data[starts[code] : starts[code + 1]].tobytes().decode() for code in self.codes.tolist()]


class Part(Events):
    """The events of one partition, grouped; times, types and context are named as in the whole stream."""

    def __init__(self, whole: Whole, part: int) -> None:
        disk = whole.disk
        self._adopt(whole.events, Share(whole, disk.codes(part, len(whole.events.contacts))))
        codes, times = disk.whole(part, ("code", ""), np.int32), disk.whole(part, ("time", ""), np.int64)
        types = disk.whole(part, ("type", ""), narrow(np.empty(0, np.int32), len(self.types_by_code)).dtype)
        _arrange(self, codes, times, types, numbered=bool(disk.pieces) or disk.twins is not None)
        self.rows = len(self.times)
        keys = [("id0", ""), ("id1", ""), ("null", "id"), ("twins", ""), ("null twins", "")]
        keys += [(role, name) for name in disk.pieces for role in ("column", "null column")]
        read, sizes = disk.read(part, keys), disk.sizes(part)

        def stored(piece: Pieces, role: str, name: str) -> Pieces:
            return evolve(piece, values=read[role, name], nulls=read[f"null {role}", name], sizes=sizes)

        for name, piece in disk.pieces.items():
            self._columns[name] = _column(stored(piece, "column", name), whole.texts[name], self._numbers())
        if disk.twins is not None:
            codes = _id_codes(read["id0", ""], read["id1", ""], read["null", "id"], sizes)
            self._drop_duplicates(codes, _column(stored(disk.twins, "twins", ""), [], self._numbers()))


class Probe(Events):
    """One event that has a value wherever the stream has any: faults of columns show as they would in memory.

    In a partition a column may be null that elsewhere has values of a kind that does not fit.
    """

    def __init__(self, whole: Whole) -> None:
        self._adopt(whole.events, Share(whole, np.zeros(1, np.int64)))
        self._known = whole.disk.known
        self.rows = 1
        _arrange(self, np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1, np.int32), numbered=True)
        for name, piece in whole.disk.pieces.items():
            value = np.zeros(1, np.int32) if piece.kind == "text" else np.zeros(1, np.int64)
            some = evolve(piece, values=[value if self._known[name].any else None], nulls=[None], sizes=[1])
            self._columns[name] = _column(some, whole.texts[name][:1], self._numbers())

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return the column, or raise what all rows would."""
        numbers = super().numbers(name)
        known = self._known.get(name)
        if known is not None and known.infinite:
            raise infinite(self.named(name), known.first_infinite, known.infinite)
        return numbers


def newest(events: Events, present: int, *, threads: int) -> int | None:
    """Return the latest time not after the present of the events on disk, None if there is none."""
    whole = Whole(events)
    if whole.disk.twins is None and whole.disk.last <= present:
        return whole.disk.last

    def latest(part: int) -> int | None:
        return Part(whole, part).newest(present)

    return max((time for time in _each(whole, latest, threads) if time is not None), default=None)


def run(
    plan: Plan,
    events: Events,
    jobs: Jobs,
    *,
    score: Callable[[Events, Jobs], NDArray[Any]],
    dropped: Callable[[Events, Jobs], tuple[int, int]],
    threads: int,
) -> NDArray[Any]:
    """Score the events on disk.

    Parameters
    ----------
    plan, events, jobs
        What the kernel is to score; jobs name contacts by the codes of the whole stream.
    score
        Scores `some` jobs of a partition's events, puts the results where those of all are and returns their
        tally.
    dropped
        Counts the dropped duplicates of a partition.
    threads
        How many partitions are in memory and scored at a time.

    Returns
    -------
    array
        The tally of all jobs.
    """
    whole = Whole(events)
    match(plan, Probe(whole))
    of_part = _apart(whole, jobs)
    jobs = evolve(jobs, contacts=whole.disk.own(jobs.contacts))

    def scored(part: int) -> Seen:
        some, asked = Part(whole, part), evolve(jobs, some=of_part(part))
        tally = score(some, asked)
        duplicates, later = dropped(some, asked)
        counted = some.types if whole.disk.counted else some.types[:0]
        types = np.bincount(counted, minlength=len(some.types_by_code))
        return Seen(tally=tally, types=types, duplicates=duplicates, later=later)

    found: list[Seen] = []
    total = len(whole.disk.parts())
    for done, seen in enumerate(_each(whole, scored, threads), 1):
        found.append(seen)
        if whole.disk.watch is not None:
            whole.disk.watch(done, total)
    whole.disk.seen = Seen(
        tally=np.sum([seen.tally for seen in found], axis=0),
        types=np.sum([seen.types for seen in found], axis=0),
        duplicates=sum(seen.duplicates for seen in found),
        later=sum(seen.later for seen in found),
    )
    return whole.disk.seen.tally


def _apart(whole: Whole, jobs: Jobs) -> Callable[[int], NDArray[np.int64]]:
    """Tell of a partition which jobs are its own; those of nobody in the events are the first's."""
    known = len(whole.events.contacts)
    if not jobs.mixed:  # all contacts in order of their codes, then nobody
        nobody = np.arange(known, len(jobs.contacts))
        return lambda part: np.append(whole.disk.codes(part, known), nobody[: 0 if part else None])
    parts = np.where(jobs.contacts < 0, 0, whole.disk.part(jobs.contacts)).astype(np.uint16)
    order = np.argsort(parts, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(parts, minlength=COUNT))])
    return lambda part: order[starts[part] : starts[part + 1]]


def _each(whole: Whole, work: Callable[[int], T], threads: int) -> Iterator[T]:
    """Yield what the work makes of each partition that has rows, in their order."""
    parts = whole.disk.parts()
    if threads == 1:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, part) for part in parts]
        try:
            for future in futures:
                yield future.result()
        finally:  # after an error or Ctrl-C the rest need not begin
            pool.shutdown(wait=False, cancel_futures=True)


def _arrange(
    events: Events, codes: NDArray[np.int32], times: NDArray[np.int64], types: NDArray[Any], *, numbered: bool
) -> None:
    """Group rows by contact, on one core: the partitions have one each."""
    events.starts, events.times, events.types, events.order = group(
        codes,
        [times],
        narrow(types, len(events.types_by_code)),
        contacts=len(events.contacts),
        numbered=numbered,
        rising=events.rising,
        threads=1,
    )


def _column(piece: Pieces, texts: list[str], order: NDArray[Any]) -> Column:
    """Put a partition's column together; of many texts only its own are named, numbered anew."""
    column = piece.put(order, texts)
    if piece.kind != "text" or len(texts) <= _MANY:
        return column
    ids, codes = _core.IntegerIds(), np.empty(len(column.values), np.int32)
    ids.code(column.values.astype(np.int64), (column.values < 0).view(np.uint8), codes)
    own = np.empty(len(ids), np.int64)
    ids.export(own)
    return evolve(column, values=codes, categories=[texts[code] for code in own.tolist()])


def _id_codes(low: Parts, high: Parts, null: Parts, sizes: Sequence[int]) -> NDArray[np.int32]:
    """Give ids as integers or words of 128 bits codes, -1 for null."""
    missing = _filled(null, sizes, bool)
    codes = _coded(_filled(low, sizes, np.uint64), missing)
    if any(piece is not None for piece in high):  # a block of nulls alone has none
        further = _coded(_filled(high, sizes, np.uint64), missing)
        codes = _coded((codes.astype(np.int64) << 32) | further, missing)
    return codes


def _filled(pieces: Parts, sizes: Sequence[int], dtype: Any) -> NDArray[Any]:
    """Join pieces, with zeros where there is none."""
    filled = [
        np.zeros(size, dtype) if piece is None else piece for piece, size in zip(pieces, sizes, strict=True)
    ]
    return np.concatenate(filled)


def _coded(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[np.int32]:
    ids, codes = _core.IntegerIds(), np.empty(len(values), np.int32)
    ids.code(values.view(np.int64), missing.view(np.uint8), codes)
    return codes
