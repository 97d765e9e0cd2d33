"""What fired as a table, what is refused as a previous result, and what a saved result knows of triggers."""

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from evaluations import COLUMNS, COOL, HOT, MODEL, START, scored
from oracle_events import DAY
from shapes import moment

import engagekit as ek
from engagekit.datafiles import read_saved, write

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
        "this model, or begin again without a previous result"
    )
    _, renamed = pair(columns={"type": "type"})
    assert renamed.reactions(cold).height == 1


def test_a_result_that_is_later():
    """A previous result of a later instant is refused, with both; one of the same instant is not."""
    cold, hot = pair()
    with pytest.raises(ek.StateError) as caught:
        cold.reactions(hot)
    assert str(caught.value) == (
        "reactions: expected a previous result at or before 2026-01-01T00:00:00Z, "
        "got one at 2026-01-02T00:00:00Z"
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
    with pytest.raises(ek.EventsError, match=r"^reactions: expected Scores or None, got DataFrame$"):
        hot.reactions(hot.frame)
    remedy = "Scores.load reads saved ones"
    with pytest.raises(ek.EventsError, match=rf"^reactions: expected Scores or None, got str; {remedy}$"):
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
