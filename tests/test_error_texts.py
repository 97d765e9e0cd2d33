"""What someone is told who hands over the wrong table: which, where, and what to do next."""

import uuid
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

import engagekit as ek

MODEL = ek.Model(rules=[ek.Rule(name="order", on="order", points=10, where=ek.field("channel") == "web")])
DAYS = np.array(["2026-01-01", "2026-01-02"], "datetime64[us]")
EVENTS = {"contact": ["ann", "bob"], "type": ["order", "visit"], "time": DAYS, "channel": ["web", "shop"]}


def told(events, **options):
    """Return the text of the error."""
    with pytest.raises(ek.EventsError) as raised:
        MODEL.score(events, **{"at": "2026-01-31", **options})
    return str(raised.value)


def renamed(**names):
    """Rename columns of the events."""
    return {names.get(name, name): column for name, column in EVENTS.items()}


@pytest.mark.parametrize(("name", "keys"), [("contact", "'contact'"), ("user", "'user' or 'contact'")])
def test_a_contacts_table_without_key(name, keys):
    """The names that the key may have are told, each once."""
    text = told(renamed(contact=name), contacts={"id": ["ann"]}, contact=name)
    assert text == f"contacts: expected a column {keys}, got 'id'"
    text = told(renamed(contact=name), contacts=pd.DataFrame(), contact=name)
    assert text == f"contacts: expected a column {keys}, got none"


@pytest.mark.parametrize("source", [dict, lambda frame: iter([frame]), pd.DataFrame, pl.LazyFrame])
def test_missing_columns_are_told_at_once(source):
    """All the mapped columns that are missing are named, and how to name one's own."""
    assert told(source(renamed(contact="customer_id", type="event_name", time="ts"))) == (
        "events: expected columns 'contact', 'type' and 'time', got 'customer_id', 'event_name', 'ts', "
        "'channel'; name yours, as in contact=\"customer_id\""
    )


@pytest.mark.parametrize(
    ("names", "mapping", "text"),
    [
        (
            {"time": "ts"},
            {},
            "a column 'time', got 'contact', 'type', 'ts', 'channel'; .* time=\"timestamp\"",
        ),
        (
            {"type": "typ"},
            {},
            "a column 'type' (did you mean 'typ'?), got .*; name yours, as in type=\"typ\"",
        ),
        (
            {"time": "TIME"},
            {},
            "a column 'time' (did you mean 'TIME'?), got .*; name yours, as in time=\"TIME\"",
        ),
        ({}, {"id": "order"}, "a column 'order', got .*; name yours, as in id=\"event_id\""),
        (
            {"contact": "user"},
            {"contact": "usr", "id": "usr"},
            "a column 'usr' (.*), got .* contact=\"user\"",
        ),
    ],
)
def test_a_missing_column(names, mapping, text):
    """A single missing column is named with the nearest there is."""
    expected = text.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")
    with pytest.raises(ek.EventsError, match=f"^events: expected {expected}$"):
        ek.Events(renamed(**names), **mapping)


@pytest.mark.parametrize(
    ("names", "mapping", "advice"),
    [
        ({"type": "kind"}, {"id": "event_id"}, "id= is to name one of these"),
        ({}, {"contact": "customer_id"}, "without contact= it is the column 'contact'"),
        ({"contact": "user"}, {"contact": "customer_id"}, "contact= is to name one of these"),
        ({}, {"id": "contct"}, 'name yours, as in id="event_id"'),
        ({}, {"time": "occurred"}, "without time= it is the column 'time'"),
        ({"time": "ts"}, {"time": "timestamp", "id": "time"}, "time= is to name one of these"),
    ],
    ids=range(6),
)
def test_what_was_typed_is_not_advised(names, mapping, advice):
    """The advice is never the very name that is not there, nor a column that stands for something else."""
    with pytest.raises(ek.EventsError) as raised:
        ek.Events({**renamed(**names), "type": ["a", "b"]}, **mapping)
    assert str(raised.value).endswith(f"; {advice}")


