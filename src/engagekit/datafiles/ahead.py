"""Read ahead: what comes next is read in a thread of its own while the last is being worked on."""

from collections.abc import Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 2
_PATIENCE = 0.05
"""Seconds after which a thread that waits for room looks whether it is to stop."""
_FAREWELL = 2.0
"""Seconds to wait for a thread that is to stop: one that waits for a pipe must not hold up Ctrl-C."""


def read_ahead(source: Iterator[T], *, depth: int = _DEPTH) -> Generator[T, None, None]:
    """Yield what a source yields, read up to `depth` items ahead.

    What the source raises is raised where its item would have come. When the generator is closed or dropped
    the thread ends before that returns, unless its source keeps it waiting; it never outlives the process.

    Examples
    --------
    >>> list(read_ahead(iter([1, 2, 3])))
    [1, 2, 3]
    """
    ready: Queue[tuple[bool, T | BaseException | None]] = Queue(depth)
    stop = Event()

    def offer(more: bool, item: T | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                ready.put((more, item), timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in source:
                if not offer(True, item):
                    return
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the item is awaited
            offer(False, error)
        else:
            offer(False, None)
        finally:
            if isinstance(source, Generator):
                source.close()  # here, for it may have files open

    thread = Thread(target=read, name="engagekit-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if more:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return
    finally:
        stop.set()
        thread.join(_FAREWELL)
