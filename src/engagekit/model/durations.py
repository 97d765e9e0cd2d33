"""Lengths of time: `"90s"`, `"15min"`, `"12h"`, `"7d"`, `"2w"` and back."""

import re
from datetime import timedelta

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


def parse_duration(value: timedelta | str) -> timedelta:
    """Read a duration.

    Parameters
    ----------
    value
        A `timedelta`, or a whole number and one of the units us, ms, s, min, h, d, w.

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
    form = _form_of(value)
    if form is None:
        raise ValueError(f'expected a duration such as "7d", got {shown(value)}{_advice(value)}')
    number, unit = int(form[1]), _UNITS[form[2]]
    if number > LONGEST // unit:
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


def _form_of(value: object) -> re.Match[str] | None:
    return _FORM.fullmatch(value) if isinstance(value, str) else None


def _advice(value: object) -> str:
    if not isinstance(value, str):
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