def test_attributes_by_contact():
    """Attributes by contact, which a live state takes, are told how to become a table."""
    for table, example in [
        ({"ann": {"size": 7}, "bob": {}}, "{'contact': ['ann', ...], 'size': [7, ...]}"),
        ({7: {}}, "{'contact': [7, ...]}"),
    ]:
        assert told(EVENTS, contacts=table) == (
            "contacts: expected a frame with a row a contact, got attributes by contact; write them in "
            f"columns, as in {example}"
        )


@pytest.mark.parametrize("events", [ek.Events, dict, lambda frame: iter([frame])])
def test_a_missing_value(events):
    """Where a model reads a value that the table calls otherwise, it is told how to name it."""
    model = ek.Model(rules=[ek.Rule(name="order", on="order", points=10, amount=ek.Amount())])
    for name, example in [("paid", "amount"), ("values", "values")]:
        expected = f"a column 'value'.*; name yours, as in value=\"{example}\"$"
        with pytest.raises(ek.EventsError, match=expected):
            model.score(events({**EVENTS, name: [5.0, 6.0]}), at="2026-01-31")


@pytest.mark.parametrize(
    ("rows", "count"), [([1], "1 such row in all"), ([0, 1], "2 such rows in all")], ids=["one", "two"]
)
def test_rows_are_counted_everywhere(rows, count):
    """A count of rows says that it is of the rows with the fault, in every table."""
    first = f"row {rows[0]}"
    days, ids = DAYS.copy(), np.array(["ann", "bob"], object)
    days[rows], ids[rows] = "NaT", None
    assert told({**EVENTS, "time": days}) == f"events column 'time', {first}: null; {count}"
    assert told({**EVENTS, "contact": ids}) == f"events column 'contact', {first}: null; {count}"
    assert told(EVENTS, contacts={"contact": ids}) == f"contacts column 'contact', {first}: null; {count}"
    table = {"contact": ["ann", "bob"], "at": days}
    assert told(EVENTS, at=table) == f"at column 'at', {first}: null; {count}"
    twice = ["ann"] * (len(rows) + 1)
    again = f"contacts column 'contact', row 1: expected each contact once, got 'ann' again; {count}"
    assert told(EVENTS, contacts={"contact": twice}) == again


def test_text_as_time():
    """Text in place of instants is told how to become some, in every table."""
    advice = " (make timestamps of them first, as with pandas.to_datetime or polars' str.to_datetime)"
    days = ["2026-01-01", "2026-01-02"]
    faults = [
        told({**EVENTS, "time": days}),
        told(EVENTS, contacts={"contact": ["ann", "bob"], "customer_since": days}),
        told(EVENTS, at={"contact": ["ann", "bob"], "at": days}),
    ]
    columns = ["events column 'time'", "contacts column 'customer_since'", "at column 'at'"]
    assert faults == [f"{column}: expected timestamps, got text (object){advice}" for column in columns]
    assert told({**EVENTS, "time": [1.5, 2.5]}).endswith("expected timestamps, got numbers (object (float))")


@pytest.mark.parametrize(
    "at",
    [["2026-01-01"], pd.Series(DAYS), pl.Series(DAYS), DAYS, (datetime(2026, 1, 1),)],
    ids=["list", "pandas", "polars", "numpy", "tuple"],
)
def test_instants_without_contacts(at):
    """Several instants are no `at`: whose they are has to be told."""
    assert told(renamed(contact="user"), at=at, contact="user") == (
        "at: expected an instant (a datetime, a date, a numpy.datetime64 or ISO 8601 text), or a frame of "
        f"contacts and instants (columns 'user' and 'at'), got {type(at).__name__}"
    )


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ({"contact": ["ann"], "at": DAYS}, "at: expected columns of one length, got 'contact' 1, 'at' 2"),
        (
            pd.DataFrame([["ann", DAYS[0], 1, 2]], columns=["contact", "at", "x", "x"]),
            "at: expected columns of different names, got some twice: 'x'",
        ),
        (7, "at: expected an instant of the years 1 to 9999 .*"),
    ],
    ids=["lengths", "twice", "number"],
)
def test_faults_of_the_instants_table(at, text):
    """What is wrong with a table of instants is told as that, not as its being no instant."""
    with pytest.raises(ek.EventsError, match=f"^{text}"):
        MODEL.score(EVENTS, at=at)


