"""An explanation: what each rule, or each event, adds to the score of one contact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve

from engagekit.frames import KeyType, Out, build
from engagekit.summary import moment, printable
from engagekit.tables import aligned, html_table, page, paragraph, tenths

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SHOWN = 10
NOTHING = "No rule has matched an event of this contact."


class Explanation:
    """Why a contact has its score; made by `Scores.explain`.

    Attributes
    ----------
    contact, at
        Who, and the instant.
    score, engagement, level, phase
        What the contact's row says.

    Notes
    -----
    ``cut`` is what limits and caps took away: contribution and cut together are what there would be without
    them. What the cap of a channel takes is taken from its rules in the proportion of their points. A rule of
    the other half adds nothing, and nothing is cut.

    An absence has a row for each time that nothing came: ``time`` is when that was certain, ``type`` what it
    waited after. Of a repeat it is the event that completed the repetition.

    Examples
    --------
    >>> import engagekit as ek, numpy as np
    >>> rules = [
    ...     ek.Rule(name="visit", on="visit", points=4, cap=5, channel="web"),
    ...     ek.Rule(name="demo", on="demo", points=30, channel="sales"),
    ... ]
    >>> events = {
    ...     "contact": ["ann"] * 3,
    ...     "type": ["visit", "visit", "demo"],
    ...     "time": np.array(["2026-01-31", "2026-01-31", "2026-01-01"], "datetime64[us]"),
    ... }
    >>> scores = ek.Model(rules=rules).score(events, at="2026-01-31")
    >>> scores.explain("ann")
    contact ann at 2026-01-31 00:00 UTC: a score of 20, engagement 24 low, nurture
    rule   channel  events  raw  decayed  contribution  cut
    demo   sales         1   30       15            15    -
    visit  web           2    8        8             5    3
    >>> scores.explain("ann", events=True).frame["contribution"].tolist()
    [15.0, 2.5, 2.5]
    """

    def __init__(
        self,
        *,
        contact: Any,
        key: str,
        at: datetime,
        score: float,
        engagement: float,
        level: str,
        phase: str | None,
        columns: Mapping[str, Out],
        kind: str,
        connection: Any = None,
    ) -> None:
        self.contact = contact
        self.at = at
        self.score = score
        self.engagement = engagement
        self.level = level
        self.phase = phase
        self._key = key
        self._columns = dict(columns)
        self._kind = kind
        self._connection = connection
        self._frame: Any = None

    @property
    def frame(self) -> Any:
        """The table in the caller's kind of frame, whose ``contribution`` adds up to `score`.

        A row for each rule that matched any event: ``rule``, ``channel``, ``events`` (those that the limit
        let through), ``raw`` (their points), ``decayed`` (what is left of these by now), ``contribution``
        and ``cut``. Or a row for each event and rule: ``time``, ``type``, ``rule``, ``channel``, ``raw``,
        ``weight`` (what is left of a point; 0 where the limit dropped the event), ``contribution`` and
        ``cut``. What counts most comes first.
        """
        if self._frame is None:
            columns = dict(self._columns)
            if self._connection is not None:  # so that it can be joined with the caller's own relations
                like = KeyType("VARCHAR", None, self._connection)
                columns["rule"] = evolve(columns["rule"], like=like)
            self._frame = build(self._kind, columns)
        return self._frame

    def __len__(self) -> int:
        return self._columns["rule"].rows

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_frame": None, "_connection": None}

    def __repr__(self) -> str:
        blocks = [self._title()]
        if len(self):
            blocks.append(aligned(self._told(), right=self._figures()))
        return "\n".join([*blocks, *self._rest()])

    def _repr_html_(self) -> str:
        parts = [paragraph(self._title())]
        if len(self):
            by = "By event" if "time" in self._columns else "By rule"
            parts.append(html_table(self._told(), by, right=self._figures()))
        return page(*parts, *map(paragraph, self._rest()))

    def _title(self) -> str:
        who = f"{printable(self._key)} {printable(str(self.contact))} at {moment(self.at)}"
        where = f"engagement {int(self.engagement)} {self.level}"
        phase = "no activity" if self.phase is None else printable(self.phase)
        return f"{who}: a score of {tenths(self.score)}, {where}, {phase}"

    def _rest(self) -> list[str]:
        """Say what the table leaves out."""
        if not len(self):
            return [NOTHING]
        left = self._columns["contribution"].values[MOST_SHOWN:]
        return [f"and {len(left):,} more, {tenths(float(left.sum()))} together"] if len(left) else []

    def _figures(self) -> range:
        return range(4, 8) if "time" in self._columns else range(2, 7)

    def _told(self) -> list[list[str]]:
        told = [_cells(name, out) for name, out in self._columns.items()]
        return [list(row) for row in zip(*told, strict=True)]


def _cells(name: str, out: Out) -> list[str]:
    """Write the head of a column and its first rows."""
    values: NDArray[Any] = out.values[:MOST_SHOWN]
    if out.kind == "instant":
        return ["date", *(str(day) for day in values.view("datetime64[us]").astype("datetime64[D]"))]
    if out.kind == "integer":
        return [name, *(f"{value:,}" for value in values)]
    if name == "weight":
        return [name, *(f"{value:.2f}" if value else "-" for value in values)]
    if out.kind == "float":
        least = 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0)))  # what rounding leaves is nothing
        return [name, *(tenths(value) if abs(value) > least else "-" for value in values)]
    return [name, *(printable(str(value)) for value in values)]
