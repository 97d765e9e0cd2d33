"""A result's key has the type of the caller's own column, so that the caller's library can join the two."""

import gc
import pickle
from typing import Any

import attrs
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sources import Capsule, contents

import engagekit as ek
from engagekit import apart
from engagekit.frames import Out, build, frame_of, frames_of

CONNECTION = duckdb.connect()
TEXT_OF_PANDAS = pd.Series(["text"]).dtype
# --- keys of the caller's type ---

IDS = np.array([20, 10])
WORDS = np.array(["b", "a"], object)


def shown(parameter: Any) -> str:
    """Return what tells one case of a test from the others."""
    return parameter.kind if isinstance(parameter, Out) else f"{type(parameter).__name__} {parameter!r}"


def key_of(source: Any, out: Out) -> Any:
    """Build a result with a key like the caller's column k."""
    frame = next(frames_of(source))
    out = attrs.evolve(out, like=frame.like("k"))
    return build(frame.kind, {"k": out, "score": Out("float", np.array([2.0, 1.0]))})


@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        *[
            (dtype, Out("integer", IDS))
            for dtype in ("int8", "int32", "uint8", "uint64", "Int32", "UInt16", "int64[pyarrow]")
        ],
        *[
            (dtype, Out("text", WORDS))
            for dtype in (object, "string", "category", pd.ArrowDtype(pa.string()))
        ],
        *[(pd.StringDtype(storage), Out("text", WORDS)) for storage in ("python", "pyarrow")],
        (pd.CategoricalDtype([10, 20, 30], ordered=True), Out("integer", IDS)),
        (TEXT_OF_PANDAS, Out("text", (np.array([0, 1, 2]), np.frombuffer(b"ba", np.uint8)))),
    ],
    ids=shown,
)
def test_pandas_keys(dtype: Any, out: Out) -> None:
    """A pandas key has the caller's dtype and merges with the caller's frame."""
    words = ["a", "b", "b"] if out.kind == "text" else [10, 20, 20]
    frame = pd.DataFrame({"k": pd.Series(words).astype(dtype), "n": [1, 2, 3]})
    result = key_of(frame, out)
    assert result["k"].dtype == frame["k"].dtype
    merged = frame.merge(result, on="k", how="left")
    assert merged["score"].tolist() == [1.0, 2.0, 2.0]
    assert merged["k"].dtype == frame["k"].dtype


@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        *[(dtype, Out("integer", IDS)) for dtype in (pl.Int8, pl.Int32, pl.UInt8, pl.UInt64)],
        *[(dtype, Out("text", WORDS)) for dtype in (pl.String, pl.Categorical, pl.Enum(["b", "c", "a"]))],
    ],
    ids=shown,
)
def test_polars_keys(dtype: Any, out: Out) -> None:
    """A polars key has the caller's type and joins with the caller's frame."""
    words = ["a", "b", "b"] if out.kind == "text" else [10, 20, 20]
    frame = pl.DataFrame({"k": pl.Series(words).cast(dtype), "n": [1, 2, 3]})
    result = key_of(frame, out)
    assert result.schema["k"] == frame.schema["k"]
    assert frame.join(result, on="k", how="left").sort("n")["score"].to_list() == [1.0, 2.0, 2.0]
    assert key_of(frame.lazy(), out).schema["k"] == frame.schema["k"]


