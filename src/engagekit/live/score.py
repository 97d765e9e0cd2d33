"""One contact's score: a result's row, its columns as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engagekit.results import value_of

if TYPE_CHECKING:
    from engagekit.frames import Out
    from engagekit.model import Model


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
