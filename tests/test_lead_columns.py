"""The lead columns where they turn: bounds, ties, recycled leads, contents had, and what is refused."""

from datetime import datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from shapes import rows_of

import engagekit as ek
from engagekit import partitions

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1)
RULES = [
    {"name": "look", "on": "look", "points": 10, "channel": "web", "intent": "learn", "decay": "none"},
    {"name": "cart", "on": "cart", "points": 10, "channel": "shop", "intent": "buy", "decay": "none"},
    {"name": "quit", "on": "quit", "points": -10, "channel": "web", "intent": "leave", "decay": "none"},
]
BIG = {"name": "big", "where": {"size": {"ge": 50}}, "points": 30}
SALES = {
    "mql_min_engagement": 12.5,
    "mql_min_fit": 40,
    "accepted_on": "accepted",
    "qualified_on": "qualified",
    "rejected_on": ["rejected", "lost"],
    "recycle_after": "10d",
}


def day(number):
    """Give an instant by the number of its day."""
    return BEGIN + number * DAY


def model_of(**table):
    """Make a model whose engagement is the score in percent of 80, so that 10 points read 12.5."""
    return ek.Model.from_dict({"rules": RULES, "scale": {"linear": 80}, **table})


def events_of(*rows, **columns):
    """Make a frame of (contact, type, day); further columns by name."""
    contacts, types, days = zip(*rows, strict=True)
    when = [day(number) for number in days]
    return pl.DataFrame({"contact": contacts, "type": types, "time": when, **columns})


def only(scores, name):
    """Give a column by contact."""
    return {row[scores.key]: row[name] for row in rows_of(scores.frame)}


# Fit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "fit", "known", "grade"),
    [(50, 100.0, 1.0, "A"), (49, 0.0, 1.0, "D"), (None, 0.0, 0.0, "D"), (float("nan"), 0.0, 0.0, "D")],
)
def test_fit(size, fit, known, grade):
    """The fit is the share of the points; NaN and null earn nothing and are not known."""
    contacts = pl.DataFrame({"contact": ["a"], "size": pl.Series([size], dtype=pl.Float64)})
    scores = model_of(fit={"criteria": [BIG]}).score(
        events_of(("a", "look", 0)), at=day(1), contacts=contacts
    )
    (row,) = rows_of(scores.frame)
    assert (row["fit"], row["fit_known"], row["grade"]) == (fit, known, grade)


def test_negative_points_never_go_below_nothing():
    """What speaks against a contact lowers its fit, but not below 0, and is no part of what can be known."""
    criteria = [BIG, {"name": "rival", "where": {"rival": {"eq": True}}, "points": -50}]
    contacts = pl.DataFrame(
        {
            "contact": ["a", "b", "c"],
            "size": [60, 60, 10],
            "rival": [True, None, True],
        }
    )
    scores = model_of(fit={"criteria": criteria}).score(
        events_of(("a", "look", 0)), at=day(1), contacts=contacts
    )
    assert only(scores, "fit") == {"a": 0.0, "b": 100.0, "c": 0.0}
    assert only(scores, "fit_known") == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_grades_are_given_from_their_bounds_on():
    """A grade's bound is inclusive, in whatever order the grades stand."""
    criteria = [{"name": f"k{n}", "where": {"n": {"ge": n}}, "points": 25} for n in (1, 2, 3, 4)]
    fit = {"criteria": criteria, "grades": {"poor": 0, "best": 100, "good": 50}}
    contacts = pl.DataFrame({"contact": ["a", "b", "c", "d", "e"], "n": [0, 1, 2, 3, 4]})
    scores = model_of(fit=fit).score(events_of(("a", "look", 0)), at=day(1), contacts=contacts)
    assert list(only(scores, "grade").values()) == ["poor", "poor", "good", "good", "best"]


