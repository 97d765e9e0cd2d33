"""Triggers fire on edges, once, and wait while they cool down; a slow state machine says the same."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_events import DAY, instant
from oracle_reactions import Machine
from shapes import moment
from strategies import one_test
from strategies_leads import wheres

import engagekit as ek
from engagekit.datafiles import read_saved, write

START = instant("2026-01-01")
COLUMNS = ["trigger", "at", "score", "engagement", "level", "phase", "previous_phase", "momentum"]
COLUMNS += ["rating", "stage", "content"]
# What a contact's event says is its score, and its engagement too; sales begin at 50.
SET = {"name": "set", "on": "set", "points": 1, "amount": {"field": "value"}, "decay": "none"}
MODEL = {"rules": [SET], "scale": {"linear": 100}}

CONDITIONS = wheres(
    st.one_of(
        one_test("engagement", ["ge", "lt"], st.sampled_from([50, 55, 60])),
        one_test("engagement", ["ge", "lt"], st.sampled_from([50, 55, 60])),
        one_test("phase", ["eq", "ne"], st.sampled_from(["sales", "nurture"])),
        one_test("level", ["eq", "ne"], st.just("none")),
        one_test("events", ["ge"], st.just(1)),
        one_test("vip", ["eq", "ne"], st.booleans()),
    )
)
TRIGGERS = st.lists(
    st.fixed_dictionaries(
        {"when": CONDITIONS},
        optional={
            "was": CONDITIONS,
            "until": CONDITIONS,
            "cooldown": st.sampled_from(["1us", "1d", "2d", "7d", "3652500d"]),
        },
    ),
    min_size=1,
    max_size=3,
).map(lambda drawn: [{"name": f"t{number}"} | trigger for number, trigger in enumerate(drawn)])
# No value: no events, and known from the contacts table alone; nobody: not even that.
PERSON = st.fixed_dictionaries(
    {
        "value": st.sampled_from([None, 0, 30, 50, 52, 57, 60, 80]),
        "vip": st.sampled_from([True, True, False, None]),
    }
)
MANY = 10
EVALUATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "step": st.sampled_from([0, 1, DAY - 1, DAY, DAY + 1, 3 * DAY, 8 * DAY]),
            "people": st.lists(st.one_of([PERSON] * 5 + [st.none()]), min_size=MANY, max_size=MANY).map(
                lambda drawn: {who: person for who, person in enumerate(drawn) if person is not None}
            ),
            "kept": st.sampled_from(["memory"] * 9 + ["parquet", "csv", "jsonl", "pickle"]),
        }
    ),
    min_size=3,
    max_size=8,
)
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


@given(TRIGGERS, EVALUATIONS, st.sampled_from(sorted(KEYS)))
def test_triggers_fire_as_the_state_machine_says(tmp_path_factory, triggers, evaluations, kind):
    """Nothing fires twice and nothing is missed, whoever comes and goes, and however results are kept."""
    folder, keys = tmp_path_factory.mktemp("kept"), KEYS[kind]
    model = ek.Model.from_dict(MODEL | {"triggers": triggers})
    machine, previous, at = Machine(triggers), None, START
    for evaluation in evaluations:
        at += evaluation["step"]
        people = evaluation["people"]
        now = scored(model, people, at, keys)
        right = machine.evaluate(rows_of(now, people, keys), at)
        fired = now.reactions(previous)
        assert fired.columns == ["contact", *COLUMNS]
        assert fired.select("contact", "trigger", "previous_phase").rows() == right
        assert now.reactions(previous).equals(fired)
        previous = carried(now, evaluation["kept"], folder)


@settings(max_examples=settings().max_examples // 4)
@given(TRIGGERS, EVALUATIONS)
def test_a_loaded_result_reacts_as_the_one_that_was_saved(tmp_path_factory, triggers, evaluations):
    """Today's result may itself be loaded before it is asked what fires."""
    folder, keys = tmp_path_factory.mktemp("kept"), KEYS["text"]
    model = ek.Model.from_dict(MODEL | {"triggers": triggers})
    previous, loaded_before, at = None, None, START
    for evaluation in evaluations:
        at += evaluation["step"]
        now = scored(model, evaluation["people"], at, keys)
        loaded = carried(now, "parquet", folder)
        found = loaded.reactions(loaded_before).to_pylist()
        assert found == pa.table(now.reactions(previous)).to_pylist()
        previous, loaded_before = now, loaded


