"""The oracle against numbers worked out by hand, so that agreeing with it means something."""

import math

import oracle
import oracle_changes
import pytest
from hypothesis import given
from oracle_events import DAY, UNITS, holds
from strategies import cases

HOUR = UNITS["h"]
SECOND = UNITS["s"]


def at_day(day, type_, contact=1, **more):
    """Make one event."""
    return {"contact": contact, "type": type_, "time": round(day * DAY)} | more


def rule(**fields):
    """Make a model of one rule that counts `x` forever, unless told otherwise."""
    return {"rules": [{"name": "r", "on": "x", "points": 1, "decay": "none"} | fields]}


def only(model, events, at=10 * DAY, contacts=(), id=None):
    """Score the only contact."""
    (row,) = oracle.score(model, events, contacts, at=at, id=id).rows
    return row


@pytest.mark.parametrize(
    ("decay", "left"),
    [
        ("none", 8),
        ({"half_life": "5d"}, 2),
        ({"linear": "40d"}, 6),
        ({"linear": "10d"}, 0),
        ({"window": "10d"}, 0),
        ({"window": "11d"}, 8),
    ],
)
def test_decay(decay, left):
    """Eight points of ten days ago are what each decay leaves of them."""
    assert only(rule(points=8, decay=decay), [at_day(0, "x")])["score"] == left


def test_default_decay():
    """A model that says nothing halves its points in thirty days."""
    model = {"rules": [{"name": "r", "on": "x", "points": 8}]}
    assert only(model, [at_day(0, "x")], at=60 * DAY)["score"] == 2
    assert only(model | {"decay": "none"}, [at_day(0, "x")], at=60 * DAY)["score"] == 8


@pytest.mark.parametrize(
    ("amount", "value", "counted"),
    [
        ({}, 3.0, 3),
        ({"scale": 2}, 3.0, 1.5),
        ({"curve": "log1p"}, math.e - 1, 1),
        ({"curve": "sqrt"}, 9.0, 3),
        ({"curve": "saturating"}, 3.0, 0.75),
        ({"max": 2}, 3.0, 2),
        ({}, -3.0, 0),
        ({"signed": True}, -3.0, -3),
        ({"signed": True, "max": 2, "curve": "sqrt"}, -9.0, -2),
        ({}, None, 0),
        ({}, math.nan, 0),
    ],
)
def test_amount(amount, value, counted):
    """An amount is scaled, curved, capped and signed in this order; null counts nothing."""
    assert only(rule(amount=amount), [at_day(0, "x", value=value)])["score"] == pytest.approx(counted)


def test_weights_of_rule_and_model():
    """The factors of rule and model multiply; what is not listed or null counts once."""
    model = rule(weights={"device": {"tv": 2}, "vip": {"true": 3}}) | {"weights": {"n": {"1": 5}}}
    events = [
        at_day(0, "x", device="tv", vip=True, n=1),
        at_day(0, "x", device="pc", vip=False, n=2),
        at_day(0, "x", device=None, vip=None, n=None),
    ]
    assert only(model, events)["score"] == 30 + 1 + 1


def test_limit_counts_the_earliest_of_a_bucket():
    """Of a day only the first two count, and of equal times the larger, before 1970 as after."""
    model = rule(limit={"n": 2, "per": "1d"}, amount={"signed": True})
    early = [at_day(-0.5, "x", value=1.0), at_day(-0.25, "x", value=2.0), at_day(-0.125, "x", value=4.0)]
    assert only(model, early)["score"] == 3
    ties = [at_day(0, "x", value=v) for v in (1.0, -8.0, 8.0, 4.0)]
    assert only(model, ties)["score"] == 0
    assert only(model, early + ties)["score"] == 3


def test_limit_by():
    """Each value of `by` has buckets of its own, null one too."""
    model = rule(limit={"n": 1, "per": "1d", "by": "page"})
    assert only(model, [at_day(0, "x", page=p) for p in ("a", "a", "b", None, None)])["score"] == 3


