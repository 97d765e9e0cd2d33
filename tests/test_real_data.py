"""Sixty households of the shipped grocery data, and the oracle."""

from pathlib import Path

import oracle_history
import polars as pl
import pytest
from agreement import differences, is_close
from oracle import score
from oracle import unsure as unsure_columns
from oracle_changes import check_next_change
from oracle_events import DAY, instant
from shapes import micros_of, moment, rows_of

import engagekit as ek

DATA = Path(__file__).parent.parent / "examples" / "data" / "completejourney"
AT = instant("2017-09-01")
MODEL = {
    "name": "grocer",
    "columns": {"contact": "contact_id", "type": "event_type", "time": "timestamp"},
    "decay": {"half_life": "30d"},
    "scale": {"saturating": 40},
    "lifecycle": {"customer_on": ["big_basket"]},
    "signals": [
        {"name": "big_basket", "on": "purchase", "where": {"value": {"ge": 120}, "items": {"ge": 30}}}
    ],
    "excludes": [{"name": "returned", "on": "purchase", "where": {"value": {"le": 0}}}],
    "rules": [
        {
            "name": "basket",
            "on": "purchase",
            "points": 1,
            "channel": "store",
            "limit": {"n": 1, "per": "1d", "by": "store_id"},
            "amount": {"curve": "log1p", "scale": 20, "max": 2.5},
        },
        {
            "name": "discounts",
            "on": "purchase",
            "points": 0.25,
            "amount": {"field": "retail_disc", "curve": "sqrt"},
            "decay": {"window": "21d"},
            "cap": 12,
        },
        {
            "name": "coupon",
            "on": "coupon_redeemed",
            "points": 8,
            "channel": "mail",
            "decay": {"linear": "120d"},
        },
    ],
    "absences": [
        {
            "name": "cold",
            "after": "campaign_received",
            "unless": "coupon_redeemed",
            "within": "28d",
            "by": "object_id",
            "points": -3,
            "channel": "mail",
            "decay": {"half_life": "60d"},
        }
    ],
    "repeats": [{"name": "often", "on": "purchase", "n": 4, "within": "2w", "points": 5, "half": "customer"}],
    "channels": {"store": {"cap": 45}},
}


@pytest.fixture(scope="module")
def events():
    """All events of the shipped table."""
    return pl.read_parquet(DATA / "events.parquet")


@pytest.fixture(scope="module")
def households(events):
    """Sixty households: thirty at random and thirty of those who redeemed coupons."""
    redeemed = events.filter(event_type="coupon_redeemed")["contact_id"].unique().sort()
    others = events["contact_id"].unique().sort()
    return [*redeemed.sample(30, seed=1), *others.sample(30, seed=2)]


@pytest.fixture(scope="module")
def plain_events(events, households):
    """Their events as plain rows."""
    rows = events.filter(pl.col("contact_id").is_in(households)).to_dicts()
    return [
        row | {"contact": row["contact_id"], "type": row["event_type"], "time": micros_of(row["timestamp"])}
        for row in rows
    ]


@pytest.mark.parametrize("at", [AT, AT - 120 * DAY, AT + 122 * DAY])
def test_scores_of_households(events, plain_events, at):
    """Scored among all 2,469 households, sixty have the oracle's numbers."""
    scores = ek.Model.from_dict(MODEL).score(events, at=moment(at))
    rows = {row["contact_id"]: row for row in rows_of(scores.frame)}
    expected = score(MODEL, plain_events, at=at).rows
    assert len(expected) > 50
    for right in expected:
        assert not differences(rows[right["contact"]], right, MODEL)


def test_features_of_households(events, plain_events):
    """The sums of each rule are the oracle's."""
    told = rows_of(ek.Model.from_dict(MODEL).features(events, at=moment(AT)))
    rows = {row["contact_id"]: row for row in told}
    for right in score(MODEL, plain_events, at=AT).features:
        row = rows[right["contact"]]
        assert all(is_close(row[name], right[name]) for name in right if name != "contact")


def test_stats_of_households(events, plain_events, households):
    """What was left out is counted as the oracle counts it."""
    own = events.filter(pl.col("contact_id").is_in(households))
    stats = ek.Model.from_dict(MODEL).score(own, at=moment(AT)).stats
    expected = score(MODEL, plain_events, at=AT).stats
    assert expected["excluded"] > 0
    assert {name: getattr(stats, name) for name in expected} == expected


def test_next_change_of_households(events, plain_events, households):
    """Their next changes are the first ones."""
    few = households[:3] + households[-3:]
    own = events.filter(pl.col("contact_id").is_in(few))
    scores = ek.Model.from_dict(MODEL).score(own, at=moment(AT))
    rows = [row | {"contact": row["contact_id"]} for row in rows_of(scores.frame)]
    assert any(row["next_change"] is not None for row in rows)
    check_next_change(MODEL, [e for e in plain_events if e["contact"] in few], (), at=AT, rows=rows)


def test_history_of_households(events, plain_events, households):
    """Their course over a year of fortnights is the twin's, score by score."""
    few = households[:2] + households[-2:]
    own = [e for e in plain_events if e["contact"] in few]
    told = ek.Model.from_dict(MODEL).history(events, every="14d", start="2017-01-01", end="2018-01-01")
    rows = [row | {"contact": row["contact_id"]} for row in rows_of(told) if row["contact_id"] in few]
    instants = [instant("2017-01-01") + k * 14 * DAY for k in range(27)]
    expected = oracle_history.history(MODEL, own, instants=instants)
    assert len(expected) > 80
    by_place = {(row["contact"], row["at"]): row for row in expected}
    assert len(rows) == len(expected)
    for row in rows:
        right = by_place[row["contact"], row["at"]]
        unsure = unsure_columns(MODEL, right)
        assert all(is_close(row[name], right[name]) for name in ("score", "engagement", "momentum"))
        assert row["half"] == right["half"]
        assert all(row[name] == right[name] for name in ("level", "phase") if name not in unsure)
