"""Lengths of time: `"90s"`, `"15min"`, `"12h"`, `"7d"`, `"2w"` and back."""

import re
from datetime import timedelta
from typing import Any

from engagekit.model.wording import shown

LONGEST = timedelta(days=3_652_500)
"""The longest duration a model may name: the 10,000 years that instants range over."""

_UNITS = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
# Weeks are read but not written: "30d" beside "14d" compares at a glance, "30d" beside "2w" does not.
_WRITTEN = ("d", "h", "min", "s", "ms", "us")
_FORM = re.compile(r"([0-9]{1,20})(us|ms|s|min|h|d|w)")
_LOOSE = re.compile(r"\s*([0-9]{1,20})\s*([A-Za-zµμ]+)\s*")
_SPELLED = {
    "us": ("µs", "μs", "usec", "micros", "microsecond"),
    "ms": ("msec", "millis", "millisecond"),
    "s": ("sec", "second"),
    "min": ("mins", "minute"),
    "h": ("hr", "hour"),
    "d": ("day",),
    "w": ("wk", "week"),
}
_CALENDAR = frozenset(("mo", "mon", "mth", "month", "months", "M", "y", "yr", "yrs", "year", "years", "a"))


_NUMPY = {**_UNITS, "m": _UNITS["min"], "D": _UNITS["d"], "W": _UNITS["w"]}
_NUMPY_TYPE = re.compile(r"timedelta64\[([0-9]*)([A-Za-z]+)\]")


def parse_duration(value: timedelta | str) -> timedelta:
    """Read a duration.

    Parameters
    ----------
    value
        A `timedelta`, a `numpy.timedelta64` of whole microseconds, or a whole number and one of the
        units us, ms, s, min, h, d, w.

    Raises
    ------
    ValueError
        When it is neither; the text says what was expected.

    Examples
    --------
    >>> parse_duration("7d"), parse_duration("90s")
    (datetime.timedelta(days=7), datetime.timedelta(seconds=90))
    """
    if isinstance(value, timedelta):
        # A pandas Timedelta is a timedelta too; what is kept must not drag pandas along.
        return timedelta(days=value.days, seconds=value.seconds, microseconds=value.microseconds)
    counted = _counted(value)
    if counted is None:
        raise ValueError(f'expected a duration such as "7d", got {shown(value)}{_advice(value)}')
    number, unit = counted
    if abs(number) > LONGEST // unit:
        raise ValueError(f"expected a duration of at most {LONGEST.days}d, got {shown(value)}")
    return number * unit


def duration_text(span: timedelta) -> str:
    """Write a duration in the largest unit up to days that says it in a whole number.

    Examples
    --------
    >>> from datetime import timedelta
    >>> duration_text(timedelta(weeks=2)), duration_text(timedelta(minutes=90)), duration_text(timedelta(0))
    ('14d', '90min', '0d')
    """
    unit = next(unit for unit in _WRITTEN if not span % _UNITS[unit])
    return f"{span // _UNITS[unit]}{unit}"


def _counted(value: Any) -> tuple[int, timedelta] | None:
    """Take a duration apart into a number and a unit."""
    if type(value).__name__ == "timedelta64":
        return _numpy_counted(value)
    form = _FORM.fullmatch(value) if isinstance(value, str) else None
    return None if form is None else (int(form[1]), _UNITS[form[2]])


def _numpy_counted(value: Any) -> tuple[int, timedelta] | None:
    # NumPy's own conversion wraps around instead of failing, and takes a year for so many days.
    form = _NUMPY_TYPE.fullmatch(str(value.dtype))
    if form is None or value != value:  # NaT is unequal to itself
        return None
    number = int(value.astype("int64")) * int(form[1] or 1)
    if form[2] == "ns":
        return (number // 1_000, _UNITS["us"]) if number % 1_000 == 0 else None
    return (number, _NUMPY[form[2]]) if form[2] in _NUMPY else None


def _advice(value: object) -> str:
    if not isinstance(value, str):
        if type(value).__name__ == "timedelta64":
            return " (whole microseconds, in a unit of fixed length)"
        return " (a bare number has no unit)" if isinstance(value, (int, float)) else ""
    loose = _LOOSE.fullmatch(value)
    if loose is None:
        return " (whole numbers, and the units us, ms, s, min, h, d, w)"
    number, word = loose[1], loose[2]
    if word in _CALENDAR or word.casefold() in _CALENDAR:
        return " (months and years differ in length: say it in days)"
    if word == "m":
        return f' (minutes are "{number}min"; months differ in length: say them in days)'
    folded = word.casefold()
    for unit, words in _SPELLED.items():
        if folded == unit or folded in words or folded.removesuffix("s") in words:
            return f', did you mean "{number}{unit}"?'
    return " (the units are us, ms, s, min, h, d, w)"
