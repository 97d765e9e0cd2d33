"""Every history of a few events whose times touch all edges: each one a contact, against the oracle.

Durations are ten microseconds, so that an edge, the instant before and the instant after it are ten numbers.
"""

from functools import cache
from itertools import combinations_with_replacement, product
from random import Random

import oracle
import pytest
from agreement import EVENT_COLUMNS, differences
from oracle_changes import check_next_change
from oracle_events import UNITS, holds
from shapes import KINDS, PLAIN, Shape, frame_of, moment, rows_of

import engagekit as ek

RULE = {"name": "r", "on": "b", "points": 1, "decay": "none"}
ABSENCE = {"name": "n", "after": "a", "unless": "b", "within": "10us", "points": -1, "decay": "none"}
REPEAT = {"name": "n", "on": "a", "n": 3, "within": "10us", "points": 1, "decay": "none"}
EXCLUDE = {"name": "x", "on": "b", "after": "a", "within": "10us"}


def histories(atoms, most):
    """Make every multiset of up to `most` events, each under a contact of its own."""
    chosen = (few for n in range(1, most + 1) for few in combinations_with_replacement(atoms, n))
    worlds = [[{"contact": k, "value": None} | dict(atom) for atom in few] for k, few in enumerate(chosen)]
    # No result depends on the order of rows.
    order = Random(0)
    return [order.sample(world, len(world)) for world in worlds]


