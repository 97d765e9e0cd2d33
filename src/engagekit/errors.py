"""What engagekit raises when it is given something it cannot work with."""

from collections.abc import Iterable


class EngagekitError(Exception):
    """The root of every error that engagekit raises on purpose."""


class ModelError(EngagekitError):
    """A model cannot mean what it says.

    Parameters
    ----------
    faults
        Every fault found, each one line that begins with its path in the model.

    Examples
    --------
    >>> error = ModelError(["rules[0].points: expected a number, got 'six'", "levels: not rising"])
    >>> len(error.faults)
    2
    >>> print(error)
    rules[0].points: expected a number, got 'six'
    levels: not rising
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(self.faults)


class EventsError(EngagekitError):
    """A table of events, contacts or instants cannot be read as one."""


class StateError(EngagekitError):
    """A saved file cannot be read, or an operation does not fit the state it meets."""
