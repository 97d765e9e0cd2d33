"""What an app may hand to a live state by mistake: told at once, by name, and nothing has changed."""

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
        (lambda live: live.ingest([], "\ud800"), ek.EventsError, "position: .*surrogates not allowed"),
        (lambda live: live.ingest([], 10**5000), ek.EventsError, "position: .*4300 digits"),
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
