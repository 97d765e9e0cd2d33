"""What an app may hand to a live state by mistake: told at once, by name, and nothing has changed."""

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
