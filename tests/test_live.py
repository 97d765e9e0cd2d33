"""Live against the batch: the same numbers in any order, and errors that change nothing."""

import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from living import arrivals, assert_same, batch_of, contacts_of, feed
from shapes import moment
from strategies import cases

import engagekit as ek

EXAMPLES = int(os.environ.get("ENGAGEKIT_LIVE_EXAMPLES", "40"))
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def day(number):
    """Make the midnight that many days after the first of January."""
    return DAY + timedelta(days=number)


def counting(**fields):
    """Make a model whose one rule never fades."""
    return ek.Model.from_dict(
        {"decay": "none", "rules": [{"name": "v", "on": "visit", "points": 1} | fields]}
    )


def live_of(case, lateness):
    """Make a live state whose clock stands at the case's instant."""
    return ek.Live(ek.Model.from_dict(case.model), lateness=lateness, clock=lambda: moment(case.at))


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_live_is_the_batch(data):
    """Any model and events, in any order within the lateness, alone or in frames, score as one table does."""
    case = data.draw(cases())
    lateness, pieces = data.draw(arrivals(case))
    live = live_of(case, lateness)
    for piece in pieces:
        feed(live, case, piece)
    if case.contacts is not None:
        live.update(contacts_of(case))
    expected = batch_of(case)
    assert_same(live.scores(moment(case.at)), expected, case.model)
    stats = live.stats
    assert stats.late == 0
    assert stats.rows == len(case.events)
    if all(event["time"] <= case.at for event in case.events):
        counts = ("duplicates", "excluded", "unmatched", "null_amounts")
        assert {name: getattr(stats, name) for name in counts} == {
            name: getattr(expected.stats, name) for name in counts
        }


def test_score_is_a_row_of_scores():
    """One contact's score has the columns of the table of all, and a contact nobody knows that of nobody."""
    live = ek.Live(counting())
    live.add("ann", "visit", day(0))
    row = {name: values[0] for name, values in live.scores(day(1)).columns().items()}
    score = live.score("ann", day(1))
    assert score.to_dict().keys() == row.keys() | {"at"}
    assert (score.score, score.level, score.last_event) == (1.0, row["level"], day(0))
    nobody = live.score("bob", day(1))
    assert (nobody.score, nobody.events, nobody.phase) == (0.0, 0, None)
    with pytest.raises(AttributeError, match="no column 'scroe'"):
        score.scroe  # noqa: B018


def test_a_settled_bucket_stays():
    """What comes for a limit's bucket after its end and the lateness is left out there, and counted."""
    live = ek.Live(counting(limit={"n": 2, "per": "1d"}), lateness="7d")
    live.add(1, "visit", day(0))
    live.add(1, "visit", day(8))
    assert live.stats.late == 0
    live.add(1, "visit", day(0))
    assert (live.stats.late, live.score(1, day(8)).score, live.score(1, day(8)).events) == (1, 2.0, 3)
    live.add(1, "visit", day(1.5))
    assert (live.stats.late, live.score(1, day(8)).score) == (1, 3.0)


def test_a_settled_absence_stays():
    """What would have prevented a settled absence comes too late; what prevents an open one does not."""
    absence = {"name": "a", "after": "sent", "unless": "open", "within": "2d", "points": -1}
    model = ek.Model.from_dict({"decay": "none", "absences": [absence]})
    live = ek.Live(model, lateness="7d")
    for moment_of in (day(0), day(1), day(9)):
        live.add(1, "sent", moment_of)
    live.add(1, "other", day(9.5))
    live.add(1, "open", day(1.5))
    # the first is settled by now, the second is not
    assert (live.stats.late, live.score(1, day(9.5)).score) == (1, -1.0)


def test_now_is_the_machine_s_clock():
    """Without a time an event is of now, plain or not, and is there at once."""
    live = ek.Live(counting())
    for _ in range(3):
        live.add("ann", "visit")
    live.add("ann", "visit", context={"page": "/"})
    assert (live.score("ann").score, live.stats.waiting) == (4.0, 0)
    assert abs(live.score("ann").last_event - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "when", ["0001-01-01", "1969-12-31T23:59:59.999999", "1972-02-29", "2000-03-01", "2100-02-28T12:00:01"]
)
def test_plain_times_are_the_calendar_s(when):
    """A datetime means the same instant to the short way in and to the long one."""
    short = ek.Live(counting())
    long = ek.Live(counting(), clock=lambda: "9999-01-01")
    for live in (short, long):
        live.add(1, "visit", datetime(1900, 1, 1))
        live.add(1, "visit", datetime.fromisoformat(when))
    at = datetime(9000, 1, 1)
    row = short.score(1, at)
    assert row.to_dict() == long.score(1, at).to_dict()
    assert (row.first_event, row.last_event) == tuple(
        sorted([datetime(1900, 1, 1), datetime.fromisoformat(when)])
    )