def atoms(**values):
    """Make every combination of these values."""
    return [tuple(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def assert_all_agree(model, worlds, at, *, contacts=None, id=None, shape=PLAIN):
    """Score all histories in one table and compare each contact with the oracle's of its own events."""
    events = [event for world in worlds for event in world]
    options = {"at": moment(at), "id": id}
    if contacts is not None:
        options["contacts"] = frame_of(contacts, ["contact", "customer_since"])
    scores = ek.Model.from_dict(model).score(frame_of(events, EVENT_COLUMNS, shape), **options)
    rows = {row["contact"]: row for row in rows_of(scores.frame)}
    since = {row["contact"]: row for row in contacts or ()}
    for key, world in enumerate(worlds):
        known = [since[key]] if key in since else []
        right = oracle.score(model, world, known, at=at, id=id).rows
        assert (key in rows) == bool(right), world
        if right:
            found = differences(rows[key], right[0], model)
            assert not found, (world, found)
    return rows


TIMES = [-10, 0, 1, 9, 10, 11]


@pytest.mark.parametrize("by", [{}, {"by": "campaign"}])
@pytest.mark.parametrize("after", ["a", ["a", "b"], []])
def test_exclusions(by, after):
    """An exclusion reaches from the same instant to its end, another event's and the same value's only."""
    exclude = (
        EXCLUDE | by | {"after": after}
        if after
        else {"name": "x", "on": "b", "where": {"campaign": {"eq": 1}}}
    )
    worlds = histories(atoms(type=["a", "b"], time=TIMES, campaign=[None, 1]), 3)
    assert_all_agree({"rules": [RULE], "excludes": [exclude]}, worlds, 11)


@pytest.mark.parametrize("by", [{}, {"by": "campaign"}])
@pytest.mark.parametrize("unless", ["b", ["a", "b"]])
@pytest.mark.parametrize("at", [9, 10, 20, 21])
def test_absences(by, unless, at):
    """An absence matures at the end of its time, and an answer in it, not with the sending, prevents it."""
    worlds = histories(atoms(type=["a", "b"], time=TIMES, campaign=[None, 1]), 3)
    absence = ABSENCE | by | {"unless": unless}
    rows = assert_all_agree({"rules": [RULE], "absences": [absence]}, worlds, at)
    assert len(rows) > 2000


@pytest.mark.parametrize("limit", [{"n": 1, "per": "10us"}, {"n": 2, "per": "3us"}])
def test_limited_absences(limit):
    """The limit of an absence counts what has matured, bucket by bucket."""
    worlds = histories(atoms(type=["a", "b"], time=[-11, -10, -9, 0, 1, 2]), 4)
    assert_all_agree({"rules": [RULE], "absences": [ABSENCE | {"limit": limit}]}, worlds, 11)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("by", [{}, {"by": "campaign"}])
def test_repeats(n, by):
    """A repeat takes the latest unused events, the first of them not longer ago than its time."""
    worlds = histories(atoms(type=["a"], time=[0, 1, 2, 10, 11, 12], campaign=[None, 1]), 4)
    assert_all_agree({"rules": [RULE], "repeats": [REPEAT | by | {"n": n}]}, worlds, 12)


def test_long_repeats():
    """What a repeat used up is gone, and what it left stays, over longer histories."""
    worlds = histories(atoms(type=["a"], time=[0, 4, 8, 12, 16]), 7)
    assert_all_agree({"rules": [RULE], "repeats": [REPEAT]}, worlds, 20)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("decay", ["none", {"window": "20us"}, {"linear": "20us"}, {"half_life": "20us"}])
def test_limits(n, decay):
    """A limit counts the earliest of a bucket, of equal times the larger and of equal sizes the positive."""
    rule = RULE | {"amount": {"signed": True}, "limit": {"n": n, "per": "10us"}, "decay": decay}
    worlds = histories(atoms(type=["b"], time=[-11, -10, -1, 0], value=[-2.0, 2.0, 1.0]), 3)
    assert_all_agree({"rules": [rule]}, worlds, 9)
    worlds = histories(atoms(type=["b"], time=[3], value=[-2.0, 2.0, 1.0, None, 0.0]), 5)
    assert_all_agree({"rules": [rule]}, worlds, 9)


@pytest.mark.parametrize("n", [1, 2])
def test_limits_by(n):
    """Every value has buckets of its own, null one too."""
    rule = RULE | {"amount": {"signed": True}, "limit": {"n": n, "per": "10us", "by": "campaign"}}
    worlds = histories(atoms(type=["b"], time=[-1, 0, 9], value=[-2.0, 2.0, 1.0], campaign=[None, 1]), 3)
    assert_all_agree({"rules": [rule]}, worlds, 9)


@pytest.mark.parametrize("decay", [{"window": "10us"}, {"linear": "10us"}, {"half_life": "10us"}, "none"])
@pytest.mark.parametrize("at", [0, 9, 10, 11, 20])
def test_ends_of_decays(decay, at):
    """A window's and a line's last instant is the one before their end."""
    rules = [RULE | {"decay": decay, "cap": 3}, RULE | {"name": "m", "on": "a", "points": -2, "decay": decay}]
    model = {"rules": rules, "channels": {"other": {"cap": 4}}}
    assert_all_agree(model, histories(atoms(type=["a", "b"], time=[0, 1, 9, 10]), 4), at)


def test_halves_and_phases():
    """Customers are made by events and by `customer_since`, and ended by what comes later than either."""
    rules = [
        RULE | {"on": ["end", "x"], "half": "customer", "points": 3},
        RULE | {"name": "p", "on": "x", "half": "prospect", "points": 2, "channel": "web"},
    ]
    phases = [
        {"name": "buyer", "half": "customer", "min_engagement": 60, "min_momentum": -0.5},
        {"name": "buyer", "half": "customer", "min_engagement": 90},
        {"name": "curious", "half": "prospect", "min_engagement": 30},
        {"name": "keen", "half": "customer", "min_momentum": -0.5},
        {"name": "lost", "half": "customer"},
        {"name": "cold", "half": "prospect"},
    ]
    lifecycle = {"customer_on": "on", "ends_on": ["end", "on"]}
    model = {"rules": rules, "phases": phases, "passive": "sent", "scale": {"linear": 9.7}}
    model["momentum"] = {"fast": "1us", "slow": "2us"}
    worlds = histories(atoms(type=["on", "end", "x", "sent"], time=[0, 1, 3]), 3)
    for ends in (lifecycle, lifecycle | {"ends_on": "end"}, {"customer_on": "on"}):
        for since in (None, 0, 1, 2, 3):
            contacts = [{"contact": key, "customer_since": since} for key in range(len(worlds))]
            for at in (2, 3):
                assert_all_agree(model | {"lifecycle": ends}, worlds, at, contacts=contacts)


def test_duplicates():
    """Of the same id the earliest counts, also where a later one is in the future or would be excluded."""
    worlds = histories(atoms(type=["b"], time=[0, 1, 2], message=[None, "m1", "m2"]), 4)
    for excludes in ([], [{"name": "x", "on": "b", "after": "b", "within": "1us"}]):
        assert_all_agree({"rules": [RULE], "excludes": excludes}, worlds, 1, id="message")


CELLS = {
    "device": [None, "tv", "desktop", ""],
    "url": [None, "/a/b", "b", "É"],
    "seconds": [None, 0, 30],
    "vip": [None, True, False],
    "value": [None, -1.5, 0.0, 30.0],
}
TESTS = [
    *({"device": {op: "desktop"}} for op in ("eq", "ne", "lt", "le", "gt", "ge")),
    *({"device": {op: ["tv", "x"]}} for op in ("in", "not_in")),
    *({"url": {op: text}} for op in ("contains", "starts_with", "ends_with") for text in ("b", "/", "", "É")),
    *({"seconds": {op: 30}} for op in ("eq", "ne", "lt", "le", "gt", "ge")),
    *({"value": {op: 0}} for op in ("eq", "ne", "lt", "le", "gt", "ge")),
    *({"value": {"between": pair}} for pair in ([0, 30], [-1.5, -1.5], [1, 2])),
    *({"seconds": {op: [0, 7]}} for op in ("in", "not_in")),
    *({"vip": {op: flag}} for op in ("eq", "ne") for flag in (True, False)),
    *({name: {"is_null": flag}} for name in CELLS for flag in (True, False)),
    *({"time": {op: "1970-01-01T00:00:00.000001Z"}} for op in ("eq", "ne", "lt", "le", "gt", "ge")),
]
CONDITIONS = [
    *TESTS,
    *({"not": test} for test in TESTS),
    *(one | other for one, other in zip(TESTS, TESTS[9:], strict=False) if one.keys() != other.keys()),
    *({"any": [one, {"not": other}]} for one, other in zip(TESTS, TESTS[17:], strict=False)),
    *(
        {"all": [{"not": {"any": [one, other]}}, one | other]}
        for one, other in zip(TESTS, TESTS[23:], strict=False)
    ),
]


AMOUNTS = [
    {"curve": curve, "scale": scale, "max": most, "signed": signed, "field": field}
    for curve in ("linear", "log1p", "sqrt", "saturating")
    for scale in (0.5, 1.0, 40.0)
    for most in (None, 0.5, 3)
    for signed in (False, True)
    for field in ("value", "seconds")
]
FACTORS = [
    {"device": {"tv": 2, "desktop": 0}},
    {"vip": {"true": 3, "false": 0.5}, "seconds": {"30": 7, "0": 5}},
]


def test_amounts_and_weights():
    """Every curve, scale, cap and sign of every value, times the weights of rule and model."""
    amounts = [{name: part for name, part in amount.items() if part is not None} for amount in AMOUNTS]
    rules = [RULE | {"name": f"r{k}", "amount": amount} for k, amount in enumerate(amounts)]
    rules += [RULE | {"name": f"w{k}", "weights": weights} for k, weights in enumerate(FACTORS)]
    values = CELLS | {"value": [None, -1e6, -1.5, -1e-9, 0.0, 0.25, 30.0, 1e9], "url": [None]}
    worlds = histories(atoms(type=["b"], time=[0], **values), 1)
    events = [event for world in worlds for event in world]
    for weights in ({}, {"device": {"tv": 1.5}, "value": {"30": 11, "0.25": 13, "-1.5": 17}}):
        model = {"rules": rules, "weights": weights}
        told = rows_of(ek.Model.from_dict(model).features(frame_of(events, EVENT_COLUMNS), at=moment(0)))
        for row, world in zip(told, worlds, strict=True):
            (right,) = oracle.score(model, world, at=0).features
            assert row == pytest.approx(right, rel=1e-12, abs=0)


@cache
def events_and_what_holds():
    """Make one event of every combination of cells, and name the conditions that hold for it."""
    worlds = histories(atoms(type=["b"], time=[0, 1], **CELLS), 1)
    events = [event for world in worlds for event in world]
    return events, [{f"r{k}" for k, where in enumerate(CONDITIONS) if holds(where, e)} for e in events]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "categorical and nullable"])
