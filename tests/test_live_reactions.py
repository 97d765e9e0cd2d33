"""What a live state reacts to, and when: what a slow state machine says that sees all contacts every time."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from agreement import EVENT_COLUMNS
from hypothesis import given, settings
from hypothesis import strategies as st
from living import FOREVER, cut, feed
from oracle_events import DAY, holds
from oracle_reactions import Machine
from shapes import micros_of, moment, rows_of
from strategies import durations_in, named, one_test, rarely, several
from strategies_leads import ATTRIBUTES, OF_ATTRIBUTES, OF_LEADS, OF_RESULTS, VALUES, lead_cases, wheres

import engagekit as ek
from engagekit.live import statefiles
from engagekit.reacting import packed

EXAMPLES = int(os.environ.get("ENGAGEKIT_LIVE_EXAMPLES", "40"))
SECOND = 1_000_000
GOLDEN = Path(__file__).parent / "golden" / "live-1-reactions.engagekit"
START = datetime(2026, 1, 1, tzinfo=UTC)
COOLDOWNS = ["1us", "12h", "2d", "30d"]


@st.composite
def triggers_of(draw, model):
    """Draw triggers of a model, on anything that changes with events, attributes or time."""
    phases = sorted({phase["name"] for phase in model.get("phases", ())}) or ["sales", "nurture", "exit"]
    kinds = ("rules", "absences", "repeats")
    channels = sorted({rule.get("channel", "other") for kind in kinds for rule in model.get(kind, ())})
    leaves = [OF_ATTRIBUTES, *OF_RESULTS, *OF_RESULTS, one_test("phase", ["in", "not_in"], several(phases))]
    points = st.sampled_from([-4, 0, 0.125, 2, 7.5, 20])
    leaves += [one_test(f"channel_{name}", ["gt", "le", "ge"], points) for name in channels]
    leaves += [one_test("score", ["ge", "lt", "eq"], points)]
    declared = {"stage": "qualification" in model}
    declared |= dict.fromkeys(("fit", "fit_known", "rating"), "fit" in model)
    leaves += [OF_LEADS[name] for name, there in declared.items() if there]
    if model.get("personas"):
        leaves.append(
            one_test("persona", ["eq", "ne"], st.sampled_from([p["name"] for p in model["personas"]]))
        )
    if model.get("contents"):
        leaves.append(
            one_test("content", ["eq", "ne"], st.sampled_from([c["id"] for c in model["contents"]]))
        )
    conditions = wheres(st.one_of(leaves))
    one = st.fixed_dictionaries(
        {"when": conditions},
        optional={
            "was": rarely(conditions),
            "until": rarely(conditions),
            "cooldown": st.sampled_from(COOLDOWNS),
        },
    )
    return named("t", draw(st.lists(one, min_size=1, max_size=3)))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["step", "step", "due", "early", "near", "late"]),
        st.integers(0, 30),  # the how-manieth duration of the model
        st.sampled_from([-1, 0, 0, 1, SECOND]),
        st.sampled_from(["go on"] * 4 + ["save", "update"]),
    ),
    min_size=3,
    max_size=8,
)


class World:
    """A live state and the state machine beside it, which sees every contact every time."""

    def __init__(self, case, triggers, at):
        self.case, self.at = case, at
        self.live = ek.Live(
            ek.Model.from_dict(case.model | {"triggers": triggers}),
            lateness=FOREVER,
            clock=lambda: moment(self.at),
        )
        self.machine = Machine(triggers)
        self.attributes = {}

    def update(self, contact, attributes):
        """Tell both what is known of a contact."""
        self.live.update({contact: attributes})
        self.attributes.setdefault(contact, {}).update(attributes)

    def rows(self, at):
        """Give every contact's row with its attributes, as conditions see it."""
        rows = {row["contact"]: row for row in rows_of(self.live.scores(moment(at)).frame)}
        return {contact: row | self.attributes.get(contact, {}) for contact, row in rows.items()}

    def answers(self, at):
        """Give what every condition says of every contact."""
        asked = [t[name] for t in self.machine.triggers for name in ("when", "was", "until") if name in t]
        return {
            contact: [holds(condition, row) for condition in asked] for contact, row in self.rows(at).items()
        }

    def saved(self, path):
        """Save the live state and go on with what is loaded."""
        self.live.save(path)
        self.live = ek.Live.load(path, clock=lambda: moment(self.at))

    def react(self):
        """Hold what fires now against what the state machine says."""
        right = self.machine.evaluate(self.rows(self.at), self.at)
        fired = rows_of(self.live.react(moment(self.at)))
        found = [(row["contact"], row["trigger"], row["previous_phase"]) for row in fired]
        assert sorted(found, key=repr) == sorted(right, key=repr)


