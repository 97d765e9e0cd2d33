"""Score a case with the package and hold the result against the oracle's."""

import math

import oracle
from shapes import Shape, frame_of, frames_of, moment, rows_of
from strategies import VALUES

import engagekit as ek

EVENT_COLUMNS = ["contact", "type", "time", *VALUES]
CONTACT_COLUMNS = ["contact", "customer_since"]
EXACT = ["half", "events", "first_event", "last_event", "last_type"]
CATEGORIES = ["level", "phase", "top_channel"]
TOLERANCE = 1e-9
PLAIN = Shape()


def score_case(case, shape=PLAIN, **options):
    """Score a case through frames of a shape."""
    contacts = None
    if case.contacts is not None:
        contacts = frame_of(case.contacts, CONTACT_COLUMNS, shape)
    events = frames_of(case.events, EVENT_COLUMNS, shape)
    options = {"at": moment(case.at), "contacts": contacts, "id": case.id} | options
    return ek.Model.from_dict(case.model).score(events, **options)


def expect(case):
    """Ask the oracle."""
    return oracle.score(case.model, case.events, case.contacts or (), at=case.at, id=case.id)


def is_close(one, other):
    """Whether two numbers agree within 1e-9 of the larger, absolutely below 1; null only with null."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def differences(row, expected, model):
    """List the columns in which a result row differs from the oracle's."""
    found = [name for name in EXACT if row[name] != expected[name]]
    unsure = oracle.unsure(model, expected)
    found += [name for name in CATEGORIES if name not in unsure and row[name] != expected[name]]
    numbers = ["score", "engagement", "momentum", "silent_days"]
    numbers += [name for name in expected if name.startswith("channel_")]
    found += [name for name in numbers if not is_close(row[name], expected[name])]
    return [f"{name}: {row[name]!r} should be {expected[name]!r}" for name in found]


def assert_agrees(scores, case, key="contact"):
    """Assert that rows, their order and the counts are the oracle's."""
    expected = expect(case)
    rows = rows_of(scores.frame)
    keys, right_keys = [row[key] for row in rows], [row["contact"] for row in expected.rows]
    assert keys == right_keys, f"contacts {keys} should be {right_keys}"
    for row, right in zip(rows, expected.rows, strict=True):
        found = differences(row, right, case.model)
        assert not found, f"contact {right['contact']!r}: " + "; ".join(found)
    stats = {name: getattr(scores.stats, name) for name in expected.stats}
    assert stats == expected.stats, f"{stats} should be {expected.stats}"
