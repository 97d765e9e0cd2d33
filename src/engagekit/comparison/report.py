"""What a comparison found: a row for each contact that changed, and the counts of who went where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from engagekit.frames import Out, build
from engagekit.summary import UNNAMED, moment, printable
from engagekit.tables import aligned, html_table, page, paragraph, tenths

if TYPE_CHECKING:
    from engagekit.model import Model

Moves: TypeAlias = "dict[tuple[str | None, str | None], int]"

CHANGED, NEW, GONE = range(3)
MOST_SHOWN = 10


class Comparison:
    """Who differs between two results, and why; made by `Scores.compare`.

    Attributes
    ----------
    contacts
        How many contacts either of the results has.
    changed, new, gone
        How many of them changed half, phase, level, stage or rating; are only in the other result; or only in
        the one that was compared with it.
    moves
        By column (``"phase"``, ``"level"`` ...) how many contacts went from where to where, the most first:
        ``{("sales", "nurture"): 12}``; None stands for null.

    Notes
    -----
    The columns of `frame`: the key, ``change`` (changed, new or gone), each category ``..._before`` and
    ``..._after``, score and engagement likewise, ``rule`` and ``rule_change`` (the rule whose contribution
    changed most, and by how much; null where a side has lost its events, as loaded scores have), ``channel``
    and ``channel_change`` (the same of the channels).

    Examples
    --------
    >>> import engagekit as ek, numpy as np
    >>> events = {
    ...     "contact": ["ann", "bob"],
    ...     "type": ["demo", "visit"],
    ...     "time": np.array(["2026-01-31", "2026-01-31"], "datetime64[us]"),
    ... }
    >>> rules = [ek.Rule(name="visit", on="visit", points=2), ek.Rule(name="demo", on="demo", points=60)]
    >>> model = ek.Model(name="now", rules=rules)
    >>> edited = ek.Model(name="edited", rules=[rules[0], ek.Rule(name="demo", on="demo", points=30)])
    >>> model.score(events, at="2026-01-31").compare(edited.score(events, at="2026-01-31"))
    2 contacts at 2026-01-31 00:00 UTC, by the model now and by the model edited: 1 changed
    <BLANKLINE>
    phase  sales -> nurture  1
    level  high -> medium    1
    <BLANKLINE>
    rule  contacts  on average
    demo         1         -30
    <BLANKLINE>
    contact  phase             level           score     most of it
    ann      sales -> nurture  high -> medium  60 -> 30  demo -30
    """

    def __init__(
        self,
        *,
        models: tuple[Model, Model],
        at: tuple[datetime | None, datetime | None],
        contacts: int,
        key: str,
        columns: Mapping[str, Out],
        moves: Mapping[str, Moves],
        kind: str,
    ) -> None:
        self.contacts = contacts
        counts = np.bincount(columns["change"].values, minlength=3).tolist()
        self.changed, self.new, self.gone = counts
        self.moves = dict(moves)
        self._models = models
        self._at = at
        self._key = key
        self._columns = dict(columns)
        self._kind = kind
        self._frame: Any = None

    @property
    def frame(self) -> Any:
        """The table in the caller's kind of frame: a row for each contact that changed, is new or gone.

        Those whose score differs most come first.
        """
        if self._frame is None:
            self._frame = build(self._kind, self._columns)
        return self._frame

    def __len__(self) -> int:
        return self._columns["change"].rows

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_frame": None}

    def __repr__(self) -> str:
        blocks = [self._title()]
        for _, rows, right in self._tables():
            blocks.append(aligned(rows, right=right))
        if len(self) > MOST_SHOWN:
            blocks.append(f"and {len(self) - MOST_SHOWN:,} more")
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        parts = [paragraph(self._title())]
        for caption, rows, right in self._tables():
            heads = rows if caption != "Moves" else [["", "", "contacts"], *rows]
            parts.append(html_table(heads, caption, right=right))
        if len(self) > MOST_SHOWN:
            parts.append(paragraph(f"and {len(self) - MOST_SHOWN:,} more"))
        return page(*parts)

    def _title(self) -> str:
        one, other = self._models
        times = [None if at is None else moment(at) for at in self._at]
        shown = [each or "instants of their own" for each in times]
        when = f"at {shown[0]}" if shown[0] == shown[1] else f"at {shown[0]} and at {shown[1]}"
        if one.fingerprint == other.fingerprint:
            by = "" if one.name == UNNAMED else f", by {_called(one)}"
        elif one.name == other.name:
            by = ", by two models" + ("" if one.name == UNNAMED else f" named {printable(one.name)}")
        else:
            by = f", by {_called(one)} and by {_called(other)}"
        found = ((self.changed, "changed"), (self.new, "new"), (self.gone, "gone"))
        told = ", ".join(f"{count:,} {what}" for count, what in found if count) or "nobody changed"
        return f"{self.contacts:,} contact{'' if self.contacts == 1 else 's'} {when}{by}: {told}"

    def _tables(self) -> list[tuple[str, list[list[str]], range]]:
        tables = []
        if moves := self._told_moves():
            tables.append(("Moves", moves, range(2, 3)))
        if rules := self._told_rules():
            tables.append(("The rules behind it", rules, range(1, 3)))
        if len(self):
            tables.append(("The largest changes", self._told_contacts(), range(0)))
        return tables

    def _told_moves(self) -> list[list[str]]:
        told = []
        for name, moves in self.moves.items():
            for number, ((before, after), count) in enumerate(moves.items()):
                told.append([name if number == 0 else "", f"{_word(before)} -> {_word(after)}", f"{count:,}"])
        return told

    def _told_rules(self) -> list[list[str]]:
        """Tell for how many contacts each rule is the one that changed most, and by how much on average."""
        rule, change = self._columns["rule"], self._columns["rule_change"].values
        known = rule.values >= 0
        names = rule.categories or []
        counts = np.bincount(rule.values[known], minlength=len(names))
        sums = np.bincount(rule.values[known], change[known], minlength=len(names))
        order = [place for place in np.argsort(-counts, kind="stable")[:MOST_SHOWN].tolist() if counts[place]]
        rows = [
            [printable(names[place]), f"{counts[place]:,}", _signed(sums[place] / counts[place])]
            for place in order
        ]
        return [["rule", "contacts", "on average"], *rows] if rows else []

    def _told_contacts(self) -> list[list[str]]:
        shown = slice(0, MOST_SHOWN)
        some = {name: _taken(out, shown) for name, out in self._columns.items()}
        categories = [name for name, moves in self.moves.items() if moves] or list(self.moves)[:2]
        told = [[printable(self._key), *map(printable, categories), "score", "most of it"]]
        for row in range(min(len(self), MOST_SHOWN)):
            change = some["change"][row]
            score = [_points(some[f"score_{which}"][row]) for which in ("before", "after")]
            cells = [(some[f"{name}_before"][row], some[f"{name}_after"][row]) for name in categories]
            moved = [_move(change, *pair) for pair in (*cells, score)]
            told.append([printable(str(some[self._key][row])), *moved, self._because(some, row)])
        return told

    def _because(self, some: Mapping[str, Sequence[Any]], row: int) -> str:
        if some["change"][row] != "changed":
            return str(some["change"][row])
        for what in ("rule", "channel"):
            if some[what][row] is not None:
                return f"{printable(some[what][row])} {_signed(some[f'{what}_change'][row])}"
        return ""


def _called(model: Model) -> str:
    return "a model without a name" if model.name == UNNAMED else f"the model {printable(model.name)}"


def _taken(out: Out, some: slice) -> list[Any]:
    values = out.values
    if isinstance(values, tuple):
        values = Out("text", (values[0][: some.stop + 1], values[1])).objects()
    elif out.kind == "category":
        values = Out("category", values[some], categories=out.categories).objects()
    return list(values[some])


def _word(word: str | None) -> str:
    return "-" if word is None else printable(word)


def _move(change: str, before: str | None, after: str | None) -> str:
    if change != "changed" or before == after:
        return _word(after if change == "new" else before)
    return f"{_word(before)} -> {_word(after)}"


def _points(score: float) -> str:
    return "" if np.isnan(score) else tenths(score)


def _signed(change: float) -> str:
    return f"{'+' if change > 0 else ''}{tenths(change)}"
