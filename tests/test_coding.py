"""Ids become codes in order of first appearance, whatever they lie in and however many threads there are."""

import itertools
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagekit import _core, waves
from engagekit.coding import Coder
from engagekit.errors import EventsError
from engagekit.frames import Text, frame_of

THREADS = (1, 2, 3, 8)
STRETCH = 64
"""Small stretches, so that small columns take many waves."""

WORDS = st.one_of(
    st.sampled_from(
        ["", "a", "é", "ab\0", "visit", "x" * 12, "x" * 13, "y" * 16, "z" * 17, "w" * 31, "w" * 33]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


def oracle(known: dict[Any, int], rows: list[Any], *, insert: bool = True) -> list[int]:
    """Code rows with a dict."""
    codes = []
    for row in rows:
        if row is None:
            codes.append(-1)
            continue
        if insert:
            known.setdefault(row, len(known))
        codes.append(known.get(row, -1))
    return codes


@st.composite
def columns(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> list[Any]:
    """Draw rows of few or many values, some of them null, some in runs."""
    distinct = draw(st.lists(values, min_size=1, max_size=120, unique=True))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    rows: list[Any] = [distinct[i] for i in rng.integers(0, len(distinct), draw(st.integers(1, 400)))]
    if draw(st.booleans()):
        rows = [row for row in rows for _ in range(int(rng.integers(1, 4)))]
    if draw(st.booleans()):
        rows = [None if gap else row for row, gap in zip(rows, rng.random(len(rows)) < 0.2, strict=True)]
    return rows


def chunked(rows: list[Any], cuts: list[int], make: Any) -> Any:
    """Make a chunked array whose chunks are slices of longer arrays."""
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    filler = [next((row for row in rows if row is not None), None)] * 3
    parts = [make([*filler, *rows[a:b], *filler]).slice(3, b - a) for a, b in itertools.pairwise(edges)]
    return pa.chunked_array(parts)


def encoded(index: pa.DataType, words: pa.DataType) -> Any:
    """Make a dictionary array whose dictionary has a word too many, one twice, and a null."""

    def make(rows: list[Any]) -> pa.DictionaryArray:
        distinct = sorted({row for row in rows if row is not None}, reverse=True)
        dictionary = ["never", None, *distinct, *distinct[:2]]
        places = {word: 2 + place for place, word in enumerate(distinct)}
        places |= {word: 2 + len(distinct) + place for place, word in enumerate(distinct[:2]) if place % 2}
        indices = [None if row is None else places[row] for row in rows]
        indices = [1 if i is None and place % 2 else i for place, i in enumerate(indices)]
        return pa.DictionaryArray.from_arrays(pa.array(indices, index), pa.array(dictionary, words))

    return make


def gathered(rows: list[Any]) -> pa.Array:
    """Make rows whose views repeat with the text, and of some texts are two."""
    distinct = sorted({row for row in rows if row is not None})
    words = pa.array([None, *distinct, *distinct[::3]], pa.string_view())
    again = {word: 1 + len(distinct) + place for place, word in enumerate(distinct[::3])}
    places = {word: 1 + place for place, word in enumerate(distinct)}
    indices = [
        0 if row is None else again[row] if row in again and number % 5 == 0 else places[row]
        for number, row in enumerate(rows)
    ]
    views = np.frombuffer(words.buffers()[1], np.int64).reshape(-1, 2)[indices].copy()
    missing = np.packbits([row is not None for row in rows], bitorder="little")
    return pa.Array.from_buffers(
        pa.string_view(), len(rows), [pa.py_buffer(missing), pa.py_buffer(views), *words.buffers()[2:]]
    )


LAYOUTS: dict[str, Any] = {
    "utf8": lambda rows: pa.array(rows, pa.string()),
    "large_utf8": lambda rows: pa.array(rows, pa.large_string()),
    "view": lambda rows: pa.array(rows, pa.string_view()),
    "gathered view": gathered,
    "int16 dictionary": encoded(pa.int16(), pa.string()),
    "uint32 dictionary": encoded(pa.uint32(), pa.large_string()),
    "int64 dictionary": encoded(pa.int64(), pa.string_view()),
}
MADE: dict[str, Any] = {
    "objects": lambda rows: {"c": np.array(rows, object)},
    "pandas category": lambda rows: pd.DataFrame({"c": pd.Categorical(rows)}),
    "polars category": lambda rows: pl.DataFrame({"c": pl.Series(rows, dtype=pl.Categorical)}),
}


def codes(coder: Coder, frame: Any, threads: int, *, insert: bool = True, first_row: int = 0) -> list[int]:
    """Code a frame's column."""
    column = frame_of(frame).column("c")
    found: list[int] = coder.code(column, threads=threads, insert=insert, first_row=first_row).tolist()
    return found


@pytest.fixture(params=THREADS)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let so many threads take short stretches."""
    monkeypatch.setattr(waves, "STRETCH", STRETCH)
    return int(request.param)


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all but the shortest columns remember their views."""
    monkeypatch.setattr(waves, "MANY_VIEWS", 8)


@pytest.mark.parametrize("layout", [*LAYOUTS, *MADE])
def test_text_of_any_layout(layout: str, threads: int) -> None:
    """Text has the codes of a dict, frame after frame, in any layout, chunking and slicing."""
    text_of(layout, threads)


@pytest.mark.parametrize("layout", ["view", "gathered view"])
@pytest.mark.usefixtures("remembered")
def test_views_that_are_remembered(layout: str, threads: int) -> None:
    """Text has the codes of a dict where views are remembered, whether they repeat or not."""
    text_of(layout, threads)


def text_of(layout: str, threads: int) -> None:
    """Code frames of a layout, with and without ids to be added, and compare with the dict."""

    @given(
        frames=st.lists(columns(WORDS), min_size=1, max_size=3),
        cuts=st.lists(st.integers(0, 1000), max_size=5),
        insert=st.lists(st.booleans(), min_size=3, max_size=3),
    )
    @settings(max_examples=25, deadline=None)
    def check(frames: list[list[Any]], cuts: list[int], insert: list[bool]) -> None:
        coder, known = Coder("events column 'c'"), dict[Any, int]()
        for rows, new in zip(frames, insert, strict=False):
            make = MADE.get(layout)
            frame = make(rows) if make else pa.table({"c": chunked(rows, cuts, LAYOUTS[layout])})
            assert codes(coder, frame, threads, insert=new) == oracle(known, rows, insert=new)
        assert coder.strings() == list(known) or not known
        coder.refuse_other_encodings()

    check()


def test_integers(threads: int) -> None:
    """Integers have the codes of a dict, frame after frame, with or without nulls, as pyarrow or pandas."""
    values = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 99)

    @given(st.lists(st.tuples(columns(values), st.booleans(), st.booleans()), min_size=1, max_size=3))
    @settings(max_examples=60, deadline=None)
    def check(frames: list[tuple[list[Any], bool, bool]]) -> None:
        coder, known = Coder("events column 'c'"), dict[Any, int]()
        for rows, new, arrow in frames:
            table = pa.table({"c": pa.array(rows, pa.int64())})
            frame = table if arrow else pd.DataFrame({"c": pd.array(rows, "Int64")})
            assert codes(coder, frame, threads, insert=new) == oracle(known, rows, insert=new)
        assert not known or coder.integers().tolist() == list(known)

    check()


def test_unsigned_integers_beside_signed_ones(threads: int) -> None:
    """An id above 2^63 - 1 is none of the negative ones whose bits it has, and refused where it would be."""
    large, small = np.array([7, 2**64 - 1, 8], np.uint64), np.array([7, -1, 8])
    for first, second, known in ((large, small, [7, 2**64 - 1, 8]), (small, large, [7, -1, 8])):
        coder = Coder("events column 'c'")
        assert codes(coder, {"c": first}, threads) == [0, 1, 2]
        assert codes(coder, {"c": second}, threads, insert=False) == [0, -1, 2]
        with pytest.raises(
            EventsError, match=r"'c': expected ids within 64 bits, got negative ones and some above"
        ):
            codes(coder, {"c": second}, threads)
        gap = pa.table({"c": pa.array(second.tolist(), mask=np.array([False, True, False]))})
        assert codes(coder, gap, threads) == [0, -1, 2]
        assert coder.integers().tolist() == known


@pytest.mark.parametrize("kind", ["integer", "text"])
def test_many_ids(kind: str, threads: int) -> None:
    """Tables that grow many times keep every id, also when pickled."""
    rng = np.random.default_rng(7)
    rows = rng.integers(0, 60_000, 100_000).tolist()
    rows = rows if kind == "integer" else [f"user-{row}" for row in rows]
    coder, known = Coder("events column 'c'"), dict[Any, int]()
    frame = pa.table({"c": rows})
    assert codes(coder, frame, threads) == oracle(known, rows)
    again = pickle.loads(pickle.dumps(coder))
    assert (len(again), again.strings()) == (len(known), [str(row) for row in known])
    assert codes(again, frame, threads, insert=False) == oracle(known, rows)


def test_hostile_integers() -> None:
    """Ids that would all be in one slot of a table without a secret spread like any others."""
    rows = np.concatenate([np.arange(1, 30_000) << 45, np.arange(1, 30_000) << 32, np.arange(30_000)])
    ids = _core.IntegerIds()
    ids.code(rows, None, np.empty(len(rows), np.int32))
    assert ids.longest_search() < 200


def test_hostile_text() -> None:
    """Text of one length with few differences spreads like any other."""
    rows = [f"{row:08d}" + "0" * 40 for row in range(20_000)] + [
        "0" * 40 + f"{row:08d}" for row in range(20_000)
    ]
    rows += [f"{row:06d}" for row in range(20_000)] + ["\0" * row for row in range(2_000)]
    ids = _core.TextIds()
    assert ids.code_objects(rows, np.empty(len(rows), np.int32)) == -1
    assert ids.longest_search() < 200


def test_secrets_differ() -> None:
    """Every table has secrets of its own: what is crowded in one is not so in the next."""
    rows = np.arange(300)
    searches = set()
    for _ in range(30):
        ids = _core.IntegerIds()
        ids.code(rows, None, np.empty(300, np.int32))
        searches.add(ids.longest_search())
    assert len(searches) > 1


def test_text_longer_than_a_slot_can_say(threads: int) -> None:
    """Texts of 16 MiB and more are told apart by their true sizes."""
    a, b = "x" * (2**24 - 1), "x" * (2**24 + 5)
    rows = [a, b, "x", a, b, b + "y", a + "y"]
    assert codes(Coder("c"), {"c": rows}, threads) == [0, 1, 2, 0, 1, 3, 4]
    assert codes(Coder("c"), pa.table({"c": pa.array(rows)}), threads) == [0, 1, 2, 0, 1, 3, 4]


def test_a_dictionary_far_larger_than_its_rows(threads: int) -> None:
    """Only the words that appear are coded, in order of the rows."""
    words = pa.array([f"w{i}" for i in range(50_000)])
    table = pa.table({"c": pa.DictionaryArray.from_arrays(pa.array([49_999, 3, 49_999, 3, 7]), words)})
    coder = Coder("c")
    assert codes(coder, table, threads) == [0, 1, 0, 1, 2]
    assert coder.strings() == ["w49999", "w3", "w7"]


def test_chunks_that_share_a_dictionary(threads: int) -> None:
    """Chunks of one dictionary share its codes; those of different ones meet by their words."""
    words, others = pa.array(["a", "b", "c"]), pa.array(["c", "d", "a"])
    chunks = [
        pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), which)
        for indices, which in (([2, 0], words), ([1, 2], words), ([0, 1, 2], others), ([0], words))
    ]
    coder = Coder("c")
    assert codes(coder, pa.table({"c": pa.chunked_array(chunks)}), threads) == [0, 1, 2, 0, 0, 3, 1, 1]
    assert coder.strings() == ["c", "a", "b", "d"]


