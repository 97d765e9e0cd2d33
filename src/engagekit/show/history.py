"""The course of one contact: its score through time, stacked by channel, over its phases and its events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define

from engagekit.instants import EPOCH
from engagekit.show.letters import extent, fitted
from engagekit.show.markup import Markup, clean, element, number, shortened
from engagekit.show.picture import NOBODY, Picture, colours_of, legend, picture
from engagekit.show.stacking import Stack, stacked, ticks
from engagekit.show.theme import SERIES
from engagekit.show.words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.course import Course
    from engagekit.model import Model
    from engagekit.show.look import Look

CSS: Final = (
    ".ek .history text{font-size:12px;fill:var(--ink)}"
    ".ek .history .small{font-size:11px;fill:var(--quiet)}"
    ".ek .history .number{font-variant-numeric:tabular-nums}"
    ".ek .history .grid{stroke:var(--line);stroke-width:1}"
    ".ek .history .base{stroke:var(--faint);stroke-width:1}"
    ".ek .history .layer{fill-opacity:.72}"
    ".ek .history .score{fill:none;stroke:var(--ink);stroke-width:1.5;stroke-linejoin:round}"
    ".ek .history .now{fill:var(--ink);stroke:var(--paper);stroke-width:2}"
    ".ek .history .event{stroke:var(--quiet);stroke-width:1}"
)
_WIDTH: Final = 720
_PLOT: Final = 190
_LEFT, _RIGHT = 44, 40
"""The room for numbers beside the plot, unless they need more."""
_BAND: Final = 20
_DAY: Final = 86_400_000_000
_MOST_LAYERS: Final = 8
_MOST_DRAWN: Final = 732


class History(Picture):
    """The course of one contact; made by `Scores.history`.

    In its picture channels are stacked, the score is a line, each event a tick, and below there are the
    phases. What takes points away lies below the line of nothing.

    Attributes
    ----------
    contact
        Who.

    Examples
    --------
    >>> import engagekit as ek, numpy as np
    >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=80, channel="web")])
    >>> times = np.array(["2026-01-01", "2026-01-30"], "datetime64[us]")
    >>> events = {"contact": ["ann"] * 2, "type": ["visit"] * 2, "time": times}
    >>> history = model.score(events, at="2026-01-31").history("ann", every="10d")
    >>> history.frame["score"].round().tolist(), history.frame["phase"].tolist()
    ([80.0, 63.0, 50.0, 118.0], ['sales', 'sales', 'sales', 'sales'])
    """

    css = CSS

    def __init__(
        self,
        *,
        contact: Any,
        course: Course,
        model: Model,
        kind: str,
        look: Look,
    ) -> None:
        super().__init__(look)
        self.contact = contact
        self._course = course
        self._model = model
        self._kind = kind
        self._frame: Any = None

    @property
    def frame(self) -> Any:
        """The table in the caller's kind of frame, a row an instant.

        Columns are ``at``, ``score``, ``engagement``, ``level``, ``half``, ``phase``, ``momentum``, and the
        points of each channel, which add up to the score.
        """
        if self._frame is None:
            from engagekit.frames import build

            self._frame = build(self._kind, self._course.columns)
        return self._frame

    def __len__(self) -> int:
        return len(self._course.columns["at"].values)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_frame": None}

    def __repr__(self) -> str:
        from engagekit.summary import moment, printable

        who = f"{printable(str(self.contact))}: {len(self):,} instants"
        if not len(self):
            return who
        first, last = self._span
        return f"{who} from {moment(_instant(first))} to {moment(_instant(last))}"

    @property
    def _span(self) -> tuple[float, float]:
        at = self._course.columns["at"].values
        return float(at[0]), float(at[-1])

    def panels(self) -> list[Markup]:
        """Draw the picture without its style."""
        drawing = _Drawing(self._course, self._model, self._words)
        title = self._words.plain("history.title", contact=shortened(clean(self.contact)))
        return [picture(_WIDTH, drawing.height, title, drawing.told(), *drawing.shapes(), name="history")]


@define(kw_only=True, frozen=True)
class _Span:
    """A stay in a phase: its name, as much of it as there is room for, its colour, from when until when."""

    own: str
    text: str
    colour: str
    since: float
    until: float


class _Drawing:
    """One drawing: where instants and points come to stand, and what is drawn there."""

    def __init__(self, course: Course, model: Model, words: Words) -> None:
        self._course, self._words, self._model = course, words, model
        at = course.columns["at"].values
        some = np.unique(np.linspace(0, max(len(at) - 1, 0), min(len(at), _MOST_DRAWN)).astype(np.int64))
        self._at = at[some].astype(np.float64)
        self._score = course.columns["score"].values[some]
        self._names, layers = _layers(list(model.channel_names), course.channels[:, some], words)
        self._stack = stacked(self._at, layers) if len(some) else None
        low = 0.0 if self._stack is None else float(self._stack.floor[-1:].min(initial=0))
        high = 0.0 if self._stack is None else float(self._stack.top[-1:].max(initial=0))
        room = max(high - low, 1e-9)
        self._low, self._high = low - (0.04 * room if low else 0), high + 0.06 * room
        self._first = float(self._at[0]) if len(some) else 0.0
        self._last = float(self._at[-1]) if len(some) else 1.0
        self._ticks = [(points, words.figure(points)) for points in ticks(self._low, self._high, 4)]
        self._now = words.figure(float(self._score[-1])) if len(some) else ""
        self._left = max(_LEFT, *(extent(text, 11) + 10 for _, text in self._ticks))
        self._right = max(_RIGHT, extent(self._now, 12) + 12)
        entries = list(zip(SERIES, self._names, strict=False))
        self._legend, above = legend(entries, _WIDTH - self._left, left=self._left)
        self._top = above + 12
        self._stays = list(self._spans()) if len(some) else []
        foot = self._top + _PLOT + 8 + 12 + 6 + _BAND + 22
        self._unsaid, below = self._unwritten(foot + 4)
        self.height = foot + (below + 4 if below else 0)
        self._foot = foot

    def _x(self, at: Any) -> Any:
        span = max(self._last - self._first, 1.0)
        return self._left + (_WIDTH - self._left - self._right) * (at - self._first) / span

    def _y(self, points: Any) -> Any:
        return self._top + _PLOT * (self._high - points) / (self._high - self._low)

    def shapes(self) -> Iterator[Markup]:
        """Draw from the back to the front."""
        yield from self._legend
        yield from self._scale()
        if self._stack is not None:
            yield from self._areas(self._stack)
            yield from self._line()
        yield element("line", {**self._across(self._y(0.0)), "class": "base"})
        if self._stack is not None:
            yield from self._events()
            yield from self._phases()
            yield from self._days()
            yield from self._unsaid

    def _across(self, y: float) -> dict[str, object]:
        return {"x1": self._left, "x2": _WIDTH - self._right, "y1": y, "y2": y}

    def _scale(self) -> Iterator[Markup]:
        for points, text in self._ticks:
            y = self._y(points)
            yield element("line", {**self._across(y), "class": "grid"})
            beside = {"x": self._left - 8, "y": y + 4, "text-anchor": "end", "class": "small number"}
            yield element("text", beside, text)

    def _areas(self, stack: Stack) -> Iterator[Markup]:
        x = self._x(stack.places)
        for layer, name in enumerate(self._names):
            edges = ((stack.bottom, stack.top), (stack.ceiling, stack.floor))
            path = "".join(_area(x, self._y(one[layer]), self._y(other[layer])) for one, other in edges)
            if path:
                shape = {"d": path, "class": "layer", "fill": SERIES[layer % len(SERIES)]}
                yield element("path", shape, element("title", {}, clean(name)))

    def _line(self) -> Iterator[Markup]:
        x, y = self._x(self._at), self._y(self._score)
        yield element("path", {"d": _line(x, y), "class": "score"})
        yield element("circle", {"cx": float(x[-1]), "cy": float(y[-1]), "r": 4, "class": "now"})
        beside = {"x": float(x[-1]) + 8, "y": float(y[-1]) + 4, "class": "number"}
        yield element("text", beside, self._now)

    def _events(self) -> Iterator[Markup]:
        """Draw a tick for each place where something happened, and tell what in its title."""
        course, y = self._course, self._top + _PLOT + 8
        seen = course.times >= self._first
        places = np.round(self._x(course.times[seen]))
        for place in np.unique(places).tolist():
            here = places == place
            names, counts = np.unique(course.types[seen][here], return_counts=True)
            order = np.argsort(-counts, kind="stable")[:4]
            told = ", ".join(self._happened(names[each], counts[each]) for each in order)
            when = self._words.date(_instant(float(course.times[seen][here][0])))
            tall = min(12.0, 4 + 2 * float(np.log2(here.sum())) + 2)
            tick = {"x1": place, "x2": place, "y1": y + 12 - tall, "y2": y + 12, "class": "event"}
            yield element("line", tick, element("title", {}, clean(f"{when}: {told}")))

    def _happened(self, type_: int, count: int) -> str:
        what = self._words.label("type", self._course.type_names[type_])
        return f"{what} {self._words.whole(int(count))}"

    def _spans(self) -> Iterator[_Span]:
        """Find for how long the contact was in which phase, one after the other."""
        codes, names = self._course.columns["phase"].coded()
        at = self._course.columns["at"].values.astype(np.float64)
        colours = colours_of(self._model)
        starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
        ends = np.append(at[starts[1:]], self._last)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            name = names[codes[start]] if codes[start] >= 0 else None
            own = self._words["gauge.nothing"] if name is None else self._words.label("phase", name)
            wide = self._x(end) - self._x(at[start])
            text = fitted(own, 11, wide - 8) if wide > min(40, extent(own, 11) * 0.8) else ""
            colour = NOBODY if name is None else colours.get(name, NOBODY)
            yield _Span(own=own, text=text, colour=colour, since=at[start], until=end)

    def _unwritten(self, top: float) -> tuple[list[Markup], float]:
        """Explain the colours of those phases of which no stay is long enough to write its name upon."""
        said = {span.own for span in self._stays if span.text}
        left = {span.own: span.colour for span in self._stays if span.own not in said}
        entries = [(colour, own) for own, colour in left.items()]
        return legend(entries, _WIDTH - self._left, left=self._left, top=top)

    def _phases(self) -> Iterator[Markup]:
        y = self._top + _PLOT + 8 + 12 + 6
        for span in self._stays:
            x, wide = self._x(span.since), self._x(span.until) - self._x(span.since)
            first, last = (self._words.date(_instant(each)) for each in (span.since, span.until))
            told = self._words.plain("history.phase", phase=span.own, since=first, at=last)
            box = {"x": x, "y": y, "width": wide, "height": _BAND, "fill": span.colour, "fill-opacity": 0.2}
            yield element("rect", box, element("title", {}, clean(told)))
            yield element("rect", {"x": x, "y": y + 17, "width": wide, "height": 3, "fill": span.colour})
            if span.text:
                yield element("text", {"x": x + 5, "y": y + 13, "class": "small"}, span.text)

    def _days(self) -> Iterator[Markup]:
        y = self._foot - 6
        days, monthly = _round_days(self._first, self._last)
        for at in days:
            when = _instant(at)
            label = self._words.date(when, near=_instant(self._last))
            if monthly:
                month, named = self._words[f"month.{when.month}"], when.month == 1 or at == days[0]
                label = f"{month} {when.year}" if named else month
            middle = {"x": self._x(at), "y": y, "text-anchor": "middle", "class": "small number"}
            yield element("text", middle, label)

    def told(self) -> str:
        """Say in words what the picture shows."""
        if self._stack is None:
            return ""
        first, last = (self._words.date(_instant(at)) for at in (self._first, self._last))
        one, other = (self._words.figure(float(self._score[place])) for place in (0, -1))
        return self._words.plain("history.told", since=first, at=last, before=one, after=other)


def _layers(
    names: list[str], channels: NDArray[np.float64], words: Words
) -> tuple[list[str], NDArray[np.float64]]:
    """Choose what is drawn as a layer of its own: all channels, or the largest and the rest as one."""
    shown = [words.label("channel", name) for name in names]
    if len(names) <= _MOST_LAYERS:
        return shown, channels
    order = np.argsort(-np.abs(channels).sum(axis=1), kind="stable")
    kept = np.sort(order[: _MOST_LAYERS - 1])
    rest = np.sort(order[_MOST_LAYERS - 1 :])
    told = words.count("history.others", len(rest))
    return [*(shown[each] for each in kept), told], np.vstack([channels[kept], channels[rest].sum(axis=0)])


def _area(x: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]) -> str:
    """Draw what lies between two curves; nothing where they are the same everywhere."""
    if np.array_equal(one, other):
        return ""
    there, back = _line(x, one), _line(x[::-1], other[::-1])
    return f"{there}L{back[1:]}Z"


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Draw a line through points, those left out that lie on it anyway."""
    across, up = np.round(x, 2), np.round(y, 2)
    level = np.zeros(len(up), np.bool_)
    level[1:-1] = (up[1:-1] == up[:-2]) & (up[1:-1] == up[2:])
    points = zip(across[~level].tolist(), up[~level].tolist(), strict=True)
    return "M" + "L".join(f"{number(one)} {number(other)}" for one, other in points)


def _round_days(first: float, last: float) -> tuple[list[float], bool]:
    """Choose days for the axis: every so many of a short span, else the first of months; and say which."""
    days = (last - first) / _DAY
    if days < 62:
        step = next(step for step in (1, 2, 7, 14) if days / step <= 9) * _DAY
        start = -(-first // step) * step
        return [start + step * place for place in range(int((last - start) // step) + 1)], False
    months = next((step for step in (1, 2, 3, 6, 12, 24, 60, 120) if days / 30.4 / step <= 9), 1200)
    made = []
    one, end = _instant(first), _instant(last)
    month = (one.year * 12 + one.month - 1) // months * months
    while (when := datetime(month // 12, month % 12 + 1, 1, tzinfo=EPOCH.tzinfo)) <= end:
        if when >= one:
            made.append(float((when - EPOCH) // timedelta(microseconds=1)))
        month += months
    return made, True


def _instant(micros: float) -> datetime:
    return EPOCH + timedelta(microseconds=int(micros))
