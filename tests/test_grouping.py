"""Grouping: rows of one contact side by side, in order of time, those of one time as they came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagekit import grouping
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