@settings(max_examples=EXAMPLES // 2)
@given(st.data())
def test_reactions_are_those_of_all_contacts(tmp_path_factory, data):
    """What fires is what fires if all are looked at every time, and nothing changes before it is due."""
    case = data.draw(lead_cases())
    triggers = data.draw(triggers_of(case.model))
    steps = data.draw(STEPS)
    durations = [0, DAY, 60 * DAY, *durations_in(case.model)]
    world = World(case, triggers, case.at - data.draw(st.sampled_from([0, DAY, 30 * DAY])))
    events = sorted(case.events, key=lambda event: event["time"])
    events = [event for event in events if event["time"] > world.at - 800 * DAY]
    sizes = data.draw(st.lists(st.tuples(st.booleans(), st.integers(1, 8)), min_size=1, max_size=4))
    pieces = iter(cut(events, sizes))
    for kind, which, jitter, then in steps:
        if then == "save":
            world.saved(tmp_path_factory.getbasetemp() / "reactions.live")
        if then == "update" and case.contacts:
            contact = data.draw(st.sampled_from(case.contacts))
            attributes = {name: data.draw(st.sampled_from(VALUES[name])) for name in ATTRIBUTES}
            world.update(contact["contact"], attributes | {"customer_since": moment(world.at + DAY)})
        piece = None if kind == "due" else next(pieces, None)
        if piece is not None:
            feed(world.live, case, piece, [*EVENT_COLUMNS, "content"])
        due = world.live.next_due
        if kind == "step" or due is None:
            world.at += max(durations[which % len(durations)] + jitter, 0)
        else:
            near = {"due": 0, "early": -SECOND - 1, "near": -which * SECOND // 30, "late": SECOND + 1}[kind]
            world.at = max(world.at, micros_of(due) + near)
        world.react()
        quiet(world, data)


def quiet(world, data):
    """Assert that no condition changes its answer until shortly before something is due."""
    due = world.live.next_due
    end = world.at + 900 * DAY
    if due is not None:
        end = min(end, micros_of(due) - SECOND - 1)
    if end > world.at:
        before = world.answers(world.at)
        for share in data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=2)):
            between = world.at + int(share * (end - world.at))
            now = world.answers(between)
            assert {who: now[who] for who in now if now[who] != before.get(who)} == {}, (between, due)


# One thing at a time ---------------------------------------------------------------------------------------


def day(number):
    """Make the midnight that many days after the first of January."""
    return START + timedelta(days=number)


def state(triggers, clock=None, **more):
    """Make a live state of a model with a visit worth 60 points, of which half are left after 30 days."""
    rule = {"name": "visit", "on": "visit", "points": 60, "channel": "web"}
    named = [{"name": name} | trigger for name, trigger in triggers.items()]
    return ek.Live(ek.Model.from_dict({"rules": [rule], "triggers": named} | more), clock=clock)


def told(fired):
    """Give who fired what."""
    return [(row["contact"], row["trigger"]) for row in rows_of(fired)]


