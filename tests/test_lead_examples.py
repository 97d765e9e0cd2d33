"""The example journeys: each phase can be reached, and each contact is offered what is made for it."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from shapes import rows_of

import engagekit as ek

MODELS = Path(__file__).resolve().parent.parent / "examples" / "models"
AT = datetime(2026, 3, 1)


def row_of(model, types, *, contacts=None, days=1, **columns):
    """Score one contact that did these things, the last of them some days before."""
    times = [AT - timedelta(days=days, hours=number) for number in range(len(types))]
    frame = pl.DataFrame({"contact": ["a"] * len(types), "type": types, "time": times, **columns})
    scores = ek.Model.load(MODELS / f"{model}.toml").score(frame, at=AT, contacts=contacts)
    (row,) = rows_of(scores.frame)
    return row


@pytest.mark.parametrize(
    ("types", "days", "phase", "content"),
    [
        (["video_view"], 1, "attention", "film"),
        (["page_view"] * 6 + ["video_view"], 1, "interest", "magazine"),
        (["price_view"], 0, "interest", "buying-guide"),
        (["sample_request"], 1, "desire", "test-reports"),
        (["newsletter_click"] * 9, 1, "desire", "customer-stories"),
        (["add_to_cart", *["page_view"] * 5], 1, "action", "delivery-promise"),
        (["purchase"], 200, "loyal", "club"),
        (["purchase"], 300, "lost", "welcome-back"),
    ],
)
def test_aida(types, days, phase, content):
    """Attention, interest, desire and action, and what follows the purchase, each with its content."""
    row = row_of("aida", types, days=days)
    assert (row["phase"], row["content"]) == (phase, content)


@pytest.mark.parametrize(
    ("types", "days", "phase"),
    [
        (["page_view"], 1, "reach"),
        (["download", "page_view"], 1, "engage"),
        (["call", "page_view"], 0, "activate"),
        (["order"], 1, "loyalty"),
        (["order"], 90, "dormant"),
        (["account_closed", "order", "call"], 1, "dormant"),
    ],
)
def test_real_journey(types, days, phase):
    """Reach, engage, activate, and loyalty for customers."""
    assert row_of("real_journey", types, days=days)["phase"] == phase


RACER, FAMILY = {"discipline": "road", "children": 2}, {"discipline": None, "children": 2}


@pytest.mark.parametrize(
    ("types", "who", "persona", "content"),
    [
        (["tour_view"] * 3, RACER, "racer", "climbs-in-numbers"),
        (["story_view"] * 3, RACER, "racer", "sunrise-on-the-pass"),
        (["enquiry", "tour_view"], RACER, "racer", "training-plan"),
        (["tour_view"] * 3, FAMILY, "family", "rooms-and-trailers"),
        (["story_view"] * 3, FAMILY, "family", "ice-cream-map"),
        (["enquiry", "tour_view"], FAMILY, "family", "other-families-tell"),
        (["tour_view"] * 3, {"discipline": "leisure", "children": 0}, "family", "rooms-and-trailers"),
        (["tour_view"] * 3, {"discipline": "unicycle", "children": 0}, None, "catalogue"),
        (["enquiry", "tour_view"], {"discipline": "unicycle", "children": 0}, None, "call-us"),
        (["booking"], RACER, "racer", "photo-book"),
    ],
)
def test_cycle_tours(types, who, persona, content):
    """Racers and families have a matrix each, rational and emotional; everybody else gets the catalogue."""
    contacts = pl.DataFrame(
        {"contact": ["a"], "consent": [True], **{name: [each] for name, each in who.items()}}
    )
    contacts = contacts.with_columns(pl.col("discipline").cast(pl.String))
    row = row_of("cycle_tours", types, contacts=contacts)
    assert (row["persona"], row["content"]) == (persona, content)


@pytest.mark.parametrize(("consent", "content"), [(True, "early-bird"), (False, None), (None, None)])
def test_cycle_tours_ask_for_consent(consent, content):
    """Whoever travelled a year ago is written to again, but only with consent."""
    contacts = pl.DataFrame(
        {"contact": ["a"], "consent": [consent], "discipline": ["road"], "children": [0]},
        schema_overrides={"consent": pl.Boolean},
    )
    row = row_of("cycle_tours", ["booking"], contacts=contacts, days=350)
    assert (row["phase"], row["content"]) == ("exit", content)


def test_what_was_sent_is_not_sent_again():
    """The second best content follows the best one."""
    row = row_of(
        "cycle_tours",
        ["tour_view", "email_click"],
        contacts=pl.DataFrame({"contact": ["a"], "consent": [True], "discipline": ["road"], "children": [0]}),
        content=[None, "climbs-in-numbers"],
    )
    assert row["content"] == "sunrise-on-the-pass"
