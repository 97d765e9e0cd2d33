"""The kernel by itself: no coding of events, no table made of the result."""

from collections.abc import Callable
from typing import Any

import numpy as np

import engagekit as ek
from engagekit.batch import everyone
from engagekit.instants import microseconds_of
from engagekit.plan import TALLY, lower
from engagekit.running import Numbers, attach


def bare(model: ek.Model, events: ek.Events, at: Any) -> Callable[[], None]:
    """Return what `score` asks the kernel to do with all events on one thread, but for looking ahead."""
    plan = lower(model)
    scorer = attach(plan, events)
    jobs = everyone(events, microseconds_of(at), None).jobs
    count = len(jobs.contacts)
    room = Numbers.room(plan, count, sums=False)

    def run() -> None:
        given = (jobs.contacts, jobs.at, jobs.since, jobs.counted, 0, count, False)
        scorer.run(*given, room.columns, room.channels, None, np.zeros(1, TALLY))

    return run


def summing(events: ek.Events) -> Callable[[], None]:
    """Return NumPy's sums of the bytes that the kernel reads of each event: its time and its type."""
    read = (events.times, np.asarray(events.types))

    def summed() -> None:
        for column in read:
            column.sum()

    return summed


def bytes_read(events: ek.Events) -> int:
    """Return how many bytes of events the kernel reads."""
    return int(events.times.nbytes + events.types.nbytes)
