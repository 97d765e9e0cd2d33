"""What a card tells of a score: the rules behind it, and how it came about over the last days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from attrs import define, frozen

from engagekit.explain.opened import Opened
from engagekit.explain.origin import Origin
from engagekit.explain.shares import shares
from engagekit.instants import EARLIEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.plan import Plan

DAYS = 90
MOST_DATED = 5
"""Of how many reasons it is told how many events they rest on, and since when."""
_DAY = 86_400_000_000


@define
class Reason:
    """What a rule adds to a score.

    Attributes
    ----------
    rule, channel
        Their names.
    contribution
        Points, of which those of all rules add up to the score.
    events, last
        How many events count and when the newest of them does (microseconds); None: that is not known, or
        nobody asks, for there are stronger reasons.
    """

    rule: str
    channel: str
    contribution: float
    events: int | None = None
    last: int | None = None


@frozen(kw_only=True)
class Grounds:
    """What a score rests on.

    Attributes
    ----------
    reasons
        The rules that add to it or take from it, the strongest first.
    course
        Engagement at the end of each of the last days, up to the instant; NaN before the first event.
    """

    reasons: list[Reason]
    course: NDArray[np.float64]


def grounds(origin: Origin, row: int) -> Grounds:
    """Look into the events of the contact in a row.

    Cost: one pass over the contact's events for each of the days.
    """
    opened = Opened.of(origin, row)
    instants = np.arange(opened.at - DAYS * _DAY, opened.at + 1, _DAY)
    course = opened.course(instants[instants >= EARLIEST], _DAY)
    ranked = _ranked(opened.plan, opened.sums, opened.half)
    known = opened.found([r for r, _ in ranked[:MOST_DATED]])
    times = {r: one.time[one.kept] for r, one in known.items()}
    dates = {r: (len(each), int(each[-1])) for r, each in times.items()}
    return Grounds(reasons=_reasons(opened.plan, ranked, dates), course=course)


def reasons(plan: Plan, sums: NDArray[np.float64], half: NDArray[np.int32]) -> list[Reason]:
    """Share a score out among its rules, the strongest first; those that add nothing are left out.

    Parameters
    ----------
    plan
        The model's plan.
    sums
        S(r) of one contact, rules x 1.
    half
        0 (prospect) or 1 (customer), of that contact.
    """
    return _reasons(plan, _ranked(plan, sums, half), {})


def _ranked(plan: Plan, sums: NDArray[np.float64], half: NDArray[np.int32]) -> list[tuple[int, float]]:
    """Give the rules that add to a score or take from it, and what, the strongest first."""
    contribution = shares(plan, sums, half).contribution[:, 0]
    order = np.argsort(-np.abs(contribution), kind="stable")
    order = order[contribution[order] != 0]
    return list(zip(order.tolist(), contribution[order].tolist(), strict=True))


def _reasons(
    plan: Plan, ranked: list[tuple[int, float]], dates: Mapping[int, tuple[int, int]]
) -> list[Reason]:
    channels = plan.rules["channel"].tolist()
    return [
        Reason(plan.names[r], plan.channels[channels[r]], contribution, *dates.get(r, (None, None)))
        for r, contribution in ranked
    ]
