"""A slow, obvious twin of the scorer, read off the definitions and sharing no code with the package.

A model is its plain dict (the keys of a model file), an event a dict with `contact`, `type`, `time`
(integer microseconds UTC) and whatever else it carries, a contact a dict of attributes, an instant an
integer. Nothing here is clever: lists are gone through again and again, and every sum is `math.fsum`.
"""

import math
from dataclasses import dataclass, field

from oracle_events import (
    DAY,
    bears,
    holds,
    is_activity,
    is_excluded,
    is_null,
    listed,
    micros,
    same_value,
    without_duplicates,
)

DEFAULT_PHASES = [
    {"name": "sales", "half": "prospect", "min_engagement": 50},
    {"name": "nurture", "half": "prospect"},
    {"name": "retention", "half": "customer", "min_engagement": 50},
    {"name": "retention", "half": "customer", "min_momentum": -0.33},
    {"name": "exit", "half": "customer"},
]


# From an event to points -----------------------------------------------------------------------------


def amount_of(rule, event):
    """Tell what the event counts: 1 without an amount, 0 where it is null."""
    amount = rule.get("amount")
    if amount is None:
        return 1.0
    value = event.get(amount.get("field", "value"))
    if is_null(value):
        return 0.0
    x = value / amount.get("scale", 1.0)
    m = abs(x)
    curve = amount.get("curve", "linear")
    counted = {"linear": m, "log1p": math.log1p(m), "sqrt": math.sqrt(m), "saturating": m / (1 + m)}[curve]
    if amount.get("max") is not None:
        counted = min(counted, amount["max"])
    if x < 0:
        return -counted if amount.get("signed", False) else 0.0
    return counted


def weight_of(weights, event):
    """Multiply the factors found for the event's values."""
    factor = 1.0
    for name, factors in (weights or {}).items():
        value = event.get(name)
        text = str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")
        factor *= 1.0 if is_null(value) else factors.get(text, 1.0)
    return factor


def matches(model, rule, event):
    """Whether a rule or a repeat matches the event."""
    return bears(model, event, rule["on"]) and holds(rule.get("where"), event)


def earned_by_rule(model, rule, events):
    """(time, raw, event) of every event the rule matches."""
    return [
        (
            event["time"],
            rule["points"]
            * amount_of(rule, event)
            * weight_of(rule.get("weights"), event)
            * weight_of(model.get("weights"), event),
            event,
        )
        for event in events
        if matches(model, rule, event)
    ]


def earned_by_absence(model, absence, events):
    """(time, points, None) of every absence, also of those that mature later than the last event."""
    within = micros(absence["within"])
    return [
        (event["time"] + within, float(absence["points"]), None)
        for event in events
        if bears(model, event, absence["after"])
        and not any(
            bears(model, other, absence["unless"])
            and same_value(absence.get("by"), event, other)
            and event["time"] < other["time"] <= event["time"] + within
            for other in events
        )
    ]


def earned_by_repeat(model, repeat, events):
    """(time, points, None) of every event that completes a repetition, each value of `by` apart."""
    within, before = micros(repeat["within"]), repeat["n"] - 1
    earned, unused = [], []
    for event in sorted(events, key=lambda e: e["time"]):
        if not matches(model, repeat, event):
            continue
        like = [e for e in unused if same_value(repeat.get("by"), e, event)]
        latest = like[len(like) - before :] if len(like) >= before else None
        if latest is not None and all(event["time"] - e["time"] <= within for e in latest):
            earned.append((event["time"], float(repeat["points"]), None))
            unused = [e for e in unused if not any(e is used for used in latest)]
        else:
            unused.append(event)
    return earned


