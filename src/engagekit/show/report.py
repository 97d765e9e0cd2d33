"""The report: one HTML file that says how a whole list of contacts stands, and brings all it needs."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define

from engagekit.comparison import Side
from engagekit.datafiles import check_page, replacing, target_of
from engagekit.describe import opening, sections
from engagekit.errors import EngagekitError, StateError
from engagekit.instants import EARLIEST, microseconds_of
from engagekit.show import flow as flows
from engagekit.show import of_scores, picture, population
from engagekit.show.markup import Markup, clean, isolated, shortened
from engagekit.show.pages import rendered
from engagekit.show.people import Person, endangered, falling, hottest, in_danger, people, strongest
from engagekit.show.sparkline import SPARKLINE_CSS
from engagekit.show.theme import LIGHT, scoped
from engagekit.show.words import Words
from engagekit.summary import moment

if TYPE_CHECKING:
    from engagekit.frames import Out
    from engagekit.scores import Stats
    from engagekit.show.flow import Flow
    from engagekit.show.look import Look
    from engagekit.show.population import Population

LISTED: Final = 10
"""How many hot prospects and endangered customers are named."""
LONGEST: Final = 1000
"""Letters of a sentence about the model."""
_MOVES: Final = 6
BEFORE: Final = timedelta(days=30)


@define(kw_only=True, frozen=True)
class Tile:
    """A number at the top of the report."""

    label: str
    value: str
    below: str


def write(
    side: Side,
    path: str | os.PathLike[str],
    *,
    since: Any,
    top: int,
    stats: Stats,
    notes: Sequence[str],
    look: Look,
) -> None:
    """Write a report; see `Scores.report`."""
    target = target_of(path)
    check_page(target)
    try:
        # opened first: whoever cannot write there learns it before anything is computed
        with replacing(target) as stream:
            page = report(side, since=since, top=top, stats=stats, notes=notes, look=look)
            stream.write(page.encode())
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, str(target)) from error


def report(
    side: Side,
    *,
    since: Any,
    top: int,
    stats: Stats,
    notes: Sequence[str],
    look: Look,
) -> str:
    """Make the report's page."""
    if side.at is None:
        raise StateError("report: expected scores at one instant, got some at instants of their own")
    if type(top) is not int or top < 0:
        raise EngagekitError(f"top=: expected a whole number of at least 0, got {top!r}")
    model, at, words = side.model, microseconds_of(side.at), look.words
    earlier = _earlier(side, since)
    stands = of_scores.population(side, look=look)
    flow = None if earlier is None else of_scores.flow(side, earlier, look=look)
    style, script = _style(), _part("js")
    table = people(side, strongest(side.table, top), words)
    name = clean(model.name)
    return rendered(
        "report.html",
        words=words,
        scope=style[0],
        style=style[1],
        script=script,
        policy=_policy(style[1], script if table else Markup()),
        theme=look.theme,
        title=f"{words['report.title']}: {name}",
        model_name=name,
        opening=words.plain(
            "report.opening",
            contacts=words.count("report.contacts", len(side.keys)),
            events=words.count("report.events", stats.rows),
            at=words.date(side.at),
            time=moment(side.at).partition(" ")[2],
        ),
        notes=[_said(note) for note in notes],
        tiles=list(_tiles(side, stands, earlier, at, words)),
        panels=_panels(stands, words) if len(side.keys) else [],
        flow=None if flow is None or not flow.contacts else _told(flow, words),
        lists=list(_lists(side, stands, at, words)),
        courses=side.origin is not None,
        top=table,
        top_title=words.plain("report.top", count=words.whole(len(table))),
        columns=_columns(side.table, stands),
        halves=_several_halves(stands),
        rated="rating" in side.table,
        staged="stage" in side.table,
        phases=list(dict.fromkeys(person.phase for person in table)),
        levels=list(dict.fromkeys(person.level for person in table)),
        about=_said(opening(model)),
        described=[
            (_said(heading), [(own, _said(said)) for own, said in entries])
            for heading, entries in sections(model)
        ],
        uncounted=_uncounted(stats, words),
        fingerprint=model.fingerprint,
        version=_version(),
    )


def _said(sentence: str) -> str:
    """Clean a sentence about names that may be anything, and cut what nobody would read."""
    return isolated(shortened(clean(sentence), LONGEST))


def _earlier(side: Side, since: Any) -> Side | None:
    """Find where everybody stood before; without being asked to only where that can be told."""
    if isinstance(since, Side):
        return since
    if since is not None:
        return of_scores.before(side, since)
    if side.origin is None or side.at is None or microseconds_of(side.at) == EARLIEST:
        return None
    return of_scores.before(side, BEFORE)


