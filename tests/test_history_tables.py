"""What can be asked of a history, and what kind of table comes back."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from oracle_events import DAY
from shapes import KINDS, Shape, cells_of, frame_of, moment, rows_of

import engagekit as ek

COLUMNS = ["at", "score", "engagement", "level", "half", "phase", "momentum"]
AT = 1_709_294_400_000_000
MODEL = ek.Model(rules=[ek.Rule(name="order", on="order", points=10, decay={"linear": "10d"})])


def orders(days, contacts=None):
    """Make an order on each of these days of January 2026, at half past ten, each of its own contact."""
    times = np.array([f"2026-01-{day:02}T10:30" for day in days], "datetime64[us]")
    return {"contact": contacts or list(range(len(days))), "type": ["order"] * len(days), "time": times}


def days_of(frame):
    """Give the instants of a history as texts, shortened to days where they are midnights."""
    return [str(at)[:19].removesuffix("T00:00:00") for at in frame["at"]]


def test_defaults():
    """Without anything else the days, from that of the first event to the first that has seen them all."""
    frame = MODEL.history(orders([1, 3]))
    assert list(frame) == ["contact", *COLUMNS]
    assert days_of(frame) == ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-04"]
    assert frame["contact"].tolist() == [0, 0, 0, 1]


def test_steps_are_multiples_since_1970():
    """Without a start, instants are multiples of `every`: midnights for a day, Thursdays for a week."""
    assert days_of(MODEL.history(orders([1]), every="12h")) == ["2026-01-01T12:00:00"]
    assert days_of(MODEL.history(orders([2]), every=timedelta(weeks=1))) == ["2026-01-08"]
    early = {"contact": [1], "type": ["order"], "time": np.array(["1969-12-31T23:00"], "datetime64[us]")}
    assert days_of(MODEL.history(early, every="1w", end="1970-01-03")) == ["1970-01-01"]


def test_start_and_end():
    """Instants go from the start, by its own hour, to the last one not after the end."""
    frame = MODEL.history(orders([1]), every="2d", start="2026-01-02T06:00", end=date(2026, 1, 7))
    assert days_of(frame) == ["2026-01-02T06:00:00", "2026-01-04T06:00:00", "2026-01-06T06:00:00"]
    assert days_of(MODEL.history(orders([1]), start="2026-03-01")) == ["2026-03-01"]
    assert days_of(MODEL.history(orders([1]), end="2026-01-01")) == []


def test_the_ends_of_time():
    """Instants stay within the years 1 to 9999, however long the step."""
    first = {"contact": [1], "type": ["order"], "time": np.array(["0001-01-01"], "datetime64[us]")}
    told = MODEL.history(first, every="1000000d", end="9999-12-31")
    assert days_of(told)[0] > "0001-01-01"
    assert len(told["at"]) == 3
    last = {"contact": [1], "type": ["order"], "time": np.array(["9999-12-31T23:00"], "datetime64[us]")}
    assert len(MODEL.history(last, every="1d", start="9999-12-31", end="9999-12-31")["at"]) == 0
    assert MODEL.history(last, at=["9999-12-31T23:59:59.999999"])["score"].tolist() == [
        pytest.approx(9.958333)
    ]


def test_what_is_to_come_does_not_stretch_the_end():
    """An event of the far future adds no instants by itself, and counts at instants after it."""
    frame = orders([1, 1], ["ann", "bob"])
    frame["time"][1] = np.datetime64("2126-01-01")
    assert days_of(MODEL.history(frame)) == ["2026-01-02"]
    assert MODEL.history(frame, at=["2126-01-01"])["contact"].tolist() == ["ann", "bob"]


FORMS = [
    ["2026-01-03", "2026-01-02T00:00:00Z", "2026-01-03"],
    (date(2026, 1, 2), datetime(2026, 1, 3)),
    {datetime(2026, 1, 2, 1, tzinfo=UTC) - timedelta(hours=1), np.datetime64("2026-01-03")},
    np.array(["2026-01-03", "2026-01-02"], "datetime64[D]"),
    np.array(["2026-01-03", "2026-01-02"]),
    np.array([date(2026, 1, 3), date(2026, 1, 2)], object),
    pd.date_range("2026-01-02", "2026-01-03"),
    pd.Series(pd.to_datetime(["2026-01-02 01:00+01:00", "2026-01-03 01:00+01:00"])),
    pl.Series([datetime(2026, 1, 2), datetime(2026, 1, 3)]),
    pl.Series([date(2026, 1, 2), date(2026, 1, 3)]),
    pa.array([datetime(2026, 1, 2), datetime(2026, 1, 3)]),
    (day for day in ["2026-01-02", "2026-01-03"]),
]


@pytest.mark.parametrize("at", FORMS, ids=range(len(FORMS)))
def test_forms_of_instants(at):
    """A list or a column of any library names instants, in any order; one named twice counts once."""
    assert days_of(MODEL.history(orders([1]), at=at)) == ["2026-01-02", "2026-01-03"]


@pytest.mark.parametrize("at", ["2026-01-02", date(2026, 1, 2), np.datetime64("2026-01-02")])
def test_one_instant(at):
    """A single instant is as good as a list of one."""
    assert days_of(MODEL.history(orders([1]), at=at)) == ["2026-01-02"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": ["2026-01-01"], "every": "1d"}, r"at: expected either at= .* got every too"),
        ({"at": ["2026-01-01"], "start": 1, "end": 2}, r"at: .* got start, end too"),
        ({"at": ["2026-01-01", "yesterday"]}, r"at\[1\]: expected an instant such as .* got 'yesterday'"),
        ({"at": [7]}, r"at\[0\]: expected an instant .* got 7 \(int\)"),
        ({"at": 7}, r"at: expected instants, got 7 \(int\)"),
        ({"at": np.array([7])}, r"at: expected timestamps, got integers \(int64\)"),
        ({"at": "latest"}, r"at: expected an instant such as .* got 'latest'"),
        ({"at": np.array(["2026-01-01", "NaT"], "M8[s]")}, r"at\[1\]: expected an instant, got a null"),
        ({"at": np.array([0, 2**62], "M8[us]")}, r"at, row 1: expected an instant of the years 1 to 9999"),
        ({"at": pd.DataFrame({"at": [1]})}, r"at: expected instants, got a frame; .* Model\.score"),
        ({"at": {"contact": [1], "at": [1]}}, r"at: expected instants, got a frame"),
        ({"every": "1month"}, r"every: expected a duration .* say it in days"),
        ({"every": 7}, r"every: expected a duration .*a bare number has no unit"),
        ({"every": "0d"}, r"every: expected a duration above 0, got '0d'"),
        ({"every": timedelta(days=-1)}, r"every: expected a duration above 0"),
        ({"start": "soon"}, r"start: expected an instant such as"),
        ({"end": "0000-01-01"}, r"end: expected an instant such as"),
        (
            {"start": "2026-02-01", "end": "2026-01-01"},
            r"end: expected an instant not before start \(2026-02-01T00:00:00Z\), got 2026-01-01T00:00:00Z",
        ),
        ({"threads": 0}, r"threads=: expected a whole number of at least 1, got 0"),
        ({"contact": "who"}, r"expected a column 'who'"),
    ],
)
def test_errors(options, message):
    """What cannot be meant is an error that says what was expected and what came."""
    with pytest.raises(ek.EventsError, match=message):
        MODEL.history(orders([1]), **options)


def test_too_many_rows():
    """More instants or rows than memory can hold are refused before any is made."""
    with pytest.raises(ek.EventsError, match=r"got [\d,]+ instants of at least .* GiB; take a longer every="):
        MODEL.history(orders([1]), every="1us", start="1026-01-01")
    frame = {"contact": np.arange(1_000_000), "type": ["order"] * 1_000_000}
    frame["time"] = np.zeros(1_000_000, "datetime64[us]")
    with pytest.raises(ek.EventsError, match=r"got 10,000,001,000,000 rows \(1,000,000 contacts, 10,"):
        MODEL.history(frame, every="1s", start="1970-01-01", end=moment(10**13))


@pytest.mark.parametrize("name", ["at", "momentum"])
def test_names_that_the_result_uses_itself(name):
    """A key named like a column of the result is an error."""
    frame = orders([1])
    frame[name] = frame.pop("contact")
    with pytest.raises(ek.EventsError, match=f"names that the result does not use itself, got '{name}'"):
        MODEL.history(frame, contact=name)


def test_contacts_without_events_have_no_rows():
    """A contacts table makes customers of contacts with events, and rows of nobody."""
    known = {"contact": [1, 9, 0], "customer_since": np.array(["NaT", "2026-01-01", "2026-01-03"], "M8[us]")}
    model = MODEL.evolve(lifecycle=ek.Lifecycle(customer_on="won"))
    frame = model.history(orders([1, 2]), contacts=known, end="2026-01-04")
    assert frame["contact"].tolist() == [0, 0, 0, 1, 1]
    assert frame["half"].tolist() == ["prospect", "customer", "customer", "prospect", "prospect"]


def test_excluded_events_begin_nothing():
    """A contact's rows begin with the first event that is not excluded; events of no rule begin them too."""
    frame = orders([1, 2, 3], ["ann", "ann", "bob"])
    frame["type"] = ["bot", "visit", "bot"]
    model = MODEL.evolve(excludes=[ek.Exclude(name="bots", on="bot")])
    told = model.history(frame, at=["2026-01-02", "2026-01-03", "2026-01-04"])
    assert (told["contact"].tolist(), days_of(told)) == (["ann", "ann"], ["2026-01-03", "2026-01-04"])
    assert (told["score"].tolist(), told["phase"].tolist()) == ([0, 0], ["nurture", "nurture"])


