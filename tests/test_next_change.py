"""`next_change` is the first instant at which level or phase differs: random and treacherous cases."""

import math
import random

import oracle
import pytest
from agreement import score_case
from hypothesis import given
from hypothesis import strategies as st
from oracle_changes import HORIZON, check_next_change, next_change
from oracle_events import DAY, UNITS, micros
from shapes import frame_of, moment, rows_of
from strategies import cases, models

import engagekit as ek

SECOND, MINUTE = UNITS["s"], UNITS["min"]
AT = 19_783 * DAY
LINEAR = {"scale": {"linear": 100}, "levels": {"low": 1, "medium": 25, "high": 50}}
# Phases that do not follow the score, where only the level is looked at.
STILL = {"phases": [{"name": "p", "half": "prospect"}, {"name": "c", "half": "customer"}]}


def event(type_, age, contact=1, **more):
    """Make an event of so many microseconds before `AT`."""
    return {"contact": contact, "type": type_, "time": AT - round(age)} | more


def rule(name, points, decay="none", **more):
    """Make a rule for events of its own name."""
    return {"name": name, "on": name, "points": points, "decay": decay} | more


def told(model, events, since=None, at=AT):
    """Return the only contact's (next_change, next_level, next_phase), checked against the definitions."""
    contacts = [{"contact": 1, "customer_since": since}]
    frame = frame_of(events, ["contact", "type", "time", "value"])
    attributes = frame_of(contacts, ["contact", "customer_since"])
    scores = ek.Model.from_dict(model).score(frame, at=moment(at), contacts=attributes)
    (row,) = rows_of(scores.frame)
    check_next_change(model, events, contacts, at=at, rows=[row])
    return row["next_change"], row["next_level"], row["next_phase"]


def brute(model, events, at=AT):
    """Find the next change of the only contact by brute force."""
    (contact,) = oracle.known_contacts(model, events, (), at=at).values()
    return next_change(model, contact, at)


def assert_within_a_second(reported, exact):
    """Assert that an instant is not early and less than a second late."""
    assert exact <= reported < exact + SECOND


@given(cases(max_contacts=3))
def test_any_case(case):
    """In any model and events nothing differs before the reported instant, and it does then."""
    rows = rows_of(score_case(case).frame)
    check_next_change(case.model, case.events, case.contacts or (), at=case.at, rows=rows, id=case.id)


@given(models(), st.lists(st.tuples(st.integers(0, 7), st.floats(0, 15.5)), min_size=1, max_size=12))
def test_any_ages(model, drawn):
    """Ages from microseconds to years, in no round numbers, make no difference."""
    names = ["open", "click", "visit", "sent", "buy", "deal", "end", "été"]
    attributes = {"value": 2.0, "device": "tv", "url": "a", "seconds": 30, "campaign": 1, "message": "m1"}
    events = [event(names[k], 10**x * math.pi, vip=True, **attributes) for k, x in drawn]
    frame = frame_of(events, ["contact", "type", "time", "vip", *attributes])
    rows = rows_of(ek.Model.from_dict(model).score(frame, at=moment(AT)).frame)
    check_next_change(model, events, (), at=AT, rows=rows)


@pytest.mark.parametrize("half_life", ["1s", "1h", "7d", "400d", "3000d"])
def test_one_decay(half_life):
    """Forty points pass twenty-five after log2(40/25) half-lives."""
    model = {"rules": [rule("x", 40, {"half_life": half_life})]} | LINEAR | STILL
    change, level, _ = told(model, [event("x", 0)])
    assert level == "low"
    assert_within_a_second(change, AT + math.log2(1.6) * micros(half_life))


def test_rise_by_decay_of_a_negative_before_a_fall():
    """A score that rises over a bound, because the minus fades faster, and falls below it again later."""
    rules = [rule("plus", 60, {"half_life": "30d"}), rule("minus", -50, {"half_life": "2d"})]
    model = {"rules": rules} | LINEAR | STILL
    change, level, _ = told(model, [event("plus", 0), event("minus", 0)])
    assert level == "medium"
    assert change < AT + 2 * DAY
    change, level, _ = told(model, [event("plus", 0), event("minus", 0)], at=change + SECOND)
    assert level == "low"
    assert_within_a_second(change, brute(model, [event("plus", 0), event("minus", 0)], at=change - DAY)[0])


