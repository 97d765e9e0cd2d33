"""Work in parts, each on a thread of its own: the kernel's loops run without the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Step = TypeVarTuple("Step")

MOST_THREADS = 256
HEED = 0.05
"""Seconds between two looks whether somebody has pressed Ctrl-C: where a library handles it too, as polars
does, the wait for a thread may go on as if nothing had happened."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def even(count: int, parts: int) -> list[int]:
    """Cut a count into parts of about the same size; return their edges.

    >>> even(10, 3)
    [0, 3, 6, 10]
    """
    return [count * part // parts for part in range(parts + 1)]


def in_parts(
    work: Callable[[int, int], T],
    edges: Sequence[int],
    *,
    threads: int | None = None,
    stop: Callable[[], object] = lambda: None,
) -> list[T]:
    """Do some work from each edge to the next, all at the same time; return the results in order.

    Parameters
    ----------
    work
        Called with two neighbouring edges; where there are only two, in the caller's thread.
    edges
        In rising order, at least two.
    threads
        How many parts are worked on at a time; None: all of them.
    stop
        Called when a part fails or the user interrupts: it lets the others end soon.
    """
    if len(edges) == 2:
        return [work(edges[0], edges[1])]
    with ThreadPoolExecutor(threads or len(edges) - 1) as pool:
        parts: list[Future[T]] = []
        found: list[T] = []
        try:
            parts += (pool.submit(work, first, last) for first, last in pairwise(edges))
            for number in range(len(parts)):
                while not wait(parts[number : number + 1], HEED).done:
                    pass
                found.append(parts[number].result())
        except BaseException:  # Ctrl-C above all: the others need not finish
            stop()
            while parts:  # which know the error, which knows of what this was called with
                parts.pop().cancel()
            raise
    return found


def in_steps(
    work: Callable[[int, *Step], object],
    edges: Sequence[int],
    steps: Callable[[int, int], Iterable[tuple[*Step]]],
    *,
    stop: Callable[[], object] = lambda: None,
) -> None:
    """Do some work from each edge to the next, as `in_parts` does, but a step at a time.

    Parameters
    ----------
    work
        Called with the first edge of its part and with what makes a step.
    edges
        In rising order, at least two.
    steps
        Cuts a part into steps. Where one part fails or the user interrupts, no other begins another step.
    stop
        Called then, where steps themselves can be long.
    """
    going = [True]

    def end() -> None:
        going.clear()
        stop()

    def part(first: int, last: int) -> None:
        for step in steps(first, last):
            if not going:
                return
            work(first, *step)

    in_parts(part, edges, stop=end)
