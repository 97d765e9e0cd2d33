"""Evaluations of people who are said to have a score, for the tests of what fires between them."""

import pickle

import polars as pl
from oracle_events import instant
from shapes import moment

import engagekit as ek

START = instant("2026-01-01")
COLUMNS = ["trigger", "at", "score", "engagement", "level", "phase", "previous_phase", "momentum"]
COLUMNS += ["rating", "stage", "content"]
# What a contact's event says is its score, and its engagement too; sales begin at 50.
SET = {"name": "set", "on": "set", "points": 1, "amount": {"field": "value"}, "decay": "none"}
MODEL = {"rules": [SET], "scale": {"linear": 100}}
HOT = {"when": {"engagement": {"ge": 60}}, "until": {"engagement": {"lt": 55}}}
COOL = {"when": {"engagement": {"ge": 60}}, "cooldown": "5d"}
KEYS = {
    "integer": [7, -1, 2**62, 0, *range(100, 106)],
    "unsigned": [2**64 - 1, 7, 2**63, 0, *range(100, 106)],
    "text": ["7", "é", "", "x,\n", "a", "b", "c", "d", "e", "f"],
}


def scored(model, people, at, keys):
    """Score people who are said to have a score (None: no events, if they are known at all)."""
    kind = pl.Utf8 if isinstance(keys[0], str) else pl.UInt64 if max(keys) >= 2**63 else pl.Int64
    active = [(keys[who], person["value"]) for who, person in people.items() if person["value"] is not None]
    events = pl.DataFrame(
        {
            "contact": pl.Series([who for who, _ in active], dtype=kind),
            "type": pl.Series(["set"] * len(active), dtype=pl.Utf8),
            "time": pl.Series([moment(at)] * len(active), dtype=pl.Datetime("us", "UTC")),
            "value": pl.Series([value for _, value in active], dtype=pl.Float64),
        }
    )
    contacts = pl.DataFrame(
        {
            "contact": pl.Series([keys[who] for who in people], dtype=kind),
            "vip": pl.Series([person["vip"] for person in people.values()], dtype=pl.Boolean),
        }
    )
    return model.score(events, at=moment(at), contacts=contacts)


def rows_of(scores, people, keys):
    """Return a result's rows by contact, with the attributes."""
    rows = {row["contact"]: row for row in scores.to_arrow().to_pylist()}
    vip = {keys[who]: person["vip"] for who, person in people.items()}
    return {who: row | {"vip": vip[who]} for who, row in rows.items()}


def carried(scores, how, folder):
    """Return the scores as the next evaluation finds them."""
    if how == "memory":
        return scores
    if how == "pickle":
        return pickle.loads(pickle.dumps(scores))
    scores.save(folder / f"now.{how}")
    return ek.Scores.load(folder / f"now.{how}")


__all__ = ["COLUMNS", "COOL", "HOT", "KEYS", "MODEL", "START", "carried", "rows_of", "scored"]
