"""The kernel by itself: no coding of events, no table made of the result."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

import engagekit as ek
from engagekit import _core

AHEAD = 6
"""The place among the arguments of a scorer's run that says whether to look for the next change."""


class Recorded:
    """A scorer that keeps what it was asked to do."""

    def __init__(self, scorer: Any, calls: list[Callable[[], None]]) -> None:
        self._scorer = scorer
        self._calls = calls

    def run(self, *arguments: Any) -> None:
        """Run, and keep how."""
        before, (_, *after) = arguments[:AHEAD], arguments[AHEAD:]
        self._calls.append(lambda: self._scorer.run(*before, False, *after))
        self._scorer.run(*arguments)


def bare(model: ek.Model, events: ek.Events, at: Any) -> Callable[[], None]:
    """Return what `score` asks the kernel to do with all events on one thread, but for looking ahead."""
    calls: list[Callable[[], None]] = []
    made = _core.scorer
    with patch.object(_core, "scorer", lambda **plan: Recorded(made(**plan), calls)):
        model.score(events, at=at, threads=1)
    (call,) = calls
    return call


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
