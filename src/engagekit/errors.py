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
    file
        The model file that has them, where there is one.

    Examples
    --------
    >>> error = ModelError(["rules[0].points: expected a number, got 'six'", "levels: not rising"])
    >>> len(error.faults)
    2
    >>> print(error)
    rules[0].points: expected a number, got 'six'
    levels: not rising
    >>> print(ModelError(error.faults, file="shop.toml"))
    shop.toml: 2 faults
      rules[0].points: expected a number, got 'six'
      levels: not rising
    """

    def __init__(self, faults: Iterable[str], *, file: str | None = None) -> None:
        self.faults = tuple(faults)
        self.file = file
        super().__init__(self.faults)

    def __str__(self) -> str:
        if self.file is None:
            return "\n".join(self.faults)
        if len(self.faults) == 1:
            return f"{self.file}: {self.faults[0]}"
        return "\n  ".join([f"{self.file}: {len(self.faults):,} faults", *self.faults])


class EventsError(EngagekitError):
    """A table of events, contacts or instants cannot be read as one."""


class StateError(EngagekitError):
    """A saved file cannot be read, or an operation does not fit the state it meets."""


def in_all(count: int, noun: str = "row") -> str:
    """Say how many rows have the fault of which the first has been named.

    >>> in_all(1), in_all(1_204)
    ('1 such row in all', '1,204 such rows in all')
    """
    return f"{count:,} such {noun}{'' if count == 1 else 's'} in all"
