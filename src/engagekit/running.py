"""The kernel at work: jobs cut into parts for the threads, results in columns, from memory or from disk."""

from __future__ import annotations

from contextlib import closing
from functools import lru_cache
from itertools import accumulate
from sys import byteorder
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define

from engagekit import _core, streams
from engagekit.errors import EventsError
from engagekit.events import CONTENT
from engagekit.instants import EARLIEST
from engagekit.matching import Match, match
from engagekit.plan import TALLY
from engagekit.threads import MOST_THREADS, cores, in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.events import Events
    from engagekit.model import Model
    from engagekit.plan import Plan

SMALL = 4096
"""Jobs below which threads cost more than they save."""
PARTS = 8
"""The parts for each thread to take in turns: how long one takes is not known before."""
A_CONTACT = 30
"""The events whose reading takes as long as a contact's finishing."""
COLUMNS = {
    np.float64: ("score", "engagement", "momentum", "silent_days", "largest"),
    np.int64: ("next_change", "events", "first_event", "last_event"),
    np.int32: ("phase", "next_phase", "last_type", "top_channel"),
    np.int8: ("level", "half", "next_level"),
    np.uint8: ("present",),
}
LOOKS = 64
"""Looks at what came before, for each part that contacts are cut into."""
NO_INSTANT_YET = EARLIEST - 1
APART = 1 << 20
"""Jobs from which on each result column is large enough for large pages of its own."""


@define(kw_only=True)
class Jobs:
    """What the kernel is to score: contacts by code (-1: none of the events'), each at its instant.

    Instants that are all the same may be one number in memory (see `alike`), unless jobs are `mixed`.
    """

    contacts: NDArray[np.int64]
    at: NDArray[np.int64]
    since: NDArray[np.int64]
    counted: NDArray[np.uint8]
    mixed: bool = False
    """Whether contacts come in any order, and more than once; not: of a stream on disk each by its code."""
    some: NDArray[np.int64] | None = None
    """The numbers, rising, of the jobs to be done; None: all."""

    def runs(self) -> list[tuple[int, int]]:
        """Say which of some jobs are neighbours: the first of each run, and the one behind its last.

        >>> one = np.zeros(9, np.int64)
        >>> jobs = Jobs(contacts=one, at=one, since=one, counted=one.astype(np.uint8))
        >>> jobs.some = np.array([0, 1, 2, 6, 7])
        >>> jobs.runs()
        [(0, 3), (6, 8)]
        """
        assert self.some is not None
        breaks = np.flatnonzero(np.diff(self.some) != 1) + 1
        firsts, lasts = self.some[np.append(0, breaks)], self.some[np.append(breaks, len(self.some)) - 1]
        return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def alike(instant: int, count: int) -> NDArray[np.int64]:
    """Return an array of one instant, which is in memory once.

    >>> alike(7, 3)
    array([7, 7, 7])
    """
    return np.ndarray(count, np.int64, instant.to_bytes(8, byteorder, signed=True), strides=(0,))


