"""Explaining one contact: the kernel's sums by rule, and for each event its share of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit.errors import EventsError, StateError
from engagekit.explain.explanation import Explanation
from engagekit.explain.matched import Matched
from engagekit.explain.opened import Opened
from engagekit.explain.origin import Origin
from engagekit.explain.shares import Shares, shares
from engagekit.frames import Out
from engagekit.instants import EPOCH, microseconds_of, text_of
from engagekit.keys import Keys
from engagekit.model.wording import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_NAMED = 5


def explain(
    origin: Origin | None,
    keys: Keys,
    table: Mapping[str, Out],
    contact: Any,
    *,
    events: bool,
    at: Any,
    kind: str,
) -> Explanation:
    """Explain the score of one contact; see `Scores.explain`.

    Parameters
    ----------
    origin
        Where the scores come from; None: that is not known any more.
    keys, table
        The scores' key and columns.
    contact, events, at
        As `Scores.explain` has them.
    kind
        The kind of frame to make.
    """
    if origin is None:
        raise StateError(
            "explain: expected scores that still have their events; these are of a Live, were loaded, "
            "pickled or copied, or made of more events than memory should hold: "
            "score the contact's events again, and explain that"
        )
    row = row_of(keys, lambda rows: origin.some(rows).at, contact, at)
    plan, opened = origin.plan, Opened.of(origin, row)
    instant, found = opened.at, opened.found()
    sums, half = opened.sums, opened.half
    shared = shares(plan, sums, half)
    columns = _events(origin, found, shared) if events else _rules(origin, found, sums[:, 0], shared)
    connection = getattr(keys.out.like, "connection", None)
    moment = EPOCH + timedelta(microseconds=instant)
    return Explanation(
        contact=keys.at(row),
        key=keys.name,
        at=moment if origin.events.aware else moment.replace(tzinfo=None),
        score=float(table["score"].values[row]),
        engagement=float(table["engagement"].values[row]),
        level=table["level"].objects()[row],
        phase=table["phase"].objects()[row],
        columns=columns,
        kind=kind,
        connection=connection,
    )


def row_of(
    keys: Keys, instants_of: Callable[[NDArray[np.int64]], NDArray[np.int64]], contact: Any, at: Any
) -> int:
    """Find the one row that is meant, of a contact's rows and the instants of these."""
    rows = keys.rows_of(contact)
    if at is None and len(rows) == 1:
        return int(rows[0])
    instants = instants_of(rows)
    if at is not None:
        wanted = microseconds_of(at)
        found = rows[instants == wanted]
        if not len(found):
            raise EventsError(
                f"at: expected an instant for which contact {shown(contact)} was scored, which is "
                f"{_named(instants)}; got {text_of(wanted)}"
            )
        return int(found[0])
    if len(np.unique(instants)) > 1:
        raise EventsError(
            f"contact {shown(contact)}: scored {len(rows):,} times, at {_named(instants)}; say with at= "
            "which is meant"
        )
    return int(rows[0])


def _named(instants: NDArray[np.int64]) -> str:
    different = np.unique(instants)
    more = " ..." if len(different) > _MOST_NAMED else ""
    return ", ".join(text_of(int(each)) for each in different[:_MOST_NAMED]) + more


def _rules(
    origin: Origin, found: Mapping[int, Matched], sums: NDArray[np.float64], shared: Shares
) -> dict[str, Out]:
    """Set out a row a rule, those that add or take away most first."""
    plan = origin.plan
    rules = np.array(list(found), np.int64)
    contribution = shared.contribution[rules, 0]
    dropped = np.array([float(_points(one)[~one.kept].sum()) for one in found.values()])
    whole = np.where(shared.applies[rules, 0], sums[rules] + dropped, 0.0)
    numbers = {
        "raw": np.array([float(one.raw[one.kept].sum()) for one in found.values()]),
        "decayed": sums[rules],
        "contribution": contribution,
        "cut": whole - contribution,
    }
    order = np.argsort(-np.abs(contribution), kind="stable")
    names, channels = np.array(plan.names, object), np.array(plan.channels, object)
    counts = np.array([int(one.kept.sum()) for one in found.values()], np.int64)
    return {
        "rule": Out("text", names[rules][order]),
        "channel": Out("text", channels[plan.rules["channel"][rules]][order]),
        "events": Out("integer", counts[order]),
        **{name: Out("float", values[order] + 0.0) for name, values in numbers.items()},
    }


def _events(origin: Origin, found: Mapping[int, Matched], shared: Shares) -> dict[str, Out]:
    """Set out a row an event and rule, those that add or take away most first, then the earliest."""
    plan, events = origin.plan, origin.events
    sizes = [len(one.time) for one in found.values()]
    rule = np.repeat(np.array(list(found), np.int64), sizes)
    time = _joined([one.time for one in found.values()], np.int64)
    types = _joined([one.type for one in found.values()], np.int64)
    kept = _joined([one.kept for one in found.values()], np.bool_)
    raw = _joined([one.raw for one in found.values()], np.float64)
    points = _joined([_points(one) for one in found.values()], np.float64)
    weight = np.where(kept, _joined([one.weight for one in found.values()], np.float64), 0.0)
    contribution = np.where(kept, points * shared.ratio[rule, 0], 0.0)
    cut = np.where(shared.applies[rule, 0], points, 0.0) - contribution
    order = np.lexsort((time, -np.abs(contribution)))
    names, channels = np.array(plan.names, object), np.array(plan.channels, object)
    words = np.array(events.types_by_code, object)
    numbers = {"raw": raw, "weight": weight, "contribution": contribution, "cut": cut}
    return {
        "time": Out("instant", time[order], aware=events.aware),
        "type": Out("text", words[types[order]]),
        "rule": Out("text", names[rule[order]]),
        "channel": Out("text", channels[plan.rules["channel"][rule[order]]]),
        **{name: Out("float", values[order] + 0.0) for name, values in numbers.items()},
    }


def _points(one: Matched) -> NDArray[np.float64]:
    """Return the decayed points, of dropped events those that they would have had."""
    return one.raw * one.weight


def _joined(parts: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])
