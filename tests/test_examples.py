"""The examples: the grocer's model gives every household of the shipped log a phase that makes sense."""

from functools import cache
from pathlib import Path

import polars as pl
import pytest

import engagekit as ek

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
EVENTS = EXAMPLES / "data" / "completejourney" / "events.parquet"


@cache
def grocery() -> ek.Scores:
    """Score the grocer's log as of its newest event."""
    return ek.Model.load(EXAMPLES / "models" / "grocery.toml").score(pl.read_parquet(EVENTS), at="latest")


def households() -> pl.DataFrame:
    """Return the households' results with their texts as texts."""
    return grocery().frame.with_columns(pl.col("phase", "level", "half").cast(pl.String))


def count(**values: str) -> int:
    """Count the households that have these values."""
    return households().filter(**values).height


def test_log_is_read_whole() -> None:
    """All 164,539 events of 2,469 households count, and every one means something to the model."""
    stats = grocery().stats
    assert (stats.rows, stats.contacts) == (164_539, 2_469)
    assert (stats.future, stats.duplicates, stats.excluded, stats.unmatched, stats.null_amounts) == (0,) * 5


def test_both_halves_live() -> None:
    """The 410 households that have redeemed a coupon are the customers of the campaigns."""
    redeemed = pl.read_parquet(EVENTS).filter(pl.col("event_type") == "coupon_redeemed")["contact_id"]
    customers = households().filter(half="customer")["contact_id"]
    assert set(customers) == set(redeemed)
    assert len(customers) == 410


@pytest.mark.parametrize(
    ("phase", "households"), [("sales", 468), ("nurture", 1591), ("retention", 391), ("exit", 19)]
)
def test_phases(phase: str, households: int) -> None:
    """All phases are inhabited: most households shop elsewhere too, one customer in twenty is leaving."""
    assert count(phase=phase) == households


def test_levels() -> None:
    """The levels tell households apart: none of the four is empty, none holds half of them."""
    counts = {level: count(level=level) for level in ("none", "low", "medium", "high")}
    assert counts == {"none": 149, "low": 860, "medium": 667, "high": 793}


def test_endangered_households_buy_less() -> None:
    """Whoever is in exit has spent less than half as much a week lately as in the months before."""
    gone = households().filter(phase="exit").select("contact_id")
    bought = pl.read_parquet(EVENTS).filter(pl.col("event_type") == "purchase").join(gone, on="contact_id")
    age = (grocery().at - pl.col("timestamp")).dt.total_days()
    recent = bought.filter(age < 28)["value"].sum()
    before = bought.filter(age.is_between(28, 139))["value"].sum()
    assert recent / 4 < 0.5 * before / 16


def test_mailings_cost_little() -> None:
    """Unanswered mailings take points from many households, but at most six."""
    frame = households()
    assert frame.filter(pl.col("channel_coupons") < -6).is_empty()
    assert frame.filter(pl.col("channel_coupons") < 0).height > 400
