"""The tree that a condition is: tests, and what combines them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn

import attrs

from engagekit.errors import ModelError
from engagekit.model.operands import operand_faults, operand_of
from engagekit.model.scalars import OPERATORS, TEXT_OPERATORS, holds, kind_of
from engagekit.model.wording import is_unicode, join, shown, suggestion

DEEPEST = 12
"""How deep conditions may stand in one another, so that a saved model can be read again."""

RESERVED = frozenset(("any", "all", "not"))
"""Words that combine conditions in a model file, and so name no field."""

_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_METHODS = {"in": "is_in", "not_in": "not_in"}


class Condition:
    """Something that holds for an event or does not; made by `field`, combined by `&`, `|` and `~`."""

    __slots__ = ()

    @property
    def depth(self) -> int:
        """How many conditions stand in one another, this one included."""
        return 1

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that the condition looks at."""
        return frozenset()

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the condition holds for one event.

        Parameters
        ----------
        row
            Field names and their values. A field that is missing is null, and a null passes no test
            but `is_null`.

        Raises
        ------
        EventsError
            When a value is of a kind that the test cannot be asked of, such as text for `ge 30`.
        """
        raise TypeError(f"{type(self).__name__} states no condition for {shown(row)}: use field(...)")

    def to_dict(self) -> dict[str, Any]:
        """Return the condition as a model file has it."""
        raise TypeError(f"{type(self).__name__} states no condition: use field(...)")

    def faults(self, path: str = "where") -> Iterator[str]:
        """Say everything that is wrong with the condition, each fault after its path."""
        yield f"{path}: {type(self).__name__} states no condition"

    def __and__(self, other: "Condition") -> "All":
        return All((self, other)) if _is_condition(other) else NotImplemented

    def __or__(self, other: "Condition") -> "AnyOf":
        return AnyOf((self, other)) if _is_condition(other) else NotImplemented

    def __invert__(self) -> "Condition":
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a condition is neither true nor false by itself: combine conditions with &, | and ~ "
            "(not with and, or, not, if), and ask for a range with .between(low, high)"
        )


def _is_condition(value: object) -> bool:
    return isinstance(value, Condition)


def _kinded(value: object) -> object:
    # In Python True == 1; for a column of booleans or of numbers they are not the same test.
    if isinstance(value, tuple):
        return tuple(_kinded(item) for item in value)
    return (kind_of(value), value)


@attrs.frozen(repr=False)
class Test(Condition):
    """One field compared with something.

    Parameters
    ----------
    field
        The name of the field: `contact`, `type`, `time`, `value`, or a column by its own name.
    op
        eq, ne, lt, le, gt, ge, in, not_in, between, contains, starts_with, ends_with or is_null.
    value
        What the field is compared with: a number, text, a boolean or an instant; for `in` and `not_in`
        a list of them, for `between` the two inclusive bounds, for `is_null` True or False.

    Examples
    --------
    >>> Test("seconds", "between", (30, 60)).matches({"seconds": 60})
    True
    >>> Test("seconds", "ge", 30)
    (field('seconds') >= 30)
    """

    # pytest would collect a class of this name where it is imported.
    __test__: ClassVar[bool] = False

    field: str
    op: str
    value: Any = attrs.field(converter=operand_of, eq=_kinded)

    @property
    def fields(self) -> frozenset[str]:
        """The one field, as a set."""
        return frozenset((self.field,))

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the field of one event passes the test."""
        return holds(self.op, self.value, row.get(self.field), field=self.field)

    def to_dict(self) -> dict[str, Any]:
        """Return `{field: {op: value}}`."""
        return {self.field: {self.op: list(self.value) if isinstance(self.value, tuple) else self.value}}

    def faults(self, path: str = "where") -> Iterator[str]:
        """Say what is wrong with the field's name, the operator or the value."""
        yield from _field_faults(self.field, path)
        where = join(join(path, self.field), self.op)
        if self.op not in OPERATORS:
            yield f"{where}: unknown operator{suggestion(self.op, OPERATORS)}"
        else:
            yield from operand_faults(self.op, self.value, where)

    def __repr__(self) -> str:
        name = f"field({self.field!r})"
        if self.op in _COMPARISONS:
            return f"({name} {_COMPARISONS[self.op]} {self.value!r})"
        if self.op == "between" and isinstance(self.value, tuple) and len(self.value) == 2:
            return f"{name}.between({self.value[0]!r}, {self.value[1]!r})"
        if self.op in _METHODS and isinstance(self.value, tuple):
            return f"{name}.{_METHODS[self.op]}({list(self.value)!r})"
        if self.op == "is_null":
            return f"{name}.is_null({'' if self.value is True else repr(self.value)})"
        if self.op in TEXT_OPERATORS:
            return f"{name}.{self.op}({self.value!r})"
        return f"Test({self.field!r}, {self.op!r}, {self.value!r})"


def _field_faults(name: object, path: str) -> Iterator[str]:
    if not isinstance(name, str) or not name:
        yield f"{path}: expected the name of a field, got {shown(name)}"
    elif name in RESERVED:
        yield f"{join(path, name)}: no field can have this name, it combines conditions"
    elif not is_unicode(name):
        yield f"{join(path, name)}: expected valid Unicode text as the name of a field"


def _checked(parts: Iterable[object]) -> Iterator[Condition]:
    for part in parts:
        if not isinstance(part, Condition):
            raise ModelError([f"conditions: expected a condition, got {shown(part)}"])
        yield part