def test_conditions(kind, plain):
    """Every operator on every kind of column, null or not, turned round or joined, on every kind of frame."""
    events, held = events_and_what_holds()
    rules = [RULE | {"name": f"r{k}", "where": where} for k, where in enumerate(CONDITIONS)]
    frame = frame_of(events, EVENT_COLUMNS, Shape(kind, categorical=not plain, nullable=not plain))
    told = rows_of(ek.Model.from_dict({"rules": rules}).features(frame, at=moment(2)))
    for row, event, right in zip(told, events, held, strict=True):
        assert {name for name, points in row.items() if name != "contact" and points} == right, event


def test_next_changes():
    """Windows, lines and absences whose ends coincide change level and phase at the right microsecond."""
    rules = [
        RULE | {"name": "w", "on": "w", "points": 30, "decay": {"window": "10s"}},
        RULE | {"name": "m", "on": "w", "points": -10, "decay": {"window": "4s"}},
        RULE | {"name": "l", "on": "l", "points": -40, "decay": {"linear": "8s"}, "half": "customer"},
    ]
    absence = ABSENCE | {
        "after": "l",
        "unless": "w",
        "within": "6s",
        "points": 15,
        "decay": {"linear": "90s"},
    }
    model = {
        "rules": rules,
        "absences": [absence],
        "scale": {"linear": 100},
        "lifecycle": {"customer_on": "l"},
    }
    model["levels"] = {"low": 7, "medium": 18, "high": 51}
    second = UNITS["s"]
    worlds = histories(atoms(type=["w", "l"], time=[0, second, 4 * second, 4 * second + 1]), 3)
    events = [event for world in worlds for event in world]
    scores = ek.Model.from_dict(model).score(frame_of(events, EVENT_COLUMNS), at=moment(5 * second))
    rows = rows_of(scores.frame)
    assert len(rows) == len(worlds)
    for row, world in zip(rows, worlds, strict=True):
        check_next_change(model, world, (), at=5 * second, rows=[row])
