"""What all ways of asking have in common: one and many, once and often, any threads, nothing changed."""

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import oracle
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from agreement import CONTACT_COLUMNS, EVENT_COLUMNS, differences, is_close, score_case
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_changes import check_next_change
from oracle_events import DAY
from shapes import KINDS, Shape, cells_of, frame_of, moment, rows_of, shapes
from strategies import INTEGER_KEYS, TEXT_KEYS, TYPES, VALUES, cases, durations_in, models

import engagekit as ek

AT = 1_709_294_400_000_000
RICH = {
    "rules": [
        {"name": "visit", "on": "visit", "points": 2, "channel": "web", "limit": {"n": 3, "per": "1d"}},
        {"name": "buy", "on": "buy", "points": 5, "amount": {"curve": "log1p"}, "decay": {"window": "60d"}},
        {"name": "bad", "on": "complain", "points": -7, "decay": {"linear": "90d"}, "cap": 20},
    ],
    "absences": [
        {"name": "ignored", "after": "sent", "unless": ["visit", "buy"], "within": "7d", "points": -1}
    ],
    "repeats": [{"name": "hot", "on": "visit", "n": 3, "within": "7d", "points": 10, "channel": "web"}],
    "lifecycle": {"customer_on": "buy", "ends_on": "complain"},
}


def many_rows(contacts=300, rows=6000):
    """Make a table in which all of `RICH` happens."""
    random = np.random.default_rng(7)
    kinds = random.choice(["visit", "buy", "complain", "sent"], rows, p=[0.6, 0.15, 0.05, 0.2])
    return [
        {"contact": f"c{who}", "type": str(kind), "time": AT - int(age), "value": float(value)}
        for who, kind, age, value in zip(
            random.integers(0, contacts, rows),
            kinds,
            random.integers(-5 * DAY, 200 * DAY, rows),
            random.uniform(0, 300, rows),
            strict=True,
        )
    ]