def test_caps_of_rule_and_channel():
    """A rule is clipped first, then its channel, on either side of zero."""
    rules = [
        {"name": "a", "on": "x", "points": 9, "cap": 5, "decay": "none"},
        {"name": "b", "on": "y", "points": 4, "decay": "none"},
        {"name": "c", "on": "z", "points": -50, "channel": "bad", "decay": "none"},
    ]
    model = {"rules": rules, "channels": {"other": {"cap": 7}, "bad": {"cap": 30}}}
    row = only(model, [at_day(0, "x"), at_day(0, "y")])
    assert (row["score"], row["top_channel"]) == (7, "other")
    row = only(model, [at_day(0, "x"), at_day(0, "z")])
    assert (row["channel_other"], row["channel_bad"], row["score"]) == (5, -30, -25)


def test_absence():
    """A mail unanswered for seven days costs a point on the seventh day, not before and not if answered."""
    absence = {"name": "a", "after": "sent", "unless": "open", "within": "7d", "points": -1, "decay": "none"}
    model = rule() | {"absences": [absence]}
    assert only(model, [at_day(3, "sent")])["score"] == -1
    assert only(model, [at_day(3, "sent")], at=10 * DAY - 1)["score"] == 0
    assert only(model, [at_day(3, "sent"), at_day(10, "open")])["score"] == 0
    assert only(model, [at_day(3, "sent"), at_day(3, "open")])["score"] == -1
    by = {"absences": [absence | {"by": "mail"}]}
    answered = [at_day(2, "sent", mail=1), at_day(2, "sent", mail=None), at_day(3, "open", mail=None)]
    assert only(rule() | by, answered)["score"] == -1


def test_repeat():
    """Every third visit within two days of the first of the three earns once, and uses them up."""
    repeat = {"name": "n", "on": "v", "n": 3, "within": "2d", "points": 1, "decay": "none"}
    model = rule() | {"repeats": [repeat]}
    assert only(model, [at_day(d, "v") for d in (0, 1, 2)])["score"] == 1
    assert only(model, [at_day(d, "v") for d in (0, 1, 2 + 1e-6)])["score"] == 0
    assert only(model, [at_day(d, "v") for d in (0, 1, 2, 2, 2)])["score"] == 1
    assert only(model, [at_day(d, "v") for d in (0, 1, 2, 2, 2, 2)])["score"] == 2
    # Day zero stays unused and in the way of the last two: the latest two before 3.4 are 0 and 3.2.
    assert only(model, [at_day(d, "v") for d in (0, 1.5, 3, 3, 3.2, 3.4)])["score"] == 1
    apart = rule() | {"repeats": [repeat | {"by": "page"}]}
    assert only(apart, [at_day(0, "v", page=p) for p in (1, 2, 1, None, 1, None)])["score"] == 1


def test_signals_and_exclusions():
    """A signal stands for its events, and what follows a sending at once is no event."""
    model = rule(on=["won"]) | {
        "signals": [{"name": "won", "on": "deal", "where": {"stage": {"eq": "closed"}}}],
        "excludes": [{"name": "bot", "on": "deal", "after": "sent", "within": "2s", "by": "m"}],
    }
    events = [
        at_day(1, "sent", m=1),
        at_day(1, "deal", m=1, stage="closed"),
        at_day(1, "deal", m=2, stage="closed"),
        at_day(2, "deal", m=1, stage="open"),
    ]
    result = oracle.score(model, events, at=10 * DAY)
    assert result.rows[0]["score"] == 1
    assert result.rows[0]["events"] == 3
    assert (result.stats["excluded"], result.stats["unmatched"]) == (1, 2)


def test_conditions():
    """Null fails every test but is_null, and `not` turns the result round."""
    assert not holds({"a": {"ne": 1}}, {"a": None})
    assert holds({"not": {"a": {"eq": 1}}}, {"a": math.nan})
    assert holds({"a": {"is_null": True}}, {})
    assert holds({"a": {"ge": 1, "lt": 2}, "b": {"in": ["x"]}}, {"a": 1, "b": "x"})
    assert holds({"any": [{"a": {"eq": 2}}, {"b": {"contains": "y"}}]}, {"a": 1, "b": "xyz"})
    assert holds({"time": {"ge": "1970-01-02"}}, {"time": DAY})
    assert not holds({"time": {"ge": "1970-01-02T00:00:00+00:00"}}, {"time": DAY - 1})