def test_dictionaries_within_dictionaries(threads: int) -> None:
    """A categorical of a categorical is followed down to the words."""
    inner = pd.Categorical(["x", "y", None, "x"])
    outer = pd.Categorical.from_codes(
        [3, 1, -1, 0, 2], pd.CategoricalIndex(inner[:2]).append(pd.Index(["z", "w"]))
    )
    assert codes(Coder("c"), pd.DataFrame({"c": outer}), threads) == [0, 1, -1, 2, 3]


@pytest.mark.parametrize("index", [-2, 2, 100])
def test_an_index_beyond_the_dictionary(index: int, threads: int) -> None:
    """An index beyond the dictionary is refused, and its row named."""
    words = pa.DictionaryArray.from_arrays(
        pa.array([0, index, 1], pa.int8()), pa.array(["a", "b"]), safe=False
    )
    expected = rf"column 'c', row 1,001: expected indices into a dictionary of 2 values, got {index}$"
    with pytest.raises(EventsError, match=expected):
        codes(Coder("column 'c'"), pa.table({"c": words}), threads, first_row=1000)


@pytest.mark.usefixtures("remembered")
def test_remembered_text_outside_of_its_memory(threads: int) -> None:
    """A view that points beyond its buffers is refused where views are remembered."""
    test_text_outside_of_its_memory(threads)