@pytest.mark.parametrize("keys", ["text", "integers"])
def test_nothing_at_all(keys):
    """No events, no instants, or none late enough: a frame without rows, with all its columns."""
    one = orders([1], ["ann"] if keys == "text" else None)
    for frame, options in (
        (orders([]), {}),
        (one, {"at": []}),
        (one, {"at": ["2025-01-01"]}),
        (orders([]), {"start": "2026-01-01", "end": "2026-02-01"}),
    ):
        told = MODEL.history(pl.DataFrame(frame, schema_overrides={"type": pl.String}), **options)
        assert (told.height, told.columns) == (0, ["contact", *COLUMNS])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("aware", [False, True])
@pytest.mark.parametrize("keys", [["ann", "007", "é"], [7, -1, 2**62]], ids=["text", "integers"])
def test_kinds_of_frames(kind, aware, keys):
    """The history is of the caller's kind, its instants as aware as its times, its keys as they were."""
    rows = [{"contact": key, "type": "order", "time": AT + k * DAY} for k, key in enumerate([*keys, keys[0]])]
    frame = frame_of(rows, ["contact", "type", "time"], Shape(kind, aware=aware))
    told = MODEL.history(frame, start=moment(AT), every="1d")
    assert isinstance(told, type(frame))
    assert list(cells_of(told)) == ["contact", *COLUMNS]
    expected = [(keys[0], 4), (keys[1], 3), (keys[2], 2)]
    assert [row["contact"] for row in rows_of(told)] == [key for key, count in expected for _ in range(count)]
    if kind != "dict":
        assert (cells_of(told)["at"][0].tzinfo is not None) is aware


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([3, 250, 3], dtype="uint8"),
        pd.Series(["b", "a", "b"], dtype=pd.CategoricalDtype(["z", "a", "b"])),
        pd.Series(["b", "a", "b"], dtype=object),
        pd.Series([2**63, 2**64 - 1, 2**63], dtype="uint64"),
        pl.Series([3, -2, 3], dtype=pl.Int16),
        pl.Series(["b", "a", "b"], dtype=pl.Enum(["a", "b"])),
        pl.Series(["b", "a", "b"], dtype=pl.Categorical),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.array(["b", "a", "b"], pa.string()).dictionary_encode(),
        pa.array([3, 1, 3], pa.uint32()),
    ],
    ids=lambda column: str(getattr(column, "dtype", getattr(column, "type", None))),
)
def test_type_of_keys(column):
    """The key has the type of the caller's column."""
    libraries = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
    library = libraries[type(column).__module__.split(".")[0]]
    times = np.array([0, 1, 2], "datetime64[D]").astype("datetime64[us]")
    frame = library({"who": column, "type": ["order"] * 3, "time": times})
    told = MODEL.history(frame, contact="who", at=["1970-01-03", "1970-01-04"])
    kinds = [made["who"].type if library is pa.table else made["who"].dtype for made in (frame, told)]
    assert kinds[0] == kinds[1]
    first, second = cells_of(frame)["who"][:2]
    assert cells_of(told)["who"] == [first, first, second, second]