def _one_part(part: Condition) -> Condition:
    return next(_checked((part,)))


def _all_parts(parts: Iterable[Condition]) -> tuple[Condition, ...]:
    # a & b & c and a & (b & c) say the same, so they are the same.
    return tuple(
        one for part in _checked(parts) for one in (part.parts if isinstance(part, All) else (part,))
    )


def _any_parts(parts: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(
        one for part in _checked(parts) for one in (part.parts if isinstance(part, AnyOf) else (part,))
    )


class _Nested(Condition):
    """What the conditions that are made of conditions share."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        # At once, not when a model is made: comparing or showing a deeper one could exhaust the stack.
        if self.depth > DEEPEST:
            raise ModelError([f"conditions: nested deeper than {DEEPEST} levels"])

    @property
    def _inner(self) -> tuple[Condition, ...]:
        return ()

    @property
    def depth(self) -> int:
        """How many conditions stand in one another, this one included."""
        return 1 + max((part.depth for part in self._inner), default=0)

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that any part looks at."""
        return frozenset[str]().union(*(part.fields for part in self._inner))

    def _joined(self, sign: str) -> str:
        if len(self._inner) < 2:
            return f"{type(self).__name__}({list(self._inner)!r})"
        return sign.join(_parenthesised(part) for part in self._inner)


def _parenthesised(part: Condition) -> str:
    return f"({part!r})" if isinstance(part, (All, AnyOf)) else repr(part)


@attrs.frozen(repr=False)
class All(_Nested):
    """Every part must hold: `a & b`.

    Examples
    --------
    >>> both = All([Test("device", "eq", "mobile"), Test("seconds", "gt", 5)])
    >>> both
    (field('device') == 'mobile') & (field('seconds') > 5)
    >>> both.matches({"device": "mobile"})
    False
    """

    parts: tuple[Condition, ...] = attrs.field(converter=_all_parts)

    @property
    def _inner(self) -> tuple[Condition, ...]:
        return self.parts

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Tell whether every part holds for one event."""
        return all(part.matches(row) for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return one table where that says it, else `{"all": [...]}`."""
        if not self._is_flat:
            return {"all": [part.to_dict() for part in self.parts]}
        flat: dict[str, Any] = {}
        for part in self.parts:
            for key, body in part.to_dict().items():
                flat[key] = {**flat.get(key, {}), **body} if isinstance(part, Test) else body
        return flat

    @property
    def _is_flat(self) -> bool:
        """Whether one table says it, and is read back as these parts in this order."""
        keys = [_flat_key(part) for part in self.parts]
        names = [name for index, (name, _) in enumerate(keys) if not index or keys[index - 1][0] != name]
        return len(keys) > 1 and len(set(keys)) == len(keys) and len(set(names)) == len(names)

    def faults(self, path: str = "where") -> Iterator[str]:
        """Say everything that is wrong with the parts, each fault after its path."""
        if not self.parts:
            yield f"{path}: expected at least one condition"
        flat = self._is_flat
        for index, part in enumerate(self.parts):
            yield from part.faults(path if flat else f"{join(path, 'all')}[{index}]")

    def __repr__(self) -> str:
        return self._joined(" & ")


def _flat_key(part: Condition) -> tuple[str, str]:
    if isinstance(part, Test):
        return part.field, part.op
    return ("not" if isinstance(part, Not) else "any"), ""


@attrs.frozen(repr=False)
class AnyOf(_Nested):
    """At least one part must hold: `a | b`.

    Examples
    --------
    >>> Test("plan", "eq", "pro") | Test("seats", "is_null", True)
    (field('plan') == 'pro') | field('seats').is_null()
    """

    parts: tuple[Condition, ...] = attrs.field(converter=_any_parts)

    @property
    def _inner(self) -> tuple[Condition, ...]:
        return self.parts

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Tell whether any part holds for one event."""
        return any(part.matches(row) for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return `{"any": [...]}`."""
        return {"any": [part.to_dict() for part in self.parts]}

    def faults(self, path: str = "where") -> Iterator[str]:
        """Say everything that is wrong with the parts, each fault after its path."""
        if not self.parts:
            yield f"{join(path, 'any')}: expected at least one condition"
        for index, part in enumerate(self.parts):
            yield from part.faults(f"{join(path, 'any')}[{index}]")

    def __repr__(self) -> str:
        return self._joined(" | ")


@attrs.frozen(repr=False)
class Not(_Nested):
    """The part must not hold: `~a`. A null, which passes no test, passes the inverted one.

    Examples
    --------
    >>> (~Test("device", "eq", "mobile")).matches({"device": None})
    True
    """

    part: Condition = attrs.field(converter=_one_part)

    @property
    def _inner(self) -> tuple[Condition, ...]:
        return (self.part,)

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the part does not hold for one event."""
        return not self.part.matches(row)

    def to_dict(self) -> dict[str, Any]:
        """Return `{"not": {...}}`."""
        return {"not": self.part.to_dict()}

    def faults(self, path: str = "where") -> Iterator[str]:
        """Say everything that is wrong with the part, each fault after its path."""
        yield from self.part.faults(join(path, "not"))

    def __invert__(self) -> Condition:
        return self.part

    def __repr__(self) -> str:
        # Two tildes would take each other away.
        return f"Not({self.part!r})" if isinstance(self.part, Not) else f"~{_parenthesised(self.part)}"