def test_a_view_that_was_seen_is_not_read_again() -> None:
    """Sights know a view's code without its text, which is read where there are none."""
    words, kinds = ["first of two long texts", "second of two long texts"], [0, 1, 0, 1, 1, 0, 0, 1]
    array = pa.array(words, pa.string_view())
    views = np.frombuffer(array.buffers()[1], np.int32).reshape(-1, 4)[kinds].copy()
    memory = np.frombuffer(array.buffers()[2], np.uint8).copy()
    texts = _core.TextRows(len(kinds), None, None, views.view(np.uint8).ravel(), [memory], None, 0)
    ids, out = _core.TextIds(), np.full(len(kinds), -9, np.int32)
    sights = _core.Sights(ids, texts)
    ids.code(texts, out, True, 0, 2, sights)
    memory[:] = ord("?")
    missed = np.empty(len(kinds), np.int64)
    assert ids.find(texts, out, 0, 4, missed, sights) == (0, 0)
    ids.code(texts, out, False, 4, 8, sights)
    assert out.tolist() == kinds
    assert ids.find(texts, out, 0, 8, missed) == (8, 0)


def test_sights_are_of_one_chunk_and_one_table() -> None:
    """Sights are refused by other tables and for other chunks; only views have any."""
    (text,) = frame_of(pa.table({"c": pa.array(["a"], pa.string_view())})).column("c").text
    (plain,) = frame_of(pa.table({"c": pa.array(["a"])})).column("c").text
    ids, rows, out = _core.TextIds(), waves.text_rows(text), np.empty(1, np.int32)
    sights = _core.Sights(ids, rows)
    for other, others in ((_core.TextIds(), rows), (ids, waves.text_rows(text))):
        with pytest.raises(ValueError, match="sights are of other texts"):
            other.code(others, out, sights=sights)
    with pytest.raises(ValueError, match="expected views"):
        _core.Sights(ids, waves.text_rows(plain))


