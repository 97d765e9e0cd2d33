"""The slow, obvious twin of a history: everything scored again at every instant."""

import oracle

COLUMNS = ["score", "engagement", "level", "half", "phase", "momentum"]


def history(model, events, contacts=(), *, instants, id=None):
    """One dict a contact and instant: contacts as they first appear, from their first counted event on."""
    since = {row["contact"]: row.get("customer_since") for row in contacts}
    rows = {}
    for t in sorted(set(instants)):
        counted, _ = oracle.counted_events(model, events, t, id)
        for key in {e["contact"] for e in counted}:
            own = oracle.contact_of(model, [e for e in counted if e["contact"] == key], since.get(key))
            numbers = oracle.numbers_at(model, own, t)
            rows.setdefault(key, []).append({"contact": key, "at": t} | numbers)
    return [row for key in dict.fromkeys(e["contact"] for e in events) for row in rows.get(key, ())]