def test_columns_named_like_results():
    """A column with the name of a result is told with its table."""
    text = "expected columns with names that the result does not use itself, got 'score'; rename them"
    assert told(renamed(contact="score"), contact="score") == f"events: {text}"
    assert told(EVENTS, at={"contact": ["ann"], "at": DAYS[:1], "score": [1]}) == f"at: {text}"
    with pytest.raises(ek.EventsError, match=r"^events: .* got 'order'; rename them"):
        MODEL.features(renamed(contact="order"), at="2026-01-31", contact="order")


@pytest.mark.parametrize(
    ("ids", "got"),
    [
        ([uuid.UUID(int=1), uuid.UUID(int=2)], "object (UUID) (convert them to text first)"),
        (["1", 2], "object (int and str) (convert them to text first)"),
        ([True, False], "flags (object (bool)) (a flag is no id)"),
    ],
    ids=["uuid", "mixture", "flag"],
)
def test_what_is_no_id(ids, got):
    """Objects that are no ids are told how to become some."""
    assert (
        told({**EVENTS, "contact": ids}) == f"events column 'contact': expected integers or text, got {got}"
    )


@pytest.mark.parametrize(
    ("later", "column", "text"),
    [
        ({"contact": [1, 2]}, "contact", "ids of one kind (text as before, 7 is not '7'), got integers"),
        (
            {"contact": [uuid.UUID(int=1)] * 2},
            "contact",
            "integers or text, got object (UUID) (convert them to text first)",
        ),
        ({"channel": [1, 2]}, "channel", "one kind in all frames, got object before and object (int) here"),
    ],
    ids=["ids", "no ids", "context"],
)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("read", [list, ek.Events], ids=["once", "kept"])
def test_a_later_frame_of_a_stream(later, column, text, number, read):
    """A frame that does not go with the earlier ones is told by its number."""
    stream = [*[EVENTS] * number, {**EVENTS, **later}]
    with pytest.raises(ek.EventsError) as raised:
        MODEL.score(read(stream), at="2026-01-31")
    assert str(raised.value) == (
        f"events column {column!r}, frame {number} of the stream (counted from 0): expected {text}"
    )


def test_a_later_frame_without_a_column():
    """A column that only a later frame lacks is told with its number."""
    assert told([EVENTS, renamed(type="kind")]).startswith(
        "events, frame 1 of the stream (counted from 0): expected a column 'type', got "
    )


def test_files_and_rows_are_no_frames():
    """The name of a file, and rows as dicts, are told what to do first, whichever table they stand for."""
    file = "; read the file first, or use the command engagekit score"
    assert told("ev.parquet").startswith("events: ") and told("ev.parquet").endswith(
        f"got 'ev.parquet'{file}"
    )
    assert told(EVENTS, contacts="c.csv").startswith("contacts: ")
    assert told(EVENTS, contacts="c.csv").endswith(f"got 'c.csv'{file}")
    rows = [{"contact": "ann", "type": "order", "time": datetime(2026, 1, 1)}]
    advice = "; rows as dicts are no frame; make one first, as with pandas.DataFrame(rows)"
    assert told(rows).startswith("events: item 0 of the stream: ") and told(rows).endswith(advice)


def test_dir_shows_the_public_names():
    """What is offered after `engagekit.` is what is public."""
    names = dir(ek)
    assert [name for name in names if not name.startswith("__")] == ek.__all__
    assert {"__version__", "__name__", "__doc__"} <= set(names)
