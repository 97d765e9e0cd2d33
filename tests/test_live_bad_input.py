"""What an app may hand to a live state by mistake: told at once, by name, and nothing has changed."""

import re
from decimal import Decimal

import numpy as np
import pytest

import engagekit as ek

MODEL = {
    "rules": [{"name": "v", "on": "visit", "points": 5}],
    "fit": {"criteria": [{"name": "big", "where": {"size": {"ge": 5}}, "points": 1}]},
    "personas": [{"name": "near", "where": {"city": {"starts_with": "B"}, "engagement": {"ge": 1}}}],
    "triggers": [{"name": "vip", "when": {"vip": {"eq": True}, "engagement": {"ge": 50}}}],
}


def made():
    """Make a live state of whose one contact everything is known."""
    live = ek.Live(ek.Model.from_dict(MODEL))
    live.update({"ann": {"size": 7}})
    live.add("ann", "visit", "2026-01-01")
    return live


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda _: ek.Live("model.toml"),
            ek.StateError,
            r"expected a Model \(Model.load reads files\), got str",
        ),
        (lambda live: ek.Live(live.model, clock=5), ek.StateError, "clock=: expected what can be called"),
        (
            lambda live: live.add("ann", "visit", context="x"),
            ek.EventsError,
            "context: expected values by name",
        ),
        (lambda live: live.update({"ann": {"size": "big"}}), ek.EventsError, "column 'size': expected"),
        (lambda live: live.update({"bob": {"city": 5}}), ek.EventsError, "column 'city': expected text"),
        (lambda live: live.update({"bob": {"vip": "yes"}}), ek.EventsError, "column 'vip': expected"),
        (lambda live: live.update({"bob": {"city": "B\ud800"}}), ek.EventsError, "'city'.*lone surrogate"),
        (lambda live: live.update({"bob": {"size": 10**400}}), ek.EventsError, "'size': expected numbers"),
        (lambda live: live.add("ann", "\ud800"), ek.EventsError, "type: .*lone surrogate"),
        (lambda live: live.add("ann", "visit", id="\ud800"), ek.EventsError, "'id': .*lone surrogate"),
        (
            lambda live: live.ingest([], "\ud800"),
            ek.EventsError,
            "position: expected text that",
        ),
        (
            lambda live: live.ingest([], 10**5000),
            ek.EventsError,
            "position: .* an integer of 16,610 bits",
        ),
        (lambda live: live.react("soon"), ek.EventsError, "at: expected an instant such as"),
    ],
)
def test_mistakes_are_told_at_once(call, error, text):
    """What no score could make sense of is refused when it comes, not by every score from then on."""
    live = made()
    before = repr(live.scores("2026-01-01").columns())
    with pytest.raises(error, match=text):
        call(live)
    assert repr(live.scores("2026-01-01").columns()) == before


@pytest.mark.parametrize(
    "position", ["", "0-1", "\0", "é", np.str_("a"), 0, -1, 2**70, 10**4299, None], ids=range(10)
)
def test_every_position_that_is_taken_is_kept(tmp_path, position):
    """What may be set is what a file gives back; so is what comes with a frame."""
    live = made()
    live.position = position
    live.save(tmp_path / "state")
    assert ek.Live.load(tmp_path / "state").position == position == live.position
    if position is not None:
        live.position = None
        live.ingest([], position)
        assert live.position == position


@pytest.mark.parametrize(
    "position", [5.5, True, b"a", np.int64(3), [1], "\ud800", 10**4300, 10**5000], ids=range(8)
)
def test_a_position_that_no_file_can_hold(position):
    """It is refused wherever it is set, shortly, and the one before stands."""
    live = made()
    live.position = "before"
    for attempt in (
        lambda: setattr(live, "position", position),
        lambda: live.ingest([], position),
        lambda: live.ingest([([], position)]),
    ):
        with pytest.raises(ek.EventsError, match=r"^position: expected .{,100}$"):
            attempt()
        assert live.position == "before"


