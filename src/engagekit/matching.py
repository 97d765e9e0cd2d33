"""Which events a plan's rules take: conditions on columns, and classes of events that are alike to the model.

Two events are of one class when they have the same type and the same answers to the conditions that the
model asks of that type. What the rules make of a class is looked up once a class, not once an event.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import define

from engagekit import _core
from engagekit.coding import described
from engagekit.columns import Column
from engagekit.errors import EventsError
from engagekit.events import Events
from engagekit.grouping import narrow
from engagekit.model.conditions import All, AnyOf, Condition, Not, Test
from engagekit.model.scalars import TEXT_OPERATORS, holds, instant_us, kind_of
from engagekit.plan import ACTIVITY, CUSTOMER_ON, ENDS_ON, ON, READ, UNLESS, Plan, Selector

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mask: TypeAlias = "NDArray[np.bool_]"

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge":
    operator.ge,
}  # fmt: skip
_KINDS = {"integer": "number", "float": "number", "boolean": "boolean", "text": "text", "instant": "instant"}
_MOST_KEPT = 1024
"""Types of which a plan's tables are kept for the next events."""
_BITS = 24
"""Conditions taken into account at once when classes are made: the keys stay within 64 bits."""


def truth(
    condition: Condition, column: Callable[[str], Column], rows: int, what: Callable[[str], str]
) -> Mask:
    """Evaluate a condition on whole columns.

    Parameters
    ----------
    condition
        A condition of a checked model.
    column
        Gives a field's column, of `rows` rows.
    rows
        The number of rows.
    what
        How errors name a field, such as ``"events column 'url'"``.

    Returns
    -------
    ndarray of bool
        Whether it holds, row by row; the same as `condition.matches` of each row.
    """
    if isinstance(condition, Test):
        return _test(condition, column(condition.field), what(condition.field))
    if isinstance(condition, Not):
        return ~truth(condition.part, column, rows, what)
    assert isinstance(condition, (All, AnyOf))
    held = np.full(rows, isinstance(condition, All))
    for part in condition.parts:
        one = truth(part, column, rows, what)
        held = held & one if isinstance(condition, All) else held | one
    return held


def _test(test: Test, column: Column, what: str) -> Mask:
    null = column.null
    if test.op == "is_null":
        empty = np.zeros(len(column.values), bool) if null is None else null
        return empty if test.value else ~empty
    if null is not None and null.all():
        return np.zeros(len(null), bool)
    _refuse_other_kinds(test, column, what)
    if column.kind == "text":
        # once a distinct value; the last entry answers for null (code -1)
        assert column.categories is not None
        answers = [holds(test.op, test.value, text, field=test.field) for text in column.categories]
        passed: Mask = np.array([*answers, False], bool)[column.values]
        return passed
    value = _instants(test.value, what) if column.kind == "instant" else test.value
    if column.kind == "float" and _rounds(value):
        # NumPy would round the number that the model asks for; Python compares as it stands
        exact = [holds(test.op, value, number, field=test.field) for number in column.values.tolist()]
        return np.array(exact, bool)
    held = _compared(test.op, value, column.values)
    return held if null is None else held & ~null


def _rounds(operand: Any) -> bool:
    """Whether a float64 cannot hold a whole number that is asked for."""
    operands = operand if isinstance(operand, tuple) else (operand,)
    return any(isinstance(item, int) and int(float(item)) != item for item in operands)


def _compared(op: str, operand: Any, values: NDArray[Any]) -> Mask:
    if op in ("in", "not_in"):
        found = np.zeros(len(values), bool)
        for item in operand:
            found |= values == item
        return found if op == "in" else ~found
    if op == "between":
        held: Mask = (values >= operand[0]) & (values <= operand[1])
        return held
    return np.asarray(_COMPARE[op](values, operand), bool)


def _instants(operand: Any, what: str) -> Any:
    if isinstance(operand, tuple):
        return tuple(_instants(item, what) for item in operand)
    try:
        return instant_us(operand)
    except ValueError:
        raise EventsError(
            f"{what}: holds instants, the model compares it with {operand!r}; "
            'expected ISO 8601 text such as "2024-01-01T00:00:00Z"'
        ) from None


def _refuse_other_kinds(test: Test, column: Column, what: str) -> None:
    operands = test.value if isinstance(test.value, tuple) else (test.value,)
    asked = {kind_of(item) for item in operands}
    kind = _KINDS.get(column.kind)
    if kind == "instant" and asked == {"text"} and test.op not in TEXT_OPERATORS:
        return
    if asked != {kind} or (test.op in TEXT_OPERATORS and kind != "text"):
        listed = " and ".join(sorted(asked))
        raise EventsError(f"{what}: expected {listed} as in {test!r}, got {described(column)}")


