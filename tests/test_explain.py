"""Explanations: what rules and events add up to, what was cut, and whom nothing can be said of."""

import copy
import datetime as dt
import gc
import math
import pickle
import weakref

import duckdb
import numpy as np
import oracle
import oracle_explain
import pandas as pd
import polars as pl
import pytest
from agreement import is_close, score_case
from hypothesis import given
from hypothesis import strategies as st
from shapes import rows_of, shapes
from strategies import cases

import engagekit as ek
from engagekit import partitions

NUMBERS = ("raw", "weight", "contribution", "cut")


def total(rows, name):
    """Sum a column."""
    return math.fsum(row[name] for row in rows)


def right_rows(case, key):
    """Ask the oracle for the matched events of a contact."""
    counted, _ = oracle.counted_events(case.model, case.events, case.at, case.id)
    since = {row["contact"]: row.get("customer_since") for row in case.contacts or ()}
    own = [event for event in counted if event["contact"] == key]
    return oracle_explain.explained(case.model, own, at=case.at, since=since.get(key))


def assert_events(found, right, *, dropping):
    """Assert that the rows by event are the oracle's: points, decay, share and cut."""
    found = sorted(found, key=lambda one: (one["rule"], one["time"], round(one["raw"], 9), one["weight"]))
    right = sorted(right, key=lambda one: (one.rule, one.time, round(one.raw, 9), one.weight))
    names = [(one["rule"], one["channel"], one["time"]) for one in found]
    assert names == [(one.rule, one.channel, one.time) for one in right]
    for one, other in zip(found, right, strict=True):
        assert all(is_close(one[name], getattr(other, name)) for name in NUMBERS), (one, other)
    types = {}
    for other in right:
        types.setdefault((other.rule, other.time), set()).update(other.types)
    # which of two alike is dropped is nobody's promise
    assert dropping or all(one["type"] in types[one["rule"], one["time"]] for one in found)


def assert_rules(rules, events, right):
    """Assert that the rows by rule say what their events say, and the largest come first."""
    assert {one["rule"] for one in rules} == {one.rule for one in right}
    for rule in rules:
        own = [one for one in events if one["rule"] == rule["rule"]]
        assert is_close(total(own, "contribution"), rule["contribution"])
        assert is_close(total(own, "cut"), rule["cut"])
        kept = [one for one in right if one.rule == rule["rule"] and one.kept]
        assert rule["events"] == len(kept)
        assert is_close(rule["raw"], math.fsum(one.raw for one in kept))
        assert is_close(rule["decayed"], math.fsum(one.raw * one.weight for one in kept))
    sizes = [abs(one["contribution"]) for one in rules]
    assert sizes == sorted(sizes, reverse=True)


@given(cases(), st.data())
def test_explanations_are_the_oracles_and_add_up(case, data):
    """For every contact rules add up to the score, and events to their rules; each row is the oracle's."""
    scores = score_case(case, data.draw(shapes(case.grain)))
    dropping = any("limit" in rule for rule in oracle.all_rules(case.model))
    for row in rows_of(scores.frame):
        whole = scores.explain(row["contact"])
        rules, events = rows_of(whole.frame), rows_of(scores.explain(row["contact"], events=True).frame)
        assert whole.score == row["score"]
        assert is_close(total(rules, "contribution"), row["score"])
        right = right_rows(case, row["contact"])
        assert_events(events, right, dropping=dropping)
        assert_rules(rules, events, right)


# --- small cases, by hand ---

DAY = dt.datetime(2026, 1, 31)
WEB = [
    ek.Rule(name="visit", on="visit", points=4, decay="none", channel="web", limit=ek.Limit(n=2, per="1d")),
    ek.Rule(name="demo", on="demo", points=10, decay="none", channel="web", cap=15),
    ek.Rule(name="care", on="visit", points=100, decay="none", channel="service", half="customer"),
]
MODEL = ek.Model(rules=WEB, channels={"web": ek.Channel(cap=11.5)})
EVENTS = pl.DataFrame(
    {"contact": ["ann"] * 5 + ["bob"], "type": ["visit"] * 3 + ["demo"] * 2 + ["visit"], "time": [DAY] * 6}
)


def rows(explanation):
    """Return the rows of an explanation."""
    return rows_of(explanation.frame)


