"""How the oracle reads events: durations, instants, conditions, signals, duplicates, exclusions, activity."""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache

UNITS = {"us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6}
UNITS |= {"d": 24 * UNITS["h"], "w": 7 * 24 * UNITS["h"]}
DAY = UNITS["d"]
INSTANTS = ("time", "first_event", "last_event", "next_change")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def micros(duration):
    """Microseconds of a duration such as "90s" or "2w"."""
    number, unit = re.fullmatch(r"(\d+) *([a-z]+)", duration).groups()
    return int(number) * UNITS[unit]


def instant(text):
    """Microseconds since the epoch of an ISO-8601 text; naive is UTC."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def listed(names):
    """Types as a list, whether one or several (or none) were given."""
    return [names] if isinstance(names, str) else list(names or ())


def is_null(value):
    """None and NaN are null, and nothing else is."""
    return value is None or (isinstance(value, float) and math.isnan(value))


# Conditions ----------------------------------------------------------------------------------------


def holds(where, row):
    """Whether every clause of a condition holds for a row; no condition always holds."""
    return all(clause_holds(name, body, row) for name, body in (where or {}).items())


def clause_holds(name, body, row):
    """Whether one entry of a condition's table holds."""
    if name == "any":
        return any(holds(part, row) for part in body)
    if name == "all":
        return all(holds(part, row) for part in body)
    if name == "not":
        return not holds(body, row)
    return all(test_holds(name, operator, operand, row) for operator, operand in body.items())


def test_holds(name, operator, operand, row):
    """Whether one operator holds for one field; a null fails all but is_null."""
    value = row.get(name)
    if operator == "is_null":
        return is_null(value) == operand
    if is_null(value):
        return False
    if name in INSTANTS:
        operand = [instant(o) for o in operand] if isinstance(operand, list) else instant(operand)
    return {
        "eq": lambda: value == operand,
        "ne": lambda: value != operand,
        "lt": lambda: value < operand,
        "le": lambda: value <= operand,
        "gt": lambda: value > operand,
        "ge": lambda: value >= operand,
        "in": lambda: value in operand,
        "not_in": lambda: value not in operand,
        "between": lambda: operand[0] <= value <= operand[1],
        "contains": lambda: operand in value,
        "starts_with": lambda: value.startswith(operand),
        "ends_with": lambda: value.endswith(operand),
    }[operator]()


# Which events there are, and what they are called ---------------------------------------------------


def names_of(model, event):
    """Collect the event's type and every signal it bears (signals may be built of signals)."""
    names = {event["type"]}
    for _ in model.get("signals", ()):
        for signal in model["signals"]:
            if names & set(listed(signal["on"])) and holds(signal.get("where"), event):
                names.add(signal["name"])
    return names


def bears(model, event, types):
    """Whether the event is of one of these types or signals."""
    return bool(names_of(model, event) & set(listed(types)))


def same_value(by, one, other):
    """Whether two events agree in the field `by`; null equals null, and without a field all agree."""
    if by is None:
        return True
    a, b = one.get(by), other.get(by)
    return a == b or (is_null(a) and is_null(b))


def without_duplicates(events, id):
    """Keep, of one contact's events with the same id, only the earliest; a null id is never a duplicate."""
    if id is None:
        return list(events)
    kept = {}
    for position, event in enumerate(events):
        key = ("row", position) if is_null(event[id]) else ("id", event["contact"], event[id])
        if key not in kept or event["time"] < kept[key]["time"]:
            kept[key] = event
    return list(kept.values())


def is_excluded(model, event, events):
    """Whether any exclusion takes this event away, judged on all events."""
    return any(
        bears(model, event, exclude["on"])
        and holds(exclude.get("where"), event)
        and (not listed(exclude.get("after")) or follows(model, exclude, event, events))
        for exclude in model.get("excludes", ())
    )


def follows(model, exclude, event, events):
    """Whether another event of a type in `after` lies 0 to `within` before this one."""
    within = micros(exclude["within"]) if exclude.get("within") else math.inf
    return any(
        other is not event
        and other["contact"] == event["contact"]
        and bears(model, other, exclude["after"])
        and same_value(exclude.get("by"), other, event)
        and 0 <= event["time"] - other["time"] <= within
        for other in events
    )


def is_activity(model, event):
    """Whether the contact did it: neither passive nor what an absence waits after."""
    if bears(model, event, model.get("passive", ())):
        return False
    return not any(bears(model, event, absence["after"]) for absence in model.get("absences", ()))