def test_objects_of_text():
    """Text in a dict of arrays comes back as text, each contact's once in memory."""
    told = MODEL.history(orders([1, 2], ["ann", "bob"]), start="2026-01-02", end="2026-01-04")
    assert told["contact"].tolist() == ["ann", "ann", "ann", "bob", "bob"]
    assert told["contact"][0] is told["contact"][1]


def test_a_customer_again():
    """`customer_since` after the end of an earlier custom makes a customer who has not ended."""
    days = np.array(["2026-01-01", "2026-01-02"], "datetime64[us]")
    events = {"contact": [1, 1], "type": ["order", "lost"], "time": days}
    known = {"contact": [1], "customer_since": np.array(["2026-01-04"], "datetime64[us]")}
    lifecycle = ek.Lifecycle(customer_on="won", ends_on="lost")
    model = MODEL.evolve(lifecycle=lifecycle, scale={"linear": 10})
    told = model.history(events, contacts=known, end="2026-01-05")
    assert told["phase"].tolist() == ["sales", "sales", "sales", "retention", "retention"]


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("library", ["polars", "dict"])
def test_more_rows_than_caches_hold(library, text):
    """A history of more than a million rows, written past the caches, has the rows of small ones."""
    rng = np.random.default_rng(8)
    start = np.datetime64("2026-01-01", "us")
    who = rng.permutation(np.arange(9_000) % 6_200)
    log = pl.DataFrame(
        {
            "contact": [f"c{number:05}" for number in who] if text else who,
            "type": rng.choice(["open", "click"], len(who)),
            "time": start + rng.integers(0, 4 * DAY, len(who)).astype("timedelta64[us]"),
        }
    )
    model = ek.Model(
        rules=[
            ek.Rule(name="open", on="open", points=3, decay={"half_life": "2d"}),
            ek.Rule(name="click", on="click", points=9, decay={"linear": "5d"}),
        ],
        lifecycle=ek.Lifecycle(customer_on="click"),
    )
    instants = start + np.timedelta64(3, "D") + np.arange(200) * np.timedelta64(40, "m")

    def rows(events):
        given = {name: events[name].to_numpy() for name in events.columns}
        return pl.DataFrame(model.history(events if library == "polars" else given, at=instants))

    whole = rows(log)
    assert whole.height > 2**20, "not past the caches"
    places = pl.Series(who)
    parts = [rows(log.filter(places % 3 == part)) for part in range(3)]
    in_order = pl.concat(parts).sort("contact", "at")
    assert whole.sort("contact", "at").equals(in_order)
