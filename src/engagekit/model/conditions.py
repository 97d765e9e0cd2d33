"""Conditions: what `where` and `when` ask of an event, written in Python or in a model file.

>>> from engagekit.model.conditions import condition_from, field
>>> pricing = field("url").contains("/pricing") & (field("seconds") >= 30)
>>> pricing.matches({"url": "https://shop.example/pricing", "seconds": 41})
True
>>> pricing.to_dict()
{'url': {'contains': '/pricing'}, 'seconds': {'ge': 30}}
>>> condition_from(pricing.to_dict()) == pricing
True
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn

from engagekit.errors import ModelError
from engagekit.model.operands import operands_of
from engagekit.model.scalars import is_null
from engagekit.model.tree import DEEPEST, RESERVED, All, AnyOf, Condition, Not, Test
from engagekit.model.wording import TABLE, join, shown

__all__ = ["All", "AnyOf", "Condition", "Field", "Not", "Test", "condition_from", "field", "read_condition"]


class Field:
    """A field of an event, to be compared: what `field` returns."""

    __slots__ = ("name",)
    # With a NumPy scalar on the left, NumPy would otherwise compare in its own way first.
    __array_ufunc__: ClassVar[None] = None
    # Equality makes a test here, so a field is nothing to look up in a set.
    __hash__: ClassVar[None]  # type: ignore[assignment]
    name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", _field_name(name))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a field cannot be changed")

    def __reduce__(self) -> tuple[type["Field"], tuple[str]]:
        return Field, (self.name,)

    def __repr__(self) -> str:
        return f"field({self.name!r})"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is neither true nor false by itself: compare it, as in {self!r} == True")

    def __eq__(self, value: object) -> Test:  # type: ignore[override]
        return self._equal("eq", value)

    def __ne__(self, value: object) -> Test:  # type: ignore[override]
        return self._equal("ne", value)

    def __lt__(self, value: object) -> Test:
        return Test(self.name, "lt", value)

    def __le__(self, value: object) -> Test:
        return Test(self.name, "le", value)

    def __gt__(self, value: object) -> Test:
        return Test(self.name, "gt", value)

    def __ge__(self, value: object) -> Test:
        return Test(self.name, "ge", value)

    def is_in(self, values: Iterable[object]) -> Test:
        """One of the values."""
        return Test(self.name, "in", operands_of(values))

    def not_in(self, values: Iterable[object]) -> Test:
        """None of the values, and not null."""
        return Test(self.name, "not_in", operands_of(values))

    def between(self, low: object, high: object) -> Test:
        """From `low` to `high`, both included."""
        return Test(self.name, "between", (low, high))

    def contains(self, text: str) -> Test:
        """Text in which `text` stands, letter for letter."""
        return Test(self.name, "contains", text)

    def starts_with(self, text: str) -> Test:
        """Text that begins with `text`, letter for letter."""
        return Test(self.name, "starts_with", text)

    def ends_with(self, text: str) -> Test:
        """Text that ends with `text`, letter for letter."""
        return Test(self.name, "ends_with", text)

    def is_null(self, value: bool = True) -> Test:
        """No value at all (null, NaN, or a field that the event does not have); with False the contrary."""
        return Test(self.name, "is_null", value)

    def _equal(self, op: str, value: object) -> Test:
        if is_null(value):
            ask = f"{self!r}.is_null({'' if op == 'eq' else 'False'})"
            raise ModelError([f"field: nothing equals {shown(value)}; ask with {ask}"])
        return Test(self.name, op, value)


def _field_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ModelError([f"field: expected the name of a field, got {shown(name)}"])
    if name in RESERVED:
        raise ModelError([f"field: no field can be named {name!r}, a model file combines conditions by it"])
    return str.__str__(name)


def field(name: str) -> Field:
    """Name a field of an event, to be compared.

    Parameters
    ----------
    name
        `contact`, `type`, `time` and `value` mean the mapped columns, all else a column by its own name.

    Returns
    -------
    Field
        Takes ==, !=, <, <=, >, >= and `.is_in`, `.not_in`, `.between`, `.contains`, `.starts_with`,
        `.ends_with`, `.is_null`; each gives a condition.

    Examples
    --------
    >>> field("url").contains("/pricing") & ~field("device").is_in(["bot", "preview"])
    field('url').contains('/pricing') & ~field('device').is_in(['bot', 'preview'])
    """
    return Field(name)


def condition_from(table: Mapping[str, Any] | Condition, path: str = "where") -> Condition:
    """Read a condition as a model file has it.

    Parameters
    ----------
    table
        Field names with a table of operators, all of which must hold; `any` and `all` with a list of
        such tables, `not` with one.
    path
        How the condition is called in an error.

    Raises
    ------
    ModelError
        With every fault that the table has.

    Examples
    --------
    >>> condition_from({"url": {"contains": "/pricing"}, "not": {"device": {"eq": "bot"}}})
    field('url').contains('/pricing') & ~(field('device') == 'bot')
    """
    faults: list[str] = []
    condition = read_condition(table, path, faults)
    if condition is None or faults:
        raise ModelError(faults)
    return condition


def read_condition(table: object, path: str, faults: list[str], room: int = DEEPEST) -> Condition | None:
    """Read a condition, add what is wrong with it to `faults`, and return what could be read."""
    if isinstance(table, Condition):
        faults.extend(table.faults(path))
        return table
    if not isinstance(table, Mapping):
        python, file = 'field("url").contains("/pricing")', '{ url = { contains = "/pricing" } }'
        if path.rpartition(".")[2] in ("when", "was", "until"):
            python, file = 'field("engagement") >= 50', "{ engagement = { ge = 50 } }"
        faults.append(f"{path}: expected a condition such as {python}, in a file {file}, got {shown(table)}")
        return None
    if not room:
        faults.append(f"{path}: nested deeper than {DEEPEST} levels")
        return None
    if not table:
        faults.append(f"{path}: expected at least one test, got an empty table")
        return None
    parts: list[Condition] = []
    for key, body in table.items():
        parts.extend(_read_entry(key, body, path, faults, room))
    try:
        return parts[0] if len(parts) == 1 else All(parts) if parts else None
    except ModelError:
        faults.append(f"{path}: nested deeper than {DEEPEST} levels")
        return None


def _read_entry(key: object, body: object, path: str, faults: list[str], room: int) -> Iterator[Condition]:
    where = join(path, key)
    try:
        if key == "not":
            part = read_condition(body, where, faults, room - 1)
            if part is not None:
                yield Not(part)
        elif key in ("any", "all"):
            parts = _read_list(body, where, faults, room - 1)
            if parts:
                yield AnyOf(parts) if key == "any" else All(parts)
        else:
            yield from _read_tests(key, body, path, faults)
    except ModelError:
        faults.append(f"{where}: nested deeper than {DEEPEST} levels")


def _read_list(body: object, path: str, faults: list[str], room: int) -> list[Condition]:
    if not isinstance(body, (list, tuple)):
        faults.append(f"{path}: expected a list of conditions, got {shown(body)}")
        return []
    if not body:
        faults.append(f"{path}: expected at least one condition, got an empty list")
    read = [read_condition(item, f"{path}[{index}]", faults, room) for index, item in enumerate(body)]
    return [part for part in read if part is not None]


def _read_tests(key: object, body: object, path: str, faults: list[str]) -> Iterator[Test]:
    where = join(path, key)
    if not isinstance(key, str) or not key:
        faults.append(f"{where}: expected the name of a field, got {shown(key)}")
    elif not isinstance(body, Mapping):
        value = shown(body) if isinstance(body, (str, int, float)) else '"..."'
        example = f"{{ eq = {value.lower() if isinstance(body, bool) else value} }}"
        faults.append(f"{where}: expected {TABLE} of operators such as {example}, got {shown(body)}")
    elif not body:
        faults.append(f"{where}: expected at least one operator, got an empty table")
    else:
        for op, operand in body.items():
            test = Test(key, op, operand)
            faults.extend(test.faults(path))
            yield test