CHANGES = {
    "engagement": ({"engagement": {"lt": 25}}, {}),
    "engagement, strictly": ({"engagement": {"gt": 25}}, {}),
    "engagement, gone": ({"engagement": {"le": 0}}, {"decay": {"half_life": "1h"}}),
    "engagement, full": ({"engagement": {"ge": 100}}, {"scale": {"linear": 40}}),
    "engagement, as good as full": ({"engagement": {"ge": 100}}, {"scale": {"saturating": 0.5}}),
    "level": ({"level": {"eq": "low"}}, {}),
    "phase": ({"phase": {"eq": "nurture"}}, {}),
    "score": ({"score": {"between": [10, 25]}}, {}),
    "a negative score": ({"score": {"ge": -5}}, {"rules": [{"name": "v", "on": "visit", "points": -40}]}),
    "a channel": ({"channel_web": {"le": 12.5}}, {}),
    "one channel of two": (
        {"channel_web": {"lt": 20}, "score": {"gt": 0}},
        {"rules": [{"name": c, "on": "visit", "points": 50, "channel": c} for c in ("mail", "web")]},
    ),
    "silence": ({"silent_days": {"ge": 30}, "half": {"eq": "prospect"}}, {}),
    "silence, strictly": ({"silent_days": {"gt": 45.5}}, {}),
    "momentum": ({"momentum": {"lt": 0}}, {}),
    "an absence": (
        {"score": {"ge": 51}},
        {"absences": [{"name": "a", "after": "visit", "unless": "x", "within": "1h", "points": 5}]},
    ),
    "a window": ({"score": {"lt": 50}}, {"decay": {"window": "9d"}}),
    "a ramp": ({"score": {"le": 0}}, {"decay": {"linear": "9d"}}),
    "a stage": (
        {"stage": {"eq": "lead"}},
        {"qualification": {"mql_min_engagement": 25, "rejected_on": "no"}},
    ),
    "a rejection": (
        {"stage": {"eq": "MQL"}},
        {"qualification": {"mql_min_engagement": 0, "rejected_on": "visit", "recycle_after": "3d"}},
    ),
    "a rating": (
        {"rating": {"ends_with": "2"}},
        {"fit": {"criteria": [{"name": "big", "where": {"size": {"ge": 5}}, "points": 1}]}},
    ),
    "a persona": (
        {"persona": {"eq": "cool"}},
        {"personas": [{"name": "cool", "where": {"engagement": {"lt": 10}}}]},
    ),
    "the next change": ({"next_level": {"eq": "low"}}, {}),
    "the half": ({"half": {"eq": "customer"}}, {"lifecycle": {"customer_on": "buy"}}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_due_is_when_the_answer_changes(name):
    """What a trigger asks for changes by time alone when that is due, or less than a second before."""
    when, more = CHANGES[name]
    live = state({"t": {"when": when}}, clock=lambda: day(0), **more)
    live.react(day(0))
    live.update({"ann": {"size": 9, "customer_since": day(12)}})
    live.add("ann", "visit", day(0))
    live.react(day(0))

    def answer(at):
        return [holds(when, row) for row in rows_of(live.scores(at).frame)]

    due = live.next_due
    assert answer(due) != answer(due - timedelta(seconds=1)) == answer(day(0))
    before = live.react(due - timedelta(seconds=2))
    after = live.react(due)
    assert told(before) == []
    assert told(after) == [("ann", "t")] * answer(due)[0]


def test_nothing_fires_twice_and_nothing_is_left():
    """A host that sleeps until the next reaction is due hears everything once, and then nothing is due."""
    live = state(
        {
            "hot": {"when": {"engagement": {"ge": 60}}, "until": {"engagement": {"lt": 55}}},
            "left": {"was": {"phase": {"eq": "sales"}}, "when": {"phase": {"eq": "nurture"}}},
            "silent": {"when": {"silent_days": {"ge": 30}}},
        },
        clock=lambda: day(0),
    )
    assert live.next_due is None
    assert told(live.react(day(0))) == []
    for who in ("ann", "bob", "ann"):
        live.add(who, "visit", day(0))
    assert live.next_due == day(0)
    heard, at = [], day(0)
    while at is not None:
        heard += [(row["contact"], row["trigger"], row["at"]) for row in rows_of(live.react(at))]
        at = live.next_due
    assert sorted((who, what, round((when - micros_of(day(0))) / DAY, 3)) for who, what, when in heard) == [
        ("ann", "hot", 0),
        ("ann", "left", 37.891),
        ("ann", "silent", 30),
        ("bob", "left", 7.891),
        ("bob", "silent", 30),
    ]


def test_what_waits_is_due_in_its_time():
    """A trigger that cools down, and an event that waits for the clock, are due to the microsecond."""
    present = [day(0)]
    live = state({"v": {"when": {"events": {"in": [1, 3]}}, "cooldown": "7d"}}, clock=lambda: present[0])
    live.react()
    live.add("ann", "visit", day(0))
    live.add("ann", "visit", day(1))
    assert told(live.react()) == [("ann", "v")]
    assert live.next_due == day(1)
    present[0] = day(1)
    assert told(live.react()) == []
    assert live.next_due is None
    live.add("ann", "visit", day(1))
    assert told(live.react()) == []
    assert live.next_due == day(7)
    present[0] = day(7)
    assert (told(live.react()), live.next_due) == ([("ann", "v")], None)


def test_attributes_are_looked_at():
    """What an update says of a contact may make a trigger fire, without an event."""
    live = state({"vip": {"when": {"vip": {"eq": True}}}})
    live.update({"ann": {"vip": False}, "bob": {"vip": True}})
    live.react(day(0))
    live.update({"ann": {"vip": True}})
    assert live.next_due == day(0).replace(tzinfo=None)
    assert told(live.react(day(1))) == [("ann", "vip")]
    assert live.next_due is None


def test_a_reaction_at_which_nothing_happened_arms():
    """What `until` says at a reaction counts, though the contact has not changed since it fired."""
    live = state(
        {"hot": {"when": {"engagement": {"ge": 50}}, "until": {"vip": {"eq": True}}}}, clock=lambda: day(99)
    )
    live.react(day(0))
    live.update({"ann": {"vip": True}})
    live.add("ann", "visit", day(0))
    assert told(live.react(day(0))) == [("ann", "hot")]
    assert told(live.react(day(1))) == []
    live.update({"ann": {"vip": False}})
    assert told(live.react(day(20))) == []
    live.add("ann", "visit", day(20))
    assert told(live.react(day(20))) == [("ann", "hot")]


def test_a_clock_may_be_put_back():
    """A reaction as of now is one as of the last, where the clock says that it is earlier."""
    present = [day(1)]
    live = state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: present[0])
    live.react()
    present[0] = day(0)
    live.add("ann", "visit", day(0))
    assert [row["at"] for row in rows_of(live.react())] == [micros_of(day(1))]


def test_a_state_without_a_base_line_is_due(tmp_path):
    """Where somebody is there and nobody ever asked what fires, it is time to ask, after loading too."""
    live = state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: day(9))
    assert live.next_due is None
    live.add("ann", "visit", day(3))
    live.save(tmp_path / "state")
    loaded = ek.Live.load(tmp_path / "state", clock=live.clock)
    assert loaded.next_due == live.next_due == day(3)
    assert told(loaded.react()) == []


