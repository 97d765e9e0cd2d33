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


RENAMED = {"contact": "who", "type": "what", "time": "when", "value": "worth", "id": "message"}


@given(cases(), st.booleans())
def test_mapped_columns(case, by_model):
    """Columns under other names, told by the call or by the model, mean the same; the key keeps its name."""
    names = [RENAMED.get(name, name) for name in EVENT_COLUMNS]
    mapping = {name: other for name, other in RENAMED.items() if name != "id" or case.id}
    # Built under the old names, which say what a column holds.
    frame = frame_of(case.events, EVENT_COLUMNS).set_axis(names, axis=1)
    contacts = None
    if case.contacts is not None:
        contacts = frame_of(case.contacts, CONTACT_COLUMNS).rename(columns={"contact": "who"})
    table = case.model | {"columns": mapping} if by_model else case.model
    options = {} if by_model else mapping
    scores = ek.Model.from_dict(table).score(frame, at=moment(case.at), contacts=contacts, **options)
    assert_agrees(scores, case, key="who")


def test_signal_of_a_types_name():
    """A signal named like a type stands for both, events of the type and those that bear the signal."""
    model = {
        "signals": [{"name": "buy", "on": "deal", "where": {"value": {"ge": 2}}}],
        "rules": [{"name": "r", "on": "buy", "points": 1, "decay": "none"}],
    }
    kinds = [("buy", 1.0), ("deal", 1.0), ("deal", 2.0), ("deal", 3.0)]
    events = [{"contact": 1, "type": type_, "time": 0, "value": value} for type_, value in kinds]
    frame = frame_of(events, ["contact", "type", "time", "value"])
    (row,) = rows_of(ek.Model.from_dict(model).score(frame, at=moment(0)).frame)
    assert row["score"] == oracle.score(model, events, at=0).rows[0]["score"] == 3


def test_contact_and_type_in_conditions_and_weights():
    """`contact` and `type` mean the mapped columns in conditions and in weights."""
    model = {
        "rules": [
            {"name": "a", "on": ["x", "y"], "points": 1, "where": {"contact": {"in": [7, 8]}}},
            {"name": "b", "on": ["x", "y"], "points": 10, "weights": {"type": {"y": 3}, "contact": {"8": 2}}},
        ],
        "decay": "none",
    }
    events = [{"contact": c, "type": t, "time": 0} for c, t in ((7, "x"), (8, "y"), (9, "y"))]
    frame = frame_of(events, ["contact", "type", "time"])
    frame = frame.rename(columns={"contact": "type", "type": "contact"})
    model["columns"] = {"contact": "type", "type": "contact"}
    rows = rows_of(ek.Model.from_dict(model).score(frame, at=moment(0)).frame)
    assert [(row["type"], row["score"]) for row in rows] == [(7, 11), (8, 61), (9, 30)]
