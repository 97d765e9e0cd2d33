"""The lead side of the oracle: one contact at a time, read off the definitions, no code of the package's.

A row is the dict of a result's columns so far; each function adds the next from what stands there. Attributes
are a dict, None for a contact that the contacts table does not have.
"""

from fractions import Fraction

import oracle
from oracle_events import bears, holds, is_null, listed, micros

GRADES = {"A": 75, "B": 50, "C": 25, "D": 0}
NUMBERS = {"high": "1", "medium": "2", "low": "3", "none": "4"}


def fields_of(where):
    """Collect the names that a condition asks for."""
    found = set()
    for name, body in (where or {}).items():
        if name in ("any", "all"):
            found |= {field for part in body for field in fields_of(part)}
        elif name == "not":
            found |= fields_of(body)
        else:
            found.add(name)
    return found


def rated(model, row, attributes):
    """Add fit, the known share of it, grade and rating."""
    if attributes is None:
        return row | dict.fromkeys(("fit", "fit_known", "grade", "rating"))
    criteria = model["fit"]["criteria"]
    most = sum(Fraction(c["points"]) for c in criteria if c["points"] > 0)
    earned = sum(Fraction(c["points"]) for c in criteria if holds(c["where"], attributes))
    known = sum(
        Fraction(c["points"])
        for c in criteria
        if c["points"] > 0 and not any(is_null(attributes[name]) for name in fields_of(c["where"]))
    )
    fit = 100 * min(max(earned, 0), most) / most
    met = [(bound, name) for name, bound in model["fit"].get("grades", GRADES).items() if fit >= bound]
    grade = max(met)[1]
    return row | {
        "fit": float(fit),
        "fit_known": float(known / most),
        "grade": grade,
        "rating": grade + NUMBERS[row["level"]],
    }


def shares(model, contact, row, t):
    """Give the positive points of each intent, in the model's order."""
    earned = oracle.features_at(model, contact, t)
    found = {}
    for rule in oracle.all_rules(model):
        intent = rule.get("intent")
        if intent is not None:
            points = oracle.clip(earned[rule["name"]], rule.get("cap"))
            applies = rule.get("half", "both") in ("both", row["half"])
            found[intent] = found.get(intent, 0.0) + (max(points, 0.0) if applies else 0.0)
    return found


def possible_intents(model, contact, row, t, tolerance=1e-9):
    """Name the intents that a contact may have, more than one only where sums are within the tolerance."""
    found = shares(model, contact, row, t)
    total = sum(found.values())
    if total <= 0:
        return {None}
    large = [name for name, points in found.items() if points > total * (0.5 + tolerance)]
    if large:
        return set(large)
    half = [name for name, points in found.items() if points >= total * (0.5 - tolerance)]
    exact = [name for name, points in found.items() if points == total / 2]
    if len(exact) == 2:
        return {exact[0], *half} if any(found[name] % 0.25 for name in exact) else {exact[0]}
    return {"unclear", *half} if half else {"unclear"}


def stage_of(model, events, row, t):
    """Tell the stage from the contact's counted events up to t."""
    asked = model["qualification"]
    if row["half"] == "customer":
        return "customer"
    back = [e["time"] for e in events if bears(model, e, asked.get("rejected_on"))]
    if back and t - max(back) < micros(asked.get("recycle_after", "30d")):
        return "lead"
    since = [e for e in events if not back or e["time"] > max(back)]
    if any(bears(model, e, asked.get("qualified_on")) for e in since):
        return "SQL"
    if any(bears(model, e, asked.get("accepted_on")) for e in since):
        return "SAL"
    ready = row["engagement"] >= asked["mql_min_engagement"]
    fits = (row.get("fit") or 0) >= asked.get("mql_min_fit", 0)
    return "MQL" if ready and fits else "lead"


def seen(row, attributes):
    """Lay the result's columns over the attributes."""
    return (attributes or {}) | row


def persona_of(model, row, attributes):
    """Find the first persona that holds."""
    names = [p["name"] for p in model["personas"] if holds(p["where"], seen(row, attributes))]
    return names[0] if names else None


def content_of(model, row, attributes, events):
    """Find the content with most given fields that matches and was not had."""
    had = {event.get("content") for event in events}
    columns = {"phase": "phase", "channel": "top_channel", "persona": "persona", "intent": "intent"}
    best, most = None, 0
    for content in model["contents"]:
        given = [name for name in (*columns, "where") if content.get(name) is not None]
        matching = all(row.get(columns[name]) == content[name] for name in given if name != "where")
        matching = matching and holds(content.get("where"), seen(row, attributes))
        if matching and content["id"] not in had and len(given) > most:
            best, most = content["id"], len(given)
    return best


def lead_columns(model):
    """Name the columns that the model declares, in their order."""
    declared = {
        "intent": any("intent" in rule for rule in oracle.all_rules(model)),
        **dict.fromkeys(("fit", "fit_known", "grade", "rating"), "fit" in model),
        "stage": "qualification" in model,
        "persona": bool(listed(model.get("personas"))),
        "content": bool(listed(model.get("contents"))),
    }
    return [name for name, there in declared.items() if there]
