"""What a test compares with: how it is normalised and what can be wrong with it."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from engagekit.model.scalars import (
    ORDER_OPERATORS,
    TEXT_OPERATORS,
    instant_text,
    instant_us,
    is_null,
    kind_of,
    plain_scalar,
)
from engagekit.model.wording import is_unicode, shown


def operand_of(value: object) -> object:
    """Normalise what a test compares with, so that equal tests are equal and write the same text.

    Instants become ISO-8601 text, integral numbers int, several values a tuple; anything else is kept
    as it is, for the model to name as a fault.

    Examples
    --------
    >>> from datetime import datetime
    >>> operand_of(30.0), operand_of(datetime(2024, 1, 1)), operand_of(["a", "b"])
    (30, '2024-01-01T00:00:00Z', ('a', 'b'))
    """
    if isinstance(value, (list, tuple)):
        return tuple(_single_operand(item) for item in value)
    if isinstance(value, (set, frozenset)):
        # A set has no order of its own; without one the same model would have many fingerprints.
        items = [_single_operand(item) for item in value]
        return tuple(sorted(items, key=lambda item: (type(item).__name__, repr(item))))
    return _single_operand(value)


def _plain_real(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < 2.0**63 else number


def operands_of(values: Iterable[object] | object) -> object:
    """Normalise the values of `in` and `not_in`; text is not a list of its letters."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return values
    return operand_of(values if isinstance(values, (set, frozenset)) else list(values))


def _single_operand(value: object) -> object:
    value = plain_scalar(value)
    if is_null(value) or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, (Real, Decimal)):
        return _plain_real(float(value))
    if isinstance(value, date):
        try:
            return instant_text(value)
        except OverflowError:
            return value
    return value


def operand_faults(op: str, operand: object, path: str) -> Iterator[str]:
    """Say what is wrong with the operand of a known operator.

    Examples
    --------
    >>> list(operand_faults("contains", 5, "where.url.contains"))
    ['where.url.contains: expected text, got 5']
    """
    if op == "is_null":
        if not isinstance(operand, bool):
            yield f"{path}: expected true or false, got {shown(operand)}"
    elif op in ("in", "not_in"):
        if not isinstance(operand, tuple):
            yield f"{path}: expected a list of values, got {shown(operand)}"
        elif not operand:
            yield f"{path}: expected at least one value, got an empty list"
        else:
            yield from _several_faults(op, operand, path)
    elif op == "between":
        if not isinstance(operand, tuple) or len(operand) != 2:
            found = f"a list of {len(operand)}" if isinstance(operand, tuple) else shown(operand)
            yield f"{path}: expected two values, the lower and the upper bound, got {found}"
        else:
            yield from _several_faults(op, operand, path)
    else:
        yield from _single_faults(op, operand, path)


def _several_faults(op: str, operands: tuple[Any, ...], path: str) -> Iterator[str]:
    faults = [
        fault for index, item in enumerate(operands) for fault in _single_faults(op, item, f"{path}[{index}]")
    ]
    yield from faults
    if faults:
        return
    kinds = list(dict.fromkeys(kind_of(item) for item in operands))
    if len(kinds) > 1:
        yield f"{path}: expected values of one kind, got {' and '.join(kinds)}"
    elif op == "between" and _is_reversed(*operands):
        yield f"{path}: the lower bound {shown(operands[0])} is above the upper bound {shown(operands[1])}"


def _single_faults(op: str, operand: object, path: str) -> Iterator[str]:
    kind = kind_of(operand)
    if op in TEXT_OPERATORS and kind != "text":
        yield f"{path}: expected text, got {shown(operand)}"
    elif kind == "null":
        yield f"{path}: expected a value, got {shown(operand)} (nulls are found by is_null)"
    elif kind == "boolean":
        if op in ORDER_OPERATORS:
            yield f"{path}: expected a number, text or an instant, got {shown(operand)} (it has no order)"
    elif kind == "number":
        yield from _number_faults(operand, path)
    elif kind != "text":
        yield f"{path}: expected a number, text, a boolean or an instant, got {shown(operand)}"
    elif isinstance(operand, str) and not is_unicode(operand):
        yield f"{path}: expected valid Unicode text, got {shown(operand)}"


def _number_faults(operand: object, path: str) -> Iterator[str]:
    if isinstance(operand, int):
        if not -(2**63) <= operand < 2**64:
            yield f"{path}: expected a number of at most 64 bits, got {shown(operand)}"
    elif not isinstance(operand, float) or operand in (float("inf"), float("-inf")):
        yield f"{path}: expected a finite number, got {shown(operand)}"


def _is_reversed(low: Any, high: Any) -> bool:
    if isinstance(low, str):
        try:
            return instant_us(low) > instant_us(high)
        except ValueError:
            # Text that names no instants is compared letter by letter.
            pass
    return bool(low > high)
