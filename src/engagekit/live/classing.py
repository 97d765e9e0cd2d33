"""The classes and types of events that a live state knows: they grow with what comes, and mean a table's.

A table of events has its classes made for it (`engagekit.matching`); a live state numbers a class when it
first meets it. A type that the model does not name is of one class with all others of that kind, so the model
alone says how many there can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import evolve

from engagekit import _core
from engagekit.errors import EventsError
from engagekit.instants import EPOCH
from engagekit.live.identity import refuse_surrogates
from engagekit.matching import Match, Tables, View, asked_of, exclude_roles
from engagekit.model.scalars import instant_us, is_null, kind_of, plain_scalar
from engagekit.model.wording import shown, typed
from engagekit.running import attach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.plan import Plan

Held = frozenset[int]
_UNNAMED: Final = "\0"
"""Stands for every type that the model does not name; no name of a type can be it."""
_NULL_BY: Final = -1


class Classes:
    """Numbers classes of events for one plan, and says what they mean.

    Parameters
    ----------
    plan
        The plan; without one type that it names there is one class, that of all other types.
    lateness
        How late an event may come, in microseconds.
    """

    def __init__(self, plan: Plan, lateness: int) -> None:
        self.plan = plan
        self.lateness = lateness
        self.judging = evolve(plan, excludes=plan.excludes[:0])
        """The same plan for `match`: what is excluded is for the live state to say."""
        self._asked = asked_of(plan)
        self.numbers: dict[tuple[str, Held], int] = {(_UNNAMED, frozenset()): 0}
        labels: list[dict[str, None]] = [{} for _ in plan.codes]
        for column, table in plan.weights:
            labels[column].update(dict.fromkeys(table))
        self.labels = [{label: code for code, label in enumerate(names)} for names in labels]
        """By column of codes the labels that have a weight."""
        self.codes = [np.zeros(1, np.int32) for _ in plan.codes]
        self.amounts = [np.zeros(1) for _ in plan.amounts]

    def is_plain(self, type: str) -> bool:
        """Whether an event's type alone says its class, and its class its points."""
        return not self.plan.codes and not self.plan.amounts and not self._asked.get(type)

    def key(self, type: str, held: Held) -> tuple[str, Held]:
        """Name the class of events of a type for which these conditions hold."""
        asked = self._asked.get(type)
        return (_UNNAMED, frozenset()) if asked is None else (type, held & asked)

    def of_row(self, row: Mapping[str, Any]) -> tuple[str, Held]:
        """Name the class of one event; a field that it lacks is null."""
        asked = self._asked.get(row["type"])
        if asked is None:
            return _UNNAMED, frozenset()
        return row["type"], frozenset(c for c in asked if self.plan.conditions[c].matches(row))

    def of_view(self, view: View) -> list[tuple[str, Held]]:
        """Name the classes of a table."""
        return [
            self.key(view.names[code], frozenset(np.flatnonzero(view.held[:, number]).tolist()))
            for number, code in enumerate(view.types.tolist())
        ]

    def number(self, live: _core.LiveState, key: tuple[str, Held]) -> int:
        """Return the number of a class, a new one if need be."""
        if key not in self.numbers:
            self.numbers[key] = len(self.numbers)
            self.declare(live)
        return self.numbers[key]

    def declare(self, live: _core.LiveState) -> None:
        """Tell a live state what the classes mean."""
        plan = self.plan
        names = list(dict.fromkeys(name for name, _ in self.numbers))
        places = {name: place for place, name in enumerate(names)}
        held = np.zeros((len(plan.conditions), len(self.numbers)), bool)
        for (_, conditions), number in self.numbers.items():
            held[sorted(conditions), number] = True
        view = View(np.array([places[name] for name, _ in self.numbers]), held, names)
        tables = Tables.of(plan, view)
        matched = Match.of(
            plan,
            view,
            tables,
            classes=np.empty(0, np.uint8),
            coded=[(codes, list(labels)) for codes, labels in zip(self.codes, self.labels, strict=True)],
            amounts=self.amounts,
        )
        nothing: Any = SimpleNamespace(
            starts=np.zeros(1, np.int64),
            times=np.empty(0, np.int64),
            types=np.empty(0, np.uint8),
            type_ranks=np.empty(0, np.int32),
        )
        model = plan.model
        live.declare(
            attach(plan, nothing, matched),
            lateness=self.lateness,
            secrets=bytes.fromhex(model.fingerprint),
            excludes=plan.excludes,
            exclude_roles=exclude_roles(plan, view),
            verdicts=tables.verdicts,
            heard=model.qualification is not None,
            contents=len(model.contents),
            codes=self.codes,
            amounts=self.amounts,
        )

    def read(
        self, live: _core.LiveState, row: Mapping[str, Any]
    ) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]:
        """Give one event's codes of weights, values of `by` and amounts, as `take_one` asks for them."""
        labels = [label_of(row.get(name), name) for name in self.plan.codes]
        codes = tuple(
            -1 if label is None else known.get(label, -1)
            for label, known in zip(labels, self.labels, strict=True)
        )
        bys = tuple(_NULL_BY if label is None else live.hashed(label) for label in labels)
        return codes, bys, tuple(_number(row.get(name), name) for name in self.plan.amounts)


