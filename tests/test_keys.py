"""Keys: a contact is found wherever it stands, by reading all ids as well as by their index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagekit import keys as rooms
from engagekit.errors import EventsError
from engagekit.frames import Out
from engagekit.keys import Keys

INTEGERS = st.sampled_from([-(2**63), -7, -1, 0, 1, 7, 2**62, 2**63 - 1])
UNSIGNED = st.sampled_from([0, 1, 7, 2**63 - 1, 2**63, 2**64 - 1])
TEXTS = st.sampled_from(["", "a", "a\0", "ab", "ann", "annä", "\u05d0", "x" * 40, "x" * 41])
STRANGERS = [-(2**63) - 1, 2**64, 2**64 - 1, -3, 2**63]


def of_buffers(words: list[str]) -> Out:
    """Put texts one after the other, as results hold them."""
    data = [word.encode() for word in words]
    starts = np.cumsum([0, *map(len, data)])
    return Out("text", (starts, np.frombuffer(b"".join(data), np.uint8)))


def rows_in(keys: Keys, contact: object) -> list[int]:
    """Give the rows of an id; none where it is refused as unknown."""
    try:
        return keys.rows_of(contact).tolist()
    except EventsError as error:
        if "not among the scores" not in str(error):
            raise
        return []


COLUMNS = st.one_of(
    st.lists(INTEGERS).map(lambda ids: (Out("integer", np.array(ids, np.int64)), ids)),
    st.lists(UNSIGNED).map(lambda ids: (Out("integer", np.array(ids, np.uint64)), ids)),
    st.lists(TEXTS).map(lambda ids: (Out("text", np.array(ids, object)), ids)),
    st.lists(TEXTS).map(lambda ids: (of_buffers(ids), ids)),
)


@given(COLUMNS)
def test_the_rows_of_an_id_are_those_where_it_stands(drawn: tuple[Out, list[object]]) -> None:
    """Every id, known or not, has the same rows before there is an index and after."""
    out, ids = drawn
    keys = Keys(out, "contact")
    strangers = STRANGERS if out.kind == "integer" else ["b", "\ud800", "anna", "x" * 42]
    asked = [*dict.fromkeys(ids), *strangers]
    right = [[row for row, own in enumerate(ids) if own == one] for one in asked]
    assert [rows_in(keys, one) for one in asked] == right
    keys._searches = rooms._SEARCHES
    assert [rows_in(keys, one) for one in asked] == right
    assert keys._index is not None


def test_ids_are_indexed_once_they_are_asked_for_often() -> None:
    """A few questions read all ids; from then on nobody does."""
    keys = Keys(Out("integer", np.arange(10)), "contact")
    for place in range(rooms._SEARCHES):
        assert keys.rows_of(place % 10).tolist() == [place % 10]
    assert keys._index is None
    assert keys.rows_of(3).tolist() == [3]
    index = keys._index
    assert index is not None
    assert keys.rows_of(4).tolist() == [4]
    assert keys._index is index


@pytest.mark.parametrize("searches", [0, 1000])
@pytest.mark.parametrize(
    ("own", "other"), [(2**63, 2**63 - 1), (2**63 - 1, 2**63), (2**53, 2**53 + 1), (2**64 - 1, 2**63 - 1)]
)
def test_large_ids_are_told_apart(searches: int, own: int, other: int) -> None:
    """An unsigned id is found by itself alone, not by one that is the same number as a float."""
    keys = Keys(Out("integer", np.array([own], np.uint64)), "contact")
    keys._searches = searches
    assert rows_in(keys, own) == [0]
    assert rows_in(keys, other) == []


@pytest.mark.parametrize("searches", [0, 1000])
def test_nuls_at_the_end_of_an_id_count(searches: int) -> None:
    """A text with a NUL at its end is another one than that without, whatever way the ids are held."""
    for out in (Out("text", np.array(["a", "b\0"], object)), of_buffers(["a", "b\0"])):
        keys = Keys(out, "contact")
        keys._searches = searches
        assert [rows_in(keys, word) for word in ("a", "a\0", "b", "b\0")] == [[0], [], [], [1]]


@pytest.mark.parametrize("searches", [0, 1000])
def test_an_id_of_another_kind_is_refused(searches: int) -> None:
    """7 is not the text 7, whether there is an index or not."""
    keys = Keys(Out("integer", np.arange(10)), "contact")
    keys._searches = searches
    with pytest.raises(EventsError, match="expected an integer"):
        keys.rows_of("7")
