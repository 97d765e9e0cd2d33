"""The contact card: where somebody stands, why, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import frozen

from engagekit.explain import MOST_DATED, grounds, row_of
from engagekit.instants import EPOCH, NAIVE_EPOCH
from engagekit.results import value_of
from engagekit.show.gauge import GAUGE_CSS, Gauge, pace_of
from engagekit.show.markup import Markup, clean, shortened
from engagekit.show.pages import rendered
from engagekit.show.sparkline import SPARKLINE_CSS, sparkline
from engagekit.show.theme import scoped
from engagekit.show.words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.comparison import Side
    from engagekit.explain import Reason
    from engagekit.model import Model
    from engagekit.show.look import Look

Row: TypeAlias = tuple[str, str, str]
"""What a row of a table says: a name, a day or a bar, points."""

CARD_CSS: Final = (
    GAUGE_CSS
    + SPARKLINE_CSS
    + """
.ek:not(svg) :not(svg,svg *,style){all:revert}
.ek.card{container-type:inline-size;max-width:720px;text-align:start;font-size:14px;line-height:1.4}
.ek .sheet{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:20px 24px}
.ek .sheet p,.ek .sheet dl,.ek .sheet dd,.ek .sheet figure{margin:0}
.ek .sheet header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 10px}
.ek .sheet .who{font-size:20px;font-weight:600;letter-spacing:-.01em;overflow-wrap:anywhere}
.ek .sheet .badge{border:1px solid var(--line);border-radius:6px;padding:0 7px;font-size:12.5px}
.ek .sheet .when{color:var(--quiet);margin-inline-start:auto;font-size:12.5px}
.ek .sheet .top{display:grid;grid-template-columns:212px minmax(0,1fr);gap:16px 36px;align-items:center}
.ek .sheet .top{margin:14px 0 22px}
.ek .sheet dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:5px 16px}
.ek .sheet dt{color:var(--quiet)}
.ek .sheet dd{overflow-wrap:anywhere}
.ek .sheet .tables{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:20px 36px}
.ek .sheet .tables{align-items:start}
.ek .sheet table{border-collapse:collapse;color:inherit;width:100%}
.ek .sheet table{font-size:13px;font-variant-numeric:tabular-nums}
.ek .sheet caption{text-align:start;font-weight:600;padding:0 0 4px;font-size:13.5px}
.ek .sheet th{font-weight:400;font-size:12px;color:var(--quiet);text-align:start;padding:0 0 3px}
.ek .sheet td{padding:4px 0;border-top:1px solid var(--line);vertical-align:baseline;overflow-wrap:anywhere}
.ek .sheet td+td,.ek .sheet th+th{padding-inline-start:12px}
.ek .sheet .right{text-align:end;white-space:nowrap;width:1%}
.ek .sheet .dim,.ek .sheet .rest td,.ek .sheet .dates,.ek .sheet figcaption{color:var(--quiet)}
.ek .sheet td.bars{width:40%;min-width:48px;vertical-align:middle}
.ek .bar{display:block;width:100%;height:8px}
.ek .bar .plus{fill:var(--faint)}
.ek .bar .minus{fill:var(--alarm)}
.ek .bar .zero{fill:var(--quiet)}
.ek .sheet figure{margin-top:14px}
.ek .sheet figcaption,.ek .sheet .dates{font-size:12px}
.ek .sheet .dates{display:flex;justify-content:space-between}
@container (max-width:560px){
.ek .sheet{padding:16px}
.ek .sheet .top,.ek .sheet .tables{grid-template-columns:minmax(0,1fr)}
.ek .sheet .meter{width:212px;max-width:100%;margin:0 auto}
}
@media print{.ek .sheet{break-inside:avoid}}
""".replace("\n", "")
)
MOST_REASONS: Final = MOST_DATED
MOST_CHANNELS: Final = 8
_DAY: Final = timedelta(days=1)


@frozen(kw_only=True)
class Subject:
    """Whom a card is about, and what is known.

    Attributes
    ----------
    model, contact, at
        The model, who, and the instant.
    row
        The result's columns of the contact.
    reasons
        What the score rests on, the strongest first; None: that is not known any more.
    course
        The engagement of each of the last days, oldest first; None: that is not known.
    """

    model: Model
    contact: Any
    at: datetime
    row: Mapping[str, Any]
    reasons: Sequence[Reason] | None = None
    course: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        side: Side,
        contact: Any,
        *,
        at: Any,
        instants_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    ) -> Subject:
        """Tell what scores know of a contact; see `Scores.card`. `instants_of` gives the instants of rows."""
        row = row_of(side.keys, instants_of, contact, at)
        known = None if side.origin is None else grounds(side.origin, row)
        aware = side.table["last_event"].aware
        return cls(
            model=side.model,
            contact=side.keys.at(row),
            at=side.at or _moment(int(instants_of(np.array([row]))[0]), aware=aware),
            row={name: value_of(out, row) for name, out in side.table.items() if name != side.keys.name},
            reasons=None if known is None else known.reasons,
            course=None if known is None else known.course,
        )


def _moment(micros: int, *, aware: bool) -> datetime:
    return (EPOCH if aware else NAIVE_EPOCH) + timedelta(microseconds=micros)


class Card:
    """A contact's card, as HTML and as a picture; made by `Scores.card` and `Live.card`.

    Attributes
    ----------
    contact, at
        Who, and the instant.
    html
        The whole card: one element with a style of its own, without scripts, that asks for nothing outside.

    Examples
    --------
    >>> import engagekit as ek
    >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="demo", on="demo", points=60)]))
    >>> live.add("ann", "demo", "2026-01-01")
    >>> card = live.card("ann", at="2026-01-01")
    >>> card
    Card('ann', engagement 56, high, sales, rising)
    >>> card.html[:8], card.gauge[:4]
    ('<article', '<svg')
    """

    def __init__(self, *, contact: Any, at: datetime, html: str, gauge: Gauge) -> None:
        self.contact = contact
        self.at = at
        self.html = html
        self._gauge = gauge

    @property
    def gauge(self) -> str:
        """The round meter alone, as SVG; it is as large as what it stands in."""
        return str(self._gauge.alone())

    def __repr__(self) -> str:
        return f"Card({shortened(repr(self.contact), 60)}, {self._gauge.title})"

    def _repr_html_(self) -> str:
        return self.html


def card(subject: Subject, look: Look) -> Card:
    """Make the card of a contact; see `Scores.card`."""
    words, theme = look.words, look.theme
    row = subject.row
    shown = Gauge(
        model=subject.model,
        **{name: row[name] for name in ("half", "phase", "engagement", "level", "momentum")},
        words=words,
        theme=theme,
    )
    reasons, rest = (None, None) if subject.reasons is None else _strongest(subject, words)
    scope, css = scoped(CARD_CSS)
    html = rendered(
        "card.html",
        scope=scope,
        css=css,
        words=words,
        theme=theme,
        title=words.plain("card.title", contact=shortened(clean(subject.contact), 80), summary=shown.title),
        contact=subject.contact,
        at=subject.at,
        badges=_badges(row, words),
        meter=shown.within(),
        facts=_facts(subject, words),
        course=_course(subject, words),
        score=words.signed(row["score"], 1).removeprefix("+"),
        reasons=reasons,
        rest=rest,
        dated=any(each.last is not None for each in subject.reasons or ()),
        channels=_channels(row, words),
    )
    return Card(contact=subject.contact, at=subject.at, html=str(html), gauge=shown)


def _badges(row: Mapping[str, Any], words: Words) -> list[Markup]:
    found = [("grade", row.get("rating")), ("stage", row.get("stage"))]
    return [words.name(kind, value, 16) for kind, value in found if value is not None]


def _facts(subject: Subject, words: Words) -> list[tuple[str, str]]:
    """Say what there is to know, each with its term."""
    row = subject.row
    facts: list[tuple[str, str]] = [
        (words["card.next"], _next(subject, words)),
        (words["card.pace"], _pace(row["momentum"], words)),
        (words["card.last"], _last(subject, words)),
    ]
    if row.get("content") is not None:
        facts.append((words["card.offer"], words.name("content", row["content"])))
    facts += [
        (words[f"card.{column}"], words.name(column, row[column]))
        for column in ("intent", "persona")
        if row.get(column) is not None
    ]
    if row.get("fit") is not None:
        said = words.sentence(
            "card.fit_known", fit=words.whole(int(row["fit"])), share=words.percent(row["fit_known"] or 0.0)
        )
        facts.append((words["card.fit"], said))
    return facts


def _next(subject: Subject, words: Words) -> Markup:
    """Say what changes when, if nothing else happens."""
    row = subject.row
    if row["next_change"] is None:
        return words.sentence("card.stays")
    ranks = ("none", "low", "medium", "high")
    before, after = ranks.index(row["level"]), ranks.index(row["next_level"] or "none")
    parts = [] if before == after else ["falls" if after < before else "rises"]
    if row["next_phase"] is not None and row["next_phase"] != row["phase"]:
        parts.append("moves")
    return words.sentence(
        f"card.{'_and_'.join(parts) or 'stays'}",
        level=words[f"level.{row['next_level']}"],
        phase=words.name("phase", str(row["next_phase"])),
        date=words.date(row["next_change"], near=subject.at),
    )


def _pace(momentum: float | None, words: Words) -> Markup:
    if momentum is None:
        return words.sentence("card.momentum_unknown")
    return words.sentence(
        "card.momentum",
        pace=words[f"pace.{pace_of(momentum)}"],
        momentum=words.signed(momentum),
        share=words.percent((1 + momentum) / (1 - momentum)) if momentum < 1 else "\N{INFINITY}",
    )


def _last(subject: Subject, words: Words) -> Markup:
    row = subject.row
    if row["last_event"] is None:
        return words.sentence("card.no_activity")
    days = int(row["silent_days"] or 0)
    return words.sentence(
        "card.activity",
        type=words.name("type", str(row["last_type"])),
        date=words.date(row["last_event"], near=subject.at),
        days=words.count("days", days) if days else words["days.today"],
    )


def _strongest(subject: Subject, words: Words) -> tuple[list[Row], tuple[str, str] | None]:
    """Set out the strongest reasons, and in one line what else there is: together the score that is shown."""
    found = subject.reasons or ()
    rounded = [round(each.contribution, 1) for each in found[:MOST_REASONS]]
    large = [each for each, points in zip(found, rounded, strict=False) if points]
    told: list[Row] = []
    for each in large:
        said = words.name("rule", each.rule, 36)
        if each.events is not None and each.events > 1:
            said = Markup(
                f'{said} <span class="dim">\N{MULTIPLICATION SIGN}{words.whole(each.events)}</span>'
            )
        date = "" if each.last is None else _day(each.last, subject.at, words)
        told.append((said, date, words.signed(each.contribution, 1)))
    left = round(subject.row["score"], 1) - sum(points for points in rounded if points)
    others = len(found) - len(large)
    if not others and not round(left, 1):
        return told, None
    count = words.count("more", others)
    exact = not round(left - sum(each.contribution for each in found[len(large) :]), 1)
    why = words["card.rounding"] if not others else count if exact else words.plain("card.rest", count=count)
    return told, (why, words.signed(left, 1))


def _day(micros: int, at: datetime, words: Words) -> str:
    return words.date(_moment(micros, aware=at.tzinfo is not None), near=at)


def _channels(row: Mapping[str, Any], words: Words) -> list[Row]:
    """Set out the channels, the strongest first, as bars from a common zero."""
    prefix = "channel_"
    scores = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
    found = sorted(
        ((name, value) for name, value in scores.items() if round(value, 1)), key=lambda each: -abs(each[1])
    )
    shown, others = found[:MOST_CHANNELS], [value for _, value in found[MOST_CHANNELS:]]
    low = min(0.0, *(value for _, value in shown), sum(others)) if shown else 0.0
    high = max(0.0, *(value for _, value in shown), sum(others)) if shown else 0.0
    told: list[Row] = [
        (words.name("channel", name, 24), _bar(value, low, high), words.signed(value, 1))
        for name, value in shown
    ]
    if others:
        rest = sum(others)
        told.append((words.count("more", len(others)), _bar(rest, low, high), words.signed(rest, 1)))
    return told


def _bar(value: float, low: float, high: float) -> Markup:
    """Draw a bar between the least and the most of all of them."""
    scale = 100 / (high - low)
    zero, end = -low * scale, (value - low) * scale
    sign = "plus" if value > 0 else "minus"
    return Markup(
        '<svg class="bar" viewBox="0 0 100 9" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{sign}" x="{min(zero, end):.2f}" y=".5" width="{abs(end - zero):.2f}" height="8"/>'
        f'<rect class="zero" x="{min(zero, 99.2):.2f}" y="0" width=".8" height="9"/></svg>'
    )


def _course(subject: Subject, words: Words) -> tuple[Markup, str] | None:
    """Draw the last days, from the first on that anything is known of."""
    course = subject.course
    known = None if course is None else np.flatnonzero(~np.isnan(course))
    if course is None or known is None or not len(known):
        return None
    first = subject.at - (len(course) - 1) * _DAY
    start = int(known[0])
    label = words.plain(
        "card.course_told",
        **{
            "first": words.whole(int(course[start])),
            "from": words.date(first + start * _DAY, near=subject.at),
            "now": words.whole(int(course[-1])),
            "to": words.date(subject.at, near=subject.at),
            "most": words.whole(int(course[known].max())),
        },
    )
    return sparkline(course, subject.model.levels, label), words.date(first, near=subject.at)