@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        *[(dtype, Out("integer", IDS)) for dtype in (pa.int8(), pa.int32(), pa.uint8(), pa.uint64())],
        *[(dtype, Out("text", WORDS)) for dtype in (pa.string(), pa.large_string())],
        (pa.dictionary(pa.int8(), pa.string()), Out("text", WORDS)),
        (
            pa.dictionary(pa.int32(), pa.large_string()),
            Out("category", np.array([1, 0], np.int32), categories=["a", "b"]),
        ),
    ],
    ids=shown,
)
def test_pyarrow_keys(dtype: Any, out: Out) -> None:
    """A pyarrow key has the caller's type and joins with the caller's table."""
    words = ["a", "b", "b"] if out.kind != "integer" else [10, 20, 20]
    array = pa.array(words)
    array = array.dictionary_encode().cast(dtype) if pa.types.is_dictionary(dtype) else array.cast(dtype)
    table = pa.table({"k": array, "n": [1, 2, 3]})
    for source in (table, table.to_batches()[0]):
        result = key_of(source, out)
        assert result.schema.field("k").type == dtype
    joined = table.join(result, keys="k", join_type="left outer").sort_by("n")
    assert joined["score"].to_pylist() == [1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("sql", "out"),
    [
        *[(sql, Out("integer", IDS)) for sql in ("integer", "utinyint", "bigint", "ubigint")],
        ("varchar", Out("text", WORDS)),
        ("enum('c', 'b', 'a')", Out("text", WORDS)),
    ],
)
def test_duckdb_keys(sql: str, out: Out) -> None:
    """A DuckDB key has the caller's type, and the result is a relation that joins with the caller's."""
    connection = duckdb.connect()
    words = "'a', 'b', 'b'" if out.kind == "text" else "10, 20, 20"
    relation = connection.sql(f"select unnest([{words}])::{sql} as k, unnest([1, 2, 3]) as n")
    result = key_of(relation, out)
    gc.collect()
    assert str(result.types[0]) == str(relation.types[0])
    for _ in range(2):
        assert relation.join(result, "k", how="left").order("n").project("n, score").fetchall() == [
            (1, 1.0),
            (2, 2.0),
            (3, 2.0),
        ]
    other = key_of(relation, out)
    assert len(result.join(other, "k").fetchall()) == 2


def test_duckdb_keys_of_uuids() -> None:
    """UUIDs, which are read as text, become UUIDs again."""
    relation = CONNECTION.sql("select '00000000-0000-0000-0000-00000000000a'::uuid as k")
    frame = next(frames_of(relation))
    words = np.array([contents(frame.column("k"))[0]], object)
    result = build("duckdb", {"k": Out("text", words, like=frame.like("k"))})
    assert str(result.types[0]) == "UUID"
    assert len(relation.join(result, "k").fetchall()) == 1


@pytest.mark.parametrize("dtype", ["int16", "uint8", "<U1", "<U9", object])
def test_dict_keys(dtype: Any) -> None:
    """A NumPy key has the caller's type; text is never cut off."""
    out = Out("integer", IDS) if "int" in str(dtype) else Out("text", WORDS)
    array = np.array([10, 20] if out.kind == "integer" else ["a", "b"]).astype(dtype)
    result = key_of({"k": array}, out)
    assert result["k"].dtype.kind == array.dtype.kind
    assert result["k"].tolist() == out.values.tolist()
    assert key_of({"k": np.array(["a"])}, Out("text", np.array(["longer", "b"], object)))["k"].tolist() == [
        "longer",
        "b",
    ]
    assert key_of({"k": [1, 2]}, Out("integer", IDS))["k"].tolist() == [20, 10]
    numbered = frame_of({0: np.array([1], np.int8)})
    assert build("dict", {"k": Out("integer", IDS, like=numbered.like("0"))})["k"].dtype == np.int8


def test_variable_width_numpy_keys() -> None:
    """A StringDType key is one again."""
    if hasattr(np.dtypes, "StringDType"):
        result = key_of({"k": np.array(["a", "b"], np.dtypes.StringDType())}, Out("text", WORDS))
        assert isinstance(result["k"].dtype, np.dtypes.StringDType)


@pytest.mark.parametrize("dtype", [pa.int16(), pa.uint32(), pa.string(), pa.large_string()])
def test_arrow_stream_keys(dtype: Any) -> None:
    """A key like a column of an unknown library's stream has that Arrow type."""
    out = Out("integer", IDS) if pa.types.is_integer(dtype) else Out("text", WORDS)
    source = Capsule(pa.table({"k": pa.array([10, 20] if out.kind == "integer" else ["a", "b"]).cast(dtype)}))
    assert key_of(source, out).schema.field("k").type == dtype
    frame = frame_of(source)
    out = attrs.evolve(out, like=frame.like("k"))
    assert build(frame.kind, {"k": out}).schema.field("k").type == dtype