@define(kw_only=True)
class Match:
    """What the kernel has to know of one plan and one Events."""

    classes: NDArray[Any]
    """Of uint8, uint16 or int32, the greatest (of int32: -1) for an excluded event."""
    flags: NDArray[np.uint8]
    verdicts: NDArray[np.uint8]
    plain_start: NDArray[np.int32]
    plain_rules: NDArray[np.int32]
    roles: NDArray[np.uint8]
    weight_columns: NDArray[np.int32]
    weight_starts: NDArray[np.int64]
    weight_factors: NDArray[np.float64]
    codes: list[NDArray[np.int32]]
    amounts: list[NDArray[np.float64]]
    view: View

    @classmethod
    def of(
        cls,
        plan: Plan,
        view: View,
        tables: Tables,
        *,
        classes: NDArray[Any],
        coded: list[tuple[NDArray[np.int32], list[str]]],
        amounts: list[NDArray[np.float64]],
    ) -> Match:
        """Put together what is known of the classes and the columns, each of codes with its labels."""
        starts, by_weight = factors(plan, [labels for _, labels in coded])
        return cls(
            classes=classes,
            flags=tables.flags,
            verdicts=tables.verdicts,
            plain_start=tables.plain_start,
            plain_rules=tables.plain_rules,
            roles=tables.roles,
            weight_columns=np.array([column for column, _ in plan.weights], np.int32),
            weight_starts=starts,
            weight_factors=by_weight,
            codes=[codes for codes, _ in coded],
            amounts=amounts,
            view=view,
        )


def match(plan: Plan, events: Events) -> Match:
    """Apply a plan's selectors, weights, amounts and exclusions to events.

    Raises
    ------
    EventsError
        If a column that the model names is missing or of a kind that does not fit.
    """
    coded = [events.codes(name) for name in plan.codes]
    if plan.conditions or len(events.types_by_code) > _MOST_KEPT:
        classes, view = _classes(plan, events)
        tables = Tables.of(plan, view)
    else:
        classes = events.types
        view, tables = _of_types(plan, tuple(events.types_by_code))
    amounts = [events.numbers(name) for name in plan.amounts]
    result = Match.of(plan, view, tables, classes=classes, coded=coded, amounts=amounts)
    if len(plan.excludes):
        roles = exclude_roles(plan, view)
        if view.size:
            gone = np.zeros(len(classes), np.uint8)
            _core.exclude(plan.excludes, roles, events.starts, events.times, result.codes, classes, gone)
            none = -1 if classes.dtype == np.int32 else np.iinfo(classes.dtype).max
            result.classes = np.where(gone.view(np.bool_), classes.dtype.type(none), classes)
    return result


def exclude_roles(plan: Plan, view: View) -> NDArray[np.uint8]:
    """Say of each class what it is for each exclusion."""
    roles = np.zeros((len(plan.excluded), view.size), np.uint8)
    for x, (taken, followed) in enumerate(plan.excluded):
        roles[x, view.where(taken)] |= ON
        roles[x, view.where(followed)] |= UNLESS
    return roles


def _selectors(plan: Plan) -> Iterable[Selector]:
    for group in (*plan.matches, *plan.unless.values(), plan.passive, plan.customer_on, plan.ends_on):
        yield from group
    for _, group in plan.verdicts:
        yield from group
    for taken, followed in plan.excluded:
        yield from taken
        yield from followed


def asked_of(plan: Plan) -> dict[str, set[int]]:
    """Give the conditions that a plan asks of each type that it names."""
    asked: dict[str, set[int]] = {}
    for selector in _selectors(plan):
        asked.setdefault(selector.type, set()).update(selector.conditions)
    return asked


def _classes(plan: Plan, events: Events) -> tuple[NDArray[Any], View]:
    """Give the class of each event, and a view of the classes."""
    asked = asked_of(plan)
    # every condition is evaluated, so that a missing column shows whatever types have come
    answers = [
        truth(condition, events.column, len(events.times), events.named) for condition in plan.conditions
    ]
    classes = events.types
    types = np.arange(len(events.types_by_code))
    matters = np.zeros((len(answers), len(types)), bool)
    for code, name in enumerate(events.types_by_code):
        matters[list(asked.get(name, ())), code] = True
    held = np.zeros((len(answers), len(types)), bool)
    wanted = np.flatnonzero(matters.any(axis=1)).tolist()
    for first in range(0, len(wanted), _BITS):
        some = wanted[first : first + _BITS]
        bits = np.zeros(len(classes), np.int64)
        for b, c in enumerate(some):
            bits |= answers[c].astype(np.int64) << b
        weights = np.int64(1) << np.arange(len(some))
        masks = weights @ matters[some][:, types]
        keys = (classes.astype(np.int64) << _BITS) | (bits & masks[classes])
        ids, classes = _core.IntegerIds(), np.empty(len(keys), np.int32)
        ids.code(keys, None, classes)
        distinct = np.empty(len(ids), np.int64)
        ids.export(distinct)
        before = distinct >> _BITS
        types, held = types[before], held[:, before]
        held[some] = (distinct >> np.arange(len(some))[:, None]) & 1 != 0
    return narrow(classes, len(types)), View(types, held, events.types_by_code)