def test_only_whom_it_may_concern_is_looked_at(monkeypatch):
    """Of many contacts those are scored to whom something happened, or who are due."""
    live = state({"cool": {"when": {"engagement": {"lt": 25}}}}, clock=lambda: day(0))
    for number in range(100):
        live.add(number, "visit", day(-20 - number / 100))
    live.react(day(0))
    seen, score_some = [], ek.Live.score_some

    def counting(self, codes, *rest):
        seen.extend(codes)
        return score_some(self, codes, *rest)

    monkeypatch.setattr(ek.Live, "score_some", counting)
    live.add(7, "visit", day(0))
    live.add(200, "visit", day(0))
    live.react(day(0))
    assert seen == [7, 100]
    seen.clear()
    assert told(live.react(live.next_due)) == [(99, "cool")]
    assert seen == [99]


def test_nobody_can_tell_when_the_top_channel_changes():
    """A trigger on it has everybody looked at, and is due again within an hour."""
    fast = {"name": "mail", "on": "mail", "points": 60, "channel": "mail", "decay": {"half_life": "1d"}}
    slow = {"name": "visit", "on": "visit", "points": 50, "channel": "web"}
    live = state({"web": {"when": {"top_channel": {"eq": "web"}}}}, clock=lambda: day(0), rules=[fast, slow])
    live.react(day(0))
    live.add("ann", "visit", day(0))
    live.add("ann", "mail", day(0))
    assert told(live.react(day(0))) == []
    assert live.next_due == day(0) + timedelta(hours=1)
    assert told(live.react(day(0.3))) == [("ann", "web")]


