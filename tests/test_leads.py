"""The lead side against its slow, obvious twin: any model and contacts, one instant or many, on disk too."""

import math

import oracle
import oracle_leads
from agreement import EVENT_COLUMNS, differences, is_close
from hypothesis import given
from hypothesis import strategies as st
from shapes import PLAIN, frame_of, frames_of, moment, rows_of, shapes
from strategies_leads import ATTRIBUTES, CONTACT_COLUMNS, lead_cases
from test_many_instants import FEW, tables

import engagekit as ek
from engagekit import partitions

COLUMNS = [*EVENT_COLUMNS, "content"]
EXACT = ("grade", "rating", "stage", "persona", "content")


def contacts_of(case, shape=PLAIN):
    """Make the contacts table, if the case has one."""
    return None if case.contacts is None else frame_of(case.contacts, CONTACT_COLUMNS, shape)


def attributes_of(case, key):
    """Find a contact's attributes."""
    if case.contacts is None:
        return None
    rows = [row for row in case.contacts if row["contact"] == key]
    return {name: rows[0][name] for name in ATTRIBUTES} if rows else None


def faults(case, row, key, contact, at):
    """List what the lead columns of a row should be, each judged by the columns before it."""
    model, attributes, found = case.model, attributes_of(case, key), []
    events = contact.events
    right = {name: value for name, value in row.items() if name not in oracle_leads.lead_columns(model)}
    if "intent" in row:
        right["intent"] = row["intent"]
        if row["intent"] not in oracle_leads.possible_intents(model, contact, row, at):
            found.append(f"intent: {row['intent']!r} of {oracle_leads.shares(model, contact, row, at)}")
    if "fit" in model:
        right = oracle_leads.rated(model, right, attributes)
        found += [name for name in ("fit", "fit_known") if not is_close(row[name], right[name])]
    if "qualification" in model:
        right["stage"] = oracle_leads.stage_of(model, events, right, at)
    if "personas" in model:
        right["persona"] = oracle_leads.persona_of(model, right, attributes)
    if "contents" in model:
        right["content"] = oracle_leads.content_of(model, right, attributes, events)
    found += [f"{n}: {row[n]!r} should be {right[n]!r}" for n in EXACT if n in row and row[n] != right[n]]
    return found


def assert_leads(case, scores):
    """Assert that the lead columns of a result at one instant are the twin's."""
    known = oracle.known_contacts(case.model, case.events, case.contacts or (), at=case.at)
    rows = rows_of(scores.frame)
    assert [row["contact"] for row in rows] == list(known)
    for row in rows:
        names = list(row)
        assert names[len(names) - len(oracle_leads.lead_columns(case.model)) :] == (
            oracle_leads.lead_columns(case.model)
        )
        contact = known[row["contact"]]
        right = oracle.numbers_at(case.model, contact, case.at) | oracle.activity_of(contact, case.at)
        assert differences(row, right, case.model) == []
        assert faults(case, row, row["contact"], contact, case.at) == []


@given(lead_cases(), st.data())
def test_leads_are_the_oracles(case, data):
    """Every lead column of frames of any shape is the oracle's."""
    shape = data.draw(shapes(case.grain))
    events = frames_of(case.events, COLUMNS, shape)
    model = ek.Model.from_dict(case.model)
    assert_leads(case, model.score(events, at=moment(case.at), contacts=contacts_of(case, shape)))


@FEW
@given(lead_cases(max_contacts=2), st.data())
def test_leads_of_many_instants(case, data):
    """Each row of a frame for `at` has the lead columns of that instant."""
    table = data.draw(tables(case))
    at = frame_of([{"contact": key, "at": instant} for key, instant in table], ["contact", "at"])
    model = ek.Model.from_dict(case.model)
    scores = model.score(frame_of(case.events, COLUMNS), at=at, contacts=contacts_of(case))
    for row, (key, instant) in zip(rows_of(scores.frame), table, strict=True):
        known = oracle.known_contacts(case.model, case.events, case.contacts or (), at=instant)
        contact = known.get(key) or oracle.contact_of(case.model, [])
        assert faults(case, row, key, contact, instant) == []


@FEW
@given(lead_cases(), st.integers(1, 5))
def test_leads_on_disk(case, parts):
    """A stream on disk gives the rows of the whole table in memory."""
    model = ek.Model.from_dict(case.model)
    options = {"at": moment(case.at), "contacts": contacts_of(case)}
    whole = model.score(frame_of(case.events, COLUMNS), **options)
    size = math.ceil(len(case.events) / parts)
    pieces = [case.events[k : k + size] for k in range(0, len(case.events), size)]
    held, partitions.HELD = partitions.HELD, 0
    block, partitions.BLOCK = partitions.BLOCK, 0
    try:
        stream = (frame_of(piece, COLUMNS, like=case.events) for piece in pieces)
        scores = model.score(stream, threads=2, **options)
    finally:
        partitions.HELD, partitions.BLOCK = held, block
    assert rows_of(scores.frame) == rows_of(whole.frame)
