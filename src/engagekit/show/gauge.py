"""The round meter: where a contact stands, how engaged, and where that is going."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from math import asin, cos, degrees, radians, sin
from typing import Final

from attrs import frozen

from engagekit.model import Model
from engagekit.show.letters import fitted, sized
from engagekit.show.markup import (
    LONGEST_TITLE,
    Markup,
    clean,
    element,
    escaped,
    isolated,
    number,
    shortened,
)
from engagekit.show.sectors import HALVES, Sector, sector_of, sectors
from engagekit.show.theme import scoped
from engagekit.show.words import Words

STEADY: Final = 0.1
"""A momentum up to which the pace is the usual one: it is within a fifth of that."""

_MIDDLE: Final = 120.0
_OUTER, _INNER, _SMALL_INNER = 114.0, 88.0, 85.0
_LABEL, _SMALLEST_LABEL = 12.5, 9.5
_LEAST_LETTERS: Final = 8
"""A name that is cut to fewer letters says less than none: it stands in the middle then, in its turn."""
_LEAST_DEGREES: Final = 4.0
"""Between ticks; nearer ones could not be told apart."""
_SPARE: Final = 8.0
"""Degrees by which a name's path is longer than its sector: what stands beyond it is not drawn at all."""
_GAPS, _SMALL_GAPS = (1.0, 2.4), (2.2, 4.2)
"""What a sector leaves free at its ends: to another phase, and to the other half."""

GAUGE_CSS: Final = (
    ".ek.gauge,.ek .gauge{container-type:inline-size;display:block;width:100%;aspect-ratio:1}"
    ".ek .sector.prospect{fill:var(--prospect-soft)}.ek .sector.customer{fill:var(--customer-soft)}"
    ".ek .sector.last.customer{fill:var(--alarm-soft)}"
    ".ek .sector.prospect.here{fill:var(--prospect)}.ek .sector.customer.here{fill:var(--customer)}"
    ".ek .sector.last.customer.here{fill:var(--alarm)}"
    ".ek .word{fill:var(--ink);text-anchor:middle}.ek .word.still{fill:var(--quiet)}"
    ".ek .word.phase.here{fill:var(--on-fill);font-weight:600}.ek .word.half.here{font-weight:600}"
    ".ek .word.half{font-size:11.5px}.ek .word.half.prospect{text-anchor:start}"
    ".ek .word.half.customer{text-anchor:end}"
    ".ek .word.value{font-weight:600;font-variant-numeric:tabular-nums;letter-spacing:-.02em}"
    ".ek .needle{fill:var(--ink)}.ek .tick{stroke:var(--faint);stroke-width:.9}"
    ".ek .arrow{fill:none;stroke:var(--ink);stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}"
    ".ek .small{display:none}"
    "@container (max-width:175px){.ek .large{display:none}.ek .small{display:inline}}"
)


