"""Feed a live state as a stream would, and hold its rows against the batch's."""

import warnings

import oracle
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, is_close
from hypothesis import strategies as st
from oracle_events import micros
from shapes import PLAIN, frame_of, moment, rows_of

import engagekit as ek

LATENESSES = ["0s", "1d", "7d", "100d"]
FOREVER = "36525d"
NAMED = {"contact", "type", "time", "value"}


@st.composite
def arrivals(draw, case):
    """Draw a lateness, the case's events in an order that keeps to it, and whether they come in frames."""
    lateness = FOREVER if case.id else draw(st.sampled_from(LATENESSES))
    most = max(micros(lateness) - 1, 0)
    delays = draw(st.lists(st.integers(0, most), min_size=len(case.events), max_size=len(case.events)))
    order = sorted(range(len(case.events)), key=lambda n: case.events[n]["time"] + delays[n])
    if case.id:
        # of one id the first that is seen counts, in a table the earliest
        order = sorted(order, key=lambda n: case.events[n]["time"])
    cuts = draw(st.lists(st.tuples(st.booleans(), st.integers(1, 8)), min_size=1, max_size=8))
    return lateness, cut([case.events[n] for n in order], cuts)


def cut(events, cuts):
    """Cut events into pieces, again and again of these sizes; each says whether it comes event by event."""
    pieces = []
    while events:
        alone, size = cuts[len(pieces) % len(cuts)]
        pieces.append((alone, events[:size]))
        events = events[size:]
    return pieces


def feed(live, case, piece, columns=EVENT_COLUMNS):
    """Bring a piece of a case's events in."""
    alone, events = piece
    if not alone:
        live.ingest(frame_of(events, columns, PLAIN, like=case.events), id=case.id)
        return
    for event in events:
        context = {name: value for name, value in event.items() if name not in NAMED}
        live.add(
            event["contact"],
            event["type"],
            moment(event["time"]),
            value=event["value"],
            id=event[case.id] if case.id else None,
            context=context,
        )


def contacts_of(case, columns=CONTACT_COLUMNS):
    """Make the contacts table of a case."""
    return None if case.contacts is None else frame_of(case.contacts, columns, PLAIN)


def batch_of(case, events=EVENT_COLUMNS, contacts=CONTACT_COLUMNS, like=None):
    """Score a case as a table; without rows its columns are of the kinds of the case `like`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = frame_of(case.events, events, PLAIN, like=like.events if like else ())
        model = ek.Model.from_dict(case.model)
        return model.score(frame, at=moment(case.at), contacts=contacts_of(case, contacts), id=case.id)


def differing(found, expected, model):
    """List what of one contact's row differs from the batch's beyond rounding."""
    unsure = set(oracle.unsure(model, expected))
    wrong = []
    for name, right in expected.items():
        value = found[name]
        if name == "next_change":
            same = value == right or (None not in (value, right) and abs(value - right) <= 2_000_000)
        elif isinstance(value, float) or isinstance(right, float):
            same = is_close(value, right)
        else:
            same = value == right or name in unsure
        if not same:
            wrong.append(f"{name}: {value!r} should be {right!r}")
    return wrong


def assert_same(scores, expected, model, key="contact"):
    """Assert that a live state's scores are the batch's, whatever the order of contacts."""
    rows = {row[key]: row for row in rows_of(scores.frame)}
    right = {row[key]: row for row in rows_of(expected.frame)}
    assert rows.keys() == right.keys()
    for contact, row in right.items():
        assert not (wrong := differing(rows[contact], row, model)), f"contact {contact!r}: {wrong}"
