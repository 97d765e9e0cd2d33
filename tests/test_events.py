"""Events: coded once, shared by threads, kept whole by pickling."""

import copy
import pickle
import re
import threading
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import engagekit as ek
from engagekit import apart
from engagekit.errors import EventsError

AT = "2026-01-02"
FLAT = ek.Model(rules=[ek.Rule(name="v", on="v", points=1, decay="none", amount=ek.Amount())])
PLAIN = ek.Model(rules=[ek.Rule(name="v", on="v", points=10)])


def events(contacts, **more):
    """Make events of type v, all at one instant."""
    times = np.repeat(np.array(["2026-01-01"], "datetime64[us]"), len(contacts))
    return {"contact": contacts, "type": ["v"] * len(contacts), "time": times, **more}


@pytest.mark.parametrize("values", [[1.0, 5.0], [5.0, 1.0]])
@pytest.mark.parametrize("made", [False, True])
def test_ties_of_duplicates(values, made):
    """Of two rows with one id at one time the larger value counts, in any order."""
    frame = events(["a", "a"], value=values, id=["x", "x"])
    scores = FLAT.score(ek.Events(frame, id="id"), at=AT) if made else FLAT.score(frame, at=AT, id="id")
    assert scores.frame["score"].tolist() == [5.0]
    assert scores.stats.duplicates == 1


def test_ties_of_duplicates_without_value():
    """A model that reads no value drops duplicates too; a stream's frames need not all have one."""
    frames = [events(["a"], id=["x"], value=[3.0]), events(["a"], id=["x"])]
    scores = PLAIN.score(frames, at="2026-01-01", id="id")
    assert (scores.frame["score"].tolist(), scores.stats.duplicates) == ([10.0], 1)


def test_a_failing_column_fails_again():
    """A column that one frame of several lacks is the same error each time it is asked for."""
    shared = ek.Events([events(["a"], x=[1]), events(["b"])])
    model = ek.Model(rules=[ek.Rule(name="v", on="v", points=1, where=ek.field("x") == 1)])
    texts = []
    for _ in range(2):
        with pytest.raises(ek.EventsError, match="expected a column 'x'") as caught:
            model.score(shared, at=AT)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_threads_share_events():
    """Threads that score the same fresh Events at once all get the same numbers."""
    rng = np.random.default_rng(0)
    fields = {f"x{i}": rng.integers(0, 2, 20_000) for i in range(6)}
    frame = events(rng.integers(0, 50, 20_000), **fields)
    parts = [{name: column[i::4] for name, column in frame.items()} for i in range(4)]
    rules = [ek.Rule(name=name, on="v", points=1, where=ek.field(name) == 1) for name in fields]
    model = ek.Model(rules=rules)
    wanted = sorted(model.score(frame, at=AT).frame["score"].tolist())
    for _ in range(5):
        shared = ek.Events(parts)
        found = []

        def go(shared=shared, found=found):
            found.append(sorted(model.score(shared, at=AT).frame["score"].tolist()))

        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [pytest.approx(wanted)] * 4


@pytest.mark.parametrize("ids", [["a", "", "bé"], [5, -7, 2**62]])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copies(ids, copied):
    """Pickled and copied Events score as they did."""
    made = ek.Events(events(ids, value=[1.0, 2.0, 3.0]))
    again = FLAT.score(copied(made), at=AT).frame
    assert again["contact"].tolist() == ids
    assert again["score"].tolist() == [1.0, 2.0, 3.0]


def test_large_and_negative_integers():
    """Context integers above 2^63 stand beside small ones, but not beside negative ones."""
    model = ek.Model(rules=[ek.Rule(name="v", on="v", points=1, decay="none", where=ek.field("x") > 5)])
    large = events([1], x=np.array([2**63 + 9], np.uint64))
    assert model.score([large, events([2], x=[7])], at=AT).frame["score"].tolist() == [1.0, 1.0]
    small = events([1], x=np.array([9], np.uint64))
    assert model.score([small, events([2], x=[-7])], at=AT).frame["score"].tolist() == [1.0, 0.0]
    with pytest.raises(ek.EventsError, match="'x': expected integers within 64 bits"):
        model.score([large, events([2], x=[-7])], at=AT)


