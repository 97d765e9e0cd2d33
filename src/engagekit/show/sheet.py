"""A card's HTML: a head, the meter, what there is to know, the last days, tables of reasons and channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from engagekit.show.gauge import GAUGE_CSS
from engagekit.show.markup import Markup
from engagekit.show.pages import rendered
from engagekit.show.sparkline import SPARKLINE_CSS
from engagekit.show.theme import scoped

if TYPE_CHECKING:
    from datetime import datetime

    from engagekit.show.words import Words

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


def sheet(
    *,
    words: Words,
    theme: str | None,
    title: str,
    contact: Any,
    at: datetime,
    badges: Iterable[Markup],
    meter: Markup,
    facts: Iterable[tuple[str, str]],
    course: tuple[Markup, str] | None,
    score: str,
    reasons: Sequence[Row] | None,
    rest: tuple[str, str] | None,
    dated: bool,
    channels: Sequence[Row],
) -> Markup:
    """Put a card together.

    Parameters
    ----------
    words, theme
        As everywhere.
    title
        What a screen reader says first.
    contact, at, badges, meter
        Who, when, what there is to see at once.
    facts
        Each with its term.
    course
        The line of the last days, and the first of these; None: that is not known.
    score, reasons, rest, dated
        What is accounted for, by what, by what else, and whether the days of the reasons are known. Reasons
        that are None are not known, those that are empty there are none of.
    channels
        What the score is made of besides.
    """
    scope, css = scoped(CARD_CSS)
    return rendered(
        "card.html",
        words=words,
        theme=theme,
        scope=scope,
        css=css,
        title=title,
        contact=contact,
        at=at,
        badges=badges,
        meter=meter,
        facts=facts,
        course=course,
        score=score,
        reasons=reasons,
        rest=rest,
        dated=dated,
        channels=channels,
    )
