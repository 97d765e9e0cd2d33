"""Grouping: rows of one contact side by side, in order of time, those of one time as they came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interrupting import assert_interruptible

from engagekit import _core, apart, grouping
from engagekit.errors import EventsError

WIDTHS = [3, 300, 70_000]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3), st.integers(0, 2)), max_size=60)


def by_python(rows):
    """Sort rows the obvious way."""
    order = sorted(range(len(rows)), key=lambda i: (rows[i][0], rows[i][1], i))
    starts = [sum(row[0] < contact for row in rows) for contact in range(7)]
    return starts, [rows[i][1] for i in order], [rows[i][2] for i in order], order


@given(ROWS, st.sampled_from(WIDTHS), st.sampled_from([1, 2, 3, 8]), st.booleans())
def test_any_rows(rows, kinds, cores, numbered):
    """Rows are in order of contact, time and number, for types of any width, in any number of blocks."""
    columns = np.array(rows, np.int64).reshape(-1, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "cores", lambda: cores)
        patch.setattr(grouping, "SMALL", -11)
        made = grouping.group(
            columns[:, 0].astype(np.int32),
            np.split(np.ascontiguousarray(columns[:, 1]), [len(rows) // 3, len(rows) // 2]),
            grouping.narrow(columns[:, 2], kinds),
            contacts=6,
            numbered=numbered,
            rising=False,
        )
    starts, times, types, order = by_python(rows)
    assert made.starts.tolist() == starts
    assert made.times.tolist() == times
    assert made.types.tolist() == types
    assert (made.order.tolist() if numbered else made.order) == (order if numbered else None)


@given(ROWS, st.permutations(range(6)), st.sampled_from([1, 2, 3, 8]), st.booleans())
def test_any_words(rows, words, cores, numbered):
    """Indices in any order stand for contacts in order of first appearance, in any number of blocks."""
    columns = np.array(rows, np.int64).reshape(-1, 3)
    distinct = list(dict.fromkeys(columns[:, 0].tolist()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "cores", lambda: cores)
        patch.setattr(grouping, "SMALL", -11)
        made, found = grouping.group_words(
            np.array(words, np.uint32)[columns[:, 0]],
            [np.ascontiguousarray(columns[:, 1])],
            columns[:, 2].astype(np.uint8),
            count=6,
            numbered=numbered,
            rising=False,
        )
    starts, times, types, order = by_python([(distinct.index(who), *rest) for who, *rest in rows])
    assert found.tolist() == [words[who] for who in distinct]
    assert made.starts.tolist() == starts[: len(distinct) + 1]
    assert made.times.tolist() == times
    assert made.types.tolist() == types
    assert (made.order.tolist() if numbered else made.order) == (order if numbered else None)


def test_indices_of_no_word():
    """An index beyond the words is refused before anything is written outside of their counts."""
    with pytest.raises(ValueError, match="indices of words"):
        _core.count_words(np.array([0, 2], np.uint32), np.zeros(2, np.uint32), np.empty(2, np.int64), 0)
    with pytest.raises(ValueError, match="too short"):
        _core.count_words(np.array([0, 1], np.uint32), np.zeros(2, np.uint32), np.empty(1, np.int64), 0)


def test_rising_rows_are_not_sorted():
    """Rows that are said to come in order of time are taken at their word."""
    times = np.array([2, 1])
    made = grouping.group(
        np.zeros(2, np.int32), [times], np.zeros(2, np.uint8), contacts=1, numbered=False, rising=True
    )
    assert made.times.tolist() == [2, 1]


def test_too_many_rows(monkeypatch):
    """Rows whose numbers do not fit are refused with how many there may be."""
    monkeypatch.setattr(grouping, "MOST_ROWS", 1)
    with pytest.raises(EventsError, match="expected at most 1 rows at once, got 2"):
        grouping.group(
            np.zeros(2, np.int32),
            [np.zeros(2, np.int64)],
            np.zeros(2, np.uint8),
            contacts=1,
            numbered=False,
            rising=True,
        )


KINDS_OF_IDS = st.one_of(
    st.integers(0, 40),
    st.integers(0, 2**16).map(lambda i: i << 24),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, -1, 2**63 - 1, -(2**63), 7]),
)


@st.composite
def logs(draw):
    """Draw rows by id: few ids or many, one of them busier than the others, in clusters or not."""
    distinct = np.array(draw(st.lists(KINDS_OF_IDS, min_size=1, max_size=200, unique=True)), np.int64)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ids = distinct[rng.integers(0, len(distinct), draw(st.integers(1, 900)))]
    ids[rng.random(len(ids)) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = distinct[0]
    if draw(st.booleans()):
        ids.sort()
    return ids, rng.integers(-5, 5, len(ids)), rng.integers(0, 3, len(ids))


def ids_by_python(ids, times, *, rising):
    """Group rows by contact the obvious way."""
    rows = {}
    for row, contact in enumerate(ids.tolist()):
        rows.setdefault(contact, []).append(row)
    if not rising:
        rows = {contact: sorted(own, key=lambda row: times[row]) for contact, own in rows.items()}
    starts = [0]
    for own in rows.values():
        starts.append(starts[-1] + len(own))
    return list(rows), starts, [row for own in rows.values() for row in own]


@given(
    logs(), st.sampled_from(WIDTHS), st.sampled_from([1, 2, 3, 8]), st.booleans(), st.booleans(), st.data()
)
def test_any_ids(log, kinds, threads, numbered, rising, data):
    """Ids are numbered in order of first appearance and rows grouped, in any number of parts and blocks."""
    ids, times, types = log
    cuts = [sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=3))) for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "PART", data.draw(st.sampled_from([1, 20, 400])))
        patch.setattr(apart, "STEP", data.draw(st.sampled_from([7, 10_000])))
        patch.setattr(grouping, "SMALL", 1)
        made, distinct = grouping.group_ids(
            np.split(ids, cuts[0]),
            np.split(times, cuts[1]),
            grouping.narrow(types.copy(), kinds),
            numbered=numbered,
            rising=rising,
            threads=threads,
        )
    names, starts, order = ids_by_python(ids, times, rising=rising)
    assert distinct.tolist() == names
    assert made.starts.tolist() == starts
    assert made.times.tolist() == times[order].tolist()
    assert made.types.tolist() == types[order].tolist()
    assert (made.order.tolist() if numbered else made.order) == (order if numbered else None)


@pytest.mark.parametrize("stride", [1, 2**8, 2**20, 2**32 + 2**8, 2**47])
def test_ids_in_even_steps(stride):
    """Ids that share their lowest or their uppermost bits are apart like any others."""
    ids = (np.arange(100_000, dtype=np.int64) % 60_000) * stride
    made, distinct = grouping.group_ids(
        [ids], [np.arange(100_000)], np.zeros(100_000, np.uint8), numbered=True, rising=True, threads=2
    )
    assert (distinct == ids[:60_000]).all()
    assert (np.diff(made.starts) == np.repeat([2, 1], [40_000, 20_000])).all()
    assert made.order is not None
    assert (made.order == made.times).all()
    assert (ids[made.order] == np.repeat(distinct, np.diff(made.starts))).all()


ONE_CONTACT = """
import numpy as np
from engagekit.grouping import group

times = np.random.default_rng(7).integers(0, 10**15, 8_000_000)
codes, types = np.zeros(len(times), np.int32), np.zeros(len(times), np.uint8)
print("ready", flush=True)
while True:
    group(codes, [times], types, contacts=1, numbered=False, rising=False)
"""


def test_one_contact_is_interruptible():
    """Ctrl-C ends the sorting of a single contact's events."""
    assert_interruptible(ONE_CONTACT)


def test_sorting_halts():
    """A sort that another thread has asked to end leaves the rows, all of them, in no order."""
    times = np.arange(3_000_000)[::-1].copy()
    types, halt = np.zeros(len(times), np.uint8), _core.Halt()
    halt.ask()
    _core.sort_times(np.array([0, len(times)]), 0, 1, times, types, None, halt)
    assert times[0] == len(times) - 1
    _core.sort_times(np.array([0, len(times)]), 0, 1, times, types, None, _core.Halt())
    assert (times == np.arange(len(times))).all()