@pytest.mark.parametrize(("points", "rest"), [(29, 71), (58, 42), (7, 93), (0.07, 0.93), (35.1, 64.9)])
def test_whole_percents_reach_their_bound(points, rest):
    """29 of 100 points reach a grade's bound of 29, though 0.29 times 100 is less."""
    criteria = [
        {"name": "a", "where": {"n": {"ge": 1}}, "points": points},
        {"name": "b", "where": {"n": {"ge": 2}}, "points": rest},
    ]
    bound = points * 100 / (points + rest)
    fit = {"criteria": criteria, "grades": {"met": bound, "missed": 0}}
    contacts = pl.DataFrame({"contact": ["a", "b"], "n": [1, 2]})
    scores = model_of(fit=fit).score(events_of(("a", "look", 0)), at=day(1), contacts=contacts)
    assert only(scores, "grade") == {"a": "met", "b": "met"}
    assert only(scores, "fit")["b"] == 100.0


def test_ratings():
    """The rating is the grade and the level's number."""
    names = ["none", "low", "medium", "high"]
    events = events_of(*((name, "look", 0) for place, name in enumerate(names) for _ in range(place * 2)))
    contacts = pl.DataFrame({"contact": names, "size": [60, 60, 10, 10]})
    scores = model_of(fit={"criteria": [BIG]}, levels={"medium": 50, "high": 75}).score(
        events, at=day(1), contacts=contacts
    )
    assert only(scores, "level") == {name: name for name in names}
    assert only(scores, "rating") == {"none": "A4", "low": "A3", "medium": "D2", "high": "D1"}


def test_without_a_row_nothing_is_known():
    """A contact without a row in the table, and everybody without a table, has null for all four columns."""
    columns = ("fit", "fit_known", "grade", "rating")
    model = model_of(fit={"criteria": [BIG]})
    for contacts in (None, pl.DataFrame({"contact": ["b"], "size": [60]})):
        row = rows_of(model.score(events_of(("a", "look", 0)), at=day(1), contacts=contacts).frame)[0]
        assert [row[name] for name in columns] == [None] * 4
    nobody = pl.DataFrame({"contact": pl.Series([], dtype=pl.String), "size": pl.Series([], dtype=pl.Int64)})
    (row,) = rows_of(model.score(events_of(("a", "look", 0)), at=day(1), contacts=nobody).frame)
    assert [row[name] for name in columns] == [None] * 4


@pytest.mark.parametrize("kind", ["pandas", "polars", "duckdb", "dict"])
def test_attributes_of_every_library(kind):
    """Text, numbers and flags of any library are read; categories by their words."""
    criteria = [
        BIG,
        {"name": "trade", "where": {"trade": {"starts_with": "b"}}, "points": 20},
        {"name": "vip", "where": {"vip": {"eq": True}}, "points": 50},
    ]
    columns = {"contact": ["a", "b"], "size": [60, 10], "trade": ["baker", "smith"], "vip": [False, True]}
    frame = pd.DataFrame(columns)
    made = {
        "pandas": frame.astype({"trade": "category"}),
        "polars": pl.DataFrame(columns),
        "duckdb": duckdb.from_df(frame),
        "dict": {name: np.array(values) for name, values in columns.items()},
    }[kind]
    scores = model_of(fit={"criteria": criteria}).score(events_of(("a", "look", 0)), at=day(1), contacts=made)
    assert only(scores, "fit") == {"a": 50.0, "b": 50.0}


# Stage ---------------------------------------------------------------------------------------------------


def stages(events, **options):
    """Give the stages of contacts that all fit."""
    keys = events["contact"].unique(maintain_order=True)
    contacts = pl.DataFrame({"contact": keys, "size": [60] * len(keys)})
    model = model_of(fit={"criteria": [BIG]}, qualification=SALES, lifecycle={"customer_on": "won"})
    return only(model.score(events, contacts=contacts, **options), "stage")