def test_caps_are_shared_out():
    """A channel's cap takes from its rules by their points, a rule's from its events; the rest is `cut`."""
    scores = MODEL.score(EVENTS, at=DAY)
    demo, visit, care = rows(scores.explain("ann"))
    assert demo == {
        "rule": "demo", "channel": "web", "events": 2, "raw": 20.0, "decayed": 20.0, "contribution": 7.5,
        "cut": 12.5,
    }  # fmt: skip
    assert visit == {
        "rule": "visit", "channel": "web", "events": 2, "raw": 8.0, "decayed": 8.0, "contribution": 4.0,
        "cut": 8.0,
    }  # fmt: skip
    assert (care["rule"], care["decayed"], care["contribution"], care["cut"]) == ("care", 300.0, 0.0, 0.0)


def test_dropped_events_have_a_row():
    """An event that the limit drops has weight and contribution 0; what it would have added is cut."""
    dropped = [
        row
        for row in rows(MODEL.score(EVENTS, at=DAY).explain("ann", events=True))
        if row["rule"] == "visit" and row["weight"] == 0
    ]
    assert [(row["raw"], row["contribution"], row["cut"]) for row in dropped] == [(4.0, 0.0, 4.0)]


def test_points_that_cancel_keep_their_shares():
    """Where a rule's points add up to nothing, each event still shows its own."""
    rule = ek.Rule(name="r", on="x", points=1, decay="none", cap=3, amount=ek.Amount(signed=True))
    events = {"contact": [1, 1], "type": ["x", "x"], "time": [DAY] * 2, "value": [5.0, -5.0]}
    scores = ek.Model(rules=[rule]).score(events, at=DAY)
    assert sorted(row["contribution"] for row in rows(scores.explain(1, events=True))) == [-5.0, 5.0]
    (whole,) = rows(scores.explain(1))
    assert (whole["contribution"], whole["cut"]) == (0.0, 0.0)


def test_absences_and_repeats_have_a_date_and_a_type():
    """An absence stands where it became certain, as what it waited after; a repeat as its last event."""
    model = ek.Model(
        rules=[ek.Rule(name="never", on="never", points=1)],
        absences=[ek.Absence(name="ignored", after="sent", unless="open", within="7d", points=-1)],
        repeats=[ek.Repeat(name="often", on=["open", "visit"], n=2, within="2d", points=5)],
    )
    days = [dt.datetime(2026, 1, day) for day in (1, 10, 11)]
    events = pl.DataFrame({"contact": [7] * 3, "type": ["sent", "open", "visit"], "time": days})
    found = model.score(events, at=DAY).explain(7, events=True).frame
    assert found.select("rule", "type", "time").rows() == [
        ("often", "visit", days[2]),
        ("ignored", "sent", dt.datetime(2026, 1, 8)),
    ]


def test_repetitions_use_up_their_events():
    """Of five alike within the span three make a repetition and two are left, each value of `by` apart."""
    often = ek.Repeat(name="often", on="x", n=3, within="7d", points=5, decay="none", by="place")
    model = ek.Model(rules=[ek.Rule(name="never", on="never", points=1)], repeats=[often])
    days = [dt.datetime(2026, 1, 1 + day) for day in (0, 1, 2, 3, 4, 4, 5, 6)]
    places = ["a", "a", "a", "a", "b", "a", "b", "b"]
    events = pl.DataFrame({"contact": [7] * 8, "type": ["x"] * 8, "time": days, "place": places})
    scores = model.score(events, at=DAY)
    found = scores.explain(7, events=True).frame
    assert (found["time"].to_list(), scores.explain(7).score) == ([days[2], days[7]], 10.0)
    six = pl.concat([events, events.head(1).with_columns(time=pl.lit(days[6]))])
    assert model.score(six, at=DAY).explain(7, events=True).frame.height == 3


def test_contacts_without_events_are_empty():
    """Of a contact of the contacts table alone, or with future events alone, nothing is said, at score 0."""
    people = pl.DataFrame({"contact": ["cleo", "ann", "bob"]})
    late = EVENTS.with_columns(time=pl.lit(DAY + dt.timedelta(1)))
    for scores in (MODEL.score(EVENTS, at=DAY, contacts=people), MODEL.score(late, at=DAY, contacts=people)):
        empty = scores.explain("cleo")
        assert (empty.score, len(empty), empty.frame.height) == (0.0, 0, 0)
        assert repr(empty).endswith("No rule has matched an event of this contact.")
        assert "No rule has matched" in empty._repr_html_()
        assert scores.explain("cleo", events=True).frame.columns[:2] == ["time", "type"]
    assert len(scores.explain("ann")) == 0


# --- whom nothing can be said of ---


