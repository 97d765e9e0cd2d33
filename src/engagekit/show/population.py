"""How many stand where: by phase, by level, and by fit and engagement together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import define

from engagekit.show.letters import extent, fitted
from engagekit.show.markup import Markup, clean, element
from engagekit.show.picture import Picture, legend, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.frames import Out
    from engagekit.model import Model
    from engagekit.show.look import Look

LEVELS: Final = ("high", "medium", "low", "none")
"""The best first, as ratings number them."""
SHADES: Final = {
    "high": "var(--series-1)",
    "medium": "color-mix(in srgb,var(--series-1) 62%,var(--paper))",
    "low": "color-mix(in srgb,var(--series-1) 32%,var(--paper))",
    "none": "var(--line)",
}
CSS: Final = (
    ".ek .population text{font-size:12px;fill:var(--ink)}"
    ".ek .population .small{font-size:11px;fill:var(--quiet)}"
    ".ek .population .number{font-variant-numeric:tabular-nums}"
    ".ek .population .track{fill:var(--track)}"
    ".ek .population .cell{fill:var(--series-1)}"
    ".ek .population .axis{stroke:var(--faint);stroke-width:1}"
    ".ek .population .head{font-size:13.5px;font-weight:600}"
)
WIDTH: Final = 320
_ROW: Final = 36
_HEAD: Final = 28
"""The height of a picture's head, where it needs one: in the report the page has it."""


@define(kw_only=True, frozen=True)
class Bar:
    """Those of one half and phase, by level as `LEVELS` has them; no phase: without any activity."""

    half: str
    phase: str | None
    levels: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(self.levels)