def test_stages():
    """Facts beat points: sales' word counts without any engagement, and a customer is one."""
    events = events_of(
        *(("lead", "quit", 0), ("MQL", "look", 0), ("SAL", "accepted", 0), ("SQL", "qualified", 0)),
        *(("both", "qualified", 0), ("both", "accepted", 1)),
        *(("customer", "rejected", 0), ("customer", "won", 0)),
    )
    found = stages(events, at=day(2))
    assert found == {name: name for name in ("lead", "MQL", "SAL", "SQL", "customer")} | {"both": "SQL"}


def test_both_minima_are_met_at_their_bounds():
    """An MQL has at least the engagement and at least the fit; a fit that is not known counts as 0."""
    events = events_of(("a", "look", 0), ("b", "look", 0), ("c", "look", 0))
    contacts = pl.DataFrame({"contact": ["a", "b"], "size": [60, 10]})
    model = model_of(fit={"criteria": [BIG]}, qualification=SALES)
    scores = model.score(events, at=day(1), contacts=contacts)
    assert only(scores, "engagement") == {"a": 12.5, "b": 12.5, "c": 12.5}
    assert only(scores, "stage") == {"a": "MQL", "b": "lead", "c": "lead"}
    anybody = model.evolve(qualification={**SALES, "mql_min_fit": 0})
    assert set(only(anybody.score(events, at=day(1)), "stage").values()) == {"MQL"}
    barely = model.evolve(qualification={"mql_min_engagement": 12.6})
    assert set(only(barely.score(events, at=day(1)), "stage").values()) == {"lead"}


def test_a_rejected_lead_is_recycled():
    """A rejection undoes what sales said before; once `recycle_after` has passed points count again."""
    events = events_of(
        *(("a", "look", 0), ("a", "accepted", 1), ("a", "qualified", 2), ("a", "rejected", 3)),
    )
    instants = [0, 1, 2, 3, 12.999, 13, 20]
    at = pl.DataFrame({"contact": ["a"] * len(instants), "at": [day(number) for number in instants]})
    contacts = pl.DataFrame({"contact": ["a"], "size": [60]})
    model = model_of(fit={"criteria": [BIG]}, qualification=SALES)
    found = model.score(events, at=at, contacts=contacts).frame["stage"].to_list()
    assert found == ["MQL", "SAL", "SQL", "lead", "lead", "MQL", "MQL"]
    one_by_one = [stages(events, at=instant)["a"] for instant in at["at"]]
    assert one_by_one == found


def test_the_rejection_wins_a_tie():
    """What sales said at the very instant of the rejection is undone, in whatever order the rows stand."""
    rows = [("a", "qualified", 3), ("a", "rejected", 3), ("a", "accepted", 3)]
    for order in (rows, rows[::-1], [rows[1], rows[0], rows[2]]):
        assert stages(events_of(*order), at=day(30)) == {"a": "lead"}
    later = events_of(*rows, ("a", "accepted", 3.5))
    assert stages(later, at=day(4)) == {"a": "lead"}
    assert stages(later, at=day(13)) == {"a": "SAL"}
    assert stages(events_of(*rows, ("a", "lost", 8), ("a", "qualified", 9)), at=day(14)) == {"a": "lead"}


def test_verdicts_by_signals_and_exclusions():
    """Signals may stand for verdicts; what is excluded says nothing, and what is later neither."""
    model = model_of(
        signals=[{"name": "yes", "on": "deal", "where": {"value": {"ge": 2}}}],
        excludes=[{"name": "test", "on": ["deal"], "where": {"value": {"eq": 9}}}],
        qualification={"mql_min_engagement": 50, "accepted_on": "deal", "qualified_on": "yes"},
    )
    events = events_of(
        *(("a", "deal", 0), ("b", "deal", 0), ("c", "deal", 0), ("d", "deal", 5)),
        value=[1, 2, 9, 2],
    ).vstack(events_of(("c", "look", 0), ("d", "look", 0), value=[None, None]).cast({"value": pl.Int64}))
    assert only(model.score(events, at=day(1)), "stage") == {"a": "SAL", "b": "SQL", "c": "lead", "d": "lead"}


