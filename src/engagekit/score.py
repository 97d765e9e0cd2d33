"""One contact's score: a result's row, its columns as attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit.instants import EPOCH
from engagekit.plan import LEVELS

if TYPE_CHECKING:
    from engagekit.frames import Out
    from engagekit.model import Model
    from engagekit.plan import Plan

NEVER = -(2**63)
NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
_DAY = 86_400_000_000
_HALVES = (None, "prospect", "customer")


class Score:
    """What a model says of one contact at one instant; made by `Live.score`.

    Every result column is an attribute; null is None, instants are datetimes.

    Attributes
    ----------
    contact
        Who.
    at
        The instant.
    model
        The model that scored.

    Examples
    --------
    >>> import engagekit as ek
    >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2, channel="web")]))
    >>> live.add("ann", "visit", "2026-01-01")
    >>> score = live.score("ann", at="2026-01-01")
    >>> score.level, score.channel_web, score.to_dict()["last_type"]
    ('low', 2.0, 'visit')
    """

    __slots__ = ("_row", "at", "contact", "model")

    def __init__(self, contact: int | str, model: Model, at: datetime, row: Mapping[str, Any]) -> None:
        self.contact = contact
        self.model = model
        self.at = at
        self._row = row

    def __getattr__(self, name: str) -> Any:
        if name != "_row" and name in self._row:
            return self._row[name]
        raise AttributeError(f"a Score has no column {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._row})

    def to_dict(self) -> dict[str, Any]:
        """Return the row: the contact, the instant and every result column, by name."""
        return {"contact": self.contact, "at": self.at, **self._row}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return self.model.fingerprint == other.model.fingerprint and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        row = self._row
        phase = row["phase"] or "no phase"
        numbers = f"score {row['score']:.4g}, engagement {row['engagement']:.1f}"
        return f"Score({self.contact!r}, {numbers}, {row['level']}, {phase})"


def score_of(contact: int | str, model: Model, at: datetime, columns: Mapping[str, Out], place: int) -> Score:
    """Take one row of result columns."""
    return Score(contact, model, at, {name: value_of(out, place) for name, out in columns.items()})


class RowNames:
    """Makes a row of what the kernel says of one contact, for a model without a lead side."""

    def __init__(self, plan: Plan) -> None:
        self._phases = (*plan.phase_names, None)
        self._channels = (*plan.channels, None)
        self._named = [f"channel_{name}" for name in plan.channels]

    def of(
        self, numbers: tuple[Any, ...], instant: int, types: Sequence[str], *, aware: bool
    ) -> dict[str, Any]:
        """Name the numbers of `LiveState.score_one`; a code of -1 is null, and so the last of the names."""
        score, engagement, momentum, _, changes, events, first, last, kind, phase, next_phase, top = numbers[
            :12
        ]
        level, next_level, half, channels = numbers[12:]

        epoch = EPOCH if aware else NAIVE_EPOCH

        def moment(micros: int) -> datetime | None:
            return None if micros == NEVER else epoch + timedelta(0, 0, micros)

        row = {
            "score": score,
            "engagement": engagement,
            "level": LEVELS[level],
            "half": _HALVES[half],
            "phase": self._phases[phase],
            "momentum": None if momentum != momentum else momentum,
            "next_change": moment(changes),
            "next_level": None if next_level < 0 else LEVELS[next_level],
            "next_phase": self._phases[next_phase],
            "events": events,
            "first_event": moment(first),
            "last_event": moment(last),
            "last_type": None if kind < 0 else types[kind],
            "silent_days": (instant - last) / _DAY if events else None,
            "top_channel": self._channels[top],
        }
        row.update(zip(self._named, channels, strict=True))
        return row


def value_of(out: Out, place: int) -> Any:
    """Return one value of a result column as Python has it."""
    if out.kind == "text":
        return out.values[place]
    value = out.values[place].item()
    if out.kind == "category":
        return None if value < 0 else (out.categories or [])[value]
    if out.kind == "float":
        return None if np.isnan(value) else value
    if out.null is not None and out.null[place]:
        return None
    if out.kind == "instant":
        moment = EPOCH + timedelta(microseconds=value)
        return moment if out.aware else moment.replace(tzinfo=None)
    return value