def test_two_roots_close_together():
    """A hump over the bound that lasts minutes in a curve of weeks is found; the brute force agrees."""
    rules = [rule("plus", 60, {"half_life": "30d"}), rule("minus", -60, {"half_life": "10d"})]
    # 60 (2^(-t/30) - 2^(-t/10)) is largest at t = 15 log2(3) d; the bound lies a hair below that.
    t = 15 * math.log2(3)
    top = 60 * (2 ** (-t / 30) - 2 ** (-t / 10))
    for below in (1e-4, 1e-6, 1e-8):
        levels = {"levels": {"low": top * (1 - below), "medium": 80, "high": 90}}
        model = {"rules": rules, "scale": {"linear": 100}} | levels | STILL
        change, level, _ = told(model, [event("plus", 0), event("minus", 0)])
        assert level == "low"
        width = math.sqrt(2 * below / (math.log(2) ** 2 / 300))
        assert change == pytest.approx(AT + (t - width) * DAY, abs=0.05 * width * DAY)


def test_hump_that_stays_below():
    """A hump that does not reach the bound changes nothing until it never will."""
    rules = [rule("plus", 60, {"half_life": "30d"}), rule("minus", -60, {"half_life": "10d"})]
    t = 15 * math.log2(3)
    top = 60 * (2 ** (-t / 30) - 2 ** (-t / 10))
    levels = {"levels": {"low": top * (1 + 1e-7), "medium": 80, "high": 90}}
    model = {"rules": rules, "scale": {"linear": 100}} | levels | STILL
    assert told(model, [event("plus", 0), event("minus", 0)]) == (None, None, None)


def test_window_ends_to_the_microsecond():
    """Points in a window vanish at its end and not a microsecond before."""
    model = {"rules": [rule("x", 30, {"window": "14d"})]} | LINEAR | STILL
    assert told(model, [event("x", 3 * DAY + 5)])[:2] == (AT + 11 * DAY - 5, "none")


def test_window_of_a_minus_jumps_up():
    """The end of a window of negative points lifts the level."""
    rules = [rule("plus", 60), rule("minus", -20, {"window": "7d"})]
    model = {"rules": rules} | LINEAR | STILL
    assert told(model, [event("plus", DAY), event("minus", DAY)])[:2] == (AT + 6 * DAY, "high")


@pytest.mark.parametrize("gap", [2 * SECOND, MINUTE, 5 * MINUTE])
def test_excursion_of_a_moment(gap):
    """Two windows that end seconds apart leave a state between them that is reported."""
    rules = [rule("plus", 30, {"window": "14d"}), rule("minus", -30, {"window": "14d"})]
    model = {"rules": rules} | LINEAR | STILL
    events = [event("minus", 3 * DAY + gap), event("plus", 3 * DAY)]
    assert told(model, events)[:2] == (AT + 11 * DAY - gap, "medium")


def test_linear_decay_reaches_the_bound():
    """A straight decline passes the bound where the line does, then nothing is left at its end."""
    model = {"rules": [rule("x", 40, {"linear": "40d"})]} | LINEAR | STILL
    change, level, _ = told(model, [event("x", 0)])
    assert level == "low"
    assert_within_a_second(change, AT + 15 * DAY)


def test_lines_that_bend():
    """A line that rises while a minus fades and falls after its end has its first crossing reported."""
    rules = [rule("plus", 60, {"linear": "100d"}), rule("minus", -40, {"linear": "10d"})]
    model = {"rules": rules} | LINEAR | STILL
    # 60 - 0.6 t - 40 + 4 t reaches 25 after 5 / 3.4 days, 50 after 30 / 3.4.
    change, level, _ = told(model, [event("plus", 0), event("minus", 0)])
    assert level == "medium"
    assert_within_a_second(change, AT + 5 / 3.4 * DAY)
    change, level, _ = told(model, [event("plus", 0), event("minus", 0)], at=AT + 2 * DAY)
    assert level == "high"
    assert_within_a_second(change, AT + 30 / 3.4 * DAY)