# Intent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "intent"),
    [
        (["look"], "learn"),
        (["look", "cart"], "learn"),
        (["cart", "look"], "learn"),
        (["cart", "look", "cart"], "buy"),
        (["quit"], None),
        (["quit", "cart"], "buy"),
        (["other"], None),
    ],
)
def test_intents(types, intent):
    """The intent with at least half of the positive points; of two with half each the model's first."""
    events = events_of(*(("a", name, number) for number, name in enumerate(types)))
    assert only(model_of().score(events, at=day(9)), "intent") == {"a": intent}


def test_an_intent_without_half_is_unclear():
    """Three intents of a third each leave open which it is."""
    rules = [*RULES, {"name": "ask", "on": "ask", "points": 10, "intent": "help", "decay": "none"}]
    events = events_of(*(("a", name, 0) for name in ("look", "cart", "ask")))
    assert only(ek.Model(rules=rules).score(events, at=day(1)), "intent") == {"a": "unclear"}


def test_intents_are_of_rules_that_apply_and_of_capped_points():
    """A rule of the other half says nothing, a rule without an intent neither, and a cap cuts its share."""
    rules = [
        {**RULES[0], "half": "customer", "points": 1000},
        {**RULES[1], "cap": 15},
        {"name": "ask", "on": "ask", "points": 20, "intent": "help", "decay": "none"},
        {"name": "mail", "on": "mail", "points": 500, "decay": "none"},
    ]
    events = events_of(*(("a", name, 0) for name in ("look", "cart", "cart", "ask", "mail")))
    assert only(ek.Model(rules=rules).score(events, at=day(1)), "intent") == {"a": "help"}


# Persona and content -------------------------------------------------------------------------------------


def test_the_first_persona_that_holds():
    """Personas are tried in their order, and may ask for attributes, results and the key."""
    model = model_of(
        fit={"criteria": [BIG]},
        personas=[
            {"name": "chief", "where": {"contact": {"starts_with": "an"}, "size": {"ge": 50}}},
            {"name": "keen", "where": {"engagement": {"ge": 25}, "rating": {"ne": "D1"}}},
            {"name": "buyer", "where": {"intent": {"eq": "buy"}}},
            {"name": "unknown", "where": {"fit": {"is_null": True}}},
        ],
    )
    events = events_of(
        *(("ann", "look", 0), ("ann", "look", 1), ("bob", "look", 0), ("bob", "look", 1)),
        *(("cas", "cart", 0), ("dee", "look", 0)),
    )
    contacts = pl.DataFrame({"contact": ["ann", "bob", "cas", "eve"], "size": [60, 60, 1, 1]})
    scores = model.score(events, at=day(1), contacts=contacts)
    assert only(scores, "persona") == {
        "ann": "chief",
        "bob": "keen",
        "cas": "buyer",
        "dee": "unknown",
        "eve": None,
    }


@pytest.mark.parametrize("keys", [["7", "8"], [7, 8]])
def test_the_key_in_a_condition(keys):
    """`contact` is the key, of either kind, also of a frame for `at`."""
    model = model_of(personas=[{"name": "lucky", "where": {"contact": {"eq": keys[0]}}}])
    events = events_of(*((key, "look", 0) for key in keys)).rename({"contact": "who"})
    assert only(model.score(events, at=day(1), contact="who"), "persona") == {keys[0]: "lucky", keys[1]: None}
    at = pl.DataFrame({"who": keys[::-1], "at": [day(1)] * 2})
    scores = model.score(events, at=at, contact="who")
    assert scores.frame["persona"].to_list() == [None, "lucky"]


MATRIX = [
    {"id": "plain", "phase": "nurture"},
    {"id": "web", "phase": "nurture", "channel": "web"},
    {"id": "consent", "phase": "nurture", "where": {"size": {"ge": 50}}},
    {"id": "special", "phase": "nurture", "channel": "web", "intent": "learn"},
    {"id": "call", "phase": "sales"},
]