# --- the rules, one by one ---


def course(trigger, values, *, days=None, who="ann"):
    """Evaluate one contact day after day; tell on which days its trigger fires."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | trigger]})
    previous, found = None, []
    for place, value in enumerate(values):
        day = place if days is None else days[place]
        people = {} if value == "gone" else {0: {"value": value, "vip": None}}
        now = scored(model, people, START + day * DAY, [who])
        found += [day] * now.reactions(previous).height
        previous = now
    return found


HOT = {"when": {"engagement": {"ge": 60}}, "until": {"engagement": {"lt": 55}}}


def test_hot_again():
    """With `until` a trigger that has fired waits for the lower bound before it can fire again."""
    assert course(HOT, [0, 60, 58, 61, 54.9, 60, 80]) == [1, 5]


def test_without_until_a_dip_is_enough():
    """Without `until` a trigger is armed as soon as `when` has failed."""
    assert course({"when": {"engagement": {"ge": 60}}}, [0, 60, 58, 61, 61]) == [1, 3]


def test_what_has_never_fired_is_armed():
    """The base line disarms nothing: who was hot from the beginning fires at the next edge."""
    assert course(HOT, [70, 70, 58, 61]) == [3]


def test_leaves_sales():
    """With `was`, the row of the evaluation before must have been in that phase."""
    trigger = {"was": {"phase": {"eq": "sales"}}, "when": {"phase": {"eq": "nurture"}}}
    assert course(trigger, [10, 60, 40, 30, 60, 49]) == [2, 5]
    assert course(trigger, ["gone", 40, 60, 40]) == [3]


def test_silent_customers():
    """Time alone fires: a customer who is silent for thirty days, once, and again after the next silence."""
    model = ek.Model.from_dict(
        {
            "rules": [{"name": "order", "on": "order", "points": 10}],
            "lifecycle": {"customer_on": "order"},
            "triggers": [
                {"name": "silent", "when": {"silent_days": {"ge": 30}, "half": {"eq": "customer"}}},
            ],
        }
    )
    orders = [datetime(2026, 1, 1), datetime(2026, 3, 1)]
    events = pl.DataFrame({"contact": [7, 7], "type": ["order"] * 2, "time": orders})
    previous, found = None, []
    for day in range(95):
        now = model.score(events, at=orders[0] + timedelta(day))
        found += now.reactions(previous)["at"].to_list()
        previous = now
    assert found == [datetime(2026, 1, 31), datetime(2026, 3, 31)]


COOL = {"when": {"engagement": {"ge": 60}}, "cooldown": "5d"}


def test_an_edge_inside_a_cooldown_waits():
    """What rises while the trigger cools down fires at the first evaluation from its end on."""
    assert course(COOL, [0, 60, 0, 60, 60, 60, 60, 60]) == [1, 6]
    assert course(COOL, [0, 60, 0, 60, 60, 60], days=[0, 1, 2, 3, 5, 9]) == [1, 9]


def test_what_no_longer_holds_does_not_wait():
    """What fell again before the end of the cooldown does not fire; its next rise does."""
    assert course(COOL, [0, 60, 0, 60, 0, 0, 0, 0, 60]) == [1, 8]
    assert course(COOL, [0, 60, 0, 60, 0, 60, 60]) == [1, 6]


def test_a_wait_remembers_what_was_before_it():
    """A trigger that waits asks `was` of the edge, not of the evaluation before the end of its cooldown."""
    trigger = {"was": {"phase": {"eq": "sales"}}, "when": {"engagement": {"lt": 50}}, "cooldown": "5d"}
    assert course(trigger, [60, 40, 60, 40, 40, 40, 40]) == [1, 6]


def test_who_is_gone_and_comes_back_has_not_fallen():
    """A contact that is missing for some evaluations goes on from where it stood."""
    assert course(HOT, [0, 60, "gone", "gone", 60, 54, "gone", 60]) == [1, 7]
    assert course(COOL, [0, 60, 0, "gone", 60, "gone", 60]) == [1, 6]


def test_who_is_seen_later_was_nobody_before():
    """A contact first seen after the base line has as its previous row no score, level none and no phase."""
    assert course(HOT, ["gone", 70]) == [1]
    assert course({"when": {"level": {"eq": "none"}}}, ["gone", 0]) == []
    assert course({"was": {"phase": {"is_null": True}}, "when": {"events": {"ge": 1}}}, ["gone", 1]) == [1]
    assert course({"was": {"score": {"eq": 0}}, "when": {"events": {"ge": 1}}}, ["gone", 1]) == [1]


def test_a_base_line_fires_nothing():
    """The first evaluation fires nothing, whoever meets a condition."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "any", "when": {"score": {"ge": 0}}}]})
    people = {who: {"value": 60, "vip": None} for who in range(4)}
    now = scored(model, people, START, KEYS["text"])
    assert now.reactions(None).height == 0
    assert now.reactions(None).columns == ["contact", *COLUMNS]