def test_unknown_contacts_are_told_the_nearest():
    """A misspelt id is an error that names the ids most like it, text or integer."""
    names = ["user-0001", "user-0002", "Anna", "zoe"]
    many = pl.DataFrame({"contact": names, "type": ["visit"] * 4, "time": [DAY] * 4})
    scores = MODEL.score(many, at=DAY)
    for wrong, message in (
        ("anna", "contact 'anna': not among the scores, did you mean 'Anna'?"),
        ("user-001", "did you mean 'user-0001' or 'user-0002'?"),
        ("nobody like this", "contact 'nobody like this': not among the scores$"),
        ("", "contact '': not among the scores$"),
    ):
        with pytest.raises(ek.EventsError, match=message.replace("?", r"\?")):
            scores.explain(wrong)
    numbers = MODEL.score(many.with_columns(contact=pl.Series([10_234, 10_243, -5, 2**62])), at=DAY)
    with pytest.raises(ek.EventsError, match="contact 10235: not among the scores, did you mean 10234"):
        numbers.explain(10_235)
    with pytest.raises(ek.EventsError, match=r"contact an integer of 201 bits: not among the scores$"):
        numbers.explain(2**200)


@pytest.mark.parametrize(
    ("contacts", "asked", "message"),
    [
        ([7], "7", r"expected an integer as in the column 'contact' \(7 is not '7'\), got '7' \(str\)"),
        (["7"], 7, r"expected text as in the column 'contact' \(7 is not '7'\), got 7 \(int\)"),
        ([7], True, r"expected an integer .* got True \(bool\)"),
        ([7], 7.0, r"expected an integer .* got 7.0 \(float\)"),
        (["7"], None, r"expected text .* got None \(NoneType\)"),
    ],
)
def test_contacts_of_another_kind(contacts, asked, message):
    """7 is not "7", and neither a flag nor a float is an id."""
    scores = MODEL.score({"contact": contacts, "type": ["visit"], "time": [DAY]}, at=DAY)
    with pytest.raises(ek.EventsError, match="contact: " + message):
        scores.explain(asked)


def test_ids_are_found_however_they_are_held():
    """Integers beyond 63 bits, NumPy's integers and texts that begin alike are told apart."""
    big = np.array([2**63 + 1, 2**64 - 1], np.uint64)
    scores = MODEL.score({"contact": big, "type": ["visit", "demo"], "time": [DAY] * 2}, at=DAY)
    assert scores.explain(2**64 - 1).score == scores.explain(big[1]).score == 10.0
    texts = ["ab", "abc", "b", "", "aé"]
    scores = MODEL.score({"contact": texts, "type": ["visit"] * 4 + ["demo"], "time": [DAY] * 5}, at=DAY)
    assert [scores.explain(text).contact for text in texts] == texts
    assert scores.explain("aé").score == 10.0


def test_one_of_several_instants_has_to_be_named():
    """At a frame of instants a contact with several is an error, until `at` says which; its others too."""
    at = pl.DataFrame({"contact": ["bob", "ann", "ann"], "at": [DAY, DAY, DAY - dt.timedelta(1)]})
    scores = MODEL.score(EVENTS, at=at)
    assert scores.explain("bob").score == 4.0
    asked = "scored 2 times, at 2026-01-30T00:00:00Z, 2026-01-31T00:00:00Z; say with at= which is meant"
    with pytest.raises(ek.EventsError, match=asked):
        scores.explain("ann")
    assert scores.explain("ann", at="2026-01-31").score == 11.5
    assert scores.explain("ann", at=DAY - dt.timedelta(1)).score == 0.0
    with pytest.raises(ek.EventsError, match="at: expected an instant for which contact 'ann' was scored"):
        scores.explain("ann", at="2026-01-29")
    assert MODEL.score(EVENTS, at=DAY).explain("ann", at="2026-01-31").score == 11.5


def test_scores_without_events_say_how_to_get_some(tmp_path, monkeypatch):
    """Loaded, pickled and copied scores, and those of streams on disk, have no events: an error says so."""
    scores = MODEL.score(EVENTS, at=DAY)
    scores.save(tmp_path / "s.parquet")
    monkeypatch.setattr(partitions, "HELD", 0)
    on_disk = MODEL.score(iter([EVENTS, EVENTS]), at=DAY)
    for each in (
        ek.Scores.load(tmp_path / "s.parquet"),
        pickle.loads(pickle.dumps(scores)),
        copy.deepcopy(scores),
        on_disk,
    ):
        with pytest.raises(ek.StateError, match="score the contact's events again, and explain that"):
            each.explain("ann")


# --- what is kept, and what comes out ---


