"""Kinds of attributes: how each is normalised, checked, written to a model file and shown in a repr.

A function `as_...` is the converter of an attribute. It normalises what it can and keeps everything
else as it is, so that the model can name all faults in one error; hence the casts.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from math import isfinite
from numbers import Integral, Real
from typing import Any, Final, cast

from engagekit.errors import ModelError
from engagekit.model.conditions import Condition, condition_from, read_condition
from engagekit.model.durations import LONGEST, duration_text, parse_duration
from engagekit.model.frozen import FrozenDict
from engagekit.model.scalars import is_number, plain_scalar
from engagekit.model.wording import TABLE, is_unicode, join, listed, shown, suggestion


class _Absent:
    """Stands where a required key is missing."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = _Absent()


class Kind(ABC):
    """What one attribute may be.

    Parameters
    ----------
    optional
        Whether None stands for "not given".
    """

    __slots__ = ("optional",)

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def faults(self, value: object, path: str) -> Iterator[str]:
        """Say what is wrong with a value that the converter has seen."""
        if value is ABSENT:
            yield f"{path}: missing"
        elif value is not None or not self.optional:
            yield from self._faults(value, path)

    @abstractmethod
    def _faults(self, value: object, path: str) -> Iterator[str]:
        """Say what is wrong with a value that is given."""

    def plain(self, value: Any) -> Any:
        """Return a checked value as a model file has it."""
        return value

    def shown(self, value: Any) -> str:
        """Return the value as Python would be given it."""
        return repr(value)


def as_text(value: str) -> str:
    """Drop what a subclass of str adds, and keep what is no text."""
    given: object = value
    return str.__str__(given) if isinstance(given, str) else value


def as_optional_text(value: str | None) -> str | None:
    """Normalise text that need not be given."""
    return None if value is None else as_text(value)


class TextKind(Kind):
    """Text that is not empty."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        yield from text_faults(value, path)


def text_faults(value: object, path: str) -> Iterator[str]:
    """Say why a value is no name."""
    if not isinstance(value, str):
        yield f"{path}: expected text, got {shown(value)}"
    elif not value:
        yield f"{path}: expected text, got an empty one"
    elif not is_unicode(value):
        yield f"{path}: expected valid Unicode text, got {shown(value)}"


class ChoiceKind(Kind):
    """One of a few words."""

    __slots__ = ("options",)

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, str) or value not in self.options:
            near = suggestion(value, self.options)
            yield f"{path}: expected {listed(self.options)}, got {shown(value)}{near}"


class FlagKind(Kind):
    """True or false."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, bool):
            yield f"{path}: expected true or false, got {shown(value)}"


