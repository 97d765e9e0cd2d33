"""Accounts: what several contacts add up to, and tables that do not say who belongs where."""

import datetime as dt
import math
import re
import statistics

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import rows_of

import engagekit as ek

DAY = dt.datetime(2026, 1, 31)
MODEL = ek.Model(rules=[ek.Rule(name="r", on="x", points=1, decay="none", amount=ek.Amount(signed=True))])
PEOPLE = pl.DataFrame(
    {
        "contact": ["ann", "bob", "cleo", "dan"],
        "account": ["Acme", "Acme", "Zeta", "Acme"],
        "number": [1, 1, 2, 1],
        "role": ["buyer", "user", None, "user"],
        "power": [3.0, 1.0, 0.0, 0.0],
    }
)


def scored(points, people=PEOPLE, **options):
    """Score contacts so that each has the points given, a day later each."""
    who = list(points)
    events = pl.DataFrame(
        {
            "contact": who,
            "type": ["x"] * len(who),
            "time": [DAY + dt.timedelta(n) for n in range(len(who))],
            "value": [float(points[each]) for each in who],
        },
        schema_overrides={
            "contact": pl.String,
            "type": pl.String,
            "time": pl.Datetime("us"),
            "value": pl.Float64,
        },
    )
    return MODEL.score(events, at="2026-03-01", contacts=people, **options)


POINTS = {"ann": 60.0, "bob": 20.0, "cleo": -5.0}


@pytest.mark.parametrize(
    ("options", "acme", "zeta"),
    [
        ({}, 80.0, -5.0),
        ({"how": "sum"}, 80.0, -5.0),
        ({"how": "mean"}, 80 / 3, -5.0),
        ({"how": "max"}, 60.0, -5.0),
        ({"how": "top3"}, 80.0, -5.0),
        ({"how": "weighted", "weight": "power"}, 50.0, 0.0),
        ({"how": "weighted", "weight": {"role": {"buyer": 3, "user": 0.5}}}, 190 / 4, -5.0),
        ({"how": "weighted", "weight": {"number": {"1": 2}}}, 80 / 3, -5.0),
    ],
)
def test_how_scores_are_rolled_up(options, acme, zeta):
    """Sum, mean, best, the three best and weights by a column or by its values."""
    rows = rows_of(scored(POINTS).rollup("account", **options))
    assert [row["account"] for row in rows] == ["Acme", "Zeta"]
    assert [row["score"] for row in rows] == pytest.approx([acme, zeta], rel=1e-12)


def test_columns():
    """Each account has its contacts, who of them is active, its newest activity and its best contact."""
    acme, zeta = rows_of(scored(POINTS).rollup("account", "mean"))
    day = 86_400_000_000
    assert acme == {
        "account": "Acme", "contacts": 3, "active": 2, "score": 80 / 3,
        "engagement": pytest.approx(100 * (1 - 2 ** -(80 / 150))), "level": "medium",
        "last_event": zeta["last_event"] - day, "top_contact": "ann", "top_score": 60.0,
    }  # fmt: skip
    assert (zeta["engagement"], zeta["level"], zeta["active"]) == (0.0, "none", 0)
    assert rows_of(scored({}).rollup("account"))[0]["last_event"] is None


@pytest.mark.parametrize(
    ("by", "scale", "message"),
    [
        (["account"], None, "by: expected the name of a column, got a list"),
        ("account", 200, "scale: expected a Scale such as engagekit.Scale.saturating(200), got 200"),
        (
            "account",
            {"half_at": 60},
            "scale: expected a Scale such as engagekit.Scale.saturating(200), got a t",
        ),
    ],
)
def test_what_names_no_column_and_what_is_no_scale(by, scale, message):
    """Several columns, or a number for a scale, are refused in a sentence."""
    with pytest.raises(ek.EventsError, match=f"^{re.escape(message)}"):
        scored(POINTS).rollup(by, scale=scale)


def test_accounts_have_a_scale_of_their_own():
    """The model's scale holds, or one that is given; levels are the model's."""
    (acme, _) = rows_of(scored(POINTS).rollup("account", scale=ek.Scale.linear(160)))
    assert (acme["engagement"], acme["level"]) == (50.0, "high")


def test_by_a_number_or_by_a_column_of_the_scores():
    """Accounts may be integers; without a contacts table the scores' own categories do."""
    assert [row["number"] for row in rows_of(scored(POINTS).rollup("number"))] == [1, 2]
    alone = scored(POINTS, people=None)
    assert [row["phase"] for row in rows_of(alone.rollup("phase"))] == ["sales", "nurture"]
    assert len(rows_of(alone.rollup("account", contacts=PEOPLE))) == 2


def test_contacts_given_with_the_call_win():
    """A table given to the roll-up is taken in place of the one that was scored with."""
    moved = PEOPLE.with_columns(account=pl.lit("One"))
    assert [row["contacts"] for row in rows_of(scored(POINTS).rollup("account", contacts=moved))] == [4]