def contents(**columns):
    """Give the contents of a contact without and one with attributes."""
    events = events_of(("a", "look", 0), ("b", "look", 0), ("b", "mail", 1), ("b", "mail", 2), **columns)
    contacts = pl.DataFrame({"contact": ["b"], "size": [60]})
    scores = model_of(contents=MATRIX).score(events, at=day(1), contacts=contacts)
    return only(scores, "content")


def test_the_most_specific_content_first():
    """The entry with most given fields that match, then in the order of the model."""
    assert contents() == {"a": "special", "b": "special"}


def test_contents_had_are_skipped():
    """What a contact has had up to the instant is not offered again; what comes later does not count."""
    assert contents(content=["special", "special", "web", "consent"]) == {"a": "web", "b": "consent"}
    assert contents(content=[None, "special", "web", "plain"]) == {"a": "special", "b": "consent"}


def test_ids_of_contents_may_be_numbers():
    """A column of whole numbers is read as text, as ids are."""
    model = model_of(contents=[{"id": "1", "phase": "nurture"}, {"id": "2", "phase": "nurture"}])
    events = events_of(("a", "look", 0), ("b", "look", 0), content=[1, None])
    assert only(model.score(events, at=day(1)), "content") == {"a": "2", "b": "1"}


def test_many_contents():
    """More contents than a word has bits are told apart."""
    ids = [f"c{number}" for number in range(130)]
    model = model_of(contents=[{"id": name, "phase": "nurture"} for name in ids])
    rows = [("a", "mail", 0)] * 129 + [("b", "mail", 0)]
    events = events_of(*rows, content=[*ids[:64], *ids[65:], "c0"])
    assert only(model.score(events, at=day(1)), "content") == {"a": "c64", "b": "c1"}


def test_excluded_events_bring_nothing():
    """An event that is none has brought no content."""
    model = model_of(
        contents=[{"id": "x", "phase": "nurture"}],
        excludes=[{"name": "test", "on": "mail", "where": {"value": {"eq": 9}}}],
    )
    rows = [("a", "look", 0), ("a", "mail", 0)]
    for value, content in ((9, "x"), (1, None)):
        events = events_of(*rows, value=[None, value], content=[None, "x"])
        assert only(model.score(events, at=day(1)), "content") == {"a": content}


def test_without_activity_there_is_no_content():
    """A contact of the table alone has no phase, so nothing is made for it; all else of it is known."""
    model = model_of(
        fit={"criteria": [BIG]},
        qualification={"mql_min_engagement": 0},
        contents=[{"id": "x", "phase": "nurture"}],
        personas=[{"name": "big", "where": {"size": {"ge": 50}}}],
    )
    contacts = pl.DataFrame({"contact": ["z"], "size": [60]})
    row = rows_of(model.score(events_of(("a", "look", 0)), at=day(1), contacts=contacts).frame)[1]
    names = ("phase", "intent", "fit", "rating", "stage", "persona", "content")
    assert [row[name] for name in names] == [None, None, 100.0, "A4", "MQL", "big", None]


def test_events_need_no_content():
    """Neither a table nor a stream, some of whose frames have the column, need a column `content`."""
    model = model_of(contents=MATRIX)
    events = events_of(("a", "look", 0), ("b", "look", 0), content=["special", "special"])
    pieces = [events[:1], events[1:].drop("content")]
    for source in (iter(pieces), ek.Events(iter(pieces))):
        assert only(model.score(source, at=day(1)), "content") == {"a": "web", "b": "special"}
    assert only(model.score(ek.Events(events.drop("content")), at=day(1)), "content")["a"] == "special"
    assert only(model.score(ek.Events(events), at=day(1)), "content")["a"] == "web"