def test_duplicates_and_stats():
    """The earliest of one id counts, and everything left out is counted."""
    model = rule(amount={})
    events = [
        at_day(2, "x", value=1.0, id="i"),
        at_day(1, "x", value=2.0, id="i"),
        at_day(1, "x", value=4.0, id=None),
        at_day(1, "x", value=None, id=None),
        at_day(1, "y", value=None, id=None),
        at_day(11, "x", value=1.0, id=None),
    ]
    result = oracle.score(model, events, at=10 * DAY, id="id")
    assert result.rows[0]["score"] == 6
    told = {"rows": 6, "future": 1, "duplicates": 1, "excluded": 0, "unmatched": 1, "null_amounts": 1}
    assert result.stats == told | {"contacts": 1}


@pytest.mark.parametrize(("score", "engagement"), [(50, 50), (100, 75), (0, 0), (-9, 0)])
def test_saturating_engagement(score, engagement):
    """The midpoint reads 50, twice the midpoint 75, nothing and less than nothing 0."""
    assert oracle.engagement_of({}, score) == pytest.approx(engagement)


def test_level_bounds_are_inclusive():
    """A linear scale reads its bound exactly, and the bound belongs to the higher level."""
    model = rule(points=25) | {"scale": {"linear": 100}}
    row = only(model, [at_day(0, "x")])
    assert (row["engagement"], row["level"]) == (25, "medium")


def test_momentum():
    """One event of an age has the ratio of the two halvings; a long silence tends to -1."""
    fast, slow = 2 ** (-28 / 14) / 14, 2 ** (-28 / 56) / 56
    row = only(rule(), [at_day(0, "x")], at=28 * DAY)
    assert row["momentum"] == pytest.approx((fast - slow) / (fast + slow))
    assert only(rule(), [at_day(0, "x")], at=99999 * DAY)["momentum"] == pytest.approx(-1)
    assert only(rule(points=-1), [at_day(0, "x")])["momentum"] is None


def test_steady_momentum_is_nothing():
    """An event every hour for years has next to no momentum."""
    events = [{"contact": 1, "type": "x", "time": k * DAY} for k in range(2000)]
    assert only(rule(), events, at=2000 * DAY)["momentum"] == pytest.approx(0, abs=0.03)


def test_halves_and_phases():
    """A customer passes from retention to exit, at once when the custom ends, back when it begins again."""
    model = rule(half="customer", points=60) | {"lifecycle": {"customer_on": ["won"], "ends_on": ["lost"]}}
    events = [at_day(0, "x")]
    row = only(model, events)
    assert (row["half"], row["phase"], row["score"]) == ("prospect", "nurture", 0)
    row = only(model, [*events, at_day(1, "won")])
    assert (row["half"], row["phase"], row["score"]) == ("customer", "retention", 60)
    row = only(model, [*events, at_day(1, "won"), at_day(1, "lost")])
    assert row["phase"] == "retention"
    row = only(model, [*events, at_day(1, "won"), at_day(2, "lost")])
    assert (row["half"], row["phase"]) == ("customer", "exit")
    row = only(model, [*events, at_day(1, "lost")], contacts=[{"contact": 1, "customer_since": 2 * DAY}])
    assert (row["half"], row["phase"]) == ("customer", "retention")


def test_activity():
    """What was done to the contact is no activity, and without activity there is no phase."""
    absence = {"name": "a", "after": "sent", "unless": "x", "within": "1d", "points": 0}
    model = rule() | {"passive": ["ad"], "absences": [absence]}
    row = only(model, [at_day(1, "sent"), at_day(2, "ad")])
    assert (row["events"], row["last_type"], row["silent_days"], row["phase"]) == (0, None, None, None)
    row = only(model, [at_day(1, "sent"), at_day(4, "b"), at_day(4, "a"), at_day(3, "c"), at_day(5, "ad")])
    assert (row["events"], row["last_type"], row["silent_days"], row["phase"]) == (3, "b", 6, "nurture")
    assert (row["first_event"], row["last_event"]) == (3 * DAY, 4 * DAY)


def test_order_of_contacts():
    """Contacts stand as they first appear, those without events after them."""
    events = [at_day(1, "x", c) for c in ("b", "a", "b")] + [at_day(99, "x", "c")]
    contacts = [{"contact": c} for c in ("d", "a")]
    result = oracle.score(rule(), events, contacts, at=10 * DAY)
    assert [row["contact"] for row in result.rows] == ["b", "a", "d"]


