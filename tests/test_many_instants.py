"""Many instants of one contact in a frame for `at`: the twin's numbers in every row, whatever the order."""

import numpy as np
import oracle
import pytest
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, differences, is_close
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_changes import check_next_change
from oracle_events import DAY
from shapes import frame_of, moment, rows_of
from strategies import cases, durations_in

import engagekit as ek

FEW = settings(max_examples=settings().max_examples // 3)
COUNTS = ("future", "duplicates", "excluded", "unmatched", "null_amounts")


@st.composite
def tables(draw, case):
    """Draw contacts and instants that coincide with events and durations, in any order, some twice."""
    keys = sorted({e["contact"] for e in case.events}, key=str)
    times = [*(e["time"] for e in case.events), case.at]
    ages = st.sampled_from([*durations_in(case.model), 0, DAY])
    near = st.tuples(st.sampled_from(times), ages, st.sampled_from([0, 1, -1])).map(sum)
    return draw(st.lists(st.tuples(st.sampled_from(keys), near), min_size=1, max_size=12))


def ask(case, table, ask_for, **options):
    """Call `score` or `features` with the table for `at`."""
    rows = [{"contact": key, "at": at} for key, at in table]
    events = frame_of(case.events, EVENT_COLUMNS)
    return ask_for(events, at=frame_of(rows, ["contact", "at"]), id=case.id, **options)


@given(cases(max_contacts=2), st.data())
def test_scores_of_many_instants(case, data):
    """Each row is what the twin says of the contact at that instant, its next change included."""
    table = data.draw(tables(case))
    contacts = None if case.contacts is None else frame_of(case.contacts, CONTACT_COLUMNS)
    model = ek.Model.from_dict(case.model)
    rows = rows_of(ask(case, table, model.score, contacts=contacts).frame)
    for row, (key, at) in zip(rows, table, strict=True):
        known = oracle.known_contacts(case.model, case.events, case.contacts or (), at=at, id=case.id)
        if key not in known:
            assert (row["score"], row["events"], row["phase"]) == (0, 0, None)
            continue
        right = oracle.numbers_at(case.model, known[key], at) | oracle.activity_of(known[key], at)
        assert differences(row, right, case.model) == []
        check_next_change(case.model, case.events, case.contacts or (), at=at, rows=[row], id=case.id)


@given(cases(max_contacts=2), st.data())
def test_features_of_many_instants(case, data):
    """Each row has the twin's sums of that instant."""
    table = data.draw(tables(case))
    rows = rows_of(ask(case, table, ek.Model.from_dict(case.model).features))
    for row, (key, at) in zip(rows, table, strict=True):
        known = oracle.known_contacts(case.model, case.events, (), at=at, id=case.id)
        right = dict.fromkeys(row.keys() - {"contact", "at"}, 0.0)
        if key in known:
            right = oracle.features_at(case.model, known[key], at)
        assert all(is_close(row[name], right[name]) for name in right), (row, right)


@FEW
@given(cases(max_contacts=3), st.data())
def test_counts_of_many_instants(case, data):
    """What became of the events is counted once a contact, at its last instant."""
    table = data.draw(tables(case))
    stats = ask(case, table, ek.Model.from_dict(case.model).score).stats
    expected = dict.fromkeys(COUNTS, 0)
    for key, last in {key: max(at for k, at in table if k == key) for key, _ in table}.items():
        own = [e for e in case.events if e["contact"] == key]
        _, counts = oracle.counted_events(case.model, own, last, case.id)
        expected = {name: expected[name] + counts[name] for name in COUNTS}
    assert {name: getattr(stats, name) for name in COUNTS} == expected


RULES = [
    {"name": "half", "on": "a", "points": 3, "decay": {"half_life": "3d"}, "channel": "web"},
    {"name": "ramp", "on": "b", "points": 5, "decay": {"linear": "30d"}, "limit": {"n": 2, "per": "1d"}},
    {"name": "off", "on": "b", "points": -2, "decay": {"window": "9d"}},
    {"name": "kept", "on": "c", "points": 0.5, "decay": "none", "cap": 100},
]
RICH = {
    "rules": RULES,
    "absences": [{"name": "lost", "after": "a", "unless": "b", "within": "2d", "points": -1}],
    "channels": {"web": {"cap": 40}},
}


def long_life(contacts=1, rows=3000, years=4):
    """Make the events of contacts over years."""
    random = np.random.default_rng(3)
    return {
        "contact": random.integers(0, contacts, rows),
        "type": random.choice(["a", "b", "c"], rows),
        "time": random.integers(0, years * 365 * DAY, rows).astype("datetime64[us]"),
    }


@pytest.mark.parametrize("ask_for", ["score", "features"])
def test_more_instants_than_are_done_at_once(ask_for):
    """Thousands of instants of one contact, in any order, are the numbers of each by itself."""
    model, events = ek.Model.from_dict(RICH), long_life()
    at = np.random.default_rng(4).integers(-30 * DAY, 1500 * DAY, 2000)
    table = {"contact": np.zeros(len(at), int), "at": at.astype("datetime64[us]")}
    told = getattr(model, ask_for)(events, at=table)
    rows = rows_of(told.frame if ask_for == "score" else told)
    assert [row["at"] for row in rows] == at.tolist()
    for row in rows[::40]:
        alone = getattr(model, ask_for)(events, at={"contact": [0], "at": [moment(row["at"])]})
        (right,) = rows_of(alone.frame if ask_for == "score" else alone)
        for name, value in right.items():
            if name == "next_change" and value is not None:
                assert abs(row[name] - value) < 1_000_000
            elif isinstance(value, float):
                assert is_close(row[name], value), name
            else:
                assert row[name] == value, name


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("ask_for", ["score", "features"])
def test_threads(ask_for, threads):
    """Any number of threads gives the same bits."""
    random = np.random.default_rng(5)
    at = random.integers(0, 1500 * DAY, 3000).astype("datetime64[us]")
    table = {"contact": random.integers(-2, 50, len(at)), "at": at}
    model, events = ek.Model.from_dict(RICH), long_life(50)
    told = [getattr(model, ask_for)(events, at=table, threads=count) for count in (1, threads)]
    one, several = (rows_of(t.frame if ask_for == "score" else t) for t in told)
    assert one == several


def test_overflow_names_the_contact():
    """Points that no float can hold are an error, also where several instants are asked for."""
    model = ek.Model(rules=[ek.Rule(name="r", on="x", points=1e308, decay="none")])
    days = np.array([0, 1, 2], "datetime64[D]")
    events = {"contact": ["ann"] * 3, "type": ["x"] * 3, "time": days}
    table = {"contact": ["ann"] * 2, "at": days[:2]}
    for ask_for in (model.score, model.features):
        with pytest.raises(ek.EventsError, match="contact 'ann': their points overflow"):
            ask_for(events, at=table)
    assert (
        model.features(events, at={"contact": ["ann"] * 2, "at": days[[0, 0]]})["r"].tolist() == [1e308] * 2
    )


def test_limits_of_absences_that_are_open():
    """An absence that will mature in a bucket already full changes nothing, asked between the two."""
    absence = {"name": "a", "after": "sent", "unless": "open", "within": "2d", "points": -30}
    model = ek.Model.from_dict(
        {
            "rules": [{"name": "r", "on": "x", "points": 60}],
            "absences": [absence | {"limit": {"n": 1, "per": "7d"}}],
            "decay": "none",
            "scale": {"linear": 100},
        }
    )
    hours = np.array([0, 0, 24], "datetime64[h]").astype("datetime64[us]")
    events = {"contact": [1] * 3, "type": ["x", "sent", "sent"], "time": hours}
    asked = np.array([36, 60], "datetime64[h]").astype("datetime64[us]")
    first, second = rows_of(model.score(events, at={"contact": [1, 1], "at": asked}).frame)
    assert (first["score"], first["next_change"]) == (60, 2 * DAY)
    assert (second["score"], second["next_change"]) == (30, None)
