"""Saving again and again in the background, until told to stop."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Protocol
from weakref import ref


class Savable(Protocol):
    """Anything that can be saved under a path."""

    def save(self, path: Any) -> None:
        """Save."""


class Autosave:
    """Saves something every so many seconds, in a thread of its own that does not keep it alive.

    Parameters
    ----------
    saved
        What is saved.
    path
        Where to.
    seconds
        How long after a save the next one begins.

    Attributes
    ----------
    error
        What the last save failed with; None: it did not.
    """

    def __init__(self, saved: Savable, path: Any, seconds: float) -> None:
        self.error: Exception | None = None
        self.path = path
        self._stopped = Event()
        found = ref(saved, lambda _: self._stopped.set())
        self._thread = Thread(target=self._run, args=(found, seconds), name="engagekit autosave", daemon=True)
        self._thread.start()

    def _run(self, found: Callable[[], Savable | None], seconds: float) -> None:
        while not self._stopped.wait(seconds):
            saved = found()
            if saved is None:
                return
            try:
                saved.save(self.path)
                self.error = None
            except Exception as error:  # noqa: BLE001 - told to whoever stops or looks; the next save may succeed
                self.error = error
            del saved

    def stop(self) -> None:
        """Stop, after the save that is under way if there is one."""
        self._stopped.set()
        self._thread.join()