MANY = ["contact", "type", "time", "value"]
# These score each example several times, so that fewer of them take as long as elsewhere.
FEW = settings(max_examples=settings().max_examples // 3)


def score_rows(model, frame, **options):
    """Score and return plain rows."""
    return rows_of(ek.Model.from_dict(model).score(frame, **{"at": moment(AT)} | options).frame)


@FEW
@given(cases())
def test_events_made_once(case):
    """Events coded once give the bits that the frame gives each time, at one instant and at another."""
    frame = frame_of(case.events, EVENT_COLUMNS)
    events = ek.Events(frame, id=case.id)
    model = ek.Model.from_dict(case.model)
    for at in (case.at, case.at - 7 * DAY, case.at + DAY):
        once, again = model.score(events, at=moment(at)), model.score(frame, at=moment(at), id=case.id)
        assert rows_of(once.frame) == rows_of(again.frame)
        assert once.stats == again.stats


@FEW
@given(cases(), models())
def test_events_for_several_models(case, other):
    """Events made for no model in particular serve any, in any order."""
    told = []
    for order in ([case.model, other], [other, case.model]):
        events = ek.Events(frame_of(case.events, EVENT_COLUMNS), id=case.id)
        told.append([score_rows(model, events, at=moment(case.at)) for model in order])
    assert told[0] == told[1][::-1]


@FEW
@given(cases())
def test_one_contact_alone(case):
    """A contact alone has the bits that it has among all."""
    rows = {row["contact"]: row for row in rows_of(score_case(case).frame)}
    for key, row in rows.items():
        own = [e for e in case.events if e["contact"] == key]
        known = [c for c in case.contacts or () if c["contact"] == key]
        if own:
            alone = replace(case, events=own, contacts=known or None)
            assert rows_of(score_case(alone).frame) == [row]


@FEW
@given(cases(), st.randoms(use_true_random=False))
def test_order_of_rows(case, random):
    """Shuffled events change no number beyond the last bits, and no category."""
    shuffled = list(case.events)
    random.shuffle(shuffled)
    there = {row["contact"]: row for row in rows_of(score_case(case).frame)}
    here = {row["contact"]: row for row in rows_of(score_case(replace(case, events=shuffled)).frame)}
    assert there.keys() == here.keys()
    exact = ("half", "events", "first_event", "last_event", "last_type", "silent_days")
    for key, row in there.items():
        assert {name: row[name] for name in exact} == {name: here[key][name] for name in exact}
        for name in ("score", "engagement", "momentum"):
            assert is_close(row[name], here[key][name])
        for name in {"level", "phase", "top_channel"} - oracle.unsure(case.model, row):
            assert row[name] == here[key][name]


@pytest.mark.parametrize("threads", [2, 3, 8, 64])
def test_threads(threads):
    """Any number of threads gives the same bits, and the same counts."""
    frame = frame_of(many_rows(), MANY)
    model = ek.Model.from_dict(RICH)
    one = model.score(frame, at=moment(AT), threads=1)
    several = model.score(frame, at=moment(AT), threads=threads)
    assert rows_of(one.frame) == rows_of(several.frame)
    assert one.stats == several.stats


@FEW
@given(models(), st.integers(0, 1000), st.integers(2, 70))
def test_threads_on_any_model(model, seed, threads):
    """However the contacts are dealt out to threads, none sees anything of another one's numbers."""
    random = np.random.default_rng(seed)
    steps = [*(durations_in(model) or [DAY]), 40 * DAY]

    def row():
        age = int(random.choice(steps)) * int(random.integers(0, 3)) + int(random.integers(-1, 2))
        own = {
            "contact": int(random.integers(0, 40)),
            "type": TYPES[random.integers(len(TYPES))],
            "time": AT - age,
        }
        return own | {name: values[random.integers(len(values))] for name, values in VALUES.items()}

    events = ek.Events(frame_of([row() for _ in range(300)], EVENT_COLUMNS))
    assert score_rows(model, events, threads=threads) == score_rows(model, events, threads=1)


@FEW
@given(cases(max_contacts=3), st.data())
def test_kinds_and_parts_same_bits(case, data):
    """The same rows in the same order are the same bits in any library, type and number of parts."""
    plain = rows_of(score_case(case, Shape("pyarrow")).frame)
    assert rows_of(score_case(case, data.draw(shapes(case.grain))).frame) == plain


def test_pandas_and_numpy_input_untouched():
    """Scoring changes neither a pandas frame nor a dict of arrays, by a single byte."""
    rows = many_rows(rows=500)
    for categorical in (False, True):
        frame = frame_of(rows, MANY, Shape("pandas", categorical=categorical))
        before = pickle.dumps(frame)
        score_rows(RICH, frame, contacts=None)
        assert pickle.dumps(frame) == before
    arrays = frame_of(rows, MANY, Shape("dict", categorical=True))
    for array in arrays.values():
        array.setflags(write=False)
    before = {name: array.tobytes() for name, array in arrays.items()}
    score_rows(RICH, arrays)
    assert {name: array.tobytes() for name, array in arrays.items()} == before


def test_arrow_and_polars_input_untouched():
    """Scoring changes no buffer of an Arrow table nor a polars frame."""
    rows = many_rows(rows=500)
    table = frame_of(rows, MANY, Shape("pyarrow"))
    frame = frame_of(rows, MANY, Shape("polars"))
    buffers = [b.to_pybytes() for c in table.columns for k in c.chunks for b in k.buffers() if b]
    copy = frame.clone().serialize()
    score_rows(RICH, table)
    score_rows(RICH, frame)
    assert [b.to_pybytes() for c in table.columns for k in c.chunks for b in k.buffers() if b] == buffers
    assert frame.serialize() == copy


def test_contacts_and_instants_untouched():
    """Neither the contacts table nor the table of instants is changed."""
    frame = frame_of(many_rows(rows=500), MANY)
    contacts = frame_of([{"contact": "c1", "customer_since": AT - DAY}], CONTACT_COLUMNS)
    instants = frame_of([{"contact": "c1", "at": AT}, {"contact": "c2", "at": AT - DAY}], ["contact", "at"])
    before = pickle.dumps((contacts, instants))
    ek.Model.from_dict(RICH).score(frame, at=instants, contacts=contacts)
    assert pickle.dumps((contacts, instants)) == before


@given(models())
def test_pickling_models(model):
    """A model comes back from a pickle equal, with its fingerprint, and from its dict too."""
    made = ek.Model.from_dict(model)
    back = pickle.loads(pickle.dumps(made))
    assert back == made
    assert hash(back) == hash(made)
    assert back.fingerprint == made.fingerprint
    assert ek.Model.from_dict(made.to_dict()) == made


@FEW
@given(cases())
def test_plain_form_of_a_model_means_the_same(case):
    """The oracle reads the same numbers from the dict that a model gives as from the one it was made of."""
    given_model = oracle.score(case.model, case.events, at=case.at)
    told = oracle.score(ek.Model.from_dict(case.model).to_dict(), case.events, at=case.at)
    assert told == given_model


@pytest.mark.parametrize(
    "at",
    [
        datetime(2024, 3, 1, 12, tzinfo=UTC),
        datetime(2024, 3, 1, 12),
        "2024-03-01T12:00:00Z",
        "2024-03-01 12:00",
        "2024-03-01T14:00:00+02:00",
        np.datetime64("2024-03-01T12:00"),
        pd.Timestamp("2024-03-01 13:00", tz="Europe/Berlin"),
    ],
)
def test_forms_of_an_instant(at):
    """One instant in any form gives the same rows."""
    frame = frame_of(many_rows(rows=500), MANY)
    assert score_rows(RICH, frame, at=at) == score_rows(RICH, frame)


@pytest.mark.parametrize("kind", KINDS)
def test_latest(kind):
    """`latest` is the newest event; the future of the wall clock does not count."""
    rows = [e for e in many_rows(rows=500) if e["time"] <= AT]
    newest = max(e["time"] for e in rows)
    far = {"contact": "c0", "type": "buy", "time": AT + 300 * 365 * DAY, "value": 1.0}
    scores = ek.Model.from_dict(RICH).score(frame_of([*rows, far], MANY, Shape(kind)), at="latest")
    assert scores.at == moment(newest).replace(tzinfo=scores.at.tzinfo)
    assert rows_of(scores.frame) == score_rows(RICH, frame_of(rows, MANY, Shape(kind)), at=moment(newest))
    assert scores.stats.future == 1


def test_now():
    """Without an instant it is now."""
    before = datetime.now(UTC)
    rows = [{"contact": 1, "type": "visit", "time": int(before.timestamp() * 1e6) - DAY, "value": 1.0}]
    scores = ek.Model.from_dict(RICH).score(frame_of(rows, MANY, Shape(aware=True)))
    assert before - timedelta(seconds=1) <= scores.at <= datetime.now(UTC)
    (row,) = rows_of(scores.frame)
    assert row["silent_days"] == pytest.approx(1, abs=0.01)


def test_faded_scores_warn():
    """Old events as of now warn once, and name the way out; as of their newest they do not."""
    frame = frame_of([{"contact": 1, "type": "visit", "time": 0, "value": 1.0}], MANY)
    model = ek.Model.from_dict(RICH)
    with pytest.warns(UserWarning, match='at="latest"') as caught:
        model.score(frame)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert rows_of(model.score(frame, at="latest").frame)[0]["score"] == 2


@FEW
@given(cases(max_contacts=3), st.data())
def test_table_of_instants(case, data):
    """A row of a table of instants is the score at that instant, other columns kept, in the table's order."""
    moments = st.integers(-30, 2).map(lambda days: case.at + days * DAY)
    keys = sorted({e["contact"] for e in case.events}, key=str)
    asked = data.draw(st.lists(st.tuples(st.sampled_from(keys), moments), min_size=1, max_size=6))
    table = [{"contact": key, "at": at, "device": f"row {k}"} for k, (key, at) in enumerate(asked)]
    shape = data.draw(shapes())
    instants = frame_of(table, ["contact", "at", "device"], replace(shape, unit="us", parts=1))
    rows = rows_of(score_case(case, at=instants).frame)
    assert [{name: row[name] for name in ("contact", "at", "device")} for row in rows] == table
    for row, (key, at) in zip(rows, asked, strict=True):
        whole = score_case(case, at=moment(at))
        (one,) = [r for r in rows_of(whole.frame) if r["contact"] == key] or [None]
        if one is not None:
            assert differences(row, one, case.model) == []
            past = [e for e in case.events if e["time"] <= at]
            check_next_change(case.model, past, case.contacts or (), at=at, rows=[row], id=case.id)
        else:
            assert (row["score"], row["engagement"], row["events"], row["phase"]) == (0, 0, 0, None)


@pytest.mark.parametrize("kind", KINDS)
def test_table_of_instants_keeps_its_kind(kind):
    """The result of a table of instants is a table of its kind with the results behind its own columns."""
    frame = frame_of(many_rows(rows=500), MANY)
    table = [{"contact": "c1", "at": AT, "device": "x"}, {"contact": "new", "at": AT - DAY, "device": None}]
    names = ["at", "device", "contact"]
    scores = ek.Model.from_dict(RICH).score(frame, at=frame_of(table, names, Shape(kind)))
    assert isinstance(scores.frame, type(frame_of(table, names, Shape(kind))))
    assert list(cells_of(scores.frame))[:4] == [*names, "score"]
    assert rows_of(scores.frame)[1] | table[1] == rows_of(scores.frame)[1]


def test_features_of_a_table_of_instants():
    """`features` of a table of instants gives each row the sums of that instant."""
    frame = frame_of(many_rows(rows=2000), MANY)
    model = ek.Model.from_dict(RICH)
    table = [{"contact": f"c{k % 7}", "at": AT - k * 3 * DAY} for k in range(20)]
    rows = rows_of(model.features(frame, at=frame_of(table, ["contact", "at"])))
    for row, asked in zip(rows, table, strict=True):
        whole = rows_of(model.features(frame, at=moment(asked["at"])))
        (one,) = [r for r in whole if r["contact"] == asked["contact"]]
        assert all(is_close(row[name], one[name]) for name in one if name != "contact")
        assert row | asked == row


@FEW
@given(cases(max_contacts=2))
def test_evolved_models(case):
    """A model evolved scores like one declared so, and the first one is as it was."""
    model = ek.Model.from_dict(case.model)
    print_before = model.fingerprint
    evolved = model.evolve(scale={"linear": 7}, levels={"low": 2, "medium": 30, "high": 60})
    declared = case.model | {"scale": {"linear": 7}, "levels": {"low": 2, "medium": 30, "high": 60}}
    assert evolved == ek.Model.from_dict(declared)
    frame = frame_of(case.events, EVENT_COLUMNS)
    options = {"at": moment(case.at), "id": case.id}
    told = rows_of(evolved.score(frame, **options).frame)
    assert told == rows_of(ek.Model.from_dict(declared).score(frame, **options).frame)
    assert model.fingerprint == print_before != evolved.fingerprint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keys", [TEXT_KEYS, INTEGER_KEYS], ids=["text", "integers"])
def test_ids_come_out_as_they_went_in(kind, keys):
    """Ids that look like numbers, nulls or floats stay what they are, to the last digit and in order."""
    rows = [{"contact": key, "type": "visit", "time": AT, "value": None} for key in keys]
    others = [{"contact": keys[0], "customer_since": None}, {"contact": keys[-1], "customer_since": AT}]
    for shape in (Shape(kind), Shape(kind, categorical=True), Shape(kind, aware=True, unit="ns")):
        contacts = frame_of(others, CONTACT_COLUMNS, shape)
        told = score_rows(RICH, frame_of(rows, MANY, shape), contacts=contacts)
        assert [row["contact"] for row in told] == keys


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([3, 250, 3], dtype="uint8"),
        pd.Series(["b", "a", "b"], dtype=pd.CategoricalDtype(["z", "a", "b"])),
        pd.Series([2**63, 2**64 - 1, 2**63], dtype="uint64"),
        pl.Series([3, -2, 3], dtype=pl.Int16),
        pl.Series(["b", "a", "b"], dtype=pl.Enum(["a", "b"])),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.array([3, 1, 3], pa.uint32()),
    ],
    ids=lambda column: str(getattr(column, "dtype", getattr(column, "type", None))),
)
def test_type_of_ids_is_kept(column):
    """The key of the result has the type of the caller's column."""
    times = np.array([AT, AT, AT], "datetime64[us]")
    types = ["visit", "buy", "visit"]
    values = [1.0, 2.0, 3.0]
    if isinstance(column, pd.Series):
        frame = pd.DataFrame({"who": column, "type": types, "time": times, "value": values})
    elif isinstance(column, pl.Series):
        frame = pl.DataFrame({"who": column, "type": types, "time": times, "value": values})
    else:
        frame = pa.table({"who": column, "type": types, "time": times, "value": values})
    told = ek.Model.from_dict(RICH).score(frame, at=moment(AT), contact="who").frame
    made = told["who"]
    kind = made.type if isinstance(made, pa.ChunkedArray) else made.dtype
    assert kind == (column.type if isinstance(column, pa.Array) else column.dtype)
    assert cells_of(told)["who"] == cells_of(frame)["who"][:2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("aware", [False, True])
def test_columns_of_the_result(kind, aware):
    """The result is of the caller's kind, its columns in order, its instants aware as the caller's."""
    frame = frame_of(many_rows(rows=500), MANY, Shape(kind, aware=aware))
    told = ek.Model.from_dict(RICH).score(frame, at=moment(AT)).frame
    assert isinstance(told, type(frame))
    assert list(cells_of(told)) == [
        *("contact", "score", "engagement", "level", "half", "phase", "momentum"),
        *("next_change", "next_level", "next_phase"),
        *("events", "first_event", "last_event", "last_type", "silent_days", "top_channel"),
        *("channel_web", "channel_other"),
    ]
    if kind != "dict":
        when = next(cell for cell in cells_of(told)["last_event"] if cell is not None and cell is not pd.NaT)
        assert (when.tzinfo is not None) is aware


def test_nothing_at_all():
    """No events give no rows, and counts of nothing; contacts without events are rows of zeros."""
    frame = frame_of([], MANY, Shape("polars"))
    scores = ek.Model.from_dict(RICH).score(frame, at=moment(AT))
    assert rows_of(scores.frame) == []
    assert (scores.stats.rows, scores.stats.contacts) == (0, 0)
    contacts = pl.DataFrame({"contact": ["b", "a"]})
    rows = rows_of(ek.Model.from_dict(RICH).score(frame, at=moment(AT), contacts=contacts).frame)
    assert [(row["contact"], row["score"], row["phase"], row["momentum"]) for row in rows] == [
        ("b", 0, None, None),
        ("a", 0, None, None),
    ]
