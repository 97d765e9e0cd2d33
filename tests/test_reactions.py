"""Triggers fire on edges, once, and wait while they cool down; a slow state machine says the same."""

import copy
import pickle
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from evaluations import COLUMNS, COOL, HOT, KEYS, MODEL, START, carried, rows_of, scored
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_events import DAY, instant
from oracle_reactions import Machine
from shapes import moment
from strategies import one_test
from strategies_leads import wheres

import engagekit as ek

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
# Mostly what crosses a bound, for that is what histories can tell apart.
ABOVE = st.sampled_from([50, 60]).map(lambda bound: {"engagement": {"ge": bound}})
BELOW = st.sampled_from([50, 55, 60]).map(lambda bound: {"engagement": {"lt": bound}})
TRIGGERS = st.lists(
    st.fixed_dictionaries(
        {"when": ABOVE | ABOVE | BELOW | CONDITIONS},
        optional={
            "was": CONDITIONS,
            "until": BELOW | CONDITIONS,
            "cooldown": st.sampled_from(["1us", "1d", "2d", "2d", "3d", "7d", "3652500d"]),
        },
    ),
    min_size=2,
    max_size=4,
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
            "step": st.sampled_from([0, 1, DAY - 1, DAY, DAY, DAY, DAY, DAY + 1, 3 * DAY, 8 * DAY]),
            "people": st.lists(st.one_of([PERSON] * 5 + [st.none()]), min_size=MANY, max_size=MANY).map(
                lambda drawn: {who: person for who, person in enumerate(drawn) if person is not None}
            ),
            "kept": st.sampled_from(["memory"] * 9 + ["parquet", "csv", "jsonl", "pickle"]),
        }
    ),
    min_size=4,
    max_size=9,
)


@settings(max_examples=settings().max_examples // 3)
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


@settings(max_examples=settings().max_examples // 10)
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


MAPPING = {"contact": "contact_id", "type": "event_type", "time": "timestamp"}
CROWD = 60
FLAGS = {
    "when": {"w": {"eq": True}},
    "was": {"p": {"eq": True}},
    "until": {"u": {"eq": True}},
    "cooldown": "2d",
}
VARIANTS = [
    {"name": f"t{number}", "when": FLAGS["when"]}
    | {name: FLAGS[name] for bit, name in enumerate(("was", "until", "cooldown")) if number >> bit & 1}
    for number in range(8)
]


@settings(max_examples=settings().max_examples // 5)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["memory", "memory", "parquet", "pickle"]))
def test_many_histories_at_once(tmp_path_factory, seed, kept):
    """Triggers of every form fire as the state machine says, whatever their conditions say each day."""
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("kept")
    model = ek.Model.from_dict(MODEL | {"triggers": VARIANTS})
    nothing = {
        name: np.empty(0, kind) for name, kind in (("contact", "i8"), ("type", "U"), ("time", "M8[us]"))
    }
    machine, previous, at, found = Machine(VARIANTS), None, START, 0
    for _ in range(12):
        at += int(rng.choice([0, 1, DAY - 1, DAY, DAY, DAY, 3 * DAY]))
        here = rng.permutation(CROWD)[rng.integers(0, 6) :]
        held = {name: rng.random(len(here)) < 0.5 for name in "wpu"}
        contacts = {"contact": here, **held}
        now = model.score(nothing | {"value": np.empty(0)}, at=moment(at), contacts=contacts)
        rows = {who: {name: bool(held[name][row]) for name in "wpu"} for row, who in enumerate(here.tolist())}
        right = machine.evaluate(rows, at)
        fired = now.reactions(previous)
        assert list(zip(fired["contact"].tolist(), fired["trigger"].tolist(), strict=True)) == [
            (who, name) for who, name, _ in right
        ]
        found += len(right)
        previous = carried(now, kept, folder)
    assert found


def test_the_grocers_autumn():
    """Every tenth day of an autumn of 2,469 real households: the machine and the result agree."""
    examples = Path(__file__).parent.parent / "examples"
    model = ek.Model.load(examples / "models" / "grocery_reactions.toml")
    events = ek.Events(pl.read_parquet(examples / "data" / "completejourney" / "events.parquet"), **MAPPING)
    machine, previous, found = Machine(model.to_dict()["triggers"]), None, Counter()
    for day in range(0, 100, 10):
        at = instant("2017-09-01") + day * DAY
        now = model.score(events, at=moment(at))
        rows = {row["contact_id"]: row for row in now.to_arrow().to_pylist()}
        fired = now.reactions(previous).select("contact_id", "trigger", "previous_phase").rows()
        assert fired == machine.evaluate(rows, at)
        found.update(name for _, name, _ in fired)
        previous = now
    assert found == {"leaves sales": 430, "offer": 388, "win back": 48, "silent": 28}


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


def test_an_edge_inside_a_cooldown_waits():
    """What rises while the trigger cools down fires at the first evaluation from its end on."""
    assert course(COOL, [0, 60, 0, 60, 60, 60, 60, 60]) == [1, 6]
    assert course(COOL, [0, 60, 0, 60, 60, 60], days=[0, 1, 2, 3, 5, 9]) == [1, 9]


def test_what_no_longer_holds_does_not_wait():
    """What fell again before the end of the cooldown does not fire; its next rise does."""
    assert course(COOL, [0, 60, 0, 60, 0, 0, 0, 0, 60]) == [1, 8]
    assert course(COOL, [0, 60, 0, 60, 0, 60, 60]) == [1, 6]


def test_until_and_cooldown_both_count():
    """After the cooldown a trigger still waits for `until`; `until` in the cooldown is remembered."""
    assert course(HOT | {"cooldown": "2d"}, [0, 60, 58, 58, 58, 60, 54, 60]) == [1, 7]
    assert course(HOT | {"cooldown": "3d"}, [0, 60, 54, 60, 60, 60]) == [1, 4]


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