def limited(rule, earned):
    """Keep what the limit leaves: in every bucket the n earliest, the larger first among the equally early.

    Later arrivals never push an earlier one out, so the absences yet to mature may stand in the list.
    """
    limit = rule.get("limit")
    ordered = sorted(earned, key=lambda e: (e[0], -abs(e[1]), -e[1]))
    if limit is None:
        return ordered
    counted, kept = {}, []
    for time, raw, event in ordered:
        by = event.get(limit["by"]) if event and limit.get("by") else None
        bucket = (time // micros(limit["per"]), None if is_null(by) else by)
        counted[bucket] = counted.get(bucket, 0) + 1
        if counted[bucket] <= limit["n"]:
            kept.append((time, raw, event))
    return kept


def decayed(decay, age):
    """Tell what is left of one point after `age` microseconds."""
    if decay == "none":
        return 1.0
    ((kind, text),) = decay.items()
    span = micros(text)
    if kind == "half_life":
        return 2.0 ** -(age / span)
    if kind == "linear":
        return max(0.0, 1 - age / span)
    return 1.0 if age < span else 0.0


def clip(x, cap):
    """Clip x to -cap ... cap."""
    return x if cap is None else max(-cap, min(cap, x))


# One contact ----------------------------------------------------------------------------------------


def all_rules(model):
    """Rules, absences and repeats, in the order of the model."""
    return [*model.get("rules", ()), *model.get("absences", ()), *model.get("repeats", ())]


def decay_of(model, rule):
    """Take the rule's decay, else the model's."""
    return rule.get("decay") or model.get("decay") or {"half_life": "30d"}


@dataclass
class Contact:
    """A contact's counted events, what they earn by rule, and when its custom began and ended."""

    events: list
    activity: list
    earned: dict
    became_customer: list
    ended: list
    breakpoints: list = field(default_factory=list)


def contact_of(model, events, customer_since=None):
    """Gather a contact's events, of which none may be later than the instants asked for."""
    earned = {}
    for rule in all_rules(model):
        by_kind = (
            earned_by_absence if "after" in rule else earned_by_repeat if "n" in rule else earned_by_rule
        )
        earned[rule["name"]] = limited(rule, by_kind(model, rule, events))
    lifecycle = model.get("lifecycle")
    became, ended = [], []
    if lifecycle:
        became = [e["time"] for e in events if bears(model, e, lifecycle["customer_on"])]
        became += [] if is_null(customer_since) else [customer_since]
        ended = [e["time"] for e in events if bears(model, e, lifecycle.get("ends_on"))]
    contact = Contact(events, [e for e in events if is_activity(model, e)], earned, became, ended)
    for rule in all_rules(model):
        decay = decay_of(model, rule)
        span = 0 if decay == "none" else micros(*decay.values())
        contact.breakpoints += [t for time, _, _ in earned[rule["name"]] for t in (time, time + span)]
    contact.breakpoints = sorted({*contact.breakpoints, *became})
    return contact


def features_at(model, contact, t):
    """S(r) of every rule."""
    return {
        rule["name"]: math.fsum(
            raw * decayed(decay_of(model, rule), t - time)
            for time, raw, _ in contact.earned[rule["name"]]
            if time <= t
        )
        for rule in all_rules(model)
    }


def momentum_at(model, contact, t):
    """Compare the recent pace with the usual one; null without anything positive.

    Both sums are taken times 2^(age of the newest / slow), so that they do not both vanish in a long silence.
    """
    given = model.get("momentum", {})
    fast, slow = micros(given.get("fast", "14d")), micros(given.get("slow", "56d"))
    earned = [e for of_rule in contact.earned.values() for e in of_rule]
    positive = [(t - time, raw) for time, raw, _ in earned if time <= t and raw > 0]
    if not positive:
        return None
    newest = min(age for age, _ in positive)
    f = math.fsum(raw * 2.0 ** (newest / slow - age / fast) / fast for age, raw in positive)
    w = math.fsum(raw * 2.0 ** (newest / slow - age / slow) / slow for age, raw in positive)
    return (f - w) / (f + w)


def half_at(contact, t):
    """Tell the half, and whether the contact's custom has ended."""
    became = [time for time in contact.became_customer if time <= t]
    half = "customer" if became else "prospect"
    return half, bool(became and contact.ended and max(contact.ended) > max(became))


def engagement_of(model, score):
    """Put the score on a scale from 0 to 100."""
    ((kind, value),) = model.get("scale", {"saturating": 50}).items()
    s = max(0.0, score)
    if kind == "linear":
        return 100 * min(1.0, s / value)
    return -100 * math.expm1(-s / value * math.log(2))


def level_of(model, engagement):
    """Find the greatest level whose lower bound is met."""
    bounds = {"low": 1, "medium": 25, "high": 50} | model.get("levels", {})
    met = [name for name in ("low", "medium", "high") if engagement >= bounds[name]]
    return met[-1] if met else "none"


def phase_of(model, contact, *, half, ended, engagement, momentum):
    """Find the first phase of the half whose minima are met, or the last customer phase once ended."""
    if not contact.activity:
        return None
    entries = [p for p in model.get("phases") or DEFAULT_PHASES if p["half"] == half]
    if ended:
        return entries[-1]["name"]
    for phase in entries:
        low = phase.get("min_momentum")
        swift = low is None or (momentum is not None and momentum >= low)
        if swift and engagement >= phase.get("min_engagement", 0):
            return phase["name"]
    raise AssertionError(entries)


def numbers_at(model, contact, t):
    """Score, engagement, level, half, phase, momentum and channels of the events so far, at t."""
    half, ended = half_at(contact, t)
    earned = features_at(model, contact, t)
    channels = {}
    for rule in all_rules(model):
        parts = channels.setdefault(rule.get("channel", "other"), [])
        if rule.get("half", "both") in ("both", half):
            parts.append(clip(earned[rule["name"]], rule.get("cap")))
    caps = model.get("channels", {})
    channels = {
        name: clip(math.fsum(parts), caps.get(name, {}).get("cap")) for name, parts in channels.items()
    }
    score = math.fsum(channels.values())
    engagement, momentum = engagement_of(model, score), momentum_at(model, contact, t)
    return {
        "score": score,
        "engagement": engagement,
        "level": level_of(model, engagement),
        "half": half,
        "phase": phase_of(model, contact, half=half, ended=ended, engagement=engagement, momentum=momentum),
        "momentum": momentum,
        "top_channel": max(channels, key=channels.get) if max(channels.values()) > 0 else None,
        **{f"channel_{name}": value for name, value in channels.items()},
    }


def activity_of(contact, t):
    """Tell how much was done, the first, the last, and how long ago."""
    times = [e["time"] for e in contact.activity]
    if not times:
        return {"events": 0} | dict.fromkeys(("first_event", "last_event", "last_type", "silent_days"))
    return {
        "events": len(times),
        "first_event": min(times),
        "last_event": max(times),
        "last_type": max(e["type"] for e in contact.activity if e["time"] == max(times)),
        "silent_days": (t - max(times)) / DAY,
    }


# The whole table --------------------------------------------------------------------------------------


def counted_events(model, events, at, id=None):
    """Keep the events that count at `at`, and count those left out by reason."""
    past = [e for e in events if e["time"] <= at]
    distinct = without_duplicates(past, id)
    counted = [e for e in distinct if not is_excluded(model, e, distinct)]
    matched = [(r, e) for r in model.get("rules", ()) for e in counted if matches(model, r, e)]
    return counted, {
        "rows": len(events),
        "future": len(events) - len(past),
        "duplicates": len(past) - len(distinct),
        "excluded": len(distinct) - len(counted),
        "unmatched": sum(not is_named(model, e) for e in counted),
        "null_amounts": sum(
            r.get("amount") is not None and is_null(e.get(r["amount"].get("field", "value")))
            for r, e in matched
        ),
    }


def is_named(model, event):
    """Whether any rule, repeat or absence looks at the event."""
    if any(matches(model, r, event) for r in (*model.get("rules", ()), *model.get("repeats", ()))):
        return True
    return any(
        bears(model, event, listed(a["after"]) + listed(a["unless"])) for a in model.get("absences", ())
    )


def known_contacts(model, events, contacts, *, at, id=None):
    """Every contact of the result, in its order, as `Contact`."""
    counted, _ = counted_events(model, events, at, id)
    present = {e["contact"] for e in counted}
    keys = dict.fromkeys(e["contact"] for e in events if e["contact"] in present)
    keys |= dict.fromkeys(row["contact"] for row in contacts)
    since = {row["contact"]: row.get("customer_since") for row in contacts}
    return {
        key: contact_of(model, [e for e in counted if e["contact"] == key], since.get(key)) for key in keys
    }


@dataclass
class Result:
    """One dict a contact in `rows`, S(r) by rule in `features`, what was left out in `stats`."""

    rows: list
    features: list
    stats: dict


def score(model, events, contacts=(), *, at, id=None):
    """Everything but `next_change`, which `oracle_changes` looks after."""
    known = known_contacts(model, events, contacts, at=at, id=id)
    rows = [{"contact": k} | numbers_at(model, c, at) | activity_of(c, at) for k, c in known.items()]
    features = [{"contact": k} | features_at(model, c, at) for k, c in known.items()]
    stats = counted_events(model, events, at, id)[1] | {"contacts": len(rows)}
    return Result(rows, features, stats)


def unsure(model, row, tolerance=1e-9):
    """Name the category columns that hang on a value within the tolerance of a bound or of another."""
    columns = set()
    engagement, momentum = row["engagement"], row["momentum"]
    bounds = ({"low": 1, "medium": 25, "high": 50} | model.get("levels", {})).values()
    phases = model.get("phases") or DEFAULT_PHASES
    # An engagement is never below 0, so that a bound of 0 is no bound.
    if any(b > 0 and abs(engagement - b) <= tolerance for b in bounds):
        columns.add("level")
    if any(
        abs(engagement - p["min_engagement"]) <= tolerance for p in phases if p.get("min_engagement", 0) > 0
    ):
        columns.add("phase")
    lows = [p["min_momentum"] for p in phases if p.get("min_momentum") is not None]
    if momentum is not None and any(abs(momentum - low) <= tolerance for low in lows):
        columns.add("phase")
    sizes = sorted((v for name, v in row.items() if name.startswith("channel_")), reverse=True)
    largest, second = sizes[0], sizes[1] if len(sizes) > 1 else -math.inf
    if abs(largest) <= tolerance or largest - second <= tolerance * max(1.0, abs(largest)):
        columns.add("top_channel")
    return columns
