"""What a person wants of scores first: how many contacts stand where, and why the strongest do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.model import Model
    from engagekit.scores import Stats

WIDTH = 104
LEVELS = ("none", "low", "medium", "high")
_LONGEST_CONTACT = 24
_DAY = np.timedelta64(1, "D")

Columns: TypeAlias = "Mapping[str, NDArray[Any]]"


def summary(
    columns: Columns,
    *,
    model: Model,
    at: datetime | None,
    stats: Stats,
    key: str,
    top: int = 10,
    width: int = WIDTH,
) -> str:
    """Describe scores in a few lines: contacts per phase and level, what did not count, the strongest.

    Parameters
    ----------
    columns
        The result's columns: floats (null: NaN), instants as ``datetime64[us]`` (null: NaT), text as objects.
    model, at, stats, key
        As the scores have them.
    top
        How many of the strongest contacts are listed, one a line.
    width
        The columns that a line may take; where sentences need more, a table says the same more briefly.

    Returns
    -------
    str
        Lines without a line end after the last.
    """
    blocks = [
        _title(columns, model, at, stats),
        _aligned(_counts(columns, model), right=range(2, 7)),
        _uncounted(stats),
    ]
    people = _strongest(columns, key=key, at=at, top=top)
    if people:
        blocks.append(_told(people, key=key, width=width))
    return "\n\n".join(block for block in blocks if block)


def summary_html(
    columns: Columns, *, model: Model, at: datetime | None, stats: Stats, key: str, top: int = 10
) -> str:
    """Describe scores as `summary` does, in HTML: escaped, without scripts and styles of its own."""
    parts = [f"<p>{escape(_title(columns, model, at, stats))}</p>", _html_table(_counts(columns, model))]
    people = _strongest(columns, key=key, at=at, top=top)
    if people:
        rows = [["the strongest", "index", "phase", "why"]]
        rows += [[person.contact, person.index, person.place, person.sentence()] for person in people]
        parts.append(_html_table(rows))
    if uncounted := _uncounted(stats):
        parts.append(f"<p>{escape(uncounted)}</p>")
    return f"<div>{''.join(parts)}</div>"


def _title(columns: Columns, model: Model, at: datetime | None, stats: Stats) -> str:
    rows = len(columns["score"])
    when = "at instants of their own" if at is None else f"at {_moment(at)}"
    what = "contact" if at is not None else "row"
    read = f"{stats.rows:,} event{'' if stats.rows == 1 else 's'}"
    return f"{rows:,} {what}{'' if rows == 1 else 's'} {when}, from {read}, by the model {model.name}"


def _moment(at: datetime) -> str:
    utc = at.astimezone(UTC) if at.tzinfo else at
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def _counts(columns: Columns, model: Model) -> list[list[str]]:
    """Count contacts by half and phase (rows) and level (columns)."""
    halves, levels = columns["half"], columns["level"]
    phases = np.array([phase or "(no activity)" for phase in columns["phase"]], object)
    found = set(zip(halves, phases, strict=True))
    declared = dict.fromkeys((phase.half, phase.name) for phase in model.phases)
    if model.lifecycle is None:  # then nobody is a customer
        declared = {place: None for place in declared if place[0] == "prospect"}
    places = sorted([*declared, *sorted(found - declared.keys())], key=lambda place: place[0] != "prospect")
    rows = [["", "", *LEVELS, "all"]]
    for before, (half, phase) in pairwise([("", ""), *places]):
        here = levels[(halves == half) & (phases == phase)]
        rows.append([half if half != before[0] else "", phase, *_tally(here)])
    rows.append(["all", "", *_tally(levels)])
    return rows


def _tally(levels: NDArray[Any]) -> list[str]:
    numbers = [*(int(np.sum(levels == level)) for level in LEVELS), len(levels)]
    return [f"{number:,}" if number else "-" for number in numbers]


def _uncounted(stats: Stats) -> str:
    """Say what was read and did not count."""
    facts = (
        (stats.future, "later than that instant and left out"),
        (stats.duplicates, "repeated under one id and left out"),
        (stats.excluded, "excluded by the model"),
        (stats.unmatched, "of types or kinds that no rule reads"),
        (stats.null_amounts, "without the amount that a rule multiplies by"),
    )
    said = [f"{count:,} {words}" for count, words in facts if count]
    return "Of the events: " + "; ".join(said) if said else ""


@attrs.frozen(kw_only=True)
class _Person:
    """One of the strongest, and what there is to tell."""

    contact: str
    engagement: float
    level: str
    half: str
    phase: str | None
    score: float
    momentum: float
    top_channel: str | None
    top_points: float
    last_type: str | None
    silent_days: float
    next_level: str | None
    next_phase: str | None
    next_day: str

    @property
    def index(self) -> str:
        """The engagement, rounded down so that it never seems to reach a bound that it does not."""
        return f"{int(self.engagement):>3} {self.level}"

    @property
    def place(self) -> str:
        return f"{self.half}/{self.phase}" if self.phase else self.half

    @property
    def pace(self) -> str:
        return "" if np.isnan(self.momentum) else f"{self.momentum:+.2f}"

    @property
    def points(self) -> str:
        """Where the points come from, briefly."""
        if self.top_channel is None:
            return _points(self.score)
        others = self.score - self.top_points
        if abs(others) < 0.05:
            return f"{self.top_channel} {_points(self.score)}"
        if others < 0:
            return f"{self.top_channel} {_points(self.top_points)}, less {_points(-others)}"
        return f"{self.top_channel} {_points(self.top_points)} of {_points(self.score)}"

    @property
    def last(self) -> str:
        """The last activity, briefly."""
        return "" if self.last_type is None else f"{self.last_type} {_span(self.silent_days, short=True)} ago"

    @property
    def next(self) -> str:
        """The next change, of the phase where that changes, briefly."""
        changed = self.next_phase if self.next_phase != self.phase else self.next_level
        return f"{changed} {self.next_day}" if self.next_day else ""

    def sentence(self) -> str:
        """Tell it in full."""
        told = [self._source()]
        if self.pace:
            told.append(f"momentum {self.pace}")
        if self.last_type is None:
            told.append("no activity")
        else:
            told.append(f"last {self.last_type} {_span(self.silent_days)} before")
        changes = self._changes()
        return ", ".join(told) + (f"; {changes} on {self.next_day}" if self.next_day else "")

    def _source(self) -> str:
        if self.top_channel is None:
            return f"{_points(self.score)} points"
        others = self.score - self.top_points
        if abs(others) < 0.05:
            return f"all from {self.top_channel} ({_points(self.score)} points)"
        if others < 0:
            return f"{self.top_channel} {_points(self.top_points)} points, less {_points(-others)} elsewhere"
        mostly = "mostly" if self.top_points >= self.score / 2 else "most of all"
        return f"{mostly} {self.top_channel} ({_points(self.top_points)} of {_points(self.score)} points)"

    def _changes(self) -> str:
        changes = []
        if self.next_level is not None and self.next_level != self.level:
            falls = LEVELS.index(self.next_level) < LEVELS.index(self.level)
            changes.append(f"{'falls' if falls else 'rises'} to {self.next_level}")
        if self.next_phase is not None and self.next_phase != self.phase:
            changes.append(f"moves to {self.next_phase}")
        return " and ".join(changes)


def _points(points: float) -> str:
    text = f"{points:,.1f}" if abs(points) < 10 else f"{points:,.0f}"
    return "0" if text in ("0.0", "-0.0") else text


def _span(days: float, *, short: bool = False) -> str:
    """Say a length of time in whole days, hours or minutes: the largest unit of which there are two."""
    for unit, size in (("day", 1.0), ("hour", 1 / 24)):
        if days >= 2 * size:
            return f"{int(days / size):,} {unit[0] if short else unit + 's'}"
    minutes = int(days * 1440)
    return f"{minutes} {'min' if short else 'minute' if minutes == 1 else 'minutes'}"


def _strongest(columns: Columns, *, key: str, at: datetime | None, top: int) -> list[_Person]:
    """Pick the contacts of the highest scores; among equals the first stays first."""
    order = np.argsort(-columns["score"], kind="stable")[: max(top, 0)]
    return [_person(columns, int(row), key=key, own_instant=at is None and "at" in columns) for row in order]


def _person(columns: Columns, row: int, *, key: str, own_instant: bool) -> _Person:
    top_channel = columns["top_channel"][row]
    contact = _printable(str(columns[key][row]))
    if own_instant:
        contact += f" at {_day(columns['at'][row])}"
    return _Person(
        contact=contact,
        engagement=float(columns["engagement"][row]),
        level=columns["level"][row],
        half=columns["half"][row],
        phase=columns["phase"][row],
        score=float(columns["score"][row]),
        momentum=float(columns["momentum"][row]),
        top_channel=top_channel,
        top_points=0.0 if top_channel is None else float(columns[f"channel_{top_channel}"][row]),
        last_type=None if columns["last_type"][row] is None else _printable(columns["last_type"][row]),
        silent_days=float(columns["silent_days"][row]),
        next_level=columns["next_level"][row],
        next_phase=columns["next_phase"][row],
        next_day=_day(columns["next_change"][row]),
    )


def _day(instant: Any) -> str:
    return "" if np.isnat(instant) else str(instant.astype("datetime64[D]"))


def _printable(text: str) -> str:
    """Show what would move a terminal's cursor as an escape, and cut what is long."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return shown if len(shown) <= _LONGEST_CONTACT else shown[: _LONGEST_CONTACT - 3] + "..."


