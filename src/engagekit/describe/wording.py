"""The small words: numbers, durations, lists, conditions."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from engagekit.model.conditions import All, AnyOf, Condition, Not, Test
from engagekit.model.durations import duration_text

_UNITS = {"d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond"}
_TESTS = {
    "eq": "{field} is {value}",
    "ne": "{field} is not {value}",
    "lt": "{field} is below {value}",
    "le": "{field} is at most {value}",
    "gt": "{field} is above {value}",
    "ge": "{field} is at least {value}",
    "in": "{field} is {value}",
    "not_in": "{field} is known and not {value}",
    "between": "{field} is from {low} to {high}",
    "contains": "{field} contains {value}",
    "starts_with": "{field} starts with {value}",
    "ends_with": "{field} ends with {value}",
}


def number(value: float) -> str:
    """Write a number without needless digits.

    Examples
    --------
    >>> number(50.0), number(-0.33), number(20.7518), number(50000.0)
    ('50', '-0.33', '20.8', '50,000')
    """
    for digits in (0, 1, 2, 3):
        if round(value, digits) == value:
            return f"{value:,.{digits}f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2g}"


def points(value: float, *, sign: bool = False) -> str:
    """Write a number of points.

    Examples
    --------
    >>> points(1.0), points(30.0, sign=True), points(-2.5)
    ('1 point', '+30 points', '-2.5 points')
    """
    text = f"+{number(value)}" if sign and value > 0 else number(value)
    return f"{text} point{'' if abs(value) == 1 else 's'}"


def duration(span: timedelta, *, each: bool = False) -> str:
    """Write a length of time; with ``each`` so that it can follow "every" or "per".

    Examples
    --------
    >>> from datetime import timedelta
    >>> duration(timedelta(days=1)), duration(timedelta(days=1), each=True), duration(timedelta(hours=36))
    ('1 day', 'day', '36 hours')
    """
    text = duration_text(span)
    unit = text.lstrip("0123456789")
    count = text.removesuffix(unit)
    if count == "1":
        return _UNITS[unit] if each else f"1 {_UNITS[unit]}"
    return f"{int(count):,} {_UNITS[unit]}s"


def listed(words: Iterable[str], last: str = "or") -> str:
    """Join words for a sentence.

    Examples
    --------
    >>> listed(["visit"]), listed(["visit", "search", "chat"])
    ('visit', 'visit, search or chat')
    """
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def condition(asked: Condition) -> str:
    """Write a condition as a clause.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> condition(field("url").contains("/pricing") & (field("seconds") >= 30))
    'url contains "/pricing" and seconds is at least 30'
    >>> condition(~(field("device").is_in(["bot", "preview"]) | field("device").is_null()))
    'not (device is "bot" or "preview" or device is missing)'
    """
    match asked:
        case Test():
            return _test(asked)
        case All():
            return " and ".join(_part(part) for part in asked.parts)
        case AnyOf():
            return " or ".join(_part(part) for part in asked.parts)
        case Not():
            return f"not ({condition(asked.part)})"
    return str(asked)


def _part(asked: Condition) -> str:
    inner = condition(asked)
    return f"({inner})" if isinstance(asked, All | AnyOf) and len(asked.parts) > 1 else inner


def _test(asked: Test) -> str:
    if asked.op == "is_null":
        return f"{asked.field} is {'missing' if asked.value else 'known'}"
    if asked.op == "between":
        low, high = (_value(bound) for bound in asked.value)
        return _TESTS[asked.op].format(field=asked.field, low=low, high=high)
    values = asked.value if isinstance(asked.value, tuple) else (asked.value,)
    value = listed([_value(each) for each in values], "nor" if asked.op == "not_in" else "or")
    return _TESTS[asked.op].format(field=asked.field, value=value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        number(value) if isinstance(value, float) else str(value) if isinstance(value, int) else f'"{value}"'
    )