def test_views_that_do_not_repeat_are_forgotten() -> None:
    """Sights pay where known texts come by the same views, not where each row has a view of its own."""
    rows = [f"user {number % 50:020}" for number in range(3200)]
    for make, pays in ((gathered, True), (LAYOUTS["view"], False)):
        (text,) = frame_of(pa.table({"c": make(rows)})).column("c").text
        ids, texts, out = _core.TextIds(), waves.text_rows(text), np.empty(len(rows), np.int32)
        sights = _core.Sights(ids, texts)
        ids.code(texts, out, True, 0, 64, sights)
        assert sights.pays
        ids.code(texts, out, True, 64, 3200, sights)
        assert sights.pays is pays


def test_text_outside_of_its_memory(threads: int) -> None:
    """A view that points beyond its buffers is refused, and its row named."""
    rows = ["a", "a text of more than twelve bytes", "b"] * STRETCH
    views = np.frombuffer(pa.array(rows, pa.string_view()).buffers()[1], np.int32).reshape(-1, 4).copy()
    views[100, 3] = 2**30
    broken = pa.Array.from_buffers(
        pa.string_view(),
        len(rows),
        [None, pa.py_buffer(views), *pa.array(rows, pa.string_view()).buffers()[2:]],
    )
    expected = r"column 'c', row 1,100: expected text within the buffers of its Arrow array"
    with pytest.raises(EventsError, match=expected):
        codes(Coder("column 'c'"), pa.table({"c": broken}), threads, first_row=1000)