def test_negative_ids_beside_unsigned_ones():
    """Ids that no 64-bit column holds together are refused, in whichever table they stand."""
    unsigned, signed = np.array([2**63 + 5], np.uint64), np.array([-1, 5])
    for first, second in ((signed, unsigned), (unsigned, signed)):
        with pytest.raises(ek.EventsError, match="contacts column 'contact': expected ids within 64 bits"):
            PLAIN.score(events(first), at=AT, contacts={"contact": second})


@pytest.mark.parametrize("name", ["contact", "type"])
def test_text_that_is_not_utf_8(name):
    """Bytes that are no UTF-8 in Arrow text are an error that names the column."""
    offsets = pa.py_buffer(np.array([0, 2], np.int32).tobytes())
    bad = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    columns = {"contact": pa.array(["a"]), "type": pa.array(["v"]), "time": pa.array([0], pa.timestamp("us"))}
    with pytest.raises(ek.EventsError, match=f"events column '{name}': expected text in UTF-8"):
        PLAIN.score(pa.table(columns | {name: bad}), at=AT)


def test_empty_events_know_no_kind():
    """Events without a contact take ids of any kind in `at`, each time anew."""
    empty = ek.Events({"contact": [], "type": [], "time": np.array([], "datetime64[us]")})
    for ids in (["a"], [1]):
        at = {"contact": ids, "at": np.array(["2026-01-01"], "datetime64[us]")}
        assert PLAIN.score(empty, at=at).frame["score"].tolist() == [0.0]


def test_whole_numbers_that_floats_cannot_hold():
    """A float column is compared with the number that the model asks for, not with its nearest float."""
    rule = ek.Rule(name="v", on="v", points=1, decay="none", where=ek.field("x") == 9007199254740993)
    frame = events([1, 2], x=np.array([9007199254740992.0, np.nan]))
    assert ek.Model(rules=[rule]).score(frame, at=AT).frame["score"].tolist() == [0.0, 0.0]


def in_chunks(kind, **columns):
    """Make a frame of a library whose columns lie in chunks, one of them empty."""
    cuts = pairwise([0, 1, 1, 3, 4])
    if kind == "polars":
        whole = pl.DataFrame(columns)
        return pl.concat([whole[first:last] for first, last in cuts], rechunk=False)
    table = pa.table(columns)
    return pa.concat_tables([table.slice(first, last - first) for first, last in cuts])


TIMES = np.array(["2026-01-03", "2026-01-01", "2026-01-02", "2026-01-04"], "M8[us]")


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
@pytest.mark.parametrize("ids", [np.array([7, 8, 7, 8]), np.array(["b", "a", "b", "a"])])
def test_columns_in_chunks(kind, ids):
    """Columns that lie in chunks are taken as they lie, and grouped as if they were whole."""
    types = np.array(["x", "y", "y", "x"])
    whole = ek.Events({"contact": ids, "type": types, "time": TIMES})
    cut = ek.Events(in_chunks(kind, contact=ids, type=types, time=TIMES))
    for name in ("starts", "times", "types", "order"):
        assert getattr(cut, name).tolist() == getattr(whole, name).tolist()
    assert cut.contacts.strings() == whole.contacts.strings()


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
@pytest.mark.parametrize(
    ("name", "bad", "said"),
    [
        ("contact", [7, None, 8, None], "events column 'contact', row 1: null; 2 such rows in all"),
        ("time", [*TIMES.tolist()[:2], None, None], "events column 'time', row 2: null; 2 such rows in all"),
    ],
)
def test_nulls_in_chunks(kind, name, bad, said):
    """A null in a later chunk is told with its row in the whole column, and how many there are in all."""
    columns = {"contact": [7, 8, 7, 8], "type": ["x"] * 4, "time": TIMES.tolist(), name: bad}
    with pytest.raises(EventsError, match=f"^{re.escape(said)}$"):
        ek.Events(in_chunks(kind, **columns))