def filled(clock=lambda: day(3)):
    """Make a live state that remembers something of every kind of its triggers."""
    live = state(
        {
            "hot": {"when": {"engagement": {"ge": 60}}, "until": {"engagement": {"lt": 55}}},
            "back": {"when": {"events": {"in": [1, 3]}}, "cooldown": "7d"},
        },
        clock=clock,
    )
    live.react(day(0))
    for number, who in enumerate(["ann", "ann", "bob", "carl", "ann", "bob"]):
        live.add(who, "visit", day(number / 2))
        live.react(day(number / 2))
    live.add("dora", "visit", day(3))
    live.add("later", "visit", day(5))
    return live


def heard(live):
    """Give all that a live state has to tell from now on, and when."""
    said, at = [], live.next_due
    while at is not None and len(said) < 9:
        said.append((at, told(live.react(at))))
        at = live.next_due
    return said


def test_loaded_states_react_as_saved_ones(tmp_path):
    """What fired, what cools down, what is due and what is still to be looked at is in the file."""
    live = filled()
    live.save(tmp_path / "state")
    loaded = ek.Live.load(tmp_path / "state", clock=live.clock)
    said = heard(loaded)
    assert said == heard(live)
    assert said[0] == (day(3), [("dora", "back")])
    assert ("ann", "back") in [each for _, fired in said for each in fired]


def test_golden_reactions_are_read():
    """The first file ever saved with reactions is read, and reacts as it would have then."""
    assert heard(ek.Live.load(GOLDEN, clock=lambda: day(3))) == heard(filled())


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        lambda _: [],
        lambda told: told | {"count": -1},
        lambda told: told | {"count": told["count"] + 1},
        lambda told: told | {"at": "today"},
        lambda told: told | {"at": 2**70},
        lambda told: told | {"places": told["due"]},
        lambda told: told | {"due": "?"},
        lambda told: told | {"due": packed(np.full(told["count"], -(2**63)), "<i8")},
        lambda told: told | {"known": packed(np.empty(0, np.uint8), "<u1")},
        lambda told: told | {"standing": told["standing"] | {"flags": "AAAA"}},
        lambda told: told | {"standing": told["standing"] | {"rows": 1}},
    ],
    ids=range(12),
)
def test_nonsense_with_a_right_checksum_is_refused(tmp_path, change):
    """Reactions that no state could have are a StateError, whatever the checksum says."""
    path = tmp_path / "state"
    filled().save(path)
    sections = dict(statefiles.read(path))
    sections["reactions"] = statefiles.packed(change(statefiles.unpacked(sections["reactions"])))
    statefiles.write(path, [(name, iter([bytes(piece)])) for name, piece in sections.items()])
    with pytest.raises(ek.StateError, match="makes no sense"):
        ek.Live.load(path)


def test_who_is_forgotten_is_new():
    """A contact that comes again after it was forgotten fires as one that was never there."""
    live = state({"hot": {"when": {"engagement": {"ge": 50}}, "cooldown": "30d"}}, clock=lambda: day(1))
    live.react(day(0))
    live.add("ann", "visit", day(0))
    assert told(live.react(day(0))) == [("ann", "hot")]
    live.forget("ann")
    assert told(live.react(day(0))) == []
    live.add("ann", "visit", day(1))
    assert told(live.react(day(1))) == [("ann", "hot")]


def test_who_is_linked_goes_on():
    """The contact that stays goes on as it stood; where nobody knew it, as its alias did."""
    live = state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: day(1))
    live.react(day(0))
    for who in ("cookie", "other", "bob"):
        live.add(who, "visit", day(0))
    live.react(day(0))
    live.link("cookie", into="ann")
    live.link("other", into="bob")
    assert told(live.react(day(1))) == []
    live.add("cookie", "visit", day(1))
    assert told(live.react(day(1))) == []


def test_who_is_merged_goes_on():
    """Contacts of a merged state stand as they stood there, those of both as they stand here."""
    one, two = (state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: day(2)) for _ in range(2))
    for live in (one, two):
        live.react(day(0))
    one.add("ann", "visit", day(0))
    one.react(day(0))
    one.link("cookie", into="dora")
    for who in ("ann", "bob", "cookie"):
        two.add(who, "visit", day(0))
    two.react(day(1))
    two.add("carl", "visit", day(1))
    one.merge(two)
    assert told(one.react(day(1))) == [("carl", "hot")]
    with pytest.raises(ek.StateError, match="not before the last react"):
        one.react(day(0))