HUGE = 10**5000
EMPTY = {"contact": ["ann"], "type": ["visit"], "time": np.array(["2026-01-01"], "datetime64[us]")}


@pytest.mark.parametrize(
    "call",
    [
        lambda live: live.add(HUGE, "visit"),
        lambda live: live.add("ann", HUGE),
        lambda live: live.add("ann", "visit", HUGE),
        lambda live: live.add("ann", "visit", value=HUGE),
        lambda live: live.add("ann", "visit", id=HUGE),
        lambda live: live.add("ann", "visit", context={"page": HUGE}),
        lambda live: live.add("ann", "visit", context={"device": HUGE}),
        lambda live: live.add("ann", "visit", context=HUGE),
        lambda live: live.ingest({**EMPTY, "contact": [HUGE]}),
        lambda live: live.ingest({**EMPTY, "type": [HUGE]}),
        lambda live: live.ingest({**EMPTY, "time": [HUGE]}),
        lambda live: live.ingest({**EMPTY, "page": [HUGE]}),
        lambda live: live.ingest({**EMPTY, "page": [1], "device": ["x"], "value": [HUGE]}),
        lambda live: live.ingest(HUGE),
        lambda live: live.ingest([HUGE]),
        lambda live: live.ingest([(EMPTY, "a"), HUGE]),
        lambda live: live.update({HUGE: {"size": 5}}),
        lambda live: live.update({"ann": {"size": HUGE}}),
        lambda live: live.update({"ann": {"customer_since": HUGE}}),
        lambda live: live.update({"contact": [HUGE], "size": [1]}),
        lambda live: live.update({"contact": ["ann"], "size": [HUGE]}),
        lambda live: live.score(HUGE),
        lambda live: live.score("ann", at=HUGE),
        lambda live: live.scores(at=HUGE),
        lambda live: live.card(HUGE),
        lambda live: live.forget(HUGE),
        lambda live: live.link(HUGE, into="ann"),
        lambda live: live.link("ann", into=HUGE),
        lambda live: live.scores("2026-01-01").explain(HUGE),
        lambda live: live.scores("2026-01-01").card(HUGE),
        lambda _: ek.Events({**EMPTY, "contact": [HUGE]}),
        lambda live: live.model.score({**EMPTY, "contact": [HUGE]}, at="2026-01-02"),
        lambda live: live.model.score(EMPTY, at=HUGE),
        lambda live: live.model.score(EMPTY, contacts={"contact": [HUGE], "size": [1]}),
        lambda live: live.model.history(EMPTY, at=[HUGE]),
    ],
    ids=range(35),
)
def test_integers_that_python_does_not_write(call):
    """An integer of more digits than Python writes is told in few words wherever it comes."""
    table = {**MODEL, "rules": [HEAVY]}
    live = ek.Live(ek.Model.from_dict(table))
    live.add("ann", "visit", "2026-01-01", value=1, context={"page": "a"})
    before = repr(live.scores("2026-01-01").columns())
    with pytest.raises(ek.EngagekitError, match=r"^.{,300}$"):
        call(live)
    assert repr(live.scores("2026-01-01").columns()) == before
    assert live.stats.rows == 1