def test_a_base_line_forgets():
    """With previous=None what the result knew of earlier ones is forgotten."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})
    cold, hot, warm, hot_again = (
        scored(model, {0: {"value": value, "vip": None}}, START + day * DAY, ["ann"])
        for day, value in enumerate([0, 60, 58, 60])
    )
    assert hot.reactions(cold).height == 1
    warm.reactions(hot)
    assert hot_again.reactions(warm).height == 0
    warm.reactions(None)
    assert hot_again.reactions(warm).height == 1


def test_a_result_that_was_never_asked_is_a_base_line():
    """A previous result that was saved before any reaction stands for what its own rows say."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})
    cold = scored(model, {0: {"value": 0, "vip": None}}, START, ["ann"])
    hot = scored(model, {0: {"value": 60, "vip": None}}, START + DAY, ["ann"])
    assert hot.reactions(cold)["trigger"].to_list() == ["t"]


def test_asking_again_changes_nothing(tmp_path):
    """The same question has the same answer, and what is saved does not depend on how often it was asked."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT | {"cooldown": "5d"}]})
    cold, hot = (
        scored(model, {0: {"value": value, "vip": None}}, START + day * DAY, ["ann"])
        for day, value in enumerate([0, 60])
    )
    before = pickle.dumps(cold)
    first = hot.reactions(cold)
    hot.save(tmp_path / "once.parquet")
    assert hot.reactions(cold).equals(first)
    hot.save(tmp_path / "twice.parquet")
    assert (tmp_path / "once.parquet").read_bytes() == (tmp_path / "twice.parquet").read_bytes()
    assert pickle.dumps(cold) == before


def test_a_copy_is_on_its_own():
    """What a copy is asked leaves the original as it was."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})
    cold, hot, hotter = (
        scored(model, {0: {"value": value, "vip": None}}, START + day * DAY, ["ann"])
        for day, value in enumerate([0, 60, 70])
    )
    copied = copy.copy(hot)
    copied.reactions(cold)
    assert hotter.reactions(hot).height == 0
    assert hotter.reactions(cold).height == 1


# --- what fired, as a table ---


def lead_model():
    """Declare a model with everything that what fired can show."""
    return ek.Model.from_dict(
        MODEL
        | {
            "levels": {"low": 1, "medium": 25, "high": 50},
            "fit": {"criteria": [{"name": "vip", "where": {"vip": {"eq": True}}, "points": 1}]},
            "qualification": {"mql_min_engagement": 50},
            "contents": [{"id": "call", "phase": "sales"}],
            "triggers": [
                {"name": "hot", "when": {"engagement": {"ge": 60}}},
                {"name": "ready", "when": {"stage": {"eq": "MQL"}, "vip": {"eq": True}}},
            ],
        }
    )