class View:
    """The classes by number: the code of their type, and (conditions x classes) what holds for them."""

    def __init__(self, types: NDArray[np.intp], held: Mask, names: list[str]) -> None:
        self.size = len(types)
        self.types = types
        self.names = names
        self.held = held
        of_code: dict[int, list[int]] = {}
        for number, code in enumerate(types.tolist()):
            of_code.setdefault(code, []).append(number)
        self._classes = {names[code]: np.array(numbers) for code, numbers in of_code.items()}
        self._found: dict[tuple[Selector, ...], Mask] = {}

    def where(self, selectors: tuple[Selector, ...]) -> Mask:
        """Mark the classes that any of the selectors selects."""
        if selectors not in self._found:
            found = self._found[selectors] = np.zeros(self.size, bool)
            for selector in selectors:
                classes = self._classes.get(selector.type)
                if classes is not None and selector.conditions:
                    classes = classes[self.held[sorted(selector.conditions)][:, classes].all(axis=0)]
                if classes is not None:
                    found[classes] = True
        return self._found[selectors]


@define(frozen=True, kw_only=True)
class Tables:
    """What a plan makes of each class."""

    flags: NDArray[np.uint8]
    verdicts: NDArray[np.uint8]
    plain_start: NDArray[np.int32]
    plain_rules: NDArray[np.int32]
    roles: NDArray[np.uint8]

    @classmethod
    def of(cls, plan: Plan, view: View) -> Tables:
        """Look each rule's events up in the classes."""
        start, rules = _plain(plan, view)
        verdicts = np.zeros(view.size, np.uint8)
        for verdict, group in plan.verdicts:
            verdicts[view.where(group)] |= verdict
        return cls(
            flags=_flags(plan, view),
            verdicts=verdicts,
            plain_start=start,
            plain_rules=rules,
            roles=_roles(plan, view),
        )


@lru_cache(maxsize=64)
def _of_types(plan: Plan, types: tuple[str, ...]) -> tuple[View, Tables]:
    """Where a model asks nothing but types these are the classes: the same for whatever events have them."""
    view = View(np.arange(len(types)), np.empty((0, len(types)), bool), list(types))
    return view, Tables.of(plan, view)


def _flags(plan: Plan, view: View) -> NDArray[np.uint8]:
    flags = np.full(view.size, ACTIVITY, np.uint8)
    flags[view.where(plan.passive)] &= 255 - ACTIVITY
    flags[view.where(plan.customer_on)] |= CUSTOMER_ON
    flags[view.where(plan.ends_on)] |= ENDS_ON
    for group in (*plan.matches, *plan.unless.values()):
        flags[view.where(group)] |= READ
    return flags


def _plain(plan: Plan, view: View) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """By class the rules that need no order, as starts into one list."""
    plain = np.flatnonzero(plan.rules["listed"] < 0)
    takes = np.array([view.where(plan.matches[r]) for r in plain], bool).reshape(len(plain), view.size)
    _, which = np.nonzero(takes.T)
    starts = np.concatenate([[0], np.cumsum(takes.sum(axis=0))]).astype(np.int32)
    return starts, plain[which].astype(np.int32)


def _roles(plan: Plan, view: View) -> NDArray[np.uint8]:
    roles = np.zeros((len(plan.listed), view.size), np.uint8)
    for number, r in enumerate(plan.listed.tolist()):
        roles[number, view.where(plan.matches[r])] |= ON
        roles[number, view.where(plan.unless.get(r, ()))] |= UNLESS
    return roles


def factors(plan: Plan, labels: list[list[str]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Per weight a table by code, its first entry (code -1, a null) 1; one after the other."""
    starts, tables = [], [np.empty(0)]
    size = 0
    for column, factors in plan.weights:
        starts.append(size)
        tables.append(np.array([1.0, *(factors.get(label, 1.0) for label in labels[column])]))
        size += len(tables[-1])
    return np.array(starts, np.int64), np.concatenate(tables)
