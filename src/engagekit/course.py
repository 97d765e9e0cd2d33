"""The contacts of a result at other instants: where everybody stood before, and the course of a few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define

from engagekit.explain import Opened, Origin
from engagekit.frames import Out
from engagekit.plan import LEVELS
from engagekit.running import Jobs, Numbers, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALVES = ("prospect", "customer")


@define(kw_only=True, eq=False)
class Course:
    """One contact at many instants, and what it did until the last of them."""

    columns: dict[str, Out]
    """``at``, ``score``, ``engagement``, ``level``, ``half``, ``phase``, ``momentum``, and the channels."""
    channels: NDArray[np.float64]
    """The points of each channel, in the model's order, by instant."""
    times: NDArray[np.int64]
    types: NDArray[np.int64]
    """The contact's events, ascending, and the places of their types among `type_names`."""
    type_names: list[str]


def course_of(origin: Origin, row: int, instants: NDArray[np.int64]) -> Course:
    """Score the contact of a row at other instants, ascending."""
    opened = Opened.of(origin, row)
    jobs = Jobs(
        contacts=np.full(len(instants), -1 if opened.own is None else 0),
        at=instants,
        since=np.full(len(instants), opened.since),
        counted=np.zeros(len(instants), np.uint8),
    )
    events = origin.events if opened.own is None else opened.own
    numbers = run(opened.plan, events, jobs, threads=1, sums=True)
    times, types = (np.empty(0, np.int64),) * 2 if opened.own is None else (events.times, events.types)
    seen = np.searchsorted(times, instants[-1], side="right")
    return Course(
        columns={
            "at": Out("instant", instants, aware=origin.events.aware),
            **_standing(origin, numbers),
            **{
                f"channel_{name}": Out("float", numbers.channels[c])
                for c, name in enumerate(origin.plan.channels)
            },
        },
        channels=numbers.channels,
        times=times[:seen],
        types=types[:seen].astype(np.int64),
        type_names=list(origin.events.types_by_code),
    )


def everyone_at(origin: Origin, count: int, instant: int) -> dict[str, Out]:
    """Tell where the contacts of all rows stood at another instant; those of no event yet have no phase."""
    rows = np.arange(count)
    jobs = origin.some(rows)
    jobs.at = np.broadcast_to(np.int64(instant), count)
    numbers = run(origin.plan, origin.events, jobs, threads=None, sums=True)
    return _standing(origin, numbers)


def _standing(origin: Origin, numbers: Numbers) -> dict[str, Out]:
    found: dict[str, NDArray[Any]] = numbers.columns
    return {
        "score": Out("float", found["score"]),
        "engagement": Out("float", found["engagement"]),
        "level": Out("category", found["level"], categories=list(LEVELS)),
        "half": Out("category", found["half"], categories=list(HALVES)),
        "phase": Out("category", found["phase"], categories=list(origin.plan.phase_names)),
        "momentum": Out("float", found["momentum"]),
    }