def test_what_fired_is_shown_in_full():
    """A row has the columns of the result, the phase before, and null for what the model does not declare."""
    model = lead_model()
    cold, hot = (
        scored(
            model, {0: {"value": value, "vip": True}, 1: {"value": 70, "vip": None}}, START + day * DAY, keys
        )
        for day, (value, keys) in enumerate([(20, ["ann", "bob"]), (75, ["ann", "bob"])])
    )
    fired = hot.reactions(cold)
    assert fired.to_dicts() == [
        {
            "contact": "ann",
            "trigger": name,
            "at": datetime(2026, 1, 2, tzinfo=UTC),
            "score": 75.0,
            "engagement": 75.0,
            "level": "high",
            "phase": "sales",
            "previous_phase": "nurture",
            "momentum": pytest.approx(0.6),
            "rating": "A1",
            "stage": "MQL",
            "content": "call",
        }
        for name in ("hot", "ready")
    ]
    plain = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})
    now = scored(plain, {0: {"value": 75, "vip": None}}, START + DAY, ["ann"])
    row = now.reactions(scored(plain, {}, START, ["ann"])).row(0, named=True)
    assert (row["rating"], row["stage"], row["content"], row["previous_phase"]) == (None,) * 4


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "duckdb", "dict"])
@pytest.mark.parametrize("value", [20.0, 70.0])
def test_what_fired_comes_in_the_callers_kind(kind, value):
    """The frame is of the library that the events came in, with rows or without, the key under its name."""
    import duckdb

    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})
    connection = duckdb.connect()

    def events(number):
        table = pa.table(
            {
                "user": pa.array([7], pa.int32()),
                "type": ["set"],
                "time": pa.array([moment(START)], pa.timestamp("us", "UTC")),
                "value": [number],
            }
        )
        return {
            "pandas": table.to_pandas,
            "polars": lambda: pl.from_arrow(table),
            "pyarrow": lambda: table,
            "duckdb": lambda: connection.from_arrow(table),
            "dict": lambda: {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names},
        }[kind]()

    before, now = (
        model.score(events(number), at=moment(START + DAY), contact="user") for number in (0.0, value)
    )
    fired = now.reactions(before)
    assert type(fired) is type(now.frame)
    if kind == "duckdb":
        names, keys = fired.columns, [row[0] for row in fired.project("user").fetchall()]
    else:
        names, keys = list(getattr(fired, "columns", fired)), np.asarray(fired["user"]).tolist()
        names = fired.column_names if kind == "pyarrow" else names
    assert names == ["user", *COLUMNS]
    assert keys == ([7] if value >= 60 else [])


def test_rows_come_contact_by_contact():
    """What fired stands in the order of the result's rows, and of the triggers for each."""
    model = lead_model()
    keys = ["d", "c", "b", "a"]
    nobody = scored(model, {}, START, keys)
    now = scored(model, {who: {"value": 80, "vip": True} for who in range(4)}, START + DAY, keys)
    found = now.reactions(nobody).select("contact", "trigger").rows()
    assert found == [(who, name) for who in keys for name in ("hot", "ready")]


# --- what does not follow ---