LOSSY = {
    "pandas integer": (pd.DataFrame({"k": np.array([1], np.int8)}), Out("integer", np.array([300, 1]))),
    "pandas signed": (pd.DataFrame({"k": np.array([1], np.uint8)}), Out("integer", np.array([-1, 1]))),
    "pandas category": (pd.DataFrame({"k": pd.Categorical(["a"])}), Out("text", WORDS)),
    "pandas number": (pd.DataFrame({"k": [1]}), Out("text", WORDS)),
    "polars integer": (
        pl.DataFrame({"k": pl.Series([1], dtype=pl.Int8)}),
        Out("integer", np.array([300, 1])),
    ),
    "polars enum": (pl.DataFrame({"k": pl.Series(["a"], dtype=pl.Enum(["a"]))}), Out("text", WORDS)),
    "polars number": (pl.DataFrame({"k": [1]}), Out("text", WORDS)),
    "pyarrow integer": (pa.table({"k": pa.array([1], pa.int8())}), Out("integer", np.array([300, 1]))),
    "pyarrow dictionary": (pa.table({"k": pa.array(["a"]).dictionary_encode()}), Out("text", WORDS)),
    "pyarrow number": (pa.table({"k": [1]}), Out("text", WORDS)),
    "pyarrow of no chunk": (
        pa.table({"k": pa.chunked_array([], pa.dictionary(pa.int8(), pa.string()))}),
        Out("text", WORDS),
    ),
    "duckdb integer": (duckdb.sql("select 1::tinyint k"), Out("integer", np.array([300, 1]))),
    "duckdb enum": (duckdb.sql("select 'a'::enum('a') k"), Out("text", WORDS)),
    "duckdb number": (duckdb.sql("select 1 k"), Out("text", WORDS)),
    "dict integer": ({"k": np.array([1], np.int8)}, Out("integer", np.array([300, 1]))),
    "dict number": ({"k": np.array([1])}, Out("text", WORDS)),
    "arrow integer": (Capsule(pa.table({"k": pa.array([1], pa.int8())})), Out("integer", np.array([300, 1]))),
    "arrow number": (Capsule(pa.table({"k": [1]})), Out("text", WORDS)),
    "arrow dictionary": (Capsule(pa.table({"k": pa.array(["a"]).dictionary_encode()})), Out("text", WORDS)),
}


@pytest.mark.parametrize("case", LOSSY)
def test_keys_that_do_not_fit_stay_whole(case: str) -> None:
    """Where the caller's type cannot hold every key, the key keeps a type that can."""
    source, out = LOSSY[case]
    result = frame_of(key_of(source, out)).column("k")
    assert contents(result) == out.values.tolist()


def test_keys_with_gaps() -> None:
    """A key with a null takes the caller's type where that has nulls."""
    out = Out("text", np.array(["a", None], object))
    assert (
        key_of(pl.DataFrame({"k": pl.Series(["a"], dtype=pl.Categorical)}), out).schema["k"] == pl.Categorical
    )
    assert key_of(pd.DataFrame({"k": pd.Categorical(["a"])}), out)["k"].dtype == "category"
    assert key_of({"k": np.array(["a"])}, out)["k"].tolist() == ["a", None]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("ids", [[20, 7], ["ann", "bob"]], ids=["integers", "text"])
def test_without_events_the_key_is_like_the_contacts_tables(frame: Any, ids: list[Any]) -> None:
    """An empty table's column may have any type: the key has that of the contacts table."""
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=1)])
    contacts = frame({"user": ids})
    scores = model.score(frame({"user": [], "type": [], "time": []}), contacts=contacts, contact="user").frame
    assert scores["user"].to_numpy().tolist() == ids
    assert str(type_of(scores, "user")) == str(type_of(contacts, "user"))


def type_of(frame: Any, name: str) -> Any:
    """Return the type of a column."""
    return frame[name].type if isinstance(frame, pa.Table) else frame[name].dtype


@pytest.mark.parametrize("at", [10_000, 5])
def test_a_key_of_codes(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A categorical's words are found by code while the result is in the process, and by text after that."""
    monkeypatch.setattr(apart, "LEAST", 1)
    monkeypatch.setattr("engagekit.frames.frame._MANY", 1)
    names = pl.Series([f"somebody {number * 7 % 10}" for number in range(4_000)])
    columns = {"type": ["visit"] * 4_000, "time": pl.Series(np.arange(4_000)).cast(pl.Datetime("us"))}
    log = pl.DataFrame({"contact": names.cast(pl.Categorical), **columns})
    model = ek.Model(name="m", rules=[ek.Rule(name="visit", on="visit", points=1)])
    plain = model.score(log.with_columns(contact=names), at=np.datetime64(at, "us")).frame
    scores = model.score(log, at=np.datetime64(at, "us"))
    sent = pickle.dumps(scores)
    del log
    gc.collect()
    pl.Series(["another", "word"], dtype=pl.Categorical)
    for result in (scores, pickle.loads(sent)):
        assert result.frame["contact"].dtype == pl.Categorical
        assert result.frame.with_columns(pl.col("contact").cast(pl.String)).equals(plain)
