"""What a person wants of scores first: how many contacts stand where, and why the strongest do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np

from engagekit.tables import aligned, figure, html_table, page, paragraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.model import Model
    from engagekit.scores import Stats

UNNAMED = "model"
"""The name of a model that was given none."""
NOBODY = "Nobody has points."
LEVELS = ("none", "low", "medium", "high")
STAGES = ("lead", "MQL", "SAL", "SQL", "customer")
_MOST_COUNTED = 8
_OF_LEADS = ("rating", "stage", "content")
_LONGEST_CONTACT = 24
_LONGEST_NOTE = 1000
_LEAST_POINTS = 1e-6
_DAY = np.timedelta64(1, "D")

Columns: TypeAlias = "Mapping[str, NDArray[Any]]"


def summary(
    columns: Columns,
    *,
    model: Model,
    at: datetime | None,
    stats: Stats,
    key: str,
    notes: Sequence[str] = (),
    top: int = 10,
) -> str:
    """Describe scores in a few lines: contacts per phase and level, what did not count, the strongest.

    Parameters
    ----------
    columns
        The result's columns: floats (null: NaN), instants as ``datetime64[us]`` (null: NaT), text as objects.
    model, at, stats, key, notes
        As the scores have them.
    top
        How many of the strongest contacts are listed, one a line.

    Returns
    -------
    str
        Lines without a line end after the last.
    """
    blocks = [_title(columns, model, at, stats), "\n".join(_noted(notes))]
    if len(columns["score"]):
        blocks.append(aligned(_counts(columns, model), right=range(2, 7)))
        blocks.append("\n".join(_leads(columns, model)))
    blocks.append(_uncounted(stats, at))
    if top > 0 and len(columns["score"]):
        people = _strongest(columns, key=key, at=at, top=top)
        told = aligned(_told(people, key), right=_paces(people)) if people else ""
        blocks.append(f"The strongest:\n\n{told}" if people else NOBODY)
    return "\n\n".join(block for block in blocks if block)


def summary_html(
    columns: Columns,
    *,
    model: Model,
    at: datetime | None,
    stats: Stats,
    key: str,
    notes: Sequence[str] = (),
    top: int = 10,
) -> str:
    """Describe scores as `summary` does, in HTML: escaped, without scripts, in one element with its style."""
    parts = [paragraph(_title(columns, model, at, stats)), *map(paragraph, _noted(notes))]
    if len(columns["score"]):
        parts.append(html_table(_counts(columns, model), "Contacts by phase and level", right=range(2, 7)))
        parts += map(paragraph, _leads(columns, model))
    if uncounted := _uncounted(stats, at):
        parts.append(paragraph(uncounted))
    if top > 0 and len(columns["score"]):
        people = _strongest(columns, key=key, at=at, top=top)
        table = html_table(_told(people, key), "The strongest", right=_paces(people)) if people else ""
        parts.append(table or paragraph(NOBODY))
    return page(*parts)


def _title(columns: Columns, model: Model, at: datetime | None, stats: Stats) -> str:
    rows = len(columns["score"])
    when = "at instants of their own" if at is None else f"at {moment(at)}{_age(columns, at)}"
    what = "contact" if at is not None else "row"
    read = f"{stats.rows:,} event{'' if stats.rows == 1 else 's'}"
    by = "" if model.name == UNNAMED else f", by the model {printable(model.name)}"
    return f"{rows:,} {what}{'' if rows == 1 else 's'} {when}, from {read}{by}"


def _age(columns: Columns, at: datetime) -> str:
    """Say how long before the instant anybody last did something, where that is more than a day."""
    last = columns["last_event"]
    last = last[~np.isnat(last)]
    days = int((_micros(at) - last.max()) / _DAY) if len(last) else 0
    return f" (newest activity {days:,} day{'' if days == 1 else 's'} before)" if days else ""


def _micros(at: datetime) -> np.datetime64:
    return np.datetime64((at.astimezone(UTC) if at.tzinfo else at).replace(tzinfo=None), "us")


def moment(at: datetime) -> str:
    """Write an instant as far as the minute, in UTC.

    Examples
    --------
    >>> moment(datetime(2026, 1, 31, 12))
    '2026-01-31 12:00 UTC'
    """
    utc = at.astimezone(UTC) if at.tzinfo else at
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def _noted(notes: Sequence[str]) -> list[str]:
    return [f"Note: {printable(note, _LONGEST_NOTE)}." for note in notes]


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


def _leads(columns: Columns, model: Model) -> list[str]:
    """Count contacts by what the model says of leads, a line each."""
    graded = [] if model.fit is None else [name for name, _ in model.fit.ranked]
    asked = {
        "stage": ("Stages", STAGES if model.qualification is not None else ()),
        "grade": ("Grades", graded),
        "intent": ("Intents", [*model.intents, "unclear"]),
        "persona": ("Personas", [persona.name for persona in model.personas]),
        "content": ("Contents", [content.id for content in model.contents]),
    }
    lines = []
    for column, (heading, names) in asked.items():
        if column not in columns:
            continue
        counts = {name: int(np.sum(columns[column] == name)) for name in names}
        counts["none"] = len(columns[column]) - sum(counts.values())
        told = [f"{count:,} {printable(name)}" for name, count in counts.items() if count]
        lines.append(f"{heading}: {', '.join(told[:_MOST_COUNTED])}{', ...' * (len(told) > _MOST_COUNTED)}")
    return lines


def _tally(levels: NDArray[Any]) -> list[str]:
    numbers = [*(int(np.sum(levels == level)) for level in LEVELS), len(levels)]
    return [f"{number:,}" if number else "-" for number in numbers]


def _uncounted(stats: Stats, at: datetime | None) -> str:
    """Say what was read and did not count."""
    instant = "their contact's instant" if at is None else "that instant"
    facts = (
        (stats.future, f"later than {instant} and left out"),
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
    next_days: float
    leads: Mapping[str, str]
    """Rating, stage and content, where the result has them."""

    @property
    def index(self) -> str:
        """The engagement, rounded down so that it never seems to reach a bound that it does not."""
        return f"{int(self.engagement):>3} {self.level}"

    @property
    def pace(self) -> str:
        return "" if np.isnan(self.momentum) else f"{round(self.momentum, 2) + 0.0:+.2f}"

    @property
    def points(self) -> str:
        """Where the points come from."""
        if self.top_channel is None:
            return figure(self.score)
        channel = printable(self.top_channel)
        top, whole = figure(self.top_points), figure(self.score)
        if top == whole:
            return f"all from {channel}, {whole}"
        if self.top_points > self.score:
            return f"{channel} {top}, less {figure(self.top_points - self.score)}"
        return f"{channel} {top} of {whole}"

    @property
    def last(self) -> str:
        """The last activity."""
        return "" if self.last_type is None else f"{self.last_type} {_span(self.silent_days)} ago"

    @property
    def next(self) -> str:
        """The next change, of the phase where that changes."""
        if not self.next_day:
            return ""
        phases = self.next_phase is not None and self.next_phase != self.phase
        what = f"phase {printable(str(self.next_phase))}" if phases else f"level {self.next_level}"
        return f"{what}, {self.next_day if self.next_days >= 2 else 'in ' + _span(self.next_days)}"


def _span(days: float) -> str:
    """Say a length of time in whole days, hours or minutes: the largest unit of which there are two."""
    for unit, size in (("d", 1.0), ("h", 1 / 24)):
        if days >= 2 * size:
            return f"{int(days / size):,} {unit}"
    return f"{int(days * 1440)} min"


def _strongest(columns: Columns, *, key: str, at: datetime | None, top: int) -> list[_Person]:
    """Pick the contacts of the highest scores that have points; among equals the first stays first."""
    scores = columns["score"]
    order = np.argsort(-scores, kind="stable")[:top]
    instants = columns["at"] if at is None else np.full(len(scores), _micros(at))
    order = order[scores[order] > _LEAST_POINTS]
    return [_person(columns, int(row), key=key, at=instants[row], dated=at is None) for row in order]


def _person(columns: Columns, row: int, *, key: str, at: np.datetime64, dated: bool) -> _Person:
    top_channel = columns["top_channel"][row]
    change = columns["next_change"][row]
    return _Person(
        contact=printable(str(columns[key][row])) + (f" at {_day(at)}" if dated else ""),
        engagement=float(columns["engagement"][row]),
        level=columns["level"][row],
        phase=columns["phase"][row],
        score=float(columns["score"][row]),
        momentum=float(columns["momentum"][row]),
        top_channel=top_channel,
        top_points=0.0 if top_channel is None else float(columns[f"channel_{top_channel}"][row]),
        last_type=None if columns["last_type"][row] is None else printable(columns["last_type"][row]),
        silent_days=float(columns["silent_days"][row]),
        next_level=columns["next_level"][row],
        next_phase=columns["next_phase"][row],
        next_day=_day(change),
        next_days=float((change - at) / _DAY),
        leads={name: columns[name][row] or "" for name in _OF_LEADS if name in columns},
    )


def _day(instant: Any) -> str:
    return "" if np.isnat(instant) else str(instant.astype("datetime64[D]"))


def printable(text: str, longest: int = _LONGEST_CONTACT) -> str:
    r"""Show what would move a terminal's cursor as an escape, and cut what is long.

    Examples
    --------
    >>> printable("ann\tlee"), printable("Wolfeschlegelsteinhausenbergerdorff")
    ('ann\\tlee', 'Wolfeschlegelsteinhau...')
    """
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def _told(people: Sequence[_Person], key: str) -> list[list[str]]:
    """Set the people in a table, one a row."""
    leads = list(people[0].leads) if people else []
    rest = ["points", "momentum", "last activity", "next change"]
    told = [
        [
            *(each.contact, each.index, printable(each.phase or "")),
            *(printable(each.leads[name]) for name in leads),
            *(each.points, each.pace, each.last, each.next),
        ]
        for each in people
    ]
    return [[printable(key), "engagement", "phase", *leads, *rest], *told]


def _paces(people: Sequence[_Person]) -> range:
    """Give the column of the table that holds the momenta."""
    place = 4 + len(people[0].leads)
    return range(place, place + 1)
