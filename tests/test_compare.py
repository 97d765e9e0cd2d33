"""Comparing results: who changed, who came and went, and which rule is behind it."""

import datetime as dt
import pickle
from collections import Counter

import duckdb
import oracle
import oracle_explain
import pandas as pd
import polars as pl
import pytest
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, is_close
from hypothesis import given
from hypothesis import strategies as st
from oracle_events import DAY as DAY_US
from shapes import frame_of, moment, rows_of
from strategies import cases, models

import engagekit as ek
from engagekit.comparison import reasons

DAY = dt.datetime(2026, 1, 31)
CATEGORIES = ("phase", "level", "half")


def contributions(model, case, key, at):
    """Ask the oracle what each rule adds to a contact's score."""
    counted, _ = oracle.counted_events(model, case.events, at, case.id)
    since = {row["contact"]: row.get("customer_since") for row in case.contacts or ()}
    own = [event for event in counted if event["contact"] == key]
    added = Counter()
    for row in oracle_explain.explained(model, own, at=at, since=since.get(key)):
        added[row.rule] += row.contribution
    return added


@given(cases(max_contacts=4), models(), st.sampled_from([0, DAY_US, -40 * DAY_US]))
def test_comparisons_are_the_two_results_side_by_side(case, other, later):
    """Rows are the contacts whose categories differ, or that one side lacks, with both sides' own values."""
    contacts = frame_of(case.contacts, CONTACT_COLUMNS) if case.contacts is not None else None
    at = (case.at, case.at + later)
    scored = [
        ek.Model.from_dict(model).score(
            frame_of(case.events, EVENT_COLUMNS), at=moment(when), contacts=contacts, id=case.id
        )
        for model, when in zip((case.model, other), at, strict=True)
    ]
    before, after = ({row["contact"]: row for row in rows_of(scores.frame)} for scores in scored)
    found = scored[0].compare(scored[1])
    rows = {row["contact"]: row for row in rows_of(found.frame)}
    both = before.keys() & after.keys()
    changed = {key for key in both if any(before[key][n] != after[key][n] for n in CATEGORIES)}
    assert rows.keys() == changed | (before.keys() ^ after.keys())
    assert (found.contacts, found.changed) == (len(before.keys() | after.keys()), len(changed))
    assert (found.new, found.gone) == (len(after.keys() - both), len(before.keys() - both))
    for name in CATEGORIES:
        moves = Counter((before[key][name], after[key][name]) for key in changed)
        assert found.moves[name] == {pair: n for pair, n in moves.items() if pair[0] != pair[1]}
    for key, row in rows.items():
        assert row["change"] == ("changed" if key in both else "new" if key in after else "gone")
        for name in (*CATEGORIES, "score", "engagement"):
            assert row[f"{name}_before"] == before.get(key, {}).get(name)
            assert row[f"{name}_after"] == after.get(key, {}).get(name)
        was = contributions(case.model, case, key, at[0]) if key in before else {}
        now = contributions(other, case, key, at[1]) if key in after else {}
        differ = {name: now.get(name, 0.0) - was.get(name, 0.0) for name in {*was, *now}}
        most = max(map(abs, differ.values()), default=0.0)
        assert is_close(abs(row["rule_change"]), most) or most <= 1e-9 * abs(
            max(before.get(key, {}).get("score", 0.0), after.get(key, {}).get("score", 0.0), key=abs)
        )
        assert row["rule"] is None or is_close(differ.get(row["rule"], 0.0), row["rule_change"])
    sizes = [abs((row["score_after"] or 0.0) - (row["score_before"] or 0.0)) for row in rows.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert repr(found) and found._repr_html_()


# --- small cases, by hand ---

RULES = [
    ek.Rule(name="visit", on="visit", points=4, decay="none", channel="web"),
    ek.Rule(name="demo", on="demo", points=60, decay="none", channel="sales"),
]
MODEL = ek.Model(name="now", rules=RULES)
EDITED = ek.Model(
    name="edited", rules=[RULES[0], ek.Rule(name="demo", on="demo", points=20, decay="none", channel="sales")]
)
EVENTS = pl.DataFrame(
    {
        "contact": ["ann", "bob", "cleo"],
        "type": ["demo", "visit", "demo"],
        "time": [DAY, DAY, DAY + dt.timedelta(9)],
    }
)


def test_two_models_of_the_same_events():
    """The rule that was edited is behind every change."""
    found = MODEL.score(EVENTS, at=DAY).compare(EDITED.score(EVENTS, at=DAY))
    assert rows_of(found.frame) == [
        {
            "contact": "ann", "change": "changed", "phase_before": "sales", "phase_after": "nurture",
            "level_before": "high", "level_after": "low", "half_before": "prospect", "half_after": "prospect",
            "score_before": 60.0, "score_after": 20.0,
            "engagement_before": pytest.approx(56.47, abs=0.01),
            "engagement_after": pytest.approx(24.21, abs=0.01),
            "rule": "demo", "rule_change": -40.0, "channel": "sales", "channel_change": -40.0,
        }
    ]  # fmt: skip
    assert found.moves == {"phase": {("sales", "nurture"): 1}, "level": {("high", "low"): 1}, "half": {}}


def test_contacts_that_come_and_go():
    """A contact of one side alone is new or gone, with nothing on the other side."""
    early, late = (MODEL.score(EVENTS, at=DAY + dt.timedelta(n)) for n in (0, 9))
    (new,) = rows_of(early.compare(late).frame)
    assert (new["contact"], new["change"], new["phase_before"], new["phase_after"]) == (
        "cleo",
        "new",
        None,
        "sales",
    )
    assert (new["score_before"], new["rule"], new["rule_change"]) == (None, "demo", 60.0)
    (gone,) = rows_of(late.compare(early).frame)
    assert (gone["change"], gone["score_after"], gone["rule_change"], gone["channel_change"]) == (
        "gone", None, -60.0, -60.0,
    )  # fmt: skip
    assert "1 new" in repr(early.compare(late))


def test_nobody_changes():
    """Two equal results have no rows, and say so."""
    scores = MODEL.score(EVENTS, at=DAY)
    found = scores.compare(MODEL.score(EVENTS, at=DAY))
    assert (len(found), found.frame.height) == (0, 0)
    assert repr(found) == "2 contacts at 2026-01-31 00:00 UTC, by the model now: nobody changed"
    empty = MODEL.score(EVENTS.head(0), at=DAY)
    assert len(empty.compare(empty)) == 0
    assert empty.compare(scores).new == 2


def test_loaded_scores_are_compared_without_rules(tmp_path):
    """Yesterday's file tells moves and channels; its events are gone, and with them the rules."""
    before, after = MODEL.score(EVENTS, at=DAY), EDITED.score(EVENTS, at=DAY)
    before.save(tmp_path / "s.parquet")
    for one, other in (
        (ek.Scores.load(tmp_path / "s.parquet"), after),
        (pickle.loads(pickle.dumps(before)), after),
    ):
        found = one.compare(other)
        (row,) = rows_of(found.frame)
        assert (row["rule"], row["rule_change"], row["channel"], row["channel_change"]) == (
            None,
            None,
            "sales",
            -40.0,
        )
        assert found.moves == before.compare(after).moves
        assert "sales -40" in repr(found) and "sales -40" in found._repr_html_()


def test_a_change_without_any_of_points():
    """Who changes because of a bound, not of points, has no rule to blame."""
    raised = MODEL.evolve(levels={"high": 60})
    (row,) = rows_of(MODEL.score(EVENTS, at=DAY).compare(raised.score(EVENTS, at=DAY)).frame)
    assert (row["rule"], row["rule_change"], row["channel"]) == (None, 0.0, None)
    assert (row["level_before"], row["level_after"]) == ("high", "medium")


def test_blocks_change_nothing(monkeypatch):
    """However few contacts are explained at once, what is found is the same."""
    many = pl.concat([EVENTS.with_columns(contact=pl.col("contact") + str(n)) for n in range(700)])
    before, after = MODEL.score(many, at=DAY), EDITED.score(many, at=DAY)
    whole = before.compare(after)
    monkeypatch.setattr(reasons, "_MOST_ROWS", 64)
    assert rows_of(before.compare(after).frame) == rows_of(whole.frame)
    assert (len(whole), whole.changed) == (700, 700)
    assert "and 690 more" in repr(whole) and "and 690 more" in whole._repr_html_()


@pytest.mark.parametrize("kind", ["pandas", "polars", "duckdb"])
def test_comparisons_come_in_the_callers_kind(kind):
    """The table is of the kind of the scores that are compared, its key of the key's type."""
    table = EVENTS.with_columns(contact=pl.Series([7, 8, 9], dtype=pl.Int16))
    connection = duckdb.connect()
    made = {
        "pandas": table.to_pandas,
        "polars": table.clone,
        "duckdb": lambda: connection.from_arrow(table.to_arrow()),
    }
    late = MODEL.score(made[kind](), at=DAY + dt.timedelta(9))
    frame = MODEL.score(made[kind](), at=DAY).compare(late).frame
    if kind == "duckdb":
        assert connection.sql("select 9::smallint as contact").join(frame, "contact").fetchall()
    else:
        assert type(frame) is type(made[kind]()) and str(frame["contact"].dtype).lower() == "int16"


def test_what_cannot_be_compared():
    """Ids of another kind, keys of another name, contacts with several rows, and what is no scores."""
    scores = MODEL.score(EVENTS, at=DAY)
    numbers = EVENTS.with_columns(contact=pl.Series([1, 2, 3]))
    named = EVENTS.rename({"contact": "rule"})
    at = pl.DataFrame({"contact": ["ann", "ann"], "at": [DAY, DAY + dt.timedelta(1)]})
    for other, message in (
        (MODEL.score(numbers, at=DAY), "the other scores: column 'contact': expected ids of one kind"),
        (
            MODEL.score(named, at=DAY, contact="rule"),
            "expected scores with the key 'contact', got some with the key",
        ),
        (
            MODEL.score(EVENTS, at=at),
            "the other scores: column 'contact': expected a row a contact, got several of 'ann'",
        ),
        (scores.frame, "compare: expected Scores, got DataFrame"),
    ):
        with pytest.raises(ek.EventsError, match=message):
            scores.compare(other)
    with pytest.raises(
        ek.EventsError, match="expected a key of a name that the result does not have, got 'rule'"
    ):
        MODEL.score(named, at=DAY, contact="rule").compare(MODEL.score(named, at=DAY, contact="rule"))


def test_representations_name_both_sides():
    """The title names the models and instants that differ; HTML is escaped."""
    scores = MODEL.score(EVENTS, at=DAY)
    twin = EDITED.evolve(name="now").score(EVENTS, at=DAY)
    assert "by two models named now: 1 changed" in repr(scores.compare(twin))
    unnamed = MODEL.evolve(name="model").score(EVENTS, at=DAY)
    assert " UTC, by a model without a name and by the model now: " in repr(unnamed.compare(scores))
    assert " UTC: nobody changed" in repr(unnamed.compare(unnamed))
    twin = EDITED.evolve(name="model").score(EVENTS, at=DAY)
    assert " UTC, by two models: 1 changed" in repr(unnamed.compare(twin))
    assert "by the model now and by the model edited" in repr(scores.compare(EDITED.score(EVENTS, at=DAY)))
    rows = pl.DataFrame({"contact": ["ann"], "at": [DAY]})
    assert "at 2026-01-31 00:00 UTC and at instants of their own" in repr(
        scores.compare(MODEL.score(EVENTS, at=rows))
    )
    marked = EVENTS.with_columns(contact=pl.lit("<b>") + pl.col("contact"))
    found = MODEL.score(marked, at=DAY).compare(EDITED.score(marked, at=DAY))
    assert "<b>" not in found._repr_html_() and "&lt;b&gt;ann" in found._repr_html_()
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


def test_integers_of_both_signs_are_met():
    """Contacts are met by their ids, in whatever order they came, integers beyond 63 bits too."""
    big = [2**63 + 5, 7, 12]
    forwards = pl.DataFrame(
        {"contact": pl.Series(big, dtype=pl.UInt64), "type": ["demo"] * 3, "time": [DAY] * 3}
    )
    small = pd.DataFrame({"contact": [12, 7], "type": ["visit", "demo"], "time": [DAY] * 2})
    found = MODEL.score(forwards, at=DAY).compare(MODEL.score(small, at=DAY))
    rows = {row["contact"]: row["change"] for row in rows_of(found.frame)}
    assert rows == {12: "changed", 2**63 + 5: "gone"}