class Types:
    """Numbers the types of events.

    Attributes
    ----------
    names
        The types by number.
    numbers
        The number of each.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.numbers: dict[str, int] = {}

    def code(self, live: _core.LiveState, name: str) -> int:
        """Return the number of a type, a new one if need be."""
        return self.numbers[name] if name in self.numbers else int(self.codes(live, [name])[0])

    def codes(self, live: _core.LiveState, names: list[str]) -> NDArray[np.int32]:
        """Return the numbers of types; where there are new ones, the state is told how all of them sort."""
        known = len(self.numbers)
        codes = [self.numbers.setdefault(name, len(self.numbers)) for name in names]
        if len(self.numbers) > known:
            self.names += list(self.numbers)[known:]
            ranks = np.empty(len(self.names), np.int32)
            ranks[[self.numbers[name] for name in sorted(self.names)]] = np.arange(len(ranks), dtype=np.int32)
            live.rank(ranks)
        return np.array(codes, np.int32)


def label_of(value: Any, name: str) -> str | None:
    """Write a value as `where` a column's codes do: whole numbers as integers, flags as true and false."""
    value = plain_scalar(value)
    if is_null(value):
        return None
    kind = kind_of(value)
    if kind == "text":
        refuse_surrogates(value, f"field {name!r}")
        return str(value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "instant":
        return str(instant_us(value))
    if kind == "number":
        try:
            number = value if isinstance(value, int) else float(value)
            return str(int(number)) if isinstance(number, int) or number.is_integer() else repr(number)
        except (OverflowError, ValueError):  # Python writes no integer of more than 4,300 digits
            raise _too_large(value, name) from None
    raise EventsError(f"field {name!r}: expected text, a number, a flag or an instant, got {typed(value)}")


def _number(value: Any, name: str) -> Any:
    value = plain_scalar(value)
    if is_null(value):
        return np.nan
    if kind_of(value) != "number":
        raise EventsError(f"field {name!r}: expected a number for an amount, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise _too_large(value, name) from None
    if np.isinf(number):
        raise EventsError(f"field {name!r}: expected a finite number for an amount, got {shown(value)}")
    return number


def _too_large(value: Any, name: str) -> EventsError:
    return EventsError(f"field {name!r}: expected a number that a double can hold, got {shown(value)}")


def hashes_of(live: _core.LiveState, labels: list[str]) -> NDArray[np.int64]:
    """Hash labels by code; the last is that of a null."""
    return np.frombuffer(live.all_hashed(labels), np.int64)


def moment_of(micros: int) -> Any:
    """Make the datetime that conditions see of a time."""
    from datetime import timedelta

    return EPOCH + timedelta(microseconds=micros)