def test_cap_holds_the_score():
    """While a cap cuts, nothing changes, whatever decays above it."""
    model = {"rules": [rule("x", 240, {"half_life": "10d"}, cap=60)]} | LINEAR | STILL
    change, level, _ = told(model, [event("x", 0)])
    assert level == "medium"
    assert_within_a_second(change, AT + math.log2(240 / 50) * 10 * DAY)


def test_absence_matures():
    """An absence that will mature is foreseen to the microsecond; one answered already is not."""
    absence = {"name": "a", "after": "sent", "unless": "open", "within": "7d", "points": -20, "decay": "none"}
    model = {"rules": [rule("plus", 60)], "absences": [absence]} | LINEAR | STILL
    events = [event("plus", 9 * DAY), event("sent", 2 * DAY + 7)]
    assert told(model, events)[:2] == (AT + 5 * DAY - 7, "medium")
    assert told(model, [*events, event("open", DAY)]) == (None, None, None)


def test_absences_under_a_limit():
    """Of two absences that mature in one bucket the first counts; the change waits for the next bucket."""
    absence = {"name": "a", "after": "sent", "unless": "open", "within": "7d", "points": -20, "decay": "none"}
    absence["limit"] = {"n": 1, "per": "1d"}
    model = {"rules": [rule("plus", 80)], "absences": [absence]} | LINEAR | STILL
    # 80, 60 after the first; the second lies in the same day, the third in the next.
    sent = [5 * DAY - UNITS["h"] * h for h in (1, 2, 25)]
    events = [event("plus", 9 * DAY), *(event("sent", age) for age in sent)]
    assert told(model, events)[:2] == (AT + 3 * DAY + UNITS["h"], "medium")


def test_customer_since_in_the_future():
    """The half turns when `customer_since` comes, and with it rules and phase; not without a lifecycle."""
    rules = [rule("x", 30), rule("y", 30, half="customer")]
    model = {"rules": rules, "lifecycle": {"customer_on": "won", "ends_on": "lost"}} | LINEAR
    events = [event("x", DAY), event("y", DAY), event("lost", DAY)]
    since = AT + 12_345_678_901
    assert told(model, events, since) == (since, "high", "retention")
    assert told(model | {"lifecycle": {"customer_on": "x"}}, events, since) == (None, None, None)
    without = {name: part for name, part in model.items() if name != "lifecycle"}
    assert told(without, events, since) == (None, None, None)


def test_customer_since_ends_an_end():
    """A contact whose custom has ended is won back when a later `customer_since` comes."""
    model = {"rules": [rule("x", 60)], "lifecycle": {"customer_on": "won", "ends_on": "lost"}} | LINEAR
    events = [event("won", 3 * DAY), event("lost", 2 * DAY), event("x", DAY)]
    assert told(model, events, AT + DAY) == (AT + DAY, "high", "retention")


def test_momentum_crosses():
    """A customer who falls silent passes into exit when momentum passes -0.33."""
    model = {"rules": [rule("x", 10)], "lifecycle": {"customer_on": "won"}} | LINEAR
    events = [event("won", 99 * DAY), *(event("x", k * DAY) for k in range(4))]
    change, level, phase = told(model, events)
    assert (level, phase) == ("medium", "exit")
    assert abs(change - brute(model, events)[0]) < SECOND


def test_momentum_of_one_event():
    """One event's momentum passes a bound at the age that the two halvings say."""
    model = {"rules": [rule("x", 10)], "lifecycle": {"customer_on": "x"}} | LINEAR
    change, _, phase = told(model, [event("x", 0)])
    # F/W = 4 * 2^(-3 age/56d), and momentum is -0.33 where F/W = 0.67/1.33.
    assert phase == "exit"
    assert_within_a_second(change, AT + math.log2(4 * 1.33 / 0.67) * 56 / 3 * DAY)


def test_constant_on_a_bound():
    """A score that stays exactly on a bound belongs to the level above and never changes."""
    model = {"rules": [rule("x", 25)]} | LINEAR | STILL
    frame = frame_of([event("x", 0)], ["contact", "type", "time"])
    (row,) = rows_of(ek.Model.from_dict(model).score(frame, at=moment(AT)).frame)
    assert (row["engagement"], row["level"], row["next_change"]) == (25, "medium", None)