def _told(people: Sequence[_Person], *, key: str, width: int) -> str:
    """List the people a line each: in sentences where they fit, else as a table."""
    rows = [[key, "index", "phase", "why"]]
    rows += [[person.contact, person.index, person.place, person.sentence()] for person in people]
    told = _aligned(rows).splitlines()
    if max(map(len, told)) > width:
        told = _briefly(people, key=key, width=width)
    return "The strongest:\n\n" + "\n".join(told)


def _briefly(people: Sequence[_Person], *, key: str, width: int) -> list[str]:
    """Set the people in a table, without the columns for which there is no room."""
    columns = {
        key: [each.contact for each in people],
        "index": [each.index for each in people],
        "phase": [each.phase or "" for each in people],
        "points": [each.points for each in people],
        "momentum": [each.pace.rjust(len("momentum")) for each in people],
        "last activity": [each.last for each in people],
        "next change": [each.next for each in people],
    }
    for spare in ("", "momentum", "last activity", "points", "next change"):
        columns.pop(spare, None)
        rows = [list(columns), *zip(*columns.values(), strict=True)]
        told = _aligned(rows).splitlines()
        if max(map(len, told)) <= width:
            break
    return told


def _aligned(rows: Sequence[Sequence[str]], right: range = range(0)) -> str:
    """Set rows in columns two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    )


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    return "<table>" + "".join(_html_rows(rows)) + "</table>"


def _html_rows(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        yield "<tr>" + "".join(f"<{tag}>{escape(cell.strip())}</{tag}>" for cell in row) + "</tr>"