class Population(Picture):
    """How many contacts stand where; made by `Scores.population`.

    Attributes
    ----------
    phases
        By half and phase, in the model's order: how many have which level, from high to none.
    levels
        How many have which level.
    contacts
        How many there are.
    ratings
        By grade and level, if the model declares a fit; else None. The grade None is theirs of whom
        nothing is known.

    Examples
    --------
    >>> import engagekit as ek, numpy as np
    >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=80)])
    >>> times = np.array(["2026-01-01", "2026-01-30"], "datetime64[us]")
    >>> events = {"contact": ["ann", "bob"], "type": ["visit"] * 2, "time": times}
    >>> population = model.score(events, at="2026-01-31").population()
    >>> population.levels
    {'high': 1, 'medium': 1, 'low': 0, 'none': 0}
    >>> [(bar.phase, bar.count) for bar in population.phases]
    [('sales', 1), ('nurture', 1)]
    """

    css = CSS

    def __init__(self, columns: Mapping[str, Out], model: Model, look: Look) -> None:
        super().__init__(look)
        self._engagement = (columns["engagement"].values, columns["level"])
        half, level = (_codes(columns[name], names) for name, names in _FIXED.items())
        self.phases = _bars(columns["phase"], half, level, model)
        self.levels = _by_level(level)
        self.ratings: dict[str | None, dict[str, int]] | None = None
        if model.fit is not None and "grade" in columns:
            grades = [name for name, _ in model.fit.ranked]
            codes = _codes(columns["grade"], grades)
            found: dict[str | None, dict[str, int]]
            found = {name: _by_level(level[codes == code]) for code, name in enumerate(grades)}
            unknown = _by_level(level[codes < 0])
            self.ratings = {**found, **({None: unknown} if sum(unknown.values()) else {})}
        self.contacts = sum(self.levels.values())

    def panels(self) -> list[Markup]:
        """Draw the pictures without their style."""
        drawn = [self.by_phase, self.by_level, self.by_engagement]
        drawn += [] if self.ratings is None else [self.by_rating]
        return [draw(headed=True) for draw in drawn]

    def by_phase(self, *, headed: bool = False) -> Markup:
        """Draw a bar for each phase, in pieces by level; a whole bar is everybody, as in `by_level`."""
        words = self._words
        several = len({bar.half for bar in self.phases}) > 1
        shapes: list[Markup] = []
        y, half = 0.0, ""
        for bar in self.phases:
            if several and bar.half != half:
                half, y = bar.half, y + (6 if half else 0)
                shapes.append(
                    element("text", {"x": 0, "y": y + 10, "class": "small"}, words.label("half", half))
                )
                y += 18
            own = words["gauge.nothing"] if bar.phase is None else words.label("phase", bar.phase)
            parts = [(SHADES[level], count) for level, count in zip(LEVELS, bar.levels, strict=True)]
            shapes += self._row(y, own, bar.count, parts)
            y += _ROW
        entries = [(SHADES[level], words.label("level", level)) for level in LEVELS]
        drawn, height = legend(entries, WIDTH, top=y + 4)
        scale, y = self._scale(y + 4 + height), y + 4 + height + 16
        return self._panel(
            "population.by_phase", y, self._told_phases(), *shapes, *drawn, scale, headed=headed
        )

    def by_level(self, *, headed: bool = False) -> Markup:
        """Draw a bar for each level; a whole bar is everybody, as in `by_phase`."""
        shapes: list[Markup] = []
        for place, (level, count) in enumerate(self.levels.items()):
            shapes += self._row(
                place * _ROW, self._words.label("level", level), count, [(SHADES[level], count)]
            )
        y, told = float(len(LEVELS) * _ROW), self._told_levels(self.levels)
        return self._panel("population.by_level", y + 16, told, *shapes, self._scale(y), headed=headed)

    def _scale(self, y: float) -> Markup:
        """Say what a whole bar is."""
        told = self._words.count("population.scale", self.contacts)
        return element("text", {"x": 0, "y": y + 11, "class": "small"}, fitted(told, 11, WIDTH))

    def by_engagement(self, *, headed: bool = False) -> Markup:
        """Draw how many have how much engagement, in steps of 5, in pieces by level."""
        words, tall, top = self._words, 150.0, 18.0
        heights = self.steps
        most = max(int(heights.sum(axis=0).max()), 1)
        wide = WIDTH / heights.shape[1]
        shapes: list[Markup] = []
        for step in range(heights.shape[1]):
            y, here = top + tall, int(heights[:, step].sum())
            title = element("title", {}, f"{5 * step}-{5 * step + 5}: {words.whole(here)}")
            for level, count in zip(reversed(LEVELS), heights[::-1, step].tolist(), strict=True):
                high = tall * count / most
                y -= high
                box = {"x": wide * step + 0.75, "y": f"{y:.3f}", "width": wide - 1.5, "height": f"{high:.3f}"}
                if count:
                    shapes.append(element("rect", {**box, "fill": SHADES[level], "class": "bar"}, title))
        axis = {"x1": 0, "x2": WIDTH, "y1": top + tall + 0.5, "y2": top + tall + 0.5, "class": "axis"}
        shapes.append(element("line", axis))
        for place, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end")):
            below = {"x": WIDTH * place / 100, "y": top + tall + 15, "text-anchor": anchor, "class": "small"}
            shapes.append(element("text", below, words.whole(place)))
        told = words.count("population.steps", int(heights.sum(axis=0).max()))
        shapes.append(element("text", {"x": 0, "y": 10, "class": "small number"}, fitted(told, 11, WIDTH)))
        levels = self._told_levels(self.levels)
        return self._panel("population.by_engagement", top + tall + 20, levels, *shapes, headed=headed)

    @property
    def steps(self) -> NDArray[np.int64]:
        """How many of each level, as `LEVELS` has them, have an engagement of 0 to 5, of 5 to 10 ..."""
        values, level = self._engagement
        step = np.minimum(values // 5, 19).astype(np.int64)
        places = _codes(level, LEVELS) * 20 + step
        return np.bincount(places, minlength=4 * 20).reshape(4, 20)

    def by_rating(self, *, headed: bool = False) -> Markup:
        """Draw a cell for each rating, the darker the more there are."""
        assert self.ratings is not None
        words = self._words
        grades = [
            words["population.unknown_fit"] if grade is None else words.label("grade", grade)
            for grade in self.ratings
        ]
        left, tall = min(120.0, max(40.0, *(extent(clean(own), 12) + 10 for own in grades))), 38.0
        cell = (WIDTH - left + 4) / 4
        most = max((count for each in self.ratings.values() for count in each.values()), default=0)
        shapes: list[Markup] = []
        for place, level in enumerate(LEVELS):
            head = {
                "x": left + cell * place + (cell - 4) / 2,
                "y": 10,
                "class": "small",
                "text-anchor": "middle",
            }
            shapes.append(element("text", head, fitted(words.label("level", level), 11, cell - 4)))
        told = []
        for row, (own, counts) in enumerate(zip(grades, self.ratings.values(), strict=True)):
            y = 18 + row * (tall + 4)
            shapes.append(element("text", {"x": 0, "y": y + tall / 2 + 4}, fitted(own, 12, left - 8)))
            for place, count in enumerate(counts.values()):
                x = left + cell * place
                box = {"x": x, "y": y, "width": cell - 4, "height": tall, "rx": 3}
                tint = 0.08 + 0.34 * (count / most) ** 0.5 if count else 0
                shapes.append(element("rect", {**box, "class": "track"}))
                if count:
                    shapes.append(element("rect", {**box, "class": "cell", "fill-opacity": tint}))
                middle = {"x": x + (cell - 4) / 2, "y": y + tall / 2 + 4, "text-anchor": "middle"}
                number = words.whole(count) if count else "-"
                shapes.append(element("text", {**middle, "class": "number" if count else "small"}, number))
            told.append(f"{own}: {self._told_levels(counts)}")
        height = 18 + len(self.ratings) * (tall + 4)
        return self._panel("population.by_rating", height, "; ".join(told), *shapes, headed=headed)

    def _row(self, y: float, own: str, count: int, parts: Sequence[tuple[str, int]]) -> list[Markup]:
        """Draw a name, a number and a bar in pieces."""
        share = self._words.percent(count / self.contacts) if self.contacts else self._words.percent(0)
        number = f"{self._words.whole(count)} · {share}"
        shapes = [
            element("text", {"x": 0, "y": y + 11}, fitted(own, 12, 200)),
            element("text", {"x": WIDTH, "y": y + 11, "text-anchor": "end", "class": "small number"}, number),
            element("rect", {"x": 0, "y": y + 17, "width": WIDTH, "height": 9, "rx": 2, "class": "track"}),
        ]
        x = 0.0
        for colour, each in parts:
            length = WIDTH * each / max(self.contacts, 1)
            if each:
                piece = {"x": f"{x:.3f}", "y": y + 17, "width": f"{length:.3f}", "height": 9, "fill": colour}
                shapes.append(element("rect", {**piece, "class": "bar"}))
            x += length
        return shapes

    def _panel(self, key: str, height: float, told: str, *shapes: Markup, headed: bool) -> Markup:
        title, drawn = self._words[key], [*shapes]
        if headed:
            head = element("text", {"x": 0, "y": 12, "class": "head"}, fitted(title, 13.5, WIDTH))
            drawn = [head, element("g", {"transform": f"translate(0 {_HEAD})"}, *shapes)]
            height += _HEAD + 10
        return picture(WIDTH, height + 2, title, told, *drawn, name="population")

    def _told_phases(self) -> str:
        said = []
        for bar in self.phases:
            own = self._words["gauge.nothing"] if bar.phase is None else self._words.label("phase", bar.phase)
            said.append(f"{own}: {self._words.whole(bar.count)}")
        return "; ".join(said)

    def _told_levels(self, levels: Mapping[str, int]) -> str:
        return ", ".join(
            f"{self._words.label('level', level)} {self._words.whole(count)}"
            for level, count in levels.items()
        )

    def __repr__(self) -> str:
        from engagekit.summary import printable
        from engagekit.tables import aligned

        rows = [["half", "phase", *LEVELS, "all"]]
        for bar in self.phases:
            numbers = [f"{count:,}" for count in (*bar.levels, bar.count)]
            rows.append([bar.half, printable(bar.phase or "(no activity)"), *numbers])
        return aligned(rows, right=range(2, 7))


_FIXED: Final = {"half": ("prospect", "customer"), "level": LEVELS}


def _codes(out: Out, names: Sequence[str]) -> NDArray[np.int64]:
    """Return a category as places among names, -1 for what is none of them."""
    codes, words = out.coded()
    places = {name: place for place, name in enumerate(names)}
    return np.array([*(places.get(word, -1) for word in words), -1], np.int64)[codes]


def _by_level(levels: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(levels, minlength=len(LEVELS)).tolist()
    return dict(zip(LEVELS, counts, strict=True))


def _bars(phase: Out, half: NDArray[np.int64], level: NDArray[np.int64], model: Model) -> list[Bar]:
    """Count by half, phase and level; phases that are declared stand there even if nobody is in them."""
    codes, words = phase.coded()
    size = len(words) + 1
    places = (half * size + codes % size) * len(LEVELS) + level
    counts = np.bincount(places, minlength=2 * size * len(LEVELS)).reshape(2, size, len(LEVELS))
    declared = list(dict.fromkeys((each.half, each.name) for each in model.phases))
    if not counts[1].any() and model.lifecycle is None:
        declared = [each for each in declared if each[0] == "prospect"]
    bars = []
    for place, side in enumerate(_FIXED["half"]):
        names: list[str | None] = [name for own, name in declared if own == side]
        others = [word for word in words if word not in names and counts[place, words.index(word)].any()]
        nobody = [None] if counts[place, -1].any() else []
        for name in (*names, *others, *nobody):
            code = words.index(name) if name in words else size - 1
            here = counts[place, code] if name is None or name in words else np.zeros(len(LEVELS), int)
            bars.append(Bar(half=side, phase=name, levels=tuple(here.tolist())))
    return bars