def pair(**changes):
    """Score the same contact on two days."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]} | changes)
    return [
        scored(model, {0: {"value": value, "vip": None}}, START + day * DAY, ["ann"])
        for day, value in enumerate([0, 60])
    ]


def test_a_result_of_another_model():
    """Another fingerprint is refused with both and with what to do; names of columns are no part of it."""
    cold, _ = pair()
    _, other = pair(name="other")
    with pytest.raises(ek.StateError) as caught:
        other.reactions(cold)
    assert str(caught.value) == (
        f"reactions: expected a previous result of the same model, got one of the model with the fingerprint "
        f"{cold.fingerprint}, and this one is of {other.fingerprint}; score the previous instant again with "
        "this model, or set a new base line with previous=None"
    )
    _, renamed = pair(columns={"type": "type"})
    assert renamed.reactions(cold).height == 1


def test_a_result_that_is_later():
    """A previous result of a later instant is refused, with both; one of the same instant is not."""
    cold, hot = pair()
    with pytest.raises(ek.StateError) as caught:
        cold.reactions(hot)
    assert str(caught.value) == (
        "reactions: expected a previous result at or before 2026-01-01 00:00:00+00:00, "
        "got one at 2026-01-02 00:00:00+00:00"
    )
    _, same = pair()
    assert same.reactions(hot).height == 0


def test_a_result_of_its_own():
    """A result does not follow itself."""
    _, hot = pair()
    with pytest.raises(ek.StateError, match="expected an earlier result as previous, got this one itself"):
        hot.reactions(hot)


def test_scores_at_a_frame_of_instants():
    """Rows at instants of their own are no evaluation, now or before."""
    _, hot = pair()
    events = pl.DataFrame(
        {"contact": ["ann"], "type": ["set"], "time": [moment(START)], "value": [60.0]},
    )
    rows = hot.model.score(events, at=pl.DataFrame({"contact": ["ann"], "at": [moment(START)]}))
    with pytest.raises(ek.StateError, match=r"^reactions: expected scores at one instant, got scores at a f"):
        rows.reactions(hot)
    with pytest.raises(ek.StateError, match=r"^reactions: expected a previous result at one instant, got sc"):
        hot.reactions(rows)


def test_what_is_no_result():
    """A frame, or a path, is no previous result."""
    _, hot = pair()
    with pytest.raises(ek.EventsError, match=r"^reactions: expected Scores or None, got str$"):
        hot.reactions("last.parquet")


def test_a_model_without_triggers():
    """Asking a model without triggers is a mistake, not an empty answer."""
    cold, hot = pair(triggers=[])
    with pytest.raises(ek.ModelError, match=r"^triggers: expected at least one to react to, got none$"):
        hot.reactions(cold)


def test_a_key_of_another_name_or_kind():
    """A previous result under another key, or with ids of another kind, is refused; an empty one is not."""
    cold, hot = pair()
    events = {"user": ["ann"], "type": ["set"], "time": np.array(["2026-01-01"], "M8[us]"), "value": [1.0]}
    user = hot.model.score(events, at="2026-01-01", contact="user", contacts={"user": ["ann"], "vip": [True]})
    with pytest.raises(ek.EventsError, match="expected a previous result with the key 'contact', got 'user'"):
        hot.reactions(user)
    number = scored(hot.model, {0: {"value": 0, "vip": None}}, START, [7])
    with pytest.raises(
        ek.EventsError,
        match=r"^reactions: previous column 'contact': expected ids of one kind \(text as before",
    ):
        hot.reactions(number)
    assert hot.reactions(scored(hot.model, {}, START, [7])).height == 1
    assert cold.at is not None


@pytest.mark.parametrize("ids", [(-3, 5, 2**64 - 3), (2**64 - 3, 5, -3), (5, -3, 2**64 - 9)])
def test_ids_that_no_type_holds_together(ids):
    """An id below 0 never becomes one above 2^63 - 1: the two are not remembered side by side."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})

    def result(contact, at):
        dtype = np.uint64 if contact >= 2**63 else np.int64
        time = np.array(["2026-01-01"], "M8[us]")
        events = {"contact": np.array([contact], dtype), "type": ["set"], "time": time, "value": [90.0]}
        return model.score(events, at=f"2026-01-0{at}")

    first, second, third = (result(contact, at) for at, contact in enumerate(ids, 1))
    assert second.reactions(first)["contact"].tolist() == [ids[1]]
    with pytest.raises(
        ek.EventsError,
        match=r"reactions: previous column 'contact': .* negative ones and some above 2\^63 - 1",
    ):
        third.reactions(second)