def test_events_later_than_the_clock_wait():
    """An event of years ahead changes nothing but a score of years ahead, until its time has come."""
    present = [day(0)]
    live = ek.Live(counting(), clock=lambda: present[0])
    live.add(1, "visit", day(0))
    live.add(1, "visit", day(3000))
    assert (live.stats.waiting, live.score(1).score, live.score(1, day(3000)).score) == (1, 1.0, 2.0)
    assert live.score(1, "latest").at == day(0)
    present[0] = day(3000)
    assert (live.score(1).score, live.stats.waiting) == (2.0, 0)


def test_what_waits_makes_nothing_late():
    """An event of a frame that waits for the clock does not settle what came before it."""
    live = ek.Live(counting(limit={"n": 1, "per": "1d"}), lateness="7d", clock=lambda: day(30))
    times = np.array(["2026-01-01", "2026-03-01"], "datetime64[us]")
    live.ingest({"contact": [1, 1], "type": ["visit"] * 2, "time": times})
    live.add(1, "visit", day(0), value=1)
    assert (live.stats.late, live.stats.waiting, live.score(1, day(0)).score) == (0, 1, 1.0)


def test_an_id_counts_once():
    """An id that the contact has had is a duplicate, alone or in a frame; another contact may have it."""
    live = ek.Live(counting())
    live.add(1, "visit", day(0), id="a")
    live.add(1, "visit", day(1), id="a")
    live.add(2, "visit", day(1), id="a")
    times = np.array(["2026-01-01"] * 3, "datetime64[us]")
    frame = {"contact": [1, 1, 1], "type": ["visit"] * 3, "time": times, "key": ["a", "b", "b"]}
    live.ingest(frame, id="key")
    assert (live.score(1, day(2)).score, live.score(2, day(2)).score, live.stats.duplicates) == (2.0, 1.0, 3)


def test_positions_travel_with_frames():
    """A stream of (frame, position) pairs leaves the last position; a refused frame the one before."""
    live = ek.Live(counting())
    times = np.array(["2026-01-01"], "datetime64[us]")
    frame = {"contact": ["ann"], "type": ["visit"], "time": times}
    live.ingest(iter([(frame, 7), (frame, 8)]))
    assert (live.position, live.score("ann", day(0)).score) == (8, 2.0)
    with pytest.raises(ek.EventsError, match="null"):
        live.ingest(iter([(frame, 9), (frame | {"type": [None]}, 10)]))
    assert (live.position, live.score("ann", day(0)).score) == (9, 3.0)
    with pytest.raises(ek.EventsError, match=r"expected a text or an integer, got 1\.5"):
        live.ingest(frame, position=1.5)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda live: live.add("7", "visit", day(1)), ek.EventsError, "7 is not '7'"),
        (lambda live: live.add(True, "visit", day(1)), ek.EventsError, "an integer or a text"),
        (lambda live: live.add(7, None, day(1)), ek.EventsError, "type: expected text"),
        (lambda live: live.add(7, "visit", 5), ek.EventsError, "time: expected an instant"),
        (lambda live: live.add(7, "visit", day(1), context={"n": "x"}), ek.EventsError, "field 'n'"),
        (lambda live: live.add(2**64, "visit", day(1)), ek.EventsError, "within 64 bits"),
        (lambda live: live.score(7, day(-1)), ek.StateError, "the batch, which has all events"),
        (lambda live: live.scores(day(-1)), ek.StateError, "contact 7, got"),
        (lambda live: live.score("7"), ek.EventsError, "expected an integer as before"),
        (lambda live: live.score(7, at=[day(0)]), ek.EventsError, "expected an instant"),
        (lambda live: live.link(7, into=7), ek.StateError, "the same contact"),
        (lambda live: live.link(7, into="y"), ek.EventsError, "got 'y'"),
        (lambda live: live.update({"x": {}}), ek.EventsError, "got 'x'"),
        (lambda live: live.update({7: {"customer_since": 5}}), ek.EventsError, "customer_since"),
        (lambda live: live.update([1]), ek.EventsError, "contacts"),
        (lambda live: live.ingest(5), ek.EventsError, "expected a frame"),
        (lambda live: live.ingest({"contact": [7], "type": ["visit"]}), ek.EventsError, "'time'"),
    ],
)
def test_errors_change_nothing(call, error, text):
    """Whatever cannot be understood is refused by name, and leaves numbers and counts as they were."""
    live = ek.Live(counting(where={"n": {"ge": 1}}))
    live.add(7, "visit", day(0), context={"n": 1})
    before = live.stats, live.scores(day(0)).columns()
    with pytest.raises(error, match=text):
        call(live)
    assert live.stats == before[0]
    assert repr(live.scores(day(0)).columns()) == repr(before[1])


@pytest.mark.parametrize("lateness", [7, "1 month", "-1d", timedelta(-1)])
def test_lateness_is_a_duration(lateness):
    """A lateness that is no duration, or a negative one, is refused."""
    with pytest.raises(ek.StateError, match="lateness="):
        ek.Live(counting(), lateness=lateness)


def test_links_last():
    """What an alias does is its contact's, before and after; chains resolve, and a circle is refused."""
    live = ek.Live(counting())
    live.add("a", "visit", day(0))
    live.link("a", into="b")
    live.link("b", into="c")
    live.add("a", "visit", day(1))
    assert [live.score(who, day(1)).score for who in "abc"] == [2.0, 2.0, 2.0]
    assert live.scores(day(1)).frame["contact"].tolist() == ["c"]
    with pytest.raises(ek.StateError, match="an alias of it already"):
        live.link("c", into="a")