def test_who_is_linked_by_a_merge_goes_on():
    """Whom the other state has linked stands under the name that stays as it stood here."""
    one, two = (state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: day(2)) for _ in range(2))
    for live in (one, two):
        live.react(day(0))
    one.add("cookie", "visit", day(0))
    assert told(one.react(day(0))) == [("cookie", "hot")]
    two.link("cookie", into="ann")
    one.merge(two)
    assert told(one.react(day(0))) == []


def test_attributes_without_events_are_looked_at_after_loading_and_merging(tmp_path):
    """What is told of a contact that has done nothing makes a trigger fire in a loaded and a merged state."""
    live, merged = (state({"vip": {"when": {"vip": {"eq": True}}}}, clock=lambda: day(2)) for _ in range(2))
    for each in (live, merged):
        each.react(day(0))
    live.update({"ann": {"vip": True}})
    live.save(tmp_path / "state")
    loaded = ek.Live.load(tmp_path / "state")
    merged.merge(live)
    for each in (live, loaded, merged):
        assert told(each.react(day(1))) == [("ann", "vip")]


def test_a_ctrl_c_before_anything_is_read_loses_nothing(monkeypatch):
    """Whom an interrupted call was to look at the next one does."""
    live = state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: day(2))
    live.react(day(0))
    live.add("ann", "visit", day(0))
    taken = ek.Live.take_touched

    def interrupted(self, marks):
        taken(self, marks)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ek.Live, "take_touched", interrupted, raising=False)
        with pytest.raises(KeyboardInterrupt):
            live.react(day(0))
    assert told(live.react(day(0))) == [("ann", "hot")]


def test_nothing_is_due_after_the_end_of_time(tmp_path):
    """A trigger that cools down after the last year there is is never due, here and in a file."""
    hot = {"when": {"engagement": {"ge": 50}}, "cooldown": "3000d"}
    live = state({"hot": hot}, clock=lambda: "9999-12-31")
    live.react("9995-01-01")
    live.add("ann", "visit", "9995-01-01")
    assert told(live.react("9995-01-01")) == [("ann", "hot")]
    live.react("9998-01-01")
    live.add("ann", "visit", "9998-01-02")
    live.react("9998-01-02")
    assert told(live.react("9999-12-30")) == []
    live.save(tmp_path / "state")
    loaded = ek.Live.load(tmp_path / "state")
    assert (live.next_due, loaded.next_due) == (None, None)


def test_reacting_refuses():
    """A model without triggers, an instant before the last, and one before an event are refused."""
    live = state({}, clock=lambda: day(9))
    assert live.next_due is None
    with pytest.raises(ek.ModelError, match="expected at least one to react to"):
        live.react()
    live = state({"hot": {"when": {"engagement": {"ge": 50}}}}, clock=lambda: day(9))
    live.add("ann", "visit", day(1))
    live.react(day(1))
    with pytest.raises(ek.StateError, match="the last react, at 2026-01-02"):
        live.react(day(0))
    live.add("ann", "visit", day(5))
    for _ in range(2):
        with pytest.raises(ek.StateError, match="newest event of contact 'ann'"):
            live.react(day(2))
    assert told(live.react(day(5))) == []
    assert live.next_due > day(35)


def test_threads_fire_once():
    """Eight threads add while one reacts: every contact becomes hot once, and is heard of once."""
    live = state({"hot": {"when": {"score": {"ge": 7170}}}})
    live.react()
    fired, errors, done = [], [], []

    def add(number):
        try:
            for turn in range(3000):
                live.add(turn % 100, "visit")
                if turn % 500 == 0:
                    live.ingest({"contact": [1000 + number], "type": ["visit"], "time": [0]}, unit="s")
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    def react():
        try:
            while not done:
                fired.extend(told(live.react()))
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [Thread(target=add, args=(number,)) for number in range(8)]
    reacting = Thread(target=react)
    for thread in [*threads, reacting]:
        thread.start()
    for thread in threads:
        thread.join()
    done.append(True)
    reacting.join()
    assert errors == []
    fired += told(live.react())
    assert sorted(fired) == [(number, "hot") for number in range(100)]