@pytest.mark.parametrize(
    "wrong",
    [
        b"\xff",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"a\xc3",
    ],
)
def test_bytes_that_are_not_utf8(wrong: bytes, threads: int) -> None:
    """Text that is not UTF-8 is refused, each id by itself, though two together would be."""
    for rows in ([b"fine", wrong, b"\xa9"], [b"fine", "\u00e9\U0001f600\ud7ff".encode(), wrong]):
        coder = Coder("column 'c'")
        codes(coder, pa.table({"c": pa.array(rows, pa.binary()).view(pa.string())}), threads)
        with pytest.raises(EventsError, match="column 'c': expected text in UTF-8, got b'"):
            coder.refuse_other_encodings()


def test_every_character(threads: int) -> None:
    """Every character that can be encoded is accepted."""
    characters = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    coder = Coder("column 'c'")
    codes(
        coder, pa.table({"c": [characters[i : i + 1000] for i in range(0, len(characters), 1000)]}), threads
    )
    coder.refuse_other_encodings()
    assert "".join(coder.strings()) == characters


def test_objects_that_are_no_text(threads: int) -> None:
    """An object that is no text, or cannot be encoded, is refused and its row named."""
    with pytest.raises(
        EventsError, match=r"row 1,070: expected text, got '\\ud800' \(not encodable as UTF-8"
    ):
        codes(Coder("c"), {"c": np.array(["a"] * 70 + ["\ud800"], object)}, threads, first_row=1000)
    words = pd.Categorical.from_codes([0, 1], pd.Index(["a", "\ud800"], dtype=object))
    with pytest.raises(
        EventsError, match=r"expected text, got '\\ud800' \(not encodable as UTF-8.*dictionary"
    ):
        codes(Coder("c"), pd.DataFrame({"c": words}), threads)


def test_many_rows_of_a_polars_categorical(threads: int) -> None:
    """A long categorical is read by its physical codes, slices, nulls and own categories included."""
    rows = [None if i % 7 == 0 else f"word {i % 1000}" for i in range(70_000)]
    of_bytes = pl.Categorical(pl.Categories("few", "coding", pl.UInt8))
    for dtype, values in ((pl.Categorical(), rows), (of_bytes, [row and row[-1] for row in rows])):
        whole = pl.Series(values, dtype=dtype)
        for series in (whole[3:], pl.concat([whole[100:], whole[:1000]], rechunk=False)):
            coder, known = Coder("c"), dict[Any, int]()
            frame = pl.DataFrame({"c": series})
            assert codes(coder, frame, threads) == oracle(known, series.cast(pl.String).to_list())
            assert coder.strings() == list(known)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_adopted_ids(dtype: Any) -> None:
    """Ids that were numbered elsewhere are known, pickled or not, and come before those that follow."""
    ids = np.array([7, 3, 2**63 + 1 if dtype == np.uint64 else -5], dtype)
    more = frame_of({"id": np.array([3, 11, ids[2]], dtype)}).column("id")
    for pickled in (False, True):
        coder = Coder("ids")
        coder.adopt(ids.view(np.int64), unsigned=dtype == np.uint64)
        coder = pickle.loads(pickle.dumps(coder)) if pickled else coder
        assert (len(coder), coder.integers().tolist()) == (3, ids.tolist())
        assert coder.code(more, insert=False).tolist() == [1, -1, 2]
        assert coder.code(more).tolist() == [1, 3, 2]
        assert coder.integers().tolist() == [*ids.tolist(), 11]