def test_linear_from_a_bound():
    """A score on the bound that falls leaves the level at once."""
    model = {"rules": [rule("x", 25, {"linear": "10d"})]} | LINEAR | STILL
    frame = frame_of([event("x", 0)], ["contact", "type", "time"])
    (row,) = rows_of(ek.Model.from_dict(model).score(frame, at=moment(AT)).frame)
    assert (row["level"], row["next_level"]) == ("medium", "low")
    assert AT < row["next_change"] <= AT + SECOND


def test_long_half_life():
    """What takes longer than a hundred years is no change."""
    model = {"rules": [rule("x", 26, {"half_life": "3652500d"})]} | LINEAR | STILL
    assert told(model, [event("x", 0)]) == (None, None, None)


def test_horizon():
    """A window that ends within a hundred years is reported, one that ends after them is not."""
    for more, found in ((-DAY, True), (DAY, False)):
        model = {"rules": [rule("x", 60, {"window": f"{(HORIZON + more) // DAY}d"})]} | LINEAR | STILL
        change, level, _ = told(model, [event("x", 0)])
        assert (change, level) == ((AT + HORIZON + more, "none") if found else (None, None))


def test_no_activity_but_a_level():
    """A contact to whom things were only done has no phase, and its level still changes."""
    absence = {"name": "a", "after": "sent", "unless": "open", "within": "7d", "points": 60, "decay": "none"}
    model = {"rules": [rule("plus", 60)], "absences": [absence]} | LINEAR
    assert told(model, [event("sent", DAY)]) == (AT + 6 * DAY, "high", None)


def test_years_of_microseconds():
    """A change decades away is as exact as one tomorrow."""
    model = {"rules": [rule("x", 2.5e6, {"half_life": "730d"}, cap=90)]} | LINEAR | STILL
    change, level, _ = told(model, [event("x", 10 * 365 * DAY + 1)])
    assert level == "medium"
    assert_within_a_second(change, AT - 10 * 365 * DAY - 1 + math.log2(2.5e6 / 50) * 730 * DAY)


CROWD = {
    "rules": [
        rule("slow", 6, {"half_life": "90d"}, channel="a"),
        rule("fast", 9, {"half_life": "5d"}, channel="a"),
        rule("less", -7, {"half_life": "30d"}, channel="a"),
        rule("held", 8, {"half_life": "20d"}, channel="b", cap=20),
        rule("full", 11, {"half_life": "60d"}, channel="b"),
        rule("ever", 1, channel="c"),
    ],
    "absences": [
        {
            "name": "unanswered",
            "after": "slow",
            "unless": "fast",
            "within": "7d",
            "points": -3,
            "channel": "c",
            "decay": {"half_life": "40d"},
        }
    ],
    "channels": {"b": {"cap": 30}},
    "lifecycle": {"customer_on": "held"},
}


@pytest.mark.parametrize("scale", [{"linear": 100}, {"saturating": 20}])
def test_side_by_side(scale):
    """Contacts of all kinds, more than go side by side, are told when they change, as each is alone."""
    rng = random.Random(7)
    names = ["slow", "fast", "less", "held", "full", "ever"]
    events = [
        event(rng.choice(names[: 1 + contact % 6]), rng.random() * 60 * DAY, contact)
        for contact in range(80)
        for _ in range(rng.randrange(1, 9))
    ]
    model = CROWD | {"scale": scale, "levels": {"low": 4, "medium": 25, "high": 50}}
    made = ek.Model.from_dict(model)
    rows = rows_of(made.score(frame_of(events, ["contact", "type", "time"]), at=moment(AT)).frame)
    check_next_change(model, events, (), at=AT, rows=rows)
    for row in rows[::10]:
        own = [each for each in events if each["contact"] == row["contact"]]
        assert rows_of(made.score(frame_of(own, ["contact", "type", "time"]), at=moment(AT)).frame) == [row]


@pytest.mark.parametrize("low", [0.5, 1.25, 1.3, 1.4, 1.5, 2, 4])
@pytest.mark.parametrize("fast", [0, 3, 9])
def test_dips_between(fast, low):
    """Between what fades slowly and what fades fast the negative makes a dip, which a bound may lie in."""
    model = {"rules": CROWD["rules"], "scale": {"linear": 100}, "levels": {"low": low}} | STILL
    told(model, [event("slow", 0), event("less", 0), event("fast", fast * DAY)])
