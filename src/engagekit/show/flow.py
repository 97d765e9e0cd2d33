"""Who moved between the phases from one instant to another: counts, and ribbons as broad as they are many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import define

from engagekit.show.letters import extent, fitted
from engagekit.show.markup import Markup, clean, element, number
from engagekit.show.picture import NOBODY, Picture, colours_of, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.model import Model
    from engagekit.show.look import Look

CSS: Final = (
    ".ek .flow text{font-size:12px;fill:var(--ink)}"
    ".ek .flow .small{font-size:11px;fill:var(--quiet)}"
    ".ek .flow .stays{fill:var(--track);stroke:var(--line);stroke-width:.5}"
    ".ek .flow .moves{fill-opacity:.5;stroke-opacity:.6;stroke-width:.7}"
    ".ek .flow .moves:hover{fill-opacity:.8}"
)
_BETWEEN: Final = 14
"""From one phase to the next, at least."""
_LABEL: Final = 34
"""The height of a label of two lines, and what keeps it from the next."""
_BARS: Final = 130
"""What is left at least for the bars where there are many labels."""
_THICK: Final = 8
_FLAT: Final = 1.5
"""A bar that is lower gets an edge, or nobody would see it."""


@define(kw_only=True, frozen=True)
class Node:
    """A phase on one side: where it begins, and how many contacts it has."""

    place: int
    y: float
    height: float
    count: int


@define(kw_only=True, frozen=True)
class Ribbon:
    """Those who went from one phase to another, or stayed: where the ribbon begins on both sides."""

    before: int
    after: int
    left: float
    right: float
    height: float
    count: int


@define(kw_only=True, frozen=True)
class Layout:
    """Where everything stands."""

    left: list[Node]
    right: list[Node]
    ribbons: list[Ribbon]
    height: float


def laid_out(counts: NDArray[np.int64], height: float) -> Layout:
    """Lay out a matrix of counts, before by after: heights are counts, and every ribbon has its own place.

    Phases that nobody is in take no place; any other has at least that of its label. What leaves a phase
    is ordered as the phases are on the other side, so that ribbons of neighbours do not cross needlessly.
    """
    sides = [counts.sum(axis=1), counts.sum(axis=0)]
    shown = max(1, *(int(np.count_nonzero(side)) for side in sides))
    height = max(height, shown * _LABEL + _BARS)
    unit = min(_unit(side, height) for side in sides) if counts.any() else 0.0
    nodes = [_column(side, unit, height) for side in sides]
    starts = [{node.place: node.y for node in column} for column in nodes]
    ribbons = []
    ends = dict(starts[1])
    for before in range(len(counts)):
        y = starts[0].get(before, 0.0)
        for after in range(len(counts)):
            count = int(counts[before, after])
            if count:
                ribbons.append(
                    Ribbon(
                        before=before,
                        after=after,
                        left=y,
                        right=ends[after],
                        height=count * unit,
                        count=count,
                    )
                )
                y += count * unit
                ends[after] += count * unit
    return Layout(left=nodes[0], right=nodes[1], ribbons=ribbons, height=height)


def _unit(totals: NDArray[np.int64], height: float) -> float:
    """Return how high a contact is at most, so that bars and labels of a side fit into the height."""
    small = totals == 0
    while True:
        # what is less high than its label has the place of that
        left = height - _LABEL * np.count_nonzero(small & (totals > 0)) - _BETWEEN * np.count_nonzero(~small)
        unit = float(left / totals[~small].sum())
        lower = ~small & (totals * unit + _BETWEEN < _LABEL)
        if not lower.any():
            return unit
        small |= lower


def _column(totals: NDArray[np.int64], unit: float, height: float) -> list[Node]:
    """Set the bars of a side one below the other, each in the middle of the place that its label needs."""
    places = np.flatnonzero(totals).tolist()
    rooms = [max(int(totals[place]) * unit + _BETWEEN, _LABEL) for place in places]
    y, nodes = (height - sum(rooms)) / 2, []
    for place, room in zip(places, rooms, strict=True):
        count = int(totals[place])
        nodes.append(Node(place=place, y=y + (room - count * unit) / 2, height=count * unit, count=count))
        y += room
    return nodes


class Flow(Picture):
    """Who moved between the phases from one instant to another; made by `Scores.flow`.

    In its picture there is a ribbon for each move, as broad as they are many; who stayed is grey.

    Attributes
    ----------
    since, at
        The two instants.
    contacts
        How many there are.
    counts
        How many contacts were in the one phase and are in the other, those who stayed among them. None
        stands for those without any activity.

    Examples
    --------
    >>> import engagekit as ek, numpy as np
    >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=80)])
    >>> times = np.array(["2026-01-01", "2026-01-30"], "datetime64[us]")
    >>> events = {"contact": ["ann", "bob"], "type": ["visit"] * 2, "time": times}
    >>> flow = model.score(events, at="2026-01-31").flow("20d")
    >>> flow.counts
    {('sales', 'nurture'): 1, (None, 'sales'): 1}
    >>> flow
    2 contacts from 2026-01-11 00:00 UTC to 2026-01-31 00:00 UTC: 2 moved
    sales -> nurture      1
    no activity -> sales  1
    """

    css = CSS

    def __init__(
        self,
        *,
        model: Model,
        since: datetime,
        at: datetime,
        names: Sequence[str],
        counts: NDArray[np.int64],
        look: Look,
    ) -> None:
        super().__init__(look)
        self.since = since
        self.at = at
        self._names: list[str | None] = [*names, None]
        places = np.argwhere(counts).tolist()
        self.counts = {
            (self._names[one], self._names[other]): int(counts[one, other]) for one, other in places
        }
        self._colours = colours_of(model)
        self._matrix = counts
        self.contacts = int(counts.sum())

    @property
    def moved(self) -> int:
        """How many of them are in another phase than before."""
        return self.contacts - int(np.trace(self._matrix))

    @property
    def moves(self) -> list[tuple[str | None, str | None, int]]:
        """From where to where and how many, the most first; without those who stayed."""
        moved = [(*way, count) for way, count in self.counts.items() if way[0] != way[1]]
        return sorted(moved, key=lambda move: -move[2])

    @property
    def title(self) -> str:
        """What the picture shows, in words."""
        since, at = self._words.date(self.since), self._words.date(self.at)
        return self._words.plain("flow.title", since=since, at=at)

    def panels(self) -> list[Markup]:
        """Draw the picture without its style."""
        return [self.drawn()]

    def drawn(self, width: float = 560) -> Markup:
        """Draw the picture without its style, in so many units of width."""
        layout = laid_out(self._matrix, 280)
        most = min(150.0, width * 0.29)
        one, other = (self._room(nodes, most) for nodes in (layout.left, layout.right))
        left, right = one + 8, width - other - 8 - _THICK
        top = 24
        shapes = [self._ribbon(ribbon, left + _THICK, right, top) for ribbon in self._drawing_order(layout)]
        for nodes, x, room in ((layout.left, left, one), (layout.right, right, other)):
            shapes += [self._node(node, x, top) for node in nodes]
            shapes += self._labels(nodes, x, top, room, ends=x == left)
        for x, when, anchor in ((left + _THICK, self.since, "end"), (right, self.at, "start")):
            head = {"x": x, "y": 11, "class": "small", "text-anchor": anchor}
            shapes.append(element("text", head, self._words.date(when)))
        return picture(width, layout.height + top + 8, self.title, self._said(), *shapes, name="flow")

    def _drawing_order(self, layout: Layout) -> list[Ribbon]:
        """Those who moved over those who stayed, the few over the many."""
        return sorted(layout.ribbons, key=lambda each: (each.before != each.after, -each.count))

    def _ribbon(self, ribbon: Ribbon, left: float, right: float, top: float) -> Markup:
        middle = number((left + right) / 2)
        one, other = ribbon.left + top, ribbon.right + top
        x0, x1 = number(left), number(right)
        y0, y1, y2, y3 = (f"{y:.3f}" for y in (one, other, other + ribbon.height, one + ribbon.height))
        path = f"M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}V{y2}C{middle} {y2} {middle} {y3} {x0} {y3}Z"
        stays = ribbon.before == ribbon.after
        drawn = {"d": path, "class": "stays" if stays else "moves"}
        if not stays:
            drawn["fill"] = drawn["stroke"] = self._colour(ribbon.after)
        return element(
            "path", drawn, element("title", {}, clean(self._told(ribbon.before, ribbon.after, ribbon.count)))
        )

    def _node(self, node: Node, x: float, top: float) -> Markup:
        box = {"x": x, "y": f"{node.y + top:.3f}", "width": _THICK, "height": f"{node.height:.3f}"}
        colour = self._colour(node.place)
        return element("rect", {**box, "fill": colour, "stroke": colour if node.height < _FLAT else None})

    def _room(self, nodes: Sequence[Node], most: float) -> float:
        """Tell how much room the labels of one side take."""
        return min(most, max([84.0, *(extent(self._phase(node.place), 12) for node in nodes)]))

    def _labels(
        self, nodes: Sequence[Node], x: float, top: float, room: float, *, ends: bool
    ) -> list[Markup]:
        x = x - 8 if ends else x + _THICK + 8
        anchor = "end" if ends else "start"
        made = []
        for node in nodes:
            own, y = self._phase(node.place), top + node.y + node.height / 2
            first = {"x": x, "y": y - 2, "text-anchor": anchor}
            made.append(element("text", first, fitted(own, 12, room)))
            share = self._words.percent(node.count / self.contacts)
            below = {"x": x, "y": y + 12, "text-anchor": anchor, "class": "small"}
            made.append(element("text", below, f"{self._words.whole(node.count)} · {share}"))
        return made

    def _phase(self, place: int) -> str:
        name = self._names[place]
        return self._words["gauge.nothing"] if name is None else self._words.label("phase", name)

    def _colour(self, place: int) -> str:
        name = self._names[place]
        return NOBODY if name is None else self._colours.get(name, NOBODY)

    def _told(self, before: int, after: int, count: int) -> str:
        if before == after:
            return self._words.plain("flow.stayed", phase=self._phase(before), count=self._words.whole(count))
        return self._words.plain(
            "flow.move", before=self._phase(before), after=self._phase(after), count=self._words.whole(count)
        )

    def _said(self) -> str:
        places = {name: place for place, name in enumerate(self._names)}
        return "; ".join(self._told(places[one], places[other], count) for one, other, count in self.moves)

    def __repr__(self) -> str:
        from engagekit.summary import moment, printable
        from engagekit.tables import aligned

        when = f"from {moment(self.since)} to {moment(self.at)}"
        lines = [f"{self.contacts:,} contact{'' if self.contacts == 1 else 's'} {when}: {self.moved:,} moved"]
        shown = [
            ["no activity" if each is None else printable(each) for each in move[:2]] for move in self.moves
        ]
        rows = [[" -> ".join(way), f"{move[2]:,}"] for way, move in zip(shown, self.moves, strict=True)]
        return "\n".join([*lines, *([aligned(rows, right=range(1, 2))] if rows else [])])
