"""Where the phases of a model lie on the round meter, and where its needle stands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from attrs import frozen

from engagekit.model import Model, Phase

HALVES: Final = ("prospect", "customer")
INSET: Final = 0.06
"""How far from the edges of its sector, as a share of it, the needle stays: it never points at two phases."""


@frozen(kw_only=True)
class Sector:
    """The part of the meter that is a phase's.

    Attributes
    ----------
    half, phase
        Whose it is.
    weak, strong
        Where it ends, in degrees clockwise from the top: at the end of the least engaged, and at the other.
    low, high
        The engagement that contacts of the phase have: from, up to. Where they can have none (an entry that
        can never be reached), 0 and 100.
    last
        Whether it is the one in which what failed all others ends.
    """

    half: str
    phase: str
    weak: float
    strong: float
    low: float
    high: float
    last: bool

    @property
    def first_degree(self) -> float:
        """The end that comes first clockwise."""
        return min(self.weak, self.strong)

    @property
    def width(self) -> float:
        """How many degrees it has."""
        return abs(self.strong - self.weak)

    def angle(self, engagement: float) -> float:
        """Return where the needle stands, in degrees clockwise from the top.

        Between the insets it moves evenly with the engagement from `low` to `high`, and no further: of a
        contact that is in the phase by a fact (it left) whatever its engagement, it stands at an end.

        Examples
        --------
        >>> sales = Sector(half="prospect", phase="sales", weak=270, strong=360, low=50, high=100, last=False)
        >>> sales.angle(50), sales.angle(75), sales.angle(100)
        (275.4, 315.0, 354.6)
        """
        share = (min(max(engagement, self.low), self.high) - self.low) / (self.high - self.low)
        return self.weak + (self.strong - self.weak) * (INSET + (1 - 2 * INSET) * share)


@lru_cache(maxsize=64)
def sectors(model: Model) -> tuple[Sector, ...]:
    """Give every phase its sector: prospects on the left, customers on the right, the most engaged on top.

    Each half is shared out evenly among its phases, whose declared order is that from the top.

    Examples
    --------
    >>> from engagekit.model import Rule
    >>> for each in sectors(Model(rules=[Rule(name="visit", on="visit", points=1)])):
    ...     print(each.half, each.phase, each.weak, each.strong, each.low, each.high)
    prospect sales 270.0 360.0 50.0 100.0
    prospect nurture 180.0 270.0 0.0 50.0
    customer retention 90.0 0.0 0.0 100.0
    customer exit 180.0 90.0 0.0 50.0
    """
    found = []
    for half in HALVES:
        entries = [phase for phase in model.phases if phase.half == half]
        names = list(dict.fromkeys(phase.name for phase in entries))
        step = 180 / max(1, len(names))
        for place, name in enumerate(names):
            strong, weak = place * step, (place + 1) * step
            if half == "prospect":
                strong, weak = 360 - strong, 360 - weak
            low, high = _reach(entries, name)
            found.append(
                Sector(
                    half=half, phase=name, weak=weak, strong=strong, low=low, high=high,
                    last=place == len(names) - 1,
                )
            )  # fmt: skip
    return tuple(found)


def sector_of(model: Model, half: str, phase: str | None) -> Sector | None:
    """Return a phase's sector; None: there is no activity, and so no phase."""
    return next((each for each in sectors(model) if (each.half, each.phase) == (half, phase)), None)


def _reach(entries: Sequence[Phase], name: str) -> tuple[float, float]:
    """Return the engagement from and up to which a phase can hold, whatever the momentum."""
    spans = []
    for place, entry in enumerate(entries):
        if entry.name != name:
            continue
        bounds = [earlier.min_engagement for earlier in entries[:place] if _catches(earlier, entry)]
        low, high = max(0.0, entry.min_engagement), min([100.0, *bounds])
        if low < high:
            spans.append((low, high))
    return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else (0.0, 100.0)


def _catches(earlier: Phase, later: Phase) -> bool:
    """Whether the earlier entry holds wherever the later one's momentum does, if only engagement suffices."""
    if earlier.min_momentum is None:
        return True
    return later.min_momentum is not None and later.min_momentum >= earlier.min_momentum