@frozen(kw_only=True)
class Gauge:
    """The round meter of a contact.

    Attributes
    ----------
    model
        Whose phases are its sectors.
    half, phase, engagement, level, momentum
        What it shows: columns of a result.
    words
        What its labels say.
    theme
        ``"light"`` or ``"dark"``; None: as the reader's system has it.

    Examples
    --------
    >>> from engagekit.model import Rule
    >>> model = Model(rules=[Rule(name="visit", on="visit", points=1)])
    >>> shown = Gauge(
    ...     model=model,
    ...     half="prospect",
    ...     phase="sales",
    ...     engagement=72.4,
    ...     level="high",
    ...     momentum=0.3,
    ...     words=Words(),
    ... )
    >>> shown.title, shown.alone()[:4]
    ('engagement 72, high, sales, rising', '<svg')
    """

    model: Model
    half: str
    phase: str | None
    engagement: float
    level: str
    momentum: float | None
    words: Words
    theme: str | None = None

    @property
    def title(self) -> str:
        """What it shows, in a line."""
        words = self.words
        if self.phase is None:
            return words["gauge.unknown"]
        parts = [
            words.plain("gauge.engagement", number=words.whole(int(self.engagement))),
            words[f"level.{self.level}"],
            words.label("phase", self.phase),
            words[f"pace.{pace_of(self.momentum)}"],
        ]
        return ", ".join(parts)

    def alone(self) -> Markup:
        """Draw it as an SVG file of its own, as large as what it stands in."""
        scope, css = scoped(GAUGE_CSS)
        return self._drawn(f"{scope} gauge", element("style", {}, css))

    def within(self) -> Markup:
        """Draw it for a place that has `GAUGE_CSS` among its own styles."""
        return self._drawn("gauge", Markup())

    def _drawn(self, classes: str, style: Markup) -> Markup:
        words, here = self.words, sector_of(self.model, self.half, self.phase)
        attributes = {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": "0 0 240 240",
            "role": "img",
            "class": classes,
            "data-theme": self.theme,
        }
        return element(
            "svg",
            attributes,
            element("title", {}, _plain(self.title)),
            _description(words),
            style,
            _dial(self.model, words, here),
            _hands(here, self.engagement),
            self._middle(named=here is not None and _written(here, words) is None),
        )

    def _middle(self, *, named: bool) -> Markup:
        """Write the number, level and arrow; the phase instead where its sector has no room for that.

        All of it stays where no needle reaches, wherever that points.
        """
        words = self.words
        known = self.phase is not None
        value = escaped(words.whole(int(self.engagement)) if known else "\N{EN DASH}")
        large, small = (42, 46) if len(value) > 2 else (52, 57)
        level = words[f"level.{self.level}"] if known else words["gauge.nothing"]
        below = _below(words.label("phase", str(self.phase)) if named else level)
        arrow = _arrow(self.momentum)
        return Markup(
            f'<g class="large"><text class="word value" x="120" y="120" font-size="{large}">{value}</text>'
            f'{below}<g transform="translate(120 155)">{arrow}</g></g>'
            f'<g class="small"><text class="word value" x="120" y="125" font-size="{small}">{value}</text>'
            f'<g transform="translate(120 148) scale(1.6)">{arrow}</g></g>'
        )


def pace_of(momentum: float | None) -> str:
    """Say whether the pace is rising, steady or sinking; none where there is no momentum.

    Examples
    --------
    >>> pace_of(0.4), pace_of(-0.05), pace_of(-1 / 3), pace_of(None)
    ('rising', 'steady', 'sinking', 'none')
    """
    if momentum is None:
        return "none"
    return "steady" if abs(momentum) < STEADY else "rising" if momentum > 0 else "sinking"


@lru_cache(maxsize=64)
def _description(words: Words) -> Markup:
    halves = {half: words[f"half.{half}"] for half in HALVES}
    return element("desc", {}, _plain(words.plain("gauge.summary", **halves)))


def _plain(text: str) -> str:
    return isolated(shortened(clean(text), LONGEST_TITLE))


def _point(radius: float, degrees: float) -> str:
    turn = radians(degrees)
    return f"{number(_MIDDLE + radius * sin(turn))} {number(_MIDDLE - radius * cos(turn))}"


def _ends(each: Sector, radius: float, gaps: tuple[float, float] = _GAPS) -> tuple[float, float]:
    """Return from where to where, clockwise, a sector is drawn: its gaps are as wide within as without."""
    bounds = each.first_degree, each.first_degree + each.width
    first, last = (degrees(asin(gaps[bound % 180 == 0] / radius)) for bound in bounds)
    return bounds[0] + first, bounds[1] - last


@lru_cache(maxsize=256)
def _dial(model: Model, words: Words, here: Sector | None) -> Markup:
    """Draw what is the same for everybody in a phase: the ring, its ticks, and what is written on it."""
    all_of = sectors(model)
    large = [
        *(_arc(each, here, words, _INNER, _GAPS) for each in all_of),
        *(_ticks(each) for each in all_of),
        *(_name(each, words, here=each == here) for each in all_of),
        *(_half(half, words, here=here is not None and half == here.half) for half in HALVES),
    ]
    small = [_arc(each, here, words, _SMALL_INNER, _SMALL_GAPS) for each in all_of]
    return Markup(element("g", {"class": "large"}, *large) + element("g", {"class": "small"}, *small))


