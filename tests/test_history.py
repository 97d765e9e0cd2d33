"""The course of every contact: the numbers of the slow twin, and of `score`, at every instant."""

from datetime import timedelta

import numpy as np
import oracle
import oracle_history
import pytest
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, is_close, score_case
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupting import assert_interruptible
from oracle_events import DAY
from shapes import Shape, frame_of, frames_of, moment, rows_of, shapes
from strategies import cases, durations_in

import engagekit as ek
from engagekit import _core

COLUMNS = ["at", *oracle_history.COLUMNS]
NUMBERS = ["score", "engagement", "momentum"]
AT = 1_709_294_400_000_000
FEW = settings(max_examples=settings().max_examples // 3)
HOUR = DAY // 24
PLAIN = Shape()


def grid(start, every, end):
    """List the instants from start to end."""
    return list(range(start, end + 1, every))


def history_of(case, shape=PLAIN, **options):
    """Ask for the history of a case."""
    contacts = None if case.contacts is None else frame_of(case.contacts, CONTACT_COLUMNS, shape)
    events = frames_of(case.events, EVENT_COLUMNS, shape)
    options = {"contacts": contacts, "id": case.id} | options
    return ek.Model.from_dict(case.model).history(events, **options)


def assert_is(rows, expected, model):
    """Assert that a history is the expected one, its categories where they do not hang on the last digit."""
    assert [(row["contact"], row["at"]) for row in rows] == [(row["contact"], row["at"]) for row in expected]
    for row, right in zip(rows, expected, strict=True):
        unsure = oracle.unsure(model, right)
        found = [name for name in NUMBERS if not is_close(row[name], right[name])]
        found += [name for name in ("level", "phase") if name not in unsure and row[name] != right[name]]
        found += [] if row["half"] == right["half"] else ["half"]
        assert not found, f"{found}: {row} should be {right}"


def instants_of(draw, case):
    """Draw a start, a step and an end that coincide with the case's events and durations."""
    every = draw(st.sampled_from([*(d for d in durations_in(case.model) if d >= HOUR), DAY, 7 * DAY]))
    steps = draw(st.integers(0, 12))
    offset = draw(st.sampled_from([0, 0, 1, -1, HOUR]))
    start = case.at - draw(st.integers(0, steps)) * every + offset
    return start, every, start + steps * every + draw(st.sampled_from([0, every - 1]))


@given(cases(max_contacts=3), st.data())
def test_history_is_the_oracles(case, data):
    """At evenly spaced instants every row is what the twin says of the events until then."""
    start, every, end = instants_of(data.draw, case)
    shape = data.draw(shapes(case.grain))
    every_us = timedelta(microseconds=every)
    rows = rows_of(history_of(case, shape, every=every_us, start=moment(start), end=moment(end)))
    instants = grid(start, every, end)
    expected = oracle_history.history(
        case.model, case.events, case.contacts or (), instants=instants, id=case.id
    )
    assert_is(rows, expected, case.model)


@given(cases(max_contacts=3), st.data())
def test_history_at_any_instants(case, data):
    """At instants in a list, in any order and some of them twice, too."""
    times = [e["time"] for e in case.events]
    ages = st.sampled_from([*durations_in(case.model), 0, DAY])
    near = st.tuples(st.sampled_from([*times, case.at]), ages, st.sampled_from([0, 1, -1]))
    instants = data.draw(st.lists(near.map(sum), min_size=1, max_size=12))
    rows = rows_of(history_of(case, at=[moment(t) for t in instants]))
    expected = oracle_history.history(
        case.model, case.events, case.contacts or (), instants=instants, id=case.id
    )
    assert_is(rows, expected, case.model)


@FEW
@given(cases(max_contacts=4), st.data())
def test_history_is_score_at_each_instant(case, data):
    """A row is the row that `score` has for the contact at that instant, and there are no others."""
    start, every, end = instants_of(data.draw, case)
    told = rows_of(
        history_of(case, every=timedelta(microseconds=every), start=moment(start), end=moment(end))
    )
    expected = []
    for t in grid(start, every, end):
        scores = score_case(case, at=moment(t))
        counted, _ = oracle.counted_events(case.model, case.events, t, case.id)
        there = {e["contact"] for e in counted}
        expected += [row | {"at": t} for row in rows_of(scores.frame) if row["contact"] in there]
    order = list(dict.fromkeys(e["contact"] for e in case.events))
    expected.sort(key=lambda row: (order.index(row["contact"]), row["at"]))
    assert_is(told, expected, case.model)


# Many steps, many threads ---------------------------------------------------------------------------------

RICH = {
    "rules": [
        {"name": "visit", "on": "visit", "points": 2, "channel": "web", "limit": {"n": 3, "per": "1d"}},
        {"name": "view", "on": "visit", "points": 1, "channel": "web", "cap": 6, "half": "customer"},
        {"name": "buy", "on": "buy", "points": 5, "decay": {"window": "60d"}, "half": "prospect"},
        {"name": "bad", "on": "complain", "points": -7, "decay": {"linear": "90d"}, "cap": 20},
        {"name": "kept", "on": ["buy", "visit"], "points": 0.5, "decay": "none"},
    ],
    "absences": [
        {"name": "ignored", "after": "sent", "unless": ["visit", "buy"], "within": "7d", "points": -1}
    ],
    "repeats": [{"name": "hot", "on": "visit", "n": 3, "within": "7d", "points": 10, "channel": "web"}],
    "channels": {"web": {"cap": 15}},
    "lifecycle": {"customer_on": "buy", "ends_on": "complain"},
}


def many(contacts=60, rows=3000):
    """Make a table in which all of `RICH` happens."""
    random = np.random.default_rng(7)
    return {
        "contact": random.integers(0, contacts, rows),
        "type": random.choice(["visit", "buy", "complain", "sent"], rows, p=[0.6, 0.15, 0.05, 0.2]),
        "time": (AT - random.integers(0, 200 * DAY, rows)).astype("datetime64[us]"),
    }


@pytest.mark.parametrize("threads", [2, 3, 8, 64])
@pytest.mark.parametrize("at", [None, [moment(AT - days * days * DAY) for days in range(15)]])
def test_threads(threads, at):
    """Any number of threads gives the same bits."""
    frame, model = many(), ek.Model.from_dict(RICH)
    one, several = (rows_of(model.history(frame, at=at, threads=count)) for count in (1, threads))
    assert one == several


def test_evenly_spaced_or_not():
    """Instants of one step, swept by a table of powers, have the numbers of the same ones in a list."""
    frame, model = many(), ek.Model.from_dict(RICH)
    evenly = model.history(frame, every="6h", start=moment(AT - 300 * DAY), end=moment(AT))
    listed = [moment(AT - 300 * DAY + k * DAY // 4) for k in range(1201)]
    odd = model.history(frame, at=[*listed, moment(AT - 1)])
    whole = odd["at"].astype(np.int64) != AT - 1
    for name in NUMBERS:
        assert np.allclose(evenly[name], odd[name][whole], rtol=1e-9, atol=1e-9, equal_nan=True), name
    for name in ("contact", "at", "level", "half", "phase"):
        assert (evenly[name] == odd[name][whole]).all(), name


def test_events_made_once():
    """Events coded once give the bits of the frame, as often as they are asked; the frame is not changed."""
    frame, model = many(), ek.Model.from_dict(RICH)
    before = {name: column.copy() for name, column in frame.items()}
    events = ek.Events(frame)
    told, _, again = rows_of(model.history(frame)), model.history(events), rows_of(model.history(events))
    assert told == again
    assert all((frame[name] == column).all() for name, column in before.items())


def test_order_of_rows():
    """Shuffled events are the same numbers, contacts standing in another order."""
    frame, model = many(), ek.Model.from_dict(RICH)
    order = np.random.default_rng(1).permutation(len(frame["time"]))
    there = {(row["contact"], row["at"]): row for row in rows_of(model.history(frame))}
    mixed = rows_of(model.history({name: column[order] for name, column in frame.items()}))
    assert {(row["contact"], row["at"]) for row in mixed} == there.keys()
    for row in mixed:
        right = there[row["contact"], row["at"]]
        assert all(is_close(row[name], right[name]) for name in NUMBERS)
        assert [row[name] for name in ("level", "half", "phase")] == [
            right[name] for name in ("level", "half", "phase")
        ]


def test_twenty_years_of_days():
    """After twenty years of daily steps nothing has drifted, overflowed or been lost in a long silence."""
    rules = [
        ek.Rule(name="short", on="x", points=3, decay={"half_life": "1h"}),
        ek.Rule(name="long", on="x", points=1e-3, decay={"half_life": "3000d"}),
    ]
    model = ek.Model(rules=rules, momentum={"fast": "12h", "slow": "13h"})
    times = np.array([0, 1, 7300], "datetime64[D]").astype("datetime64[us]")
    events = {"contact": [1] * 3, "type": ["x"] * 3, "time": times}
    told = model.history(events, start="1970-01-01", end="1995-01-01")
    assert len(told["at"]) > 9000
    for k in range(0, len(told["at"]), 331):
        right = model.score(events, at=told["at"][k]).frame
        assert all(is_close(told[name][k], right[name][0]) for name in NUMBERS), k


def test_what_had_faded_before_the_first_instant():
    """An event of which nothing is left at the first instant still has its momentum there."""
    rules = [ek.Rule(name="r", on="x", points=3, decay={"half_life": "1h"})]
    model = ek.Model(rules=rules, momentum={"fast": "1h", "slow": "90min"})
    times = np.array(["1970-01-01", "1970-01-01", "1971-01-05"], "datetime64[D]").astype("datetime64[us]")
    events = {"contact": [1, 2, 2], "type": ["x"] * 3, "time": times}
    told = model.history(events, start="1971-01-01", end="1971-01-08")
    assert told["momentum"][0] == -1
    for k in range(len(told["at"])):
        right = model.score(events, at=told["at"][k]).frame
        whose = list(right["contact"]).index(told["contact"][k])
        assert all(is_close(told[name][k], right[name][whose]) for name in NUMBERS), k


@pytest.mark.parametrize("silence", [511, 512, 513, 1023, 1024, 1100])
def test_silences_as_long_as_a_tile(silence):
    """However many instants lie between two events, the sums go on from the one to the other."""
    rules = [
        ek.Rule(name="fading", on="x", points=3, decay={"half_life": "300d"}, channel="a", half="prospect"),
        ek.Rule(name="capped", on="x", points=2, cap=3.5, decay={"half_life": "400d"}, channel="b"),
        ek.Rule(name="lasting", on="x", points=1, decay="none", channel="b"),
    ]
    lifecycle = ek.Lifecycle(customer_on="buy")
    model = ek.Model(rules=rules, lifecycle=lifecycle, momentum={"fast": "200d", "slow": "500d"})
    days = [3, 5, 5 + silence, 9 + silence, 11 + silence, 12 + silence]
    times = np.array(days, "datetime64[D]").astype("datetime64[us]")
    types = ["x", "x", "x", "x", "buy", "x"]
    events = {"contact": [1] * len(days), "type": types, "time": times}
    told = model.history(events, start="1970-01-02", end="1973-06-01")
    uneven = model.history(events, at=[*told["at"], np.datetime64("1973-06-01T01:00", "us")])
    for name in NUMBERS:
        assert np.allclose(told[name], uneven[name][:-1], rtol=1e-12, atol=0, equal_nan=True), name
    for name in ("contact", "at", "level", "half", "phase"):
        assert list(told[name]) == list(uneven[name])[:-1]


def test_ramps_and_windows_of_a_long_life():
    """Large points that expire take nothing of the small ones with them, after any number of steps."""
    rules = [
        ek.Rule(name="ramp", on="x", points=1, amount={}, decay={"linear": "20d"}),
        ek.Rule(name="off", on="x", points=1, amount={}, decay={"window": "20d"}, channel="w"),
    ]
    model, random = ek.Model(rules=rules), np.random.default_rng(2)
    times = np.sort(random.integers(0, 3000 * DAY, 4000)).astype("datetime64[us]")
    value = np.where(random.random(4000) < 0.01, 1e15, random.random(4000))
    events = ek.Events({"contact": [1] * 4000, "type": ["x"] * 4000, "time": times, "value": value})
    told = model.history(events, every="1h")
    assert len(told["at"]) > 50_000
    for k in range(0, len(told["at"]), 997):
        assert is_close(told["score"][k], model.score(events, at=told["at"][k]).frame["score"][0]), k


def test_many_phases():
    """More phases than a byte can number have their names too."""
    phases = [{"name": f"p{k}", "half": "prospect", "min_engagement": 99.9 - k / 4} for k in range(300)]
    phases += [{"name": "last", "half": "prospect"}, {"name": "c", "half": "customer"}]
    model = ek.Model.from_dict({"rules": RICH["rules"][:1], "phases": phases})
    told = model.history(many(), every="7d")
    assert len(set(told["phase"])) > 10
    when = told["at"] == told["at"].max()
    right = model.score(many(), at=told["at"].max()).frame
    assert told["phase"][when].tolist() == right["phase"].tolist()


@pytest.mark.parametrize("decay", ["none", {"half_life": "30d"}, {"linear": "9d"}, {"window": "9d"}])
@pytest.mark.parametrize("options", [{"every": "1d"}, {"at": ["2026-01-03", "2026-01-05", "2026-01-06"]}])
def test_overflow(decay, options):
    """Points that no float can hold are an error that names the contact."""
    points = 1e296 if "linear" in decay else 1e308  # a ramp's are multiplied by microseconds
    model = ek.Model(rules=[ek.Rule(name="r", on="x", points=points, decay=decay)])
    times = np.array(["2026-01-01", *["2026-01-02"] * 3], "datetime64[us]")
    events = {"contact": ["ann", "eve", "eve", "eve"], "type": ["x"] * 4, "time": times}
    with pytest.raises(ek.EventsError, match="contact 'eve': their points overflow"):
        model.history(events, **options)


def test_sums_that_overflow_together():
    """So are points that rules can hold, but not their sum."""
    rules = [ek.Rule(name=name, on="x", points=1e308, channel=name, decay="none") for name in "ab"]
    events = {"contact": ["ann"], "type": ["x"], "time": np.zeros(1, "datetime64[us]")}
    with pytest.raises(ek.EventsError, match="contact 'ann': their points overflow"):
        ek.Model(rules=rules).history(events, at="1970-01-02")


def test_a_stopped_sweep_leaves_rows_undone(monkeypatch):
    """After `stop` no contact is begun, so that other threads end soon."""
    make, stopped = _core.sweeper, []

    def interrupted(*arguments):
        sweeper = make(*arguments)
        sweeper.stop()
        stopped.append(sweeper)
        return sweeper

    monkeypatch.setattr(_core, "sweeper", interrupted)
    monkeypatch.setattr(np, "empty", np.zeros)
    told = ek.Model.from_dict(RICH).history(many(), every="7d")
    assert len(stopped) == 1
    assert not told["engagement"].any()


def test_an_interrupted_thread_stops_the_others(monkeypatch):
    """What interrupts one part of a sweep tells the other parts to stop, and goes on to the caller."""
    stops = []

    class Interrupted:
        def count(self, rows):
            rows[:] = 1

        def history(self, *_):
            raise KeyboardInterrupt

        def stop(self):
            stops.append(True)

    monkeypatch.setattr(_core, "sweeper", lambda *_: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        ek.Model.from_dict(RICH).history(many(), threads=2)
    assert stops == [True]


INTERRUPTED = """
import numpy as np, engagekit as ek
rng = np.random.default_rng(0)
frame = {"contact": rng.integers(0, CONTACTS, 10_000), "type": ["v"] * 10_000}
frame["time"] = rng.integers(0, 10**15, 10_000)
rules = [ek.Rule(name=f"r{i}", on="v", points=1, decay={"half_life": f"{i + 1}d"}) for i in range(30)]
events, model = ek.Events(frame, unit="us"), ek.Model(rules=rules)
at = {"contact": rng.integers(0, CONTACTS, 10_000), "at": rng.integers(0, 10**15, 10_000).astype("M8[us]")}
print("ready", flush=True)
while True:
    CALL
"""


@pytest.mark.parametrize(
    ("contacts", "call"),
    [
        (1, 'model.history(events, every="5min", threads=1)'),
        (1000, 'model.history(events, every="1h", threads=2)'),
        (3, "model.score(events, at=at, threads=2)"),
    ],
)
def test_interruption(contacts, call):
    """Ctrl-C ends a sweep, of one contact as of many."""
    program = INTERRUPTED.replace("CONTACTS", str(contacts)).replace("CALL", call)
    assert_interruptible(program)
