"""A slow, obvious twin of the explanations: every matched event, and what becomes of its points."""

import math
from dataclasses import dataclass

import oracle
from oracle_events import bears, is_null, micros


@dataclass
class Row:
    """One matched event of one rule."""

    rule: str
    channel: str
    time: int
    types: set
    raw: float
    weight: float
    kept: bool
    contribution: float = 0.0
    cut: float = 0.0


def types_of(model, rule, events, time, event):
    """Name the types that the matched event may have; absences and repeats hide which of several it was."""
    if event is not None:
        return {event["type"]}
    if "after" in rule:
        before = time - micros(rule["within"])
        return {e["type"] for e in events if e["time"] == before and bears(model, e, rule["after"])}
    return {e["type"] for e in events if e["time"] == time and oracle.matches(model, rule, e)}


def rows_of_rule(model, rule, events, at):
    """List the matched events up to `at`, each with whether the limit lets it through."""
    by_kind = (
        oracle.earned_by_absence
        if "after" in rule
        else oracle.earned_by_repeat
        if "n" in rule
        else oracle.earned_by_rule
    )
    limit = rule.get("limit")
    earned = [one for one in by_kind(model, rule, events) if one[0] <= at]
    counted, rows = {}, []
    for time, raw, event in sorted(earned, key=lambda one: (one[0], -abs(one[1]), -one[1])):
        kept = True
        if limit is not None:
            by = event.get(limit["by"]) if event and limit.get("by") else None
            bucket = (time // micros(limit["per"]), None if is_null(by) else by)
            counted[bucket] = counted.get(bucket, 0) + 1
            kept = counted[bucket] <= limit["n"]
        weight = oracle.decayed(oracle.decay_of(model, rule), at - time)
        types = types_of(model, rule, events, time, event)
        channel = rule.get("channel", "other")
        rows.append(Row(rule["name"], channel, time, types, raw, weight, kept))
    return rows


def scale(points, cap):
    """Tell what a cap leaves of each of the points."""
    total = math.fsum(points)
    return 1.0 if total == 0 else oracle.clip(total, cap) / total


def explained(model, events, *, at, since=None):
    """List every matched event of one contact with what it adds to the score and what was cut."""
    contact = oracle.contact_of(model, events, since)
    half, _ = oracle.half_at(contact, at)
    rows, caps = [], model.get("channels", {})
    by_channel = {}
    for rule in oracle.all_rules(model):
        applies = rule.get("half", "both") in ("both", half)
        own = rows_of_rule(model, rule, events, at)
        rest = scale([r.raw * r.weight for r in own if r.kept], rule.get("cap"))
        for row in own:
            row.contribution = row.raw * row.weight * rest if row.kept and applies else 0.0
            by_channel.setdefault(row.channel, []).append(row)
        rows += own
        for row in own:
            row.cut = row.raw * row.weight if applies else 0.0
    for channel, own in by_channel.items():
        rest = scale([r.contribution for r in own], caps.get(channel, {}).get("cap"))
        for row in own:
            row.contribution *= rest
    for row in rows:
        row.cut -= row.contribution
        if not row.kept:
            row.weight = 0.0
    return rows