@pytest.mark.parametrize("key", ["trigger", "at", "previous_phase"])
def test_a_key_named_as_a_column_of_what_fired(key):
    """Where the key would stand beside a column of its name, that is said."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | HOT]})
    events = {key: ["ann"], "type": ["set"], "time": np.array(["2026-01-01"], "M8[us]"), "value": [1.0]}
    now = model.score(events, at="2026-01-01", contact=key)
    with pytest.raises(ek.EventsError, match=f"expected a key of another name than the column '{key}'"):
        now.reactions(None)


def test_attributes_that_triggers_ask_for():
    """A contacts table without an attribute of a trigger is refused by score; no table leaves all null."""
    model = lead_model()
    events = {"contact": ["ann"], "type": ["set"], "time": np.array(["2026-01-01"], "M8[us]"), "value": [1.0]}
    only = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t", "when": {"wip": {"eq": True}}}]})
    with pytest.raises(ek.EventsError) as caught:
        only.score(events, at="2026-01-01", contacts={"contact": ["ann"], "vip": [True]})
    assert str(caught.value) == (
        "contacts: expected the attributes 'wip' (trigger 't'), got 'contact', 'vip'; did you mean 'vip'?"
    )
    assert only.attributes == {"wip"}
    assert len(model.score(events, at="2026-01-01")) == 1
    with pytest.raises(ek.EventsError, match=r"contacts column 'wip' \(trigger 't'\): expected boolean"):
        only.score(events, at="2026-01-01", contacts={"contact": ["ann"], "wip": ["yes"]})
    rows = {"contact": ["ann"], "at": np.array(["2026-01-01"], "M8[us]")}
    assert len(only.score(events, at=rows, contacts={"contact": ["ann"], "vip": [True]})) == 1


# --- in a file ---


def kept_pair(folder, ending):
    """Save a result with a contact that cools down and one that is gone."""
    model = ek.Model.from_dict(MODEL | {"triggers": [{"name": "t"} | COOL]})
    cold, hot = (
        scored(model, people, START + day * DAY, ["ann", "bob"])
        for day, people in enumerate(
            [
                {0: {"value": 0, "vip": None}, 1: {"value": 0, "vip": None}},
                {0: {"value": 60, "vip": None}},
            ]
        )
    )
    assert hot.reactions(cold).height == 1
    path = folder / f"hot.{ending}"
    hot.save(path)
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(
    "change",
    [
        {"rows": 2},
        {"rows": None},
        {"gone": -1},
        {"gone": 2},
        {"gone": True},
        {"gone_keys": ""},
        {"gone_keys": "eJyLjgUAARUAuQ=="},
        {"gone_keys": 7},
        {"flags": "eJwDAAAAAAE="},
        {"flags": "###"},
        {"flags": None},
        {"phases": "eJwDAAAAAAE="},
        {"cooling": []},
        {"cooling": {"t": 7}},
        {"cooling": {"t": {"count": 9, "places": "", "since": ""}}},
        {"cooling": {"t": {"count": 1, "places": "", "since": ""}}},
    ],
    ids=str,
)
def test_what_triggers_know_was_altered(tmp_path, ending, change):
    """Whatever is wrong with the state of triggers in a file, it is refused."""
    path = kept_pair(tmp_path, ending)
    table, metadata = read_saved(path)
    write(path, table, json.loads(json.dumps(metadata | {"triggers": metadata["triggers"] | change})))
    with pytest.raises(ek.StateError) as caught:
        ek.Scores.load(path)
    assert str(caught.value) == (
        f"{path}: expected saved scores, got some where how contacts stand with triggers does not fit the "
        "table and the model"
    )


@pytest.mark.parametrize("found", [7, None, [], {}])
def test_what_triggers_know_is_something_else(tmp_path, found):
    """Neither is anything but a table taken for that state."""
    path = kept_pair(tmp_path, "parquet")
    table, metadata = read_saved(path)
    write(path, table, metadata | {"triggers": found})
    with pytest.raises(ek.StateError, match="how contacts stand with triggers does not fit"):
        ek.Scores.load(path)


def test_results_without_triggers_know_nothing_of_them(tmp_path):
    """Scores of a model without triggers carry no state."""
    cold, _ = pair(triggers=[])
    cold.save(tmp_path / "cold.parquet")
    _, metadata = read_saved(tmp_path / "cold.parquet")
    assert "triggers" not in metadata


def test_a_state_is_small(tmp_path):
    """Ten triggers add less than a tenth of a byte a contact where all contacts are alike."""
    triggers = [{"name": f"t{number}"} | COOL for number in range(10)]
    model = ek.Model.from_dict(MODEL | {"triggers": triggers})
    count = 100_000
    events = {
        "contact": np.arange(count),
        "type": np.full(count, "set"),
        "time": np.full(count, START).view("M8[us]"),
        "value": np.full(count, 60.0),
    }
    now = model.score(events, at=moment(START))
    assert len(now.reactions(None)["trigger"]) == 0
    now.save(tmp_path / "now.parquet")
    _, metadata = read_saved(tmp_path / "now.parquet")
    assert len(json.dumps(metadata["triggers"])) < count / 10