HEAVY = {
    **MODEL["rules"][0],
    "amount": {"field": "value"},
    "limit": {"n": 9, "per": "1d", "by": "page"},
    "weights": {"device": {"mobile": 2}},
}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda live: live.update({"ann": 5}),
            r"contacts: .* such as \{'ann': \{'vip': ...\}\}, got 5 under 'ann'",
        ),
        (lambda live: live.update({"ann": {"size": 5}, "bob": None}), "contacts: .*, got None under 'bob'"),
        (lambda live: live.update({"size": [5]}), "contacts: expected a column 'contact', got 'size'"),
        (lambda live: live.add("ann", "visit", 1767225600), r"time: .* \(int\); datetime.fromtimestamp.*"),
        (lambda live: live.add(("ann", 1), "visit"), "contact: expected .* text, got a tuple"),
        (lambda live: live.add({"contact": "ann"}, "visit"), "contact: expected .* text, got a dict"),
        (lambda live: live.add("ann", "visit", context=["a"]), "context: .*'page': 'home'.*, got a list"),
        (lambda live: live.score("ann", "now"), "at: .*, got 'now'; None is now"),
        (lambda live: live.score("ann", "Latest"), "at: .*, got 'Latest'; did you mean 'latest'.*"),
        (lambda live: live.ingest((EMPTY, 7)), r"events: .*: give them as ingest\(frame, position\)"),
        (
            lambda live: live.ingest({**EMPTY, "type": [None]}),
            "events column 'type', row 0: null; 1 such row.*",
        ),
        (lambda live: live.merge("b.live"), "merge: expected another Live, got 'b.live'"),
    ],
    ids=range(12),
)
def test_a_newcomer_is_told_the_way(call, text):
    """What is plausible and wrong is answered with what to write in its place."""
    live = made()
    with pytest.raises(ek.EngagekitError) as raised:
        call(live)
    assert re.fullmatch(text, str(raised.value))
    assert live.stats.rows == 1


def test_attributes_may_be_unknown_first():
    """The kind of an attribute is that of its first value, whatever nulls came before."""
    live = made()
    live.update({"bob": {"size": None, "city": None}})
    live.update({"bob": {"size": 9, "city": "Bern"}})
    assert (live.score("bob").fit, live.score("bob").persona) == (100.0, None)


def test_a_state_shows_what_an_app_may_call():
    """Completion offers the methods that are told of, not those beneath; an empty state is not nothing."""
    live = ek.Live(ek.Model.from_dict(MODEL))
    assert {"add", "react", "next_due", "stats", "newest", "position"} <= set(dir(live))
    assert {"take_all", "erase", "begin_file", "watch"}.isdisjoint(dir(live))
    assert live


def test_what_is_taken_can_be_saved(tmp_path):
    """Numbers and texts of any type are kept as what a file can hold, and score the same from there."""
    live = made()
    live.update({"bob": {"size": Decimal("7.5"), "city": np.str_("Bern")}, np.str_("eve"): {"size": 2**70}})
    live.add(np.str_("bob"), np.str_("visit"), "2026-01-01")
    live.save(tmp_path / "state")
    loaded = ek.Live.load(tmp_path / "state")
    assert [state.score("bob", "2026-01-01").persona for state in (live, loaded)] == ["near", "near"]
    assert [state.score("eve", "2026-01-01").grade for state in (live, loaded)] == ["A", "A"]


def test_integers_that_cannot_stand_together_are_refused():
    """Of 64 bits with a sign and without one, only one may come: in one call, in a link, in a merge."""
    live, other = (ek.Live(ek.Model.from_dict(MODEL)) for _ in range(2))
    for call in (
        lambda: live.update({-1: {"size": 1}, 2**64 - 1: {"size": 2}}),
        lambda: live.link(-1, into=2**64 - 1),
    ):
        with pytest.raises(ek.EventsError, match="negative ones and some above"):
            call()
    live.add(-1, "visit", "2026-01-01")
    other.add(5, "visit", "2026-01-01")
    other.add(2**64 - 1, "visit", "2026-01-01")
    with pytest.raises(ek.StateError, match="negative ones and some above"):
        live.merge(other)
    assert live.scores("2026-01-01").frame["contact"].tolist() == [-1]
    assert live.stats.rows == 1


def test_a_contact_twice_is_told_in_any_table():
    """A contact that stands twice in a long table is told as soon as in a short one."""
    live = made()
    count = 300_000
    names = [str(number) for number in range(count)]
    with pytest.raises(ek.EventsError, match="each contact once, got '299999' again"):
        live.update({"contact": [*names, names[-1]], "size": np.ones(count + 1)})
