"""Jobs cut into parts of about the same work, and room for what comes of them."""

import numpy as np
import pytest

import engagekit as ek
from engagekit import running
from engagekit.running import A_CONTACT


def events_of(counts):
    """Make events of contacts who have so many each."""
    contact = np.repeat(np.arange(len(counts)), counts)
    times = np.arange(len(contact)).astype("datetime64[us]")
    return ek.Events({"contact": contact, "type": np.full(len(contact), "x"), "time": times})


@pytest.mark.parametrize("parts", [2, 3, 16])
def test_parts_are_of_about_the_same_work(parts):
    """However events are spread over contacts, no part has half as much again as its share."""
    counts = np.concatenate([np.full(3_000, 1), np.full(300, 200), np.full(6_000, 3)])
    events = events_of(counts)
    contacts = np.concatenate([np.arange(len(counts)), np.full(2_000, -1)])
    edges = running._coarse_edges(events, contacts, parts)
    assert (edges[0], edges[-1], len(edges)) == (0, len(contacts), parts + 1)
    before = np.append(events.starts, np.full(2_000, len(events)))[edges] + A_CONTACT * np.array(edges)
    assert np.diff(before).max() < 1.5 * before[-1] / parts


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_contacts_are_cut_too(count):
    """Of fewer contacts than parts, with events or without, each is in one part."""
    assert running._coarse_edges(events_of([1, 2]), np.array([0, 1, -1, -1, -1])[:count], 8)[-1] == count


@pytest.mark.parametrize("count", [0, 1, 7, running.SMALL, running.SMALL + 3, running.APART])
def test_columns_have_room_of_their_own(count):
    """Result columns are zeros of their own kind, and none is written to through another."""
    kinds = {
        "intent": np.int32,
        "score": np.float64,
        "level": np.int8,
        "events": np.int64,
        "present": np.uint8,
    }
    columns = running._zeros(list(kinds.items()), count)
    assert all(not column.any() and column.flags.aligned for column in columns.values())
    assert {name: (column.dtype, len(column)) for name, column in columns.items()} == {
        name: (np.dtype(kind), count) for name, kind in kinds.items()
    }
    for number, column in enumerate(columns.values()):
        column[:] = number
    assert [set(column.tolist()) for column in columns.values()] == [
        {n} if count else set() for n in range(5)
    ]