def _arc(each: Sector, here: Sector | None, words: Words, inner: float, gaps: tuple[float, float]) -> Markup:
    (first, last), (first_in, last_in) = _ends(each, _OUTER, gaps), _ends(each, inner, gaps)
    large = int(each.width > 180)
    path = (
        f"M{_point(_OUTER, first)}A{_OUTER:g} {_OUTER:g} 0 {large} 1 {_point(_OUTER, last)}"
        f"L{_point(inner, last_in)}A{inner:g} {inner:g} 0 {large} 0 {_point(inner, first_in)}Z"
    )
    told = words.plain(
        "gauge.sector",
        phase=words.label("phase", each.phase),
        half=words[f"half.{each.half}"],
        low=words.figure(each.low),
        high=words.figure(each.high),
    )
    classes = f"sector {each.half}{' last' if each.last else ''}{' here' if each == here else ''}"
    return element("path", {"class": classes, "d": path}, element("title", {}, _plain(told)))


def _ticks(each: Sector) -> Markup:
    """Mark every ten points of engagement within the sector, where there is room for that."""
    marks = [ten for ten in range(10, 100, 10) if each.low < ten < each.high]
    if marks and each.width / (len(marks) + 1) < _LEAST_DEGREES:
        return Markup()
    path = "".join(f"M{_point(83.5, each.angle(ten))}L{_point(86, each.angle(ten))}" for ten in marks)
    return element("path", {"class": "tick", "d": path}) if path else Markup()


@lru_cache(maxsize=1024)
def _written(each: Sector, words: Words) -> tuple[str, float] | None:
    """Return what is written on a sector and how large; None: nothing that says anything has room."""
    first, last = _ends(each, _INNER)
    room = radians(last - first) * (_INNER + 6)
    label = words.label("phase", each.phase)
    text, size = sized(label, (_LABEL, _SMALLEST_LABEL), room)
    whole = text == isolated(clean(label))
    return (text, size) if whole or len(text) >= _LEAST_LETTERS else None


def _name(each: Sector, words: Words, *, here: bool) -> Markup:
    """Write a phase's name along its sector, below the middle the other way round so that it stands up."""
    written = _written(each, words)
    if written is None:
        return Markup()
    text, size = written
    centre = each.first_degree + each.width / 2
    below = 90 < centre < 270
    radius = (_INNER + _OUTER) / 2 + (0.36 if below else -0.36) * size
    reach = each.width / 2 + _SPARE if each.width < 120 else each.width / 2
    ends = (centre + reach, centre - reach) if below else (centre - reach, centre + reach)
    path = f"M{_point(radius, ends[0])}A{radius:g} {radius:g} 0 0 {int(not below)} {_point(radius, ends[1])}"
    # equal paths have equal names, so that a page may show any number of meters
    along = f"ek-{blake2b(path.encode(), digest_size=4).hexdigest()}"
    attributes = {"class": "word phase here" if here else "word phase", "font-size": size}
    word = element("text", attributes, element("textPath", {"href": f"#{along}", "startOffset": "50%"}, text))
    return Markup(element("path", {"id": along, "d": path, "fill": "none"}) + word)


def _half(half: str, words: Words, *, here: bool) -> Markup:
    """Write a half's name into the corner above it."""
    classes = f"word half {half} {'here' if here else 'still'}"
    x = 1.5 if half == "prospect" else 2 * _MIDDLE - 1.5
    return element("text", {"class": classes, "x": x, "y": 12}, fitted(words[f"half.{half}"], 11.5, 84))


def _hands(here: Sector | None, engagement: float) -> Markup:
    """Draw the needle, for either size."""
    if here is None:
        return Markup()
    turn = f"rotate({number(here.angle(engagement))} {_MIDDLE:g} {_MIDDLE:g})"
    return Markup(
        f'<g class="hand" transform="{turn}">'
        '<path class="needle large" d="M120 33L124.2 57.5A4.3 4.3 0 1 1 115.8 57.5Z"/>'
        '<path class="needle small" d="M120 25L127 47A7.4 7.4 0 1 1 113 47Z"/></g>'
    )


@lru_cache(maxsize=256)
def _below(text: str) -> Markup:
    """Write a name below the number."""
    shown, size = sized(text, (14, 12, 10.5), 96)
    return element("text", {"class": "word still", "x": 120, "y": 140, "font-size": size}, shown)


def _arrow(momentum: float | None) -> Markup:
    """Draw the momentum as an arrow: straight up for 1, level for 0, straight down for -1."""
    if momentum is None:
        return Markup()
    turn = f"rotate({number(-90 * momentum)})"
    return Markup(f'<path class="arrow" transform="{turn}" d="M-8 0H8M3 -5L8 0L3 5"/>')