def _tiles(side: Side, stands: Population, earlier: Side | None, at: int, words: Words) -> Iterable[Tile]:
    table, count = side.table, stands.contacts
    before = None if earlier is None else earlier.table
    since = "" if earlier is None or earlier.at is None else words.date(earlier.at, near=side.at)

    def change(now: float, then: float | None, digits: int = 0) -> str:
        if then is None:
            return ""
        return words.plain("report.since", change=words.signed(now - then, digits), day=since)

    customers = sum(bar.count for bar in stands.phases if bar.half == "customer")
    sides = words.plain(
        "report.halves", prospects=words.whole(count - customers), customers=words.whole(customers)
    )
    yield Tile(label=words["report.all_contacts"], value=words.whole(count), below=sides if customers else "")
    mean = _mean(table)
    yield Tile(
        label=words["report.mean"],
        value=words.tenths(mean),
        below=change(mean, None if before is None else _mean(before), 1),
    )
    high = stands.levels["high"]
    yield Tile(
        label=words.plain("report.at_level", level=clean(words.label("level", "high"))),
        value=words.whole(high),
        below=change(high, None if before is None else _at_level(before, "high"))
        or words.percent(high / count if count else 0),
    )
    if customers:
        lost = int(endangered(table, side.model).sum())
        then = None if before is None else int(endangered(before, side.model).sum())
        yield Tile(label=words["report.endangered"], value=words.whole(lost), below=change(lost, then))
    sink = int(falling(table, at).sum())
    yield Tile(label=words["report.falling"], value=words.whole(sink), below=words["report.falling_below"])


def _mean(table: Mapping[str, Out]) -> float:
    values = table["engagement"].values
    return float(np.mean(values)) if len(values) else 0.0


def _at_level(table: Mapping[str, Out], level: str) -> int:
    codes, names = table["level"].coded()
    return int(np.sum(codes == names.index(level))) if level in names else 0


def _panels(stands: Population, words: Words) -> list[dict[str, object]]:
    panels = [("population.by_phase", stands.by_phase()), ("population.by_level", stands.by_level())]
    if stands.ratings is None:
        panels.append(("population.by_engagement", stands.by_engagement()))
    else:
        panels.append(("population.by_rating", stands.by_rating()))
    return [{"title": words[key], "picture": drawn} for key, drawn in panels]


def _told(flow: Flow, words: Words) -> dict[str, object]:
    """Tell of a flow, in a broad picture and one for a phone."""
    nobody = words["gauge.nothing"]
    return {
        "title": flow.title,
        "broad": flow.drawn(680),
        "narrow": flow.drawn(330),
        "moved": words.whole(flow.moved),
        "told": words.plain("report.moved", all=words.whole(flow.contacts)),
        "moves": [
            (
                *(nobody if name is None else words.label("phase", name) for name in way),
                words.whole(count),
            )
            for *way, count in flow.moves[:_MOVES]
        ],
    }


def _lists(side: Side, stands: Population, at: int, words: Words) -> Iterable[dict[str, object]]:
    halves = {bar.half for bar in stands.phases if bar.count}
    if "prospect" in halves or not halves:
        yield _list("hottest", people(side, hottest(side.table, LISTED), words, courses=True), words)
    if "customer" in halves:
        rows = in_danger(side.table, side.model, at, LISTED)
        yield _list("in_danger", people(side, rows, words, courses=True), words)


def _list(key: str, found: list[Person], words: Words) -> dict[str, object]:
    about, none = words[f"report.{key}.about"], words[f"report.{key}.none"]
    return {"title": words[f"report.{key}.title"], "about": about, "none": none, "people": found}


def _columns(table: Mapping[str, Out], stands: Population) -> list[tuple[str, str]]:
    """Name the columns of the table of contacts, and how each is set."""
    columns = [("contact", ""), ("engagement", "right"), ("level", "")]
    columns += [("half", "")] if _several_halves(stands) else []
    columns += [("phase", ""), ("score", "right"), ("momentum", "right")]
    columns += [(name, "") for name in ("rating", "stage") if name in table]
    return [*columns, ("channel", ""), ("last", ""), ("next", "")]


def _several_halves(stands: Population) -> bool:
    return len({bar.half for bar in stands.phases}) > 1


def _uncounted(stats: Stats, words: Words) -> str:
    """Say what was read and did not count."""
    names = ("future", "duplicates", "excluded", "unmatched", "null_amounts")
    said = [(name, getattr(stats, name)) for name in names]
    told = [words.plain(f"report.stats.{name}", count=words.whole(count)) for name, count in said if count]
    return words.plain("report.uncounted", told="; ".join(told)) if told else ""


@cache
def _part(ending: str) -> Markup:
    return Markup((files("engagekit.show") / "templates" / f"report.{ending}").read_text("utf-8"))


@cache
def _style() -> tuple[str, Markup]:
    """Give the page's class and style: that of the pictures, its own, and paper for what is printed."""
    light = "".join(f"--{name}:{value};" for name, value in LIGHT.items())
    printed = f"@media print{{.ek.ek{{{light}color-scheme:light}}}}"
    return scoped(picture.CSS + flows.CSS + population.CSS + SPARKLINE_CSS + _part("css") + printed)


def _policy(style: str, script: str) -> str:
    """Allow this style and this script, by their digests, and nothing else at all."""
    parts = ["default-src 'none'", f"style-src {_digest(style)}"]
    parts += [f"script-src {_digest(script)}"] if script else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("engagekit")
    except PackageNotFoundError:
        return ""