def test_loaded_scores_are_rolled_up(tmp_path):
    """Saved scores roll up as those they were saved from, with the contacts table given again."""
    scores = scored(POINTS)
    scores.save(tmp_path / "s.parquet")
    loaded = ek.Scores.load(tmp_path / "s.parquet")
    assert rows_of(loaded.rollup("account", contacts=PEOPLE)) == rows_of(scores.rollup("account"))
    with pytest.raises(ek.EventsError, match="give the contacts table with contacts="):
        loaded.rollup("account")


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "duckdb", "dict"])
def test_roll_ups_come_in_the_callers_kind(kind):
    """The accounts are of the caller's kind, and so is the type of their ids."""
    data = {"contact": np.array([7, 8], np.int16), "type": np.array(["x", "x"], object)}
    data |= {"time": np.array([DAY] * 2, "datetime64[us]"), "value": np.array([1.0, 2.0])}
    people = {"contact": np.array([8, 7], np.int16), "account": np.array([5, 6], np.int8)}

    def made(table):
        if kind == "duckdb":
            return duckdb.from_arrow(pl.DataFrame(table).to_arrow())
        return {
            "pandas": lambda: pd.DataFrame(table),
            "polars": lambda: pl.DataFrame(table),
            "pyarrow": lambda: pl.DataFrame(table).to_arrow(),
            "dict": lambda: dict(table),
        }[kind]()

    found = MODEL.score(made(data), at="2026-03-01", contacts=made(people)).rollup("account")
    assert type(found) is type(made(people))
    assert [(row["account"], row["top_contact"], row["score"]) for row in rows_of(found)] == [
        (5, 8, 2.0),
        (6, 7, 1.0),
    ]


def test_unknown_accounts_get_a_name():
    """Contacts without an account, or without a row in the table, are gathered under the name given."""
    some = PEOPLE.with_columns(account=pl.Series(["Acme", None, "Zeta", "Acme"]))
    rows = rows_of(scored({**POINTS, "eva": 2.0}, people=None).rollup("account", contacts=some, unknown="?"))
    assert [(row["account"], row["score"]) for row in rows] == [("Acme", 60.0), ("?", 22.0), ("Zeta", -5.0)]
    numbers = PEOPLE.with_columns(number=pl.Series([1, None, 2, 1]))
    rows = rows_of(scored(POINTS, people=numbers).rollup("number", unknown=2))
    assert [(row["number"], row["score"]) for row in rows] == [(1, 60.0), (2, 15.0)]
    nobody = PEOPLE.with_columns(account=pl.Series([None] * 4, dtype=pl.String))
    assert rows_of(scored(POINTS, people=nobody).rollup("account", unknown="all"))[0]["contacts"] == 4
    with pytest.raises(ek.EventsError, match="unknown: expected an integer as the accounts are, got 'none'"):
        scored(POINTS, people=numbers).rollup("number", unknown="none")


def test_nobody_makes_no_account():
    """Without any contact there is no account, and the columns are there."""
    empty = scored({}, people=None).rollup("phase")
    assert (empty.height, empty.columns[:2]) == (0, ["phase", "contacts"])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"by": "acount"}, "by: expected a column .* got 'acount', did you mean \"account\"?"),
        ({}, {"how": "avg"}, 'how: expected "sum", .* or "weighted", got \'avg\''),
        ({}, {"how": "weighted"}, 'weight: expected together with how="weighted", and only there'),
        ({}, {"weight": "power"}, 'weight: expected together with how="weighted", and only there'),
        ({}, {"weighted": "rol"}, "weight: expected a column .* got 'rol', did you mean \"role\"?"),
        ({}, {"weighted": "role"}, "contacts column 'role': expected numbers for weights, got text"),
        ({}, {"weighted": {"role": 3}}, "weight: expected weights by the values of 'role', got 3"),
        (
            {},
            {"weighted": {"role": {"user": -1}}},
            "weight: expected a number of at least 0 for 'user', got -1",
        ),
        ({}, {"weighted": {"role": {"user": math.nan}}}, "at least 0 for 'user', got nan"),
        ({}, {"weighted": {"role": {"user": True}}}, "at least 0 for 'user', got True"),
        ({}, {"weighted": {}}, "weight: expected the name of a column, or one column and the weights"),
        (
            {"account": ["Acme", None, "Zeta", None]},
            {},
            "contacts column 'account', row 1: null; 2 such rows in all; unknown= names an account for them",
        ),
        (
            {"contact": ["ann", "bob", "c", "d"]},
            {"late": True},
            "contacts: expected a row for each scored contact, got none for 'cleo'; 1 such contact in all",
        ),
        (
            {"power": [1.0, -1.0, 0.0, -2.0]},
            {"weighted": "power"},
            "row 1: expected weights of at least 0, got -1; 2",
        ),
        (
            {"power": [1.0, None, 0.0, 0.0]},
            {"weighted": "power"},
            "column 'power', row 1: null; 1 such",
        ),
        ({"power": [1.0, 0.0, math.nan, 0.0]}, {"weighted": "power"}, "column 'power', row 2: null; 1 such"),
        ({"power": [1.0, 0.0, math.inf, 0.0]}, {"weighted": "power"}, "row 2: expected weights .* got inf"),
        ({"score": ["a"] * 4}, {"by": "score"}, "by: expected a column of a name that a roll-up has not"),
        ({"account": [1.5] * 4}, {}, "contacts column 'account': expected integers or text, got numbers"),
        ({"contact": ["ann", "bob", "cleo", "bob"]}, {"late": True}, "row 3: expected each contact once"),
    ],
)
def test_what_cannot_be_rolled_up(change, options, message):
    """Columns that are missing, null, of no use as an account or a weight are told, with their first row."""
    people = PEOPLE.with_columns(**{name: pl.Series(values) for name, values in change.items()})
    options = dict(options)
    late = options.pop("late", False)
    if "weighted" in options:
        options |= {"how": "weighted", "weight": options.pop("weighted")}
    table = {"contacts": people} if late or "score" in change else {}
    scores = scored(POINTS, people=None if table else people)
    with pytest.raises(ek.EventsError, match=message.replace("?", r"\?")):
        scores.rollup(**{"by": "account"} | options | table)