def as_types(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Make a tuple of one event type or several; None is no type at all."""
    given: object = value
    if given is None:
        return ()
    if isinstance(given, str):
        return (as_text(given),)
    if isinstance(given, (set, frozenset)):
        # A set has no order of its own; without one the same model would have many fingerprints.
        return tuple(sorted((as_text(item) for item in given), key=repr))
    if isinstance(given, Iterable) and not isinstance(given, (Mapping, bytes)):
        return tuple(as_text(item) for item in given)
    return cast(tuple[str, ...], given)


class TypesKind(Kind):
    """Event types or signals."""

    __slots__ = ("empty",)

    def __init__(self, *, empty: bool = False) -> None:
        super().__init__()
        self.empty = empty

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, tuple):
            yield f"{path}: expected an event type or a list of them, got {shown(value)}"
            return
        if not value and not self.empty:
            yield f"{path}: expected at least one event type, got none"
        seen = set()
        for index, name in enumerate(value):
            yield from text_faults(name, f"{path}[{index}]")
            if isinstance(name, str):
                if name in seen:
                    yield f"{path}[{index}]: {shown(name)} stands here twice"
                seen.add(name)

    def plain(self, value: Any) -> Any:
        """Return a list."""
        return list(value)


def as_number(value: float) -> float:
    """Make a float of any real number that is no boolean."""
    given = plain_scalar(value)
    try:
        return float(given) if is_number(given) else cast(float, given)
    except (OverflowError, ValueError):
        return cast(float, given)


def as_optional_number(value: float | None) -> float | None:
    """Normalise a number that need not be given."""
    return None if value is None else as_number(value)


def plain_number(value: float) -> int | float:
    """Write a float as an int where that is the same number.

    Examples
    --------
    >>> plain_number(6.0), plain_number(0.5)
    (6, 0.5)
    """
    return int(value) if value.is_integer() and abs(value) < 2.0**53 else value


class NumberKind(Kind):
    """A finite number, within a bound where one is given."""

    __slots__ = ("above", "least", "most")

    def __init__(
        self,
        *,
        above: float | None = None,
        least: float | None = None,
        most: float | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(optional=optional)
        self.above = above
        self.least = least
        self.most = most

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if isinstance(value, int) and not isinstance(value, bool):
            yield f"{path}: expected a number that a double can hold, got {shown(value)}"
        elif not isinstance(value, float):
            yield f"{path}: expected a number, got {shown(value)}"
        elif not isfinite(value):
            yield f"{path}: expected a finite number, got {shown(value)}"
        elif self.above is not None and not value > self.above:
            yield f"{path}: expected a number above {self.above:g}, got {shown(value)}"
        elif self.least is not None and value < self.least:
            yield f"{path}: expected a number of at least {self.least:g}, got {shown(value)}"
        elif self.most is not None and value > self.most:
            yield f"{path}: expected a number of at most {self.most:g}, got {shown(value)}"

    def plain(self, value: Any) -> Any:
        """Return an int where that is the same number."""
        return None if value is None else plain_number(value)


def as_count(value: int) -> int:
    """Make an int of any integral number that is no boolean."""
    given = plain_scalar(value)
    if isinstance(given, Integral) and is_number(given):
        return int(given)
    number: object = as_number(given)
    return int(number) if isinstance(number, float) and number.is_integer() else cast(int, given)


class CountKind(Kind):
    """A whole number of at least 1."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{path}: expected a whole number, got {shown(value)}"
        elif value < 1:
            yield f"{path}: expected at least 1, got {shown(value)}"
        elif value >= 2**31:
            yield f"{path}: expected less than {2**31:,}, got {shown(value)}"


def as_duration(value: timedelta | str) -> timedelta:
    """Make a timedelta of the text of a duration."""
    try:
        return parse_duration(value)
    except ValueError:
        return cast(timedelta, value)


def as_optional_duration(value: timedelta | str | None) -> timedelta | None:
    """Make a timedelta of the text of a duration, if there is any."""
    return None if value is None else as_duration(value)


class DurationKind(Kind):
    """A length of time above 0."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, timedelta):
            try:
                parse_duration(cast(str, value))
            except ValueError as error:
                yield f"{path}: {error}"
        elif value <= timedelta(0):
            yield f"{path}: expected a duration above 0, got {duration_text(value)!r}"
        elif value > LONGEST:
            yield f"{path}: expected a duration of at most {LONGEST.days}d, got {duration_text(value)!r}"

    def plain(self, value: Any) -> Any:
        """Return the text of the duration."""
        return None if value is None else duration_text(value)

    def shown(self, value: Any) -> str:
        """Return the text of the duration, which every constructor takes."""
        return repr(duration_text(value) if isinstance(value, timedelta) else value)


def as_condition(value: Condition | Mapping[str, Any] | None) -> Condition | None:
    """Make a condition of the table that a model file has."""
    if value is None or isinstance(value, Condition):
        return value
    try:
        return condition_from(value)
    except ModelError:
        return cast(Condition, value)


class ConditionKind(Kind):
    """A condition."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        faults: list[str] = []
        read_condition(value, path, faults)
        yield from faults

    def plain(self, value: Any) -> Any:
        """Return the table of the condition."""
        return None if value is None else value.to_dict()


Factors = Mapping[str, float]


def as_weights(value: Mapping[str, Mapping[Any, float]]) -> Mapping[str, Factors]:
    """Freeze weights, with text for the values they are of: 1 is "1", True is "true"."""
    given: object = value
    if not isinstance(given, Mapping):
        return value
    # An empty table says nothing; in a file it takes away what an extended model says.
    told = {as_text(name): factors for name, factors in given.items() if factors != {}}
    return FrozenDict({name: _as_factors(factors) for name, factors in told.items()})


def _as_factors(factors: object) -> Factors:
    if not isinstance(factors, Mapping):
        return cast(Factors, factors)
    texts = {value_text(value): as_number(factor) for value, factor in factors.items()}
    # 1 and "1" in one table: kept for the fault, since one of the two factors would be lost.
    return FrozenDict(texts) if len(texts) == len(factors) else factors


def value_text(value: object) -> Any:
    """Write the value of a field as the key of a weight.

    Examples
    --------
    >>> value_text("mobile"), value_text(1), value_text(1.0), value_text(True)
    ('mobile', '1', '1', 'true')
    """
    value = plain_scalar(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return as_text(value)
    try:
        if isinstance(value, Integral):
            return str(int(value))
        number = float(value) if isinstance(value, Real) else None
    except (OverflowError, ValueError):  # of more digits than Python writes: a fault, not a key
        return value
    if number is not None:
        return str(int(number)) if number.is_integer() and abs(number) < 2.0**63 else repr(number)
    return value


class WeightsKind(Kind):
    """Factors by field and by value."""

    __slots__ = ()
    _factor = NumberKind(least=0)

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: expected {TABLE} of factors by field and value, got {shown(value)}"
            return
        for name, factors in value.items():
            where = join(path, name)
            yield from text_faults(name, where)
            if not isinstance(factors, Mapping):
                yield f"{where}: expected {TABLE} of factors such as {{ mobile = 1.2 }}, got {shown(factors)}"
                continue
            if not isinstance(factors, FrozenDict):
                yield f"{where}: the same value stands here twice, as {_twice(factors)}"
            for key, factor in factors.items():
                if value_text(key) != "":
                    yield from text_faults(value_text(key), join(where, key))
                yield from self._factor.faults(as_number(factor), join(where, key))

    def plain(self, value: Any) -> Any:
        """Return plain tables."""
        return {
            name: {key: plain_number(factor) for key, factor in factors.items()}
            for name, factors in value.items()
        }


def _twice(factors: Mapping[Any, float]) -> str:
    seen: dict[Any, object] = {}
    for value in factors:
        text = value_text(value)
        if text in seen:
            return f"{shown(seen[text])} and {shown(value)}"
        seen[text] = value
    return "one"


# What an attribute is given as `metadata`.
TEXT: Mapping[str, Kind] = {"kind": TextKind()}
OPTIONAL_TEXT: Mapping[str, Kind] = {"kind": TextKind(optional=True)}
TYPES: Mapping[str, Kind] = {"kind": TypesKind()}
OPTIONAL_TYPES: Mapping[str, Kind] = {"kind": TypesKind(empty=True)}
NUMBER: Mapping[str, Kind] = {"kind": NumberKind()}
OPTIONAL_NUMBER: Mapping[str, Kind] = {"kind": NumberKind(optional=True)}
POSITIVE: Mapping[str, Kind] = {"kind": NumberKind(above=0)}
PERCENT: Mapping[str, Kind] = {"kind": NumberKind(least=0, most=100)}
OPTIONAL_POSITIVE: Mapping[str, Kind] = {"kind": NumberKind(above=0, optional=True)}
COUNT: Mapping[str, Kind] = {"kind": CountKind()}
FLAG: Mapping[str, Kind] = {"kind": FlagKind()}
DURATION: Mapping[str, Kind] = {"kind": DurationKind()}
OPTIONAL_DURATION: Mapping[str, Kind] = {"kind": DurationKind(optional=True)}
CONDITION: Mapping[str, Kind] = {"kind": ConditionKind(optional=True)}
REQUIRED_CONDITION: Mapping[str, Kind] = {"kind": ConditionKind()}
WEIGHTS: Mapping[str, Kind] = {"kind": WeightsKind()}
HALF: Mapping[str, Kind] = {"kind": ChoiceKind("both", "prospect", "customer")}
