"""Any model, any events, any kind of frame: the numbers of the slow, obvious twin."""

import oracle
import pytest
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, assert_agrees, is_close, score_case
from hypothesis import given
from hypothesis import strategies as st
from shapes import KINDS, frame_of, frames_of, moment, rows_of, shapes
from strategies import cases

import engagekit as ek


@given(cases(), st.data())
def test_scores_are_the_oracles(case, data):
    """Every column, the order of the rows and the counts are the oracle's, for frames of any shape."""
    shape = data.draw(shapes(case.grain))
    assert_agrees(score_case(case, shape), case)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_kind_of_frame(kind, data):
    """Each library gives the oracle's numbers in every unit, with or without a zone, whole or in parts."""
    case = data.draw(cases(max_contacts=3))
    assert_agrees(score_case(case, data.draw(shapes(case.grain, [kind]))), case)


@given(cases(), st.data())
def test_features_are_the_oracles(case, data):
    """`features` gives S(r), the uncapped sum of each rule, in the order of the model."""
    events = frames_of(case.events, EVENT_COLUMNS, data.draw(shapes(case.grain)))
    frame = ek.Model.from_dict(case.model).features(events, at=moment(case.at), id=case.id)
    rows = rows_of(frame)
    expected = oracle.score(case.model, case.events, at=case.at, id=case.id).features
    assert [row["contact"] for row in rows] == [row["contact"] for row in expected]
    for row, right in zip(rows, expected, strict=True):
        assert list(row) == list(right)
        differing = [name for name in right if name != "contact" and not is_close(row[name], right[name])]
        assert not differing, (row, right)


@given(cases())
def test_integer_times(case):
    """Integers with a unit are the same instants as timestamps."""
    rows = [{**e, "when": e["time"] // case.grain} for e in case.events]
    frame = frame_of(rows, [name for name in EVENT_COLUMNS if name != "time"])
    frame["when"] = [row["when"] for row in rows]
    contacts = frame_of(case.contacts, CONTACT_COLUMNS) if case.contacts is not None else None
    unit = {1: "us", 1000: "ms", 10**6: "s"}[case.grain]
    model = ek.Model.from_dict(case.model)
    options = {"at": moment(case.at), "contacts": contacts, "id": case.id}
    assert_agrees(model.score(frame, time="when", unit=unit, **options), case)