def test_several_instants_are_not_rolled_up():
    """Scores of a contact at two instants are no account."""
    at = pl.DataFrame({"contact": ["ann", "ann"], "at": [DAY, DAY + dt.timedelta(1)], "account": ["a", "a"]})
    events = pl.DataFrame({"contact": ["ann"], "type": ["x"], "time": [DAY], "value": [1.0]})
    with pytest.raises(ek.EventsError, match="rollup: expected a row a contact, got several of 'ann'"):
        MODEL.score(events, at=at).rollup("account")
    assert rows_of(MODEL.score(events, at=at.head(1)).rollup("account"))[0]["score"] == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-40, 90), st.sampled_from([0.0, 1.0, 2.5])), min_size=1)
)
def test_roll_ups_are_what_one_would_do_by_hand(drawn):
    """Each way of rolling up is the plain sum, mean, best, three best or weighted mean of the scores."""
    people = pl.DataFrame(
        {
            "contact": [f"c{n}" for n in range(len(drawn))],
            "account": [f"a{account}" for account, _, _ in drawn],
            "w": [weight for _, _, weight in drawn],
        }
    )
    scores = scored({f"c{n}": points for n, (_, points, _) in enumerate(drawn)}, people=people)
    by_hand = {
        "sum": lambda own: math.fsum(s for s, _ in own),
        "mean": lambda own: statistics.fmean(s for s, _ in own),
        "max": lambda own: max(s for s, _ in own),
        "top3": lambda own: math.fsum(sorted((s for s, _ in own), reverse=True)[:3]),
        "weighted": lambda own: (
            math.fsum(s * w for s, w in own) / math.fsum(w for _, w in own) if any(w for _, w in own) else 0.0
        ),
    }
    for how, rolled in by_hand.items():
        rows = rows_of(scores.rollup("account", how, weight="w" if how == "weighted" else None))
        assert len(rows) == len({account for account, _, _ in drawn})
        assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
        for row in rows:
            own = [(float(s), w) for account, s, w in drawn if f"a{account}" == row["account"]]
            assert row["score"] == pytest.approx(rolled(own), rel=1e-12, abs=1e-12)
            assert row["contacts"] == len(own)
            assert row["top_score"] == max(s for s, _ in own)
            assert row["active"] == sum(100 * (1 - 2 ** (-max(0, s) / 50)) >= 1 for s, _ in own)


@pytest.mark.parametrize("size", [1e308, 1.0, 5e-324])
def test_weights_of_any_size(size):
    """Only the ratios of weights count, however large or small they are."""
    people = PEOPLE.with_columns(power=pl.Series([size, size, 1.0, 0.0]))
    accounts = scored(POINTS, people).rollup("account", "weighted", weight="power")
    assert {row["account"]: row["score"] for row in rows_of(accounts)} == {"Acme": 40.0, "Zeta": -5.0}


def test_scores_of_any_size():
    """Scores too large for a scale read 100, and those too large to be added up are an error."""
    scores = scored({"ann": 1e308, "cleo": 3.0})
    tiny = rows_of(scores.rollup("account", scale=ek.Scale.linear(5e-324)))
    assert [(row["account"], row["engagement"]) for row in tiny] == [("Acme", 100.0), ("Zeta", 100.0)]
    with pytest.raises(ek.EventsError, match=r"^rollup: the scores of the account 'Acme' overflow$"):
        scored({"ann": 1e308, "bob": 1e308}).rollup("account")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (ek.Scale.saturating(0), "scale.saturating: expected a number above"),
        (ek.Scale.linear(-3), "scale.linear: expected a number above"),
    ],
)
def test_a_scale_is_checked(scale, message):
    """The accounts' scale is held to what a model's is."""
    with pytest.raises(ek.ModelError, match=message):
        scored(POINTS).rollup("account", scale=scale)
