"""The contacts of a result at other instants: where everybody stood before, and the course of a few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define

from engagekit.explain import OneContact, Origin
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
    contact = int(origin.some(np.array([row])).contacts[0])
    if contact < 0:
        return _course(origin, _many(origin, None, np.array([row]), instants), instants, None)
    own = OneContact(origin.events, contact, origin.model.fields)
    return _course(origin, _many(origin, own, np.array([row]), instants), instants, own)


def _course(origin: Origin, numbers: Numbers, instants: NDArray[np.int64], own: OneContact | None) -> Course:
    plan, nothing = origin.plan, np.empty(0, np.int64)
    seen = np.searchsorted(own.times, instants[-1], side="right") if own is not None and len(instants) else 0
    return Course(
        columns={
            "at": Out("instant", instants, aware=origin.events.aware),
            **_standing(origin, numbers),
            **{f"channel_{name}": Out("float", numbers.channels[c]) for c, name in enumerate(plan.channels)},
        },
        channels=numbers.channels,
        times=nothing if own is None else own.times[:seen],
        types=nothing if own is None else own.types[:seen].astype(np.int64),
        type_names=list(origin.events.types_by_code),
    )


def engagement_of(
    origin: Origin, rows: NDArray[np.int64], instants: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the engagement of some rows' contacts at other instants: rows x instants."""
    made = np.zeros((len(rows), len(instants)))
    for place, row in enumerate(rows.tolist()):
        contact = int(origin.some(np.array([row])).contacts[0])
        own = OneContact(origin.events, contact, origin.model.fields) if contact >= 0 else None
        made[place] = _many(origin, own, np.array([row]), instants).columns["engagement"]
    return made


def everyone_at(origin: Origin, count: int, instant: int) -> dict[str, Out]:
    """Tell where the contacts of all rows stood at another instant; those of no event yet have no phase."""
    rows = np.arange(count)
    jobs = origin.some(rows)
    jobs.at = np.broadcast_to(np.int64(instant), count)
    numbers = run(origin.plan, origin.events, jobs, threads=None, sums=True)
    return _standing(origin, numbers)


def _many(
    origin: Origin, own: OneContact | None, rows: NDArray[np.int64], instants: NDArray[np.int64]
) -> Numbers:
    """Score one contact at several instants; None for its events: it has none."""
    job, count = origin.some(rows), len(instants)
    jobs = Jobs(
        contacts=np.full(count, -1 if own is None else 0),
        at=np.ascontiguousarray(instants, np.int64),
        since=np.full(count, job.since[0]),
        counted=np.zeros(count, np.uint8),
    )
    return run(origin.plan, origin.events if own is None else own, jobs, threads=1, sums=True)


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