def change(model, events, at=10 * DAY, contacts=()):
    """Find the next change of the only contact by brute force."""
    (contact,) = oracle.known_contacts(model, events, contacts, at=at).values()
    return oracle_changes.next_change(model, contact, at)


def test_next_change_by_decay():
    """Forty points of a ten-day half-life read 25 of 100 after ten days times log2(40/25)."""
    model = rule(points=40, decay={"half_life": "10d"}) | {"scale": {"linear": 100}}
    at, level, phase = change(model, [at_day(10, "x")])
    assert (level, phase) == ("low", "nurture")
    assert at == pytest.approx((10 + 10 * math.log2(40 / 25)) * DAY, abs=2)


def test_next_change_by_window_and_absence():
    """A window ends to the microsecond, an absence matures so, and what is constant never changes."""
    model = rule(points=60, decay={"window": "5d"}) | {"scale": {"linear": 100}}
    assert change(model, [at_day(8, "x")]) == (13 * DAY, "none", "nurture")
    absence = {"name": "a", "after": "s", "unless": "x", "within": "7d", "points": 60, "decay": "none"}
    assert change(model | {"absences": [absence]}, [at_day(9, "s")]) == (16 * DAY, "high", None)
    assert change(rule(points=60), [at_day(8, "x")]) is None


def test_checker_sees_late_early_and_wrong():
    """The judge of reported changes accepts the right instant alone."""
    model = rule(points=60, decay={"window": "5d"}) | {"scale": {"linear": 100}}
    (contact,) = oracle.known_contacts(model, [at_day(8, "x")], (), at=10 * DAY).values()

    def faults(*told):
        return oracle_changes.faults_of_change(model, contact, 10 * DAY, told)

    assert not faults(13 * DAY, "none", "nurture")
    assert not faults(13 * DAY + SECOND - 1, "none", "nurture")
    assert faults(13 * DAY - 1, "none", "nurture")
    assert faults(13 * DAY + 2 * SECOND, "none", "nurture")
    assert faults(13 * DAY, "low", "nurture")
    assert faults(None, None, None)


def test_checker_sees_a_skipped_excursion():
    """An excursion of a few minutes must be reported, one of half a second need not be."""
    rules = [
        {"name": "base", "on": "x", "points": 10, "decay": {"window": "20d"}},
        {"name": "off", "on": "y", "points": -10, "decay": {"window": "3d"}},
    ]
    model = {"rules": rules, "scale": {"linear": 16}, "levels": {"low": 1, "medium": 50, "high": 90}}
    absence = {"name": "a", "after": "s", "unless": "x", "within": "3d", "points": -10, "decay": "none"}
    model["absences"] = [absence]
    for gap, right in ((3 * 60 * SECOND, False), (SECOND // 2, True)):
        # The minus ends at day 13, and another one begins `gap` later.
        events = [at_day(9, "x"), at_day(10, "y"), {"contact": 1, "type": "s", "time": 10 * DAY + gap}]
        (contact,) = oracle.known_contacts(model, events, (), at=11 * DAY).values()
        assert oracle_changes.next_change(model, contact, 11 * DAY) == (13 * DAY, "medium", "sales")
        skipped = oracle_changes.faults_of_change(model, contact, 11 * DAY, (None, None, None))
        assert (not skipped) is right


@given(cases())
def test_state_at_is_the_score_at(case):
    """What the oracle foresees is what it says then of the same events."""
    known = oracle.known_contacts(case.model, case.events, case.contacts or (), at=case.at, id=case.id)
    past = [e for e in case.events if e["time"] <= case.at]
    for later in (case.at + 1, case.at + HOUR, case.at + 7 * DAY):
        rows = oracle.score(case.model, past, case.contacts or (), at=later, id=case.id).rows
        states = {row["contact"]: (row["level"], row["phase"]) for row in rows}
        foreseen = {key: oracle_changes.state_at(case.model, c, later)[0] for key, c in known.items()}
        assert states == foreseen


@given(cases())
def test_oracle_takes_rows_in_any_order(case):
    """Turning the table round changes no number of the oracle, only the order of its rows."""
    there = oracle.score(case.model, case.events, at=case.at, id=case.id)
    back = oracle.score(case.model, case.events[::-1], at=case.at, id=case.id)
    assert there.stats == back.stats
    assert {r["contact"]: r for r in there.rows} == {r["contact"]: r for r in back.rows}
