"""The course of every contact: the numbers of the slow twin, and of `score`, at every instant."""

from datetime import timedelta

import oracle
import oracle_history
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, is_close, score_case
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_events import DAY
from shapes import Shape, frame_of, frames_of, moment, rows_of, shapes
from strategies import cases, durations_in

import engagekit as ek

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