def test_a_stream_on_disk_needs_no_content(monkeypatch):
    """Nor do the frames of a stream that memory should not hold, be it some of them or all."""
    monkeypatch.setattr(partitions, "HELD", 0)
    monkeypatch.setattr(partitions, "BLOCK", 0)
    model = model_of(contents=MATRIX)
    events = events_of(
        ("a", "look", 0), ("b", "look", 0), ("a", "look", 1), content=["special"] * 2 + ["web"]
    )
    bare = events.drop("content")
    some = only(model.score(iter([bare[:1], events[1:2], bare[2:]]), at=day(1)), "content")
    assert some == {"a": "special", "b": "web"}
    others = only(model.score(iter([events[:1], bare[1:2], events[2:]]), at=day(1)), "content")
    assert others == {"a": "plain", "b": "special"}
    assert only(model.score(iter([bare[:1], bare[1:]]), at=day(1)), "content")["a"] == "special"


def test_a_content_column_that_is_asked_for_must_be_there():
    """A model whose rules ask for `content` cannot do without it."""
    model = model_of(contents=MATRIX, rules=[{**RULES[0], "where": {"content": {"eq": "x"}}}, *RULES[1:]])
    with pytest.raises(ek.EventsError, match="'content'"):
        model.score(events_of(("a", "look", 0)), at=day(1))


def test_verdicts_are_no_misspelt_events():
    """A type by which sales speaks is not taken for the misspelt type of a rule."""
    rule = {"name": "accept", "on": "accepted_offer", "points": 1}
    events = events_of(("a", "look", 0), ("a", "accepted_offr", 0))
    asked = model_of(rules=[*RULES, rule])
    assert "accepted_offr" in asked.score(events, at=day(1)).notes[0]
    told = asked.evolve(qualification={"mql_min_engagement": 50, "accepted_on": "accepted_offr"})
    assert told.score(events, at=day(1)).notes == ()


# What is refused -----------------------------------------------------------------------------------------


def refusal(contacts, **table):
    """Give the text of the error that a contacts table raises."""
    with pytest.raises(ek.EventsError) as raised:
        model_of(**table).score(events_of(("a", "look", 0)), at=day(1), contacts=contacts)
    return str(raised.value)


def test_missing_attributes():
    """All attributes that the table lacks are named at once, each with what asks for it."""
    contacts = pl.DataFrame({"contact": ["a"], "sizes": [60]})
    assert refusal(
        contacts,
        fit={"criteria": [BIG]},
        personas=[{"name": "p", "where": {"size": {"ge": 1}, "land": {"eq": "x"}, "score": {"ge": 0}}}],
        contents=[{"id": "c", "phase": "sales", "where": {"consent": {"eq": True}}}],
    ) == (
        "contacts: expected the attributes 'size' (criterion 'big'), 'land' (persona 'p'), 'consent' "
        "(content 'c'), got 'contact', 'sizes'; did you mean 'sizes'?"
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"fit": {"criteria": [BIG]}},
            "contacts column 'size' (criterion 'big'): expected number as in (field('size') >= 50), got text",
        ),
        (
            {"personas": [{"name": "p", "where": {"size": {"ge": 1}}}]},
            "contacts column 'size' (persona 'p'): expected number as in (field('size') >= 1), got text",
        ),
        (
            {"contents": [{"id": "c", "phase": "sales", "where": {"size": {"ge": 1}}}]},
            "contacts column 'size' (content 'c'): expected number as in (field('size') >= 1), got text",
        ),
    ],
)
def test_attributes_of_another_kind(table, said):
    """A condition that cannot be asked of an attribute is named with what asks it."""
    assert refusal(pl.DataFrame({"contact": ["a"], "size": ["big"]}), **table).startswith(said)


def test_own_columns_of_the_results_names():
    """A frame for `at` that has a column of a lead column's name is refused."""
    at = pl.DataFrame({"contact": ["a"], "at": [day(1)], "stage": ["x"]})
    with pytest.raises(ek.EventsError, match="'stage'; rename"):
        model_of(qualification=SALES).score(events_of(("a", "look", 0)), at=at)