@define(kw_only=True)
class Heard:
    """What was said of contacts and to them, by job: of a model with a qualification or contents."""

    rejected: NDArray[np.int64]
    """The last rejection; the least integer: none."""
    said: NDArray[np.uint8]
    """Whether they were accepted and qualified after it."""
    had: NDArray[np.uint64]
    """A bit for each content of the model that they have had, in words of 64."""

    @classmethod
    def room(cls, model: Model, count: int) -> Heard | None:
        """Make room for that many jobs; None where nothing is to be heard."""
        if model.qualification is None and not model.contents:
            return None
        return cls(
            rejected=np.full(count, np.iinfo(np.int64).min),
            said=np.zeros(count, np.uint8),
            had=np.zeros((count, (len(model.contents) + 63) // 64), np.uint64),
        )


@define(kw_only=True)
class Numbers:
    """What the kernel made of the jobs: arrays by result column, one row of `channels` and `sums` each."""

    columns: dict[str, NDArray[Any]]
    channels: NDArray[np.float64]
    sums: NDArray[np.float64]
    tally: NDArray[Any]
    heard: Heard | None = None

    @classmethod
    def room(cls, plan: Plan, count: int, *, sums: bool) -> Numbers:
        """Make room for the results of that many jobs."""
        wanted: list[tuple[str, Any]] = [(name, dtype) for dtype, names in COLUMNS.items() for name in names]
        if plan.intents and not sums:
            wanted.insert(0, ("intent", np.int32))
        return cls(
            columns=_zeros(wanted, count),
            channels=np.zeros((len(plan.channels), count)),
            sums=np.zeros((len(plan.names) if sums else 0, count)),
            tally=np.zeros(1, TALLY),
            heard=None if sums else Heard.room(plan.model, count),
        )


def _zeros(wanted: list[tuple[str, Any]], count: int) -> dict[str, NDArray[Any]]:
    """Make columns of that many zeros each, in one piece of memory where each alone would lie in small pages.

    Of 4,096 bytes each, to get them from the system takes longer than to fill them.
    """
    if not SMALL <= count < APART:
        return {name: np.zeros(count, dtype) for name, dtype in wanted}
    sizes = [-(-count * np.dtype(dtype).itemsize // 8) * 8 for _, dtype in wanted]
    edges = [0, *accumulate(sizes)]
    memory = np.zeros(edges[-1], np.uint8)
    return {
        name: memory[first : first + count * np.dtype(dtype).itemsize].view(dtype)
        for (name, dtype), first in zip(wanted, edges, strict=False)
    }


@lru_cache(maxsize=64)
def _tables(plan: Plan) -> _core.PlanTables:
    """Bring a plan into the kernel; kept, for small tables come often."""
    model = plan.model
    return _core.plan_tables(
        rules=plan.rules,
        channel_caps=plan.channel_caps,
        families=plan.families,
        intents=len(plan.intents),
        listed_rules=plan.listed,
        phases=plan.phases,
        ended_phase=plan.ended_phase,
        linear_scale=model.scale.kind == "linear",
        scale=model.scale.value,
        levels=np.array([model.levels.low, model.levels.medium, model.levels.high], np.float64),
        fast=plan.fast_us,
        slow=plan.slow_us,
        lifecycle=model.lifecycle is not None,
        excludes=len(plan.excludes) > 0,
    )


def attach(plan: Plan, events: Events, matched: Match | None = None) -> _core.Scorer:
    """Bring plan and events together in the kernel; `matched` where that is known already."""
    matched = matched or match(plan, events)
    return _core.scorer(
        tables=_tables(plan),
        roles=matched.roles,
        flags=matched.flags,
        plain_start=matched.plain_start,
        plain_rules=matched.plain_rules,
        weight_columns=matched.weight_columns,
        weight_starts=matched.weight_starts,
        weight_factors=matched.weight_factors,
        codes=matched.codes,
        amounts=matched.amounts,
        starts=events.starts,
        times=events.times,
        types=events.types,
        classes=matched.classes,
        type_ranks=events.type_ranks,
    )


def run(
    plan: Plan,
    events: Events,
    jobs: Jobs,
    *,
    threads: int | None,
    sums: bool,
    scorer: _core.Scorer | None = None,
) -> Numbers:
    """Score jobs.

    Parameters
    ----------
    plan, events, jobs
        What is scored.
    threads
        How many threads; None: as many as there are cores, where that pays.
    sums
        Whether S(r) is asked for; if not, the next change is.
    scorer
        Plan and events brought together, where that was done already and nobody asks for what sales said.
    """
    numbers = Numbers.room(plan, len(jobs.contacts), sums=sums)
    counts = numbers.tally.view(np.int64)
    if events.disk is None:
        counts += _score(plan, events, jobs, numbers, threads=threads, sums=sums, scorer=scorer)
        return numbers
    with closing(events):
        counts += streams.run(
            plan,
            events,
            jobs,
            score=lambda part, own: _score(plan, part, own, numbers, threads=1, sums=sums),
            dropped=dropped,
            threads=thread_count(threads, len(events)),
        )
    return numbers


def _score(
    plan: Plan,
    events: Events,
    jobs: Jobs,
    numbers: Numbers,
    *,
    threads: int | None,
    sums: bool,
    scorer: _core.Scorer | None = None,
) -> NDArray[np.int64]:
    """Score jobs of events in memory, put the results in their places, and return the tally's numbers."""
    matched = match(plan, events) if scorer is None else None
    scorer = attach(plan, events, matched) if scorer is None else scorer
    workers = thread_count(threads, len(jobs.contacts))
    parts = workers if workers == 1 else max(workers, min(PARTS * workers, len(jobs.contacts) // SMALL))
    into = (numbers.columns, numbers.channels, numbers.sums if sums else None)

    def straight(first: int, last: int) -> NDArray[Any]:
        tally = np.zeros(1, TALLY)
        given = (jobs.contacts, jobs.at, jobs.since, jobs.counted, first, last, not sums)
        scorer.run(*given, *into, tally)
        if heeds:
            each, at = np.arange(last - first + 1), np.ascontiguousarray(jobs.at[first:last])
            hear(each, jobs.contacts[first:last], at, first + each, 0, last - first)
        return tally

    def swept(first: int, last: int) -> NDArray[Any]:
        tally = np.zeros(1, TALLY)
        given = (scorer, starts, contacts, at, since, order, first, last)
        _core.score_rows(*given, *into, tally)
        if heeds:
            hear(starts, contacts, at, order, first, last)
        return tally

    heard = None if matched is None else numbers.heard
    contents = np.empty(0, np.int32) if heard is None else contents_of(plan, events)
    heeds = heard is not None and bool(plan.verdicts or len(contents))

    def hear(
        starts: NDArray[np.int64],
        contacts: NDArray[np.int64],
        at: NDArray[np.int64],
        places: NDArray[np.int64],
        first: int,
        last: int,
    ) -> None:
        assert heard is not None and matched is not None
        given = (matched.verdicts, contents, starts, contacts, at, places, first, last)
        _core.hear_of(scorer, *given, heard.rejected, heard.said, heard.had)

    if jobs.mixed:
        some = slice(None) if jobs.some is None else jobs.some
        order = np.lexsort((jobs.at[some], jobs.contacts[some]))
        order = order if jobs.some is None else jobs.some[order]
        new = np.flatnonzero(np.diff(jobs.contacts[order])) + 1
        starts = np.concatenate([[0], new, [len(order)]]) if len(order) else np.zeros(1, np.int64)
        contacts, at, since = jobs.contacts[order][starts[:-1]], jobs.at[order], jobs.since[order]
        edges = _edges(events, contacts, np.diff(starts), parts)
        tallies = in_parts(swept, edges, threads=workers, stop=scorer.stop)
    elif jobs.some is None:
        edges = _coarse_edges(events, jobs.contacts, parts)
        tallies = in_parts(straight, edges, threads=workers, stop=scorer.stop)
    else:
        tallies = [straight(first, last) for first, last in jobs.runs()]
    counts: NDArray[np.int64] = np.sum([tally.view(np.int64) for tally in tallies], axis=0)
    return counts


def contents_of(plan: Plan, events: Events) -> NDArray[np.int32]:
    """Give, by event, the number of the content that it brought (-1: none); nothing if no event says any."""
    found = events.codes_if_any(CONTENT) if plan.model.contents else None
    if found is None:
        return np.empty(0, np.int32)
    codes, names = found
    numbers = {content.id: number for number, content in enumerate(plan.model.contents)}
    return np.array([*(numbers.get(name, -1) for name in names), -1], np.int32)[codes]


def thread_count(threads: int | None, jobs: int) -> int:
    """Return how many threads to use for so many jobs: those asked for, else the cores where it pays."""
    if threads is None:
        return cores() if jobs >= SMALL else 1
    if type(threads) is not int or threads < 1:
        raise EventsError(f"threads=: expected a whole number of at least 1, got {threads!r}")
    return min(threads, MOST_THREADS)


def _coarse_edges(events: Events, contacts: NDArray[np.int64], parts: int) -> list[int]:
    """Cut contacts by code (-1, without events: at the end) into contiguous parts of about the same work."""
    count = len(contacts)
    if parts == 1 or count < 2:
        return [0, count]
    # Some hundred looks: to look at each would take a twentieth of the time in which two cores score them.
    places = np.arange(0, count, max(1, count // (LOOKS * parts)))
    before = events.starts[contacts[places]] + A_CONTACT * places
    whole = len(events) + A_CONTACT * count
    cuts = places[np.searchsorted(before[1:], whole * np.arange(1, parts) / parts, side="right")]
    return sorted({0, count, *cuts.tolist()})


def _edges(events: Events, contacts: NDArray[np.int64], more: NDArray[np.int64], parts: int) -> list[int]:
    """Cut contacts, each of its events and as many `more`, into contiguous parts of about the same work."""
    count = len(contacts)
    if parts == 1 or count < 2:
        return [0, count]
    ends = np.cumsum(np.append(np.diff(events.starts), 0)[contacts] + more)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts, side="right")
    return sorted({0, count, *cuts.tolist()})


def dropped(events: Events, jobs: Jobs) -> tuple[int, int]:
    """Count the dropped duplicates up to each contact's last instant, and those after it."""
    if events.disk is not None and events.disk.seen is not None:
        return events.disk.seen.duplicates, events.disk.seen.later
    if not len(events.dropped_codes):
        return 0, 0
    some = slice(None) if jobs.some is None else jobs.some
    contacts, at = jobs.contacts[some], jobs.at[some]
    last = np.full(len(events.contacts), NO_INSTANT_YET, np.int64)
    asked = contacts >= 0
    np.maximum.at(last, contacts[asked], at[asked])
    until = last[events.dropped_codes]
    later = (events.dropped_times > until) & (until >= EARLIEST)
    return int((events.dropped_times <= until).sum()), int(later.sum())
