"""Single values: what kind they are, and whether one passes a test.

This is the one place that says what `ge 30` means for a value; the code that evaluates whole columns
asks it once per distinct value, so that all ways of scoring agree.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal

from engagekit.errors import EventsError
from engagekit.model.wording import shown

ValueKind = Literal["null", "boolean", "number", "text", "instant", "other"]

OPERATORS = (
    *("eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "between"),
    *("contains", "starts_with", "ends_with", "is_null"),
)
TEXT_OPERATORS = frozenset(("contains", "starts_with", "ends_with"))
ORDER_OPERATORS = frozenset(("lt", "le", "gt", "ge", "between"))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": str.__contains__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
# Nearly every value is of one of these types, and is then neither null nor NumPy's.
_PLAIN: dict[type, ValueKind] = {str: "text", int: "number", bool: "boolean"}
_NOUNS = {"boolean": "a boolean", "number": "a number", "text": "text", "instant": "an instant"}


def is_null(value: object) -> bool:
    """Tell whether a value is none at all: None, NaN, NaT or NA.

    Examples
    --------
    >>> is_null(None), is_null(float("nan")), is_null(0), is_null("")
    (True, True, False, False)
    """
    if type(value) in _PLAIN:
        return False
    if value is None:
        return True
    if type(value) is float:
        return value != value
    # pandas' NA answers no question with True or False, so it is known by its name.
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (Real, Decimal)) and bool(value != value)


def is_number(value: object) -> bool:
    """Tell whether a value is a number; a boolean is none.

    Examples
    --------
    >>> is_number(3), is_number(True), is_number("3")
    (True, False, False)
    """
    # Asking the abstract Real takes a hundred times as long as knowing the two usual types.
    if type(value) is float or type(value) is int:
        return True
    return not isinstance(value, bool) and isinstance(value, (Real, Decimal))


def plain_scalar(value: Any) -> Any:
    """Turn a NumPy scalar into the Python value it stands for, and leave everything else alone.

    Python compares an int with a float exactly; NumPy rounds the int first.
    """
    if type(value) not in _PLAIN and type(value).__module__ == "numpy" and hasattr(value, "item"):
        if getattr(value, "ndim", 0):
            return value
        return value.astype("datetime64[us]").item() if value.dtype.kind == "M" else value.item()
    return value


def kind_of(value: object) -> ValueKind:
    """Name the kind of a value as conditions see it.

    Examples
    --------
    >>> [kind_of(value) for value in (None, True, 3, "3", b"3")]
    ['null', 'boolean', 'number', 'text', 'other']
    """
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain
    if is_null(value):
        return "null"
    if is_number(value):
        return "number"
    if isinstance(value, str):
        return "text"
    return "instant" if isinstance(value, date) else "other"


def instant_us(value: date | str) -> int:
    """Return an instant as microseconds since 1970, UTC; without a zone it is taken as UTC.

    Parameters
    ----------
    value
        A datetime, a date (its midnight) or ISO-8601 text. Digits finer than a microsecond are floored.

    Raises
    ------
    ValueError
        When the text is no ISO-8601 instant.

    Examples
    --------
    >>> instant_us("1970-01-01T00:00:01Z"), instant_us("1969-12-31")
    (1000000, -86400000000)
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - _EPOCH) // _MICROSECOND


def instant_text(value: date) -> str:
    """Write an instant as ISO-8601 text in UTC.

    Examples
    --------
    >>> from datetime import date
    >>> instant_text(date(2024, 1, 1))
    '2024-01-01T00:00:00Z'
    """
    moment = _EPOCH + instant_us(value) * _MICROSECOND
    return moment.replace(tzinfo=None).isoformat() + "Z"


def holds(op: str, operand: Any, value: Any, *, field: str = "value") -> bool:
    """Tell whether a value passes a test.

    Parameters
    ----------
    op
        One of `OPERATORS`.
    operand
        What the value is compared with, as a checked `Test` carries it.
    value
        Any single value. A null passes no test but `is_null`; booleans compare with booleans, numbers
        with numbers (an int with a float exactly), text with text, an instant with ISO-8601 text.
    field
        The name to use in an error.

    Raises
    ------
    EventsError
        When the value is of a kind that the test cannot be asked of.

    Examples
    --------
    >>> holds("ge", 30, 31.5), holds("ne", "a", None), holds("in", ("a", "b"), "b")
    (True, False, True)
    """
    value = plain_scalar(value)
    if is_null(value):
        return op == "is_null" and bool(operand)
    if op == "is_null":
        return not operand
    kind = kind_of(value)
    if op in TEXT_OPERATORS:
        if kind != "text":
            raise _wrong_kind(field, "text", op, value, kind)
        return _TEXT_TESTS[op](value, operand)
    if kind == "instant":
        value = instant_us(value)
    if op in ("in", "not_in"):
        # All of them are looked at, so that a wrong kind never depends on which value comes first.
        matching = [item for item in operand if _comparable(item, kind, field, op, value) == value]
        return bool(matching) == (op == "in")
    if op == "between":
        low, high = (_comparable(item, kind, field, op, value) for item in operand)
        return bool(low <= value <= high)
    return _COMPARE[op](value, _comparable(operand, kind, field, op, value))


def _comparable(operand: Any, kind: ValueKind, field: str, op: str, value: Any) -> Any:
    expected = kind_of(operand)
    if expected == kind:
        return operand
    if expected == "text" and kind == "instant":
        try:
            return instant_us(operand)
        except ValueError:
            raise EventsError(
                f"field {field!r}: holds instants, and {shown(operand)} of the test {op!r} is none; "
                'expected ISO-8601 text such as "2024-01-01T00:00:00Z"'
            ) from None
    raise _wrong_kind(field, _NOUNS.get(expected, expected), op, value, kind)


def _wrong_kind(field: str, expected: str, op: str, value: object, kind: ValueKind) -> EventsError:
    found = _NOUNS.get(kind, f"a {type(value).__name__}")
    told = found if kind == "instant" else f"{found}: {shown(value)}"
    return EventsError(f"field {field!r}: expected {expected} for the test {op!r}, got {told}")