def test_adopted_words() -> None:
    """Adopted words of a dictionary are known, pickled or not, and come before those that follow."""
    words = frame_of(pa.table({"id": ["ann", "bob", "", "a name of more than twelve letters"]})).column("id")
    more = frame_of(pa.table({"id": ["bob", "eve", "a name of more than twelve letters", ""]})).column("id")
    for pickled in (False, True):
        coder = Coder("ids")
        coder.adopt_words(words.text[0], np.array([3, 0, 2]), None)
        coder = pickle.loads(pickle.dumps(coder)) if pickled else coder
        starts, data = coder.buffers()
        assert (len(coder), starts.tolist(), data.tobytes()) == (
            3,
            [0, 34, 37, 37],
            b"a name of more than twelve lettersann",
        )
        coder.refuse_other_encodings()
        assert coder.code(more, insert=False).tolist() == [-1, -1, 0, 2]
        assert coder.code(more).tolist() == [3, 4, 0, 2]
        assert coder.strings() == ["a name of more than twelve letters", "ann", "", "bob", "eve"]


def test_words_outside_of_their_memory() -> None:
    """Texts are taken from no other rows than there are, and from no other memory than that of the rows."""
    text = frame_of(pa.table({"id": ["ann", "bob"]})).column("id").text[0]
    for index in (2, -1):
        with pytest.raises(IndexError, match="1"):
            _core.take_words(waves.text_rows(text), np.array([0, index]), np.empty(3, np.int64))
    assert text.data is not None
    broken = Text(
        layout="utf8", rows=2, offsets=np.array([0, 3, 7], np.int32), data=np.ascontiguousarray(text.data[:6])
    )
    with pytest.raises(IndexError, match="0"):
        _core.take_words(waves.text_rows(broken), np.array([1]), np.empty(2, np.int64))


def test_adopted_ids_beside_others() -> None:
    """Adopted ids that are negative are no bits of unsigned ones, and none of these may follow."""
    coder = Coder("ids")
    coder.adopt(np.array([-1]), unsigned=False)
    above = frame_of({"id": np.array([2**64 - 1], np.uint64)}).column("id")
    assert coder.code(above, insert=False).tolist() == [-1]
    with pytest.raises(EventsError, match="within 64 bits"):
        coder.code(above)


@pytest.mark.parametrize("threads", THREADS)
def test_words_known_from_the_start(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all words appeared soon, threads look up the rest; the first row beyond the words is named."""
    monkeypatch.setattr(waves, "STRETCH", STRETCH)
    index = np.random.default_rng(3).integers(0, 5, 1_000).astype(np.int8)
    words = pa.array(list("abcde"))
    rows = pa.DictionaryArray.from_arrays(pa.array(index), words)
    coder = Coder("ids")
    codes = coder.code(frame_of(pa.table({"id": rows})).column("id"), threads=threads)
    assert codes.tolist() == oracle({}, index.tolist())
    index[[700, 990]] = 9
    broken = pa.DictionaryArray.from_arrays(pa.array(index), words, safe=False)
    with pytest.raises(EventsError, match=r"row 700: .* got 9"):
        Coder("ids").code(frame_of(pa.table({"id": broken})).column("id"), threads=threads)