def test_a_frame_can_go_and_its_scores_be_explained():
    """Scores keep what explaining takes, conditions and amounts included, and not the caller's frame."""
    rule = ek.Rule(name="r", on="visit", points=2, where=ek.field("url").contains("/a"), amount=ek.Amount())
    frame = EVENTS.with_columns(url=pl.Series(["/a", "/b", None, "/a", "/a", "/b"]), value=pl.lit(3.0))
    watch = weakref.ref(frame)
    scores = ek.Model(rules=[rule], decay="none").score(frame, at=DAY)
    del frame
    gc.collect()
    assert watch() is None
    assert [row["contribution"] for row in rows(scores.explain("ann"))] == [6.0]
    assert rows(scores.explain("bob")) == []


def test_scores_of_events_are_explained_after_others_were_scored():
    """Events that are scored by one model after another explain each of the scores."""
    events = ek.Events(EVENTS)
    first = MODEL.score(events, at=DAY)
    second = MODEL.evolve(channels={}).score(events, at=DAY)
    assert (first.explain("ann").score, second.explain("ann").score) == (11.5, 23.0)
    assert len(first.explain("ann")) == 3


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, dict], ids=["pandas", "polars", "dict"])
def test_explanations_come_in_the_callers_kind(kind):
    """The table is of the caller's kind; with zones where the times had them."""
    data = {name: EVENTS[name].to_list() for name in EVENTS.columns}
    data["time"] = [time.replace(tzinfo=dt.UTC) for time in data["time"]]
    whole = MODEL.score(kind(data), at=DAY).explain("ann", events=True)
    assert type(whole.frame) is kind
    assert whole.at == DAY.replace(tzinfo=dt.UTC)
    if kind is not dict:
        assert "UTC" in str(whole.frame["time"].dtype)
    again = pickle.loads(pickle.dumps(whole))
    assert repr(again) == repr(whole)


def test_explanations_of_relations_join_with_their_connection():
    """Of a DuckDB relation the table is one of the same connection."""
    connection = duckdb.connect()
    scores = MODEL.score(connection.from_arrow(EVENTS.to_arrow()), at=DAY)
    mine = connection.sql("select 'demo' as rule")
    assert mine.join(scores.explain("ann").frame, "rule").project("contribution").fetchall() == [(7.5,)]


def test_representations_are_short_and_escaped():
    """Ten rows are shown and the rest is summed up; HTML is escaped, and terminals are not driven."""
    rules = [ek.Rule(name=f"<b>{n}\x1b", on="x", points=n + 1, decay="none") for n in range(12)]
    scores = ek.Model(rules=rules).score({"contact": ["<i>"], "type": ["x"], "time": [DAY]}, at=DAY)
    whole = scores.explain("<i>")
    assert repr(whole).endswith("\nand 2 more, 3 together")
    assert "\x1b" not in repr(whole)
    shown = whole._repr_html_()
    assert "<b>" not in shown and "<i>" not in shown and "&lt;b&gt;11" in shown


@pytest.mark.parametrize("ids", [["ann", "bob", "été"], [7, -8, 2**62]])
def test_conditions_on_the_contact_are_explained(ids):
    """A rule that asks who it is finds the same contact again when a score is explained or compared."""
    events = {"contact": ids, "type": ["x"] * 3, "time": [DAY] * 3}
    own = ek.Rule(name="own", on="x", points=50, decay="none", where=ek.field("contact") == ids[2])
    weighed = ek.Rule(name="all", on="x", points=1, decay="none", weights={"contact": {str(ids[0]): 3}})
    scores = ek.Model(rules=[own, weighed]).score(events, at=DAY)
    for each, points in zip(ids, (3.0, 1.0, 51.0), strict=True):
        assert scores.explain(each).score == points
        assert total(rows(scores.explain(each)), "contribution") == points
    found = scores.compare(ek.Model(rules=[weighed]).score(events, at=DAY))
    assert [(row["contact"], row["rule"]) for row in rows_of(found.frame)] == [(ids[2], "own")]


def test_conditions_on_nobody():
    """Without any event there is nobody to explain, whatever a model asks of contacts."""
    rule = ek.Rule(name="own", on="visit", points=50, where=ek.field("contact") == "ann")
    empty = ek.Model(rules=[rule]).score(EVENTS.head(0), at=DAY)
    full = ek.Model(rules=[rule]).score(EVENTS, at=DAY)
    assert (empty.compare(empty).contacts, full.compare(empty).gone) == (0, 2)
    with pytest.raises(ek.EventsError, match=r"contact 'ann': not among the scores$"):
        empty.explain("ann")