def long_log(dtype=np.int64, count=3_000):
    """Make rows of some contacts, two of them with ids of opposite signs as bits."""
    rng = np.random.default_rng(5)
    own = np.append(rng.integers(0, 2**50, 200), [2**63 - 1, 0]).astype(dtype)
    own[0] = 2**63 + 5 if dtype == np.uint64 else -5
    return {
        "contact": own[(rng.random(count) ** 3 * len(own)).astype(int)],
        "type": rng.choice(["visit", "demo", "mail"], count),
        "time": rng.integers(0, 10**6, count).astype("datetime64[s]").astype("datetime64[us]"),
    }


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("cuts", [[], [1_000], [0, 500, 2_999]])
def test_rows_taken_apart(dtype, cuts, monkeypatch):
    """Many rows, taken apart before their ids are coded, give the events that a table of ids gives."""
    log = long_log(dtype)
    edges = [0, *cuts, len(log["time"])]
    table = pa.concat_tables(
        pa.table({name: values[lo:hi] for name, values in log.items()}) for lo, hi in pairwise(edges)
    )
    plain = ek.Events(log)
    monkeypatch.setattr(apart, "LEAST", 1)
    for made in (ek.Events(log), ek.Events(table), ek.Events(iter([log]))):
        assert (made.contacts.integers() == plain.contacts.integers()).all()
        assert made.contacts.integers().dtype == dtype
        for name in ("starts", "times", "types", "order"):
            assert (getattr(made, name) == getattr(plain, name)).all()


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum([f"c{number}" for number in range(600)])])
@pytest.mark.parametrize("cuts", [[], [1_000]])
def test_rows_of_words(dtype, cuts, monkeypatch):
    """Rows that bring indices of words are grouped by these, and are the events that text gives."""
    log = long_log()
    names = pl.Series(log["contact"] % 600, dtype=pl.Int64).cast(pl.String)
    text = pl.DataFrame({**log, "contact": "c" + names})
    plain = ek.Events(text)
    edges = [0, *cuts, text.height]
    words = text.with_columns(pl.col("contact").cast(dtype))
    parts = [words[lo:hi] for lo, hi in pairwise(edges)]
    monkeypatch.setattr(apart, "LEAST", 1)
    monkeypatch.setattr("engagekit.frames.frame._MANY", 1)
    for made in (ek.Events(pl.concat(parts, rechunk=False)), ek.Events(iter(parts))):
        assert made.contacts.strings() == plain.contacts.strings()
        for name in ("starts", "times", "types", "order"):
            assert (getattr(made, name) == getattr(plain, name)).all()
    holes = words.with_columns(pl.when(pl.int_range(pl.len()) != 7).then(pl.col("contact")))
    with pytest.raises(EventsError, match="'contact', row 7: null; 1 "):
        ek.Events(holes)


def test_rows_taken_apart_in_a_stream(monkeypatch):
    """The ids of a first frame are coded when another follows."""
    log = long_log()
    parts = [{name: values[lo:hi] for name, values in log.items()} for lo, hi in [(0, 900), (900, 3_000)]]
    plain = ek.Events(log)
    monkeypatch.setattr(apart, "LEAST", 1)
    made = ek.Events(iter(parts))
    assert (made.contacts.integers() == plain.contacts.integers()).all()
    assert (made.times == plain.times).all()
    mixed = [parts[0], {**parts[1], "contact": ["a"] * 2_100}]
    with pytest.raises(EventsError, match="ids of one kind"):
        ek.Events(iter(mixed))


@pytest.mark.parametrize("rows", [1_000, 300_000])
@pytest.mark.parametrize("each", [1, -1, 1_000, 2**40])
@pytest.mark.parametrize("gaps", [False, True])
def test_numbers_of_any_width(rows, each, gaps):
    """A limit tells numbers apart that fit into a byte or need all their bits; no number is one of them."""
    rng = np.random.default_rng(3)
    contacts, drawn = rng.integers(0, 50, rows), rng.integers(0, 200, rows)
    times = np.datetime64("2026-01-01", "us") + rng.integers(0, 80_000_000_000, rows)
    named = np.where(drawn < 5, -1, drawn) if gaps else drawn
    column = pl.Series(drawn * each)
    frame = pl.DataFrame({"contact": contacts, "type": "v", "time": times, "number": column})
    if gaps:
        frame = frame.with_columns(number=pl.when(pl.Series(drawn >= 5)).then("number"))
    once = ek.Limit(n=1, per="1d", by="number")
    model = ek.Model(rules=[ek.Rule(name="v", on="v", points=1, decay="none", limit=once)])
    found = model.score(frame, at="2026-01-02").frame.sort("contact")["score"].to_list()
    pairs = np.unique(np.stack([contacts, named]), axis=1)
    assert found == [int((pairs[0] == contact).sum()) for contact in np.unique(contacts)]