def test_forgotten_contacts_are_new():
    """A forgotten contact has no row and no attributes, nor have its aliases; it may come again."""
    live = ek.Live(counting())
    live.add("a", "visit", day(0))
    live.add("b", "visit", day(0))
    live.link("a", into="b")
    live.update({"b": {"customer_since": day(0)}})
    live.forget("a")
    assert len(live.scores(day(0))) == 0
    live.add("a", "visit", day(1))
    assert [live.score(who, day(1)).events for who in "ab"] == [1, 0]
    live.forget("nobody")


def test_sums_stay_exact():
    """A thousand half-lives and a million events later a sum still has the batch's digits."""
    model = ek.Model.from_dict(
        {"rules": [{"name": "v", "on": "visit", "points": 3, "decay": {"half_life": "1h"}}]}
    )
    rng = np.random.default_rng(7)
    hours = np.sort(rng.integers(0, 100_000, 20_000)) * 3_600_000_000
    times = (hours + rng.integers(0, 10**9, 20_000)).view("datetime64[us]")
    frame = {"contact": np.ones(20_000, np.int64), "type": ["visit"] * 20_000, "time": times}
    live = ek.Live(model, lateness="10000d")
    for part in rng.permutation(20_000).reshape(20, -1):
        live.ingest({name: np.asarray(values)[part] for name, values in frame.items()})
    at = times.max() + np.timedelta64(3, "h")
    (right,) = model.score(frame, at=at).frame["score"]
    assert live.score(1, at).score == pytest.approx(right, rel=1e-12)


def test_what_is_not_said_stays():
    """An update leaves what it does not name as it was, said of an alias too."""
    persona = {"name": "near", "where": {"city": {"eq": "Bern"}}}
    live = ek.Live(counting().evolve(personas=[persona]))
    live.link("cookie", into="ann")
    live.update({"ann": {"city": "Bern"}})
    live.update({"cookie": {"customer_since": day(0)}, "bob": {"city": "Rome"}})
    assert [live.score(who, day(1)).persona for who in ("ann", "bob")] == ["near", None]


def crowd(count):
    """Make a frame of events of many contacts, some types unknown to the model, in order of time."""
    rng = np.random.default_rng(11)
    return {
        "contact": rng.integers(0, count // 20, count),
        "type": np.array(["visit", "buy", "other"])[rng.integers(0, 3, count)],
        "time": np.datetime64("2020-01-01", "us") + 10**6 * np.sort(rng.integers(0, 34_560_000, count)),
        "value": rng.random(count),
    }


def test_threads_change_no_bit(tmp_path, monkeypatch):
    """A frame leaves the same bytes behind however many threads take it in, and scores as the batch says."""
    model = ek.Model.from_dict(
        {
            "rules": [
                {"name": "visit", "on": "visit", "points": 2, "decay": {"half_life": "3d"}},
                {"name": "again", "on": "visit", "points": -1, "decay": {"half_life": "40d"}},
                {"name": "buy", "on": "buy", "points": 8, "amount": {"field": "value"}, "decay": "none"},
            ],
            "momentum": {"fast": "10d", "slow": "33d"},
            "lifecycle": {"customer_on": "buy"},
        }
    )
    frame = crowd(200_000)
    files = []
    for threads in (1, 2, 5):
        monkeypatch.setattr("engagekit.live.reading.cores", lambda threads=threads: threads)
        live = ek.Live(model)
        live.ingest({name: values[:1000] for name, values in frame.items()})
        live.ingest({name: values[1000:] for name, values in frame.items()})
        live.save(tmp_path / "state")
        files.append((tmp_path / "state").read_bytes())
    assert files[0] == files[1] == files[2]
    at = day(0)
    found, right = live.scores(at), model.score(frame, at=at)
    assert found.stats == right.stats
    mine, wanted = found.columns(), right.columns()
    for name in ("score", "momentum", "channel_other"):
        np.testing.assert_allclose(mine[name], wanted[name], rtol=1e-9, atol=1e-9, err_msg=name)
    for name in ("contact", "level", "half", "phase", "events", "first_event", "last_event", "last_type"):
        np.testing.assert_array_equal(mine[name], wanted[name], err_msg=name)


def test_an_old_contact_in_a_frame_of_new_ones():
    """What lies thousands of half-lives before the rest of its frame has its points, at its time."""
    model = ek.Model.from_dict(
        {"rules": [{"name": "v", "on": "visit", "points": 3, "decay": {"half_life": "1h"}}]}
    )
    times = np.array(["2016-01-01T00", "2016-01-01T01", "2026-01-01T00"], "datetime64[us]")
    live = ek.Live(model)
    live.ingest({"contact": [1, 1, 2], "type": ["visit"] * 3, "time": times})
    assert live.score(1, times[1]).score == 4.5
    assert live.score(2, times[2]).score == 3.0