# Beyond the frame ----------------------------------------------------------------------------------------


def test_saved_and_loaded(tmp_path):
    """Saved scores carry the lead columns and the model that says what they mean."""
    model = model_of(fit={"criteria": [BIG]}, qualification=SALES, contents=MATRIX)
    contacts = pl.DataFrame({"contact": ["a"], "size": [60]})
    scores = model.score(events_of(("a", "look", 0), ("b", "cart", 0)), at=day(1), contacts=contacts)
    for ending in ("parquet", "csv", "jsonl"):
        path = tmp_path / f"scores.{ending}"
        scores.save(path)
        again = ek.Scores.load(path)
        assert again.model == model
        assert rows_of(again.frame)[1]["content"] == "plain"
        assert rows_of(again.frame)[0]["rating"] == "A3"


def test_features_and_history_know_no_leads():
    """`features` and `history` give what they give of a model without a lead side."""
    model = model_of(fit={"criteria": [BIG]}, qualification=SALES, contents=MATRIX)
    plain = ek.Model.from_dict({"rules": RULES, "scale": {"linear": 80}})
    events = events_of(("a", "look", 0), ("a", "accepted", 1), ("b", "cart", 0), content=["web", None, None])
    assert model.features(events, at=day(2)).equals(plain.features(events, at=day(2)))
    assert model.history(events, at=[day(1), day(2)]).equals(plain.history(events, at=[day(1), day(2)]))


def test_the_summary_counts_leads():
    """A summary has a line for each lead column, and what the strongest are rated, in text and HTML."""
    model = model_of(fit={"criteria": [BIG]}, qualification=SALES, contents=MATRIX)
    contacts = pl.DataFrame({"contact": ["a"], "size": [60]})
    scores = model.score(events_of(("a", "look", 0), ("b", "cart", 0)), at=day(1), contacts=contacts)
    lines = [
        "Stages: 1 lead, 1 MQL",
        "Grades: 1 A, 1 none",
        "Intents: 1 learn, 1 buy",
        "Contents: 1 plain, 1 special",
    ]
    assert "\n".join(lines) in repr(scores)
    strongest = next(line for line in repr(scores).splitlines() if line.startswith("a "))
    assert strongest.split()[:7] == ["a", "12", "low", "nurture", "A3", "MQL", "special"]
    for line in lines:
        assert f"<p>{line}</p>" in scores._repr_html_()


def test_command_line(tmp_path, capsys):
    """Attributes of a file without types are read as what the model compares them with."""
    from engagekit.cli import main

    model_of(
        fit={"criteria": [BIG, {"name": "vip", "where": {"vip": {"eq": True}}, "points": 10}]},
        personas=[{"name": "local", "where": {"zip": {"eq": "007"}}}],
        contents=MATRIX,
    ).save(tmp_path / "model.toml")
    (tmp_path / "events.csv").write_text(
        "contact,type,time,content\na,look,2026-01-01,special\nb,look,2026-01-01,\n", "utf-8"
    )
    (tmp_path / "contacts.csv").write_text("contact,size,vip,zip\na,60,no,007\nb,7,yes,7\n", "utf-8")
    files = [str(tmp_path / name) for name in ("events.csv", "model.toml", "contacts.csv", "out.csv")]
    events, model, contacts, out = files
    command = ["score", events, "--model", model, "--contacts", contacts, "--at", "2026-01-02", "-o", out]
    assert main(command) == 0
    assert "Grades: 1 A, 1 C" in capsys.readouterr().out
    found = pl.read_csv(out).select("contact", "fit", "persona", "content").rows()
    assert found == [("a", 75.0, "local", "web"), ("b", 25.0, None, "special")]
    (tmp_path / "contacts.csv").write_text("contact,size,vip\na,60,no\n", "utf-8")
    assert main(command) == 1
    assert "contacts: expected the attributes 'zip' (persona 'local')" in capsys.readouterr().err
