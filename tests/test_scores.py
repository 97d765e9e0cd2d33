"""Scores as a thing to keep: shown, copied, pickled, saved and loaded, without the events they came from."""

import copy
import datetime as dt
import gc
import json
import pickle
import weakref
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sources import Capsule

import engagekit as ek
from engagekit.datafiles import read_saved, write

MODEL = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2, channel="web")])
AT = "2026-01-31"
CONNECTION = duckdb.connect()
EVENTS = pl.DataFrame(
    {
        "contact": pl.Series([7, 8, 7], dtype=pl.Int32),
        "type": ["visit"] * 3,
        "time": [dt.datetime(2026, 1, day) for day in (1, 2, 3)],
    }
)
ROWS = pl.DataFrame(
    {
        "contact": pl.Series([8, 7], dtype=pl.Int32),
        "at": [dt.datetime(2026, 1, day) for day in (20, 31)],
        "tags": [["x"], None],
    }
)
SPAN = pl.Series("span", [dt.timedelta(1), None])
KINDS = ["pandas", "polars", "polars lazy", "pyarrow", "pyarrow batch", "duckdb", "dict", "arrow"]


def as_kind(table: pl.DataFrame, kind: str) -> Any:
    """Return a table in one of the libraries."""
    return {
        "pandas": lambda: pd.DataFrame(table.to_dict(as_series=False)).astype({"contact": "int32"}),
        "polars": table.clone,
        "polars lazy": table.lazy,
        "pyarrow": table.to_arrow,
        "pyarrow batch": lambda: table.to_arrow().to_batches()[0],
        "duckdb": lambda: CONNECTION.from_arrow(table.to_arrow()),
        "dict": lambda: {name: table[name].to_numpy() for name in table.columns},
        "arrow": lambda: Capsule(table),
    }[kind]()


def rows_of(scores: ek.Scores) -> list[dict[str, Any]]:
    """Return the rows of the scores' Arrow table."""
    rows: list[dict[str, Any]] = scores.to_arrow().to_pylist()
    return rows


def native_rows(scores: ek.Scores) -> list[tuple[Any, ...]]:
    """Return key and score by the scores' own frame."""
    frame = scores.frame
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return frame.project("contact, score").fetchall()
    return list(zip(*(np.asarray(frame[name]).tolist() for name in ("contact", "score")), strict=True))


# --- what is kept of the events ---


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "dict"])
def test_scores_let_go_of_the_events(kind: str) -> None:
    """The events can be freed while their scores live on, and the key still takes their type."""

    class Events(dict[str, Any]):
        """A dict that can be watched."""

    frame = as_kind(EVENTS, kind)
    if kind == "dict":
        frame = Events(frame)
    watch = weakref.ref(frame)
    scores = MODEL.score(frame, at=AT)
    del frame
    gc.collect()
    assert watch() is None
    assert np.asarray(scores.frame["contact"]).dtype == np.int32


def test_scores_of_a_relation_let_go_of_its_table() -> None:
    """Scores of a DuckDB relation keep its connection, not the frame that it reads."""
    frame = EVENTS.select("contact", "time").to_pandas()
    watch = weakref.ref(frame)
    relation = CONNECTION.from_df(frame).project("*, 'visit' as type")
    scores = MODEL.score(relation, at=AT)
    del relation
    del frame
    gc.collect()
    assert watch() is None
    joined = CONNECTION.sql("select 7::integer as contact").join(scores.frame, "contact")
    assert len(joined.fetchall()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_is_as_small_as_the_scores(kind: str) -> None:
    """The pickled scores of one contact are small, however many events it has."""
    count = 100_000
    many = pl.DataFrame(
        {
            "contact": np.full(count, 7),
            "type": np.full(count, "visit"),
            "time": np.datetime64("2026-01-01", "us") + np.arange(count),
        }
    )
    scores = MODEL.score(as_kind(many, kind), at=AT)
    assert scores.frame is not None
    assert len(pickle.dumps(scores)) < 20_000


# --- pickles and copies ---


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_pickled_and_copied(kind: str) -> None:
    """Scores of every kind of frame come back equal from pickles and copies, and make that kind again."""
    scores = MODEL.score(as_kind(EVENTS, kind), at=AT)
    frame = scores.frame
    for again in (pickle.loads(pickle.dumps(scores)), copy.deepcopy(scores), copy.copy(scores)):
        assert rows_of(again) == rows_of(scores)
        assert (again.at, again.stats, again.key, again.notes) == (
            *(scores.at, scores.stats, scores.key, scores.notes),
        )
        assert again.fingerprint == MODEL.fingerprint
        assert type(again.frame) is type(frame)
        assert native_rows(again) == native_rows(scores)
        assert repr(again) == repr(scores)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_rows_are_pickled_and_copied(kind: str) -> None:
    """Scores beside the caller's own columns come back too, with those columns."""
    scores = MODEL.score(EVENTS, at=as_kind(ROWS, kind))
    frame = scores.frame
    for again in (pickle.loads(pickle.dumps(scores)), copy.deepcopy(scores)):
        assert rows_of(again) == rows_of(scores)
        assert type(again.frame) is type(frame)
        assert native_rows(again) == native_rows(scores)


def test_a_deep_copy_of_a_relations_scores_stays_with_its_connection() -> None:
    """A copy makes relations of the caller's connection, a pickle makes those of DuckDB's default one."""
    scores = MODEL.score(as_kind(EVENTS, "duckdb"), at=AT)
    mine = CONNECTION.sql("select 7::integer as contact")
    assert len(mine.join(copy.deepcopy(scores).frame, "contact").fetchall()) == 1
    default = duckdb.sql("select 7::integer as contact")
    assert len(default.join(pickle.loads(pickle.dumps(scores)).frame, "contact").fetchall()) == 1


# --- the caller's own columns that are not read ---


@pytest.mark.parametrize("kind", KINDS)
def test_lists_in_the_rows_asked_for(kind: str) -> None:
    """Lists beside contact and instant are shown past, and kept in arrays, in Arrow and in a file."""
    scores = MODEL.score(EVENTS, at=as_kind(ROWS, kind))
    assert "2 rows" in repr(scores) and "2 rows" in scores._repr_html_()
    tags = scores.columns()["tags"]
    assert [None if item is None else list(item) for item in tags] == [["x"], None]
    table = scores.to_arrow()
    assert table.column_names[:4] == ["contact", "at", "tags", "score"]
    assert table["tags"].to_pylist() == [["x"], None]
    assert pa.table(scores)["tags"].to_pylist() == [["x"], None]


def test_lists_are_saved(tmp_path: Path) -> None:
    """Parquet has lists and durations back; a text file is refused, with the column's name."""
    scores = MODEL.score(EVENTS, at=ROWS.with_columns(SPAN))
    scores.save(tmp_path / "s.parquet")
    back = ek.Scores.load(tmp_path / "s.parquet")
    assert back.frame["tags"].to_pylist() == [["x"], None]
    assert rows_of(back) == rows_of(scores)
    assert repr(back) == repr(scores)
    assert back.columns()["span"].tolist() == [dt.timedelta(1), None]
    assert rows_of(pickle.loads(pickle.dumps(back))) == rows_of(scores)
    with pytest.raises(ek.StateError, match=r"column 'tags' .* fits no text; save as \.parquet"):
        scores.save(tmp_path / "s.csv")


def test_a_column_that_no_file_can_hold(tmp_path: Path) -> None:
    """What Arrow has no type for is shown past and given as objects; Arrow and files refuse it by name."""
    rows = ROWS.select("contact", "at").to_pandas().assign(mixed=[[1], "a"])
    scores = MODEL.score(EVENTS, at=rows)
    assert "2 rows" in repr(scores)
    assert scores.columns()["mixed"].tolist() == [[1], "a"]
    assert scores.frame["mixed"].tolist() == [[1], "a"]
    message = r"column 'mixed': expected a type that Arrow can hold, got object \(list and str\)"
    for attempt in (
        scores.to_arrow,
        scores.__arrow_c_stream__,
        lambda: scores.save(tmp_path / "s.parquet"),
    ):
        with pytest.raises(ek.EngagekitError, match=message):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_instants_of_the_callers_that_are_too_far_off() -> None:
    """An instant beyond 64-bit microseconds in a column that nobody scores is no hindrance."""
    far = pa.array([2**62, None], pa.timestamp("s"))
    scores = MODEL.score(EVENTS, at=ROWS.drop("tags").to_arrow().append_column("far", far))
    assert "2 rows" in repr(scores)
    assert scores.to_arrow()["far"].combine_chunks().equals(far)
    assert "score" in scores.columns()


# --- files ---


def altered(path: Path, *keys: str, to: Any) -> None:
    """Write a saved file anew with one thing in its metadata altered."""
    table, metadata = read_saved(path)
    inner = metadata
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    write(path, table, json.loads(json.dumps(metadata)))


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(
    ("keys", "to", "message"),
    [
        (("model", "rules"), 7, "a model with faults: rules"),
        (("model", "rulez"), [], "a model with faults: rulez"),
        (("model",), 7, "a model with faults: "),
        (("model", "name"), "other", "a table and a model that do not fit"),
        (("stats", "rows"), "x", "stats that are no counts"),
        (("stats", "rows"), -1, "stats that are no counts"),
        (("stats", "rows"), True, "stats that are no counts"),
        (("stats", "rowz"), 1, "metadata without"),
        (("at",), "yesterday", "metadata without"),
        (("key",), ["contact"], "metadata without"),
        (("key",), "nobody", "a table and a model that do not fit"),
    ],
)
def test_scores_whose_metadata_are_wrong(
    tmp_path: Path, ending: str, keys: tuple[str, ...], to: Any, message: str
) -> None:
    """Metadata that Scores.save did not write are refused, whatever is wrong with them."""
    path = tmp_path / f"s.{ending}"
    MODEL.score(EVENTS, at=AT).save(path)
    altered(path, *keys, to=to)
    with pytest.raises(ek.StateError) as caught:
        ek.Scores.load(path)
    assert str(caught.value).startswith(f"{path}: expected saved scores, got {message}")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_companion_that_was_edited(tmp_path: Path, ending: str) -> None:
    """Metadata of a text file that somebody has edited are refused before they are believed."""
    path = tmp_path / f"s.{ending}"
    MODEL.score(EVENTS, at=AT).save(path)
    companion = path.with_name(path.name + "-metadata.json")
    companion.write_text(companion.read_text().replace('"unmatched": 0', '"unmatched": 1'))
    with pytest.raises(ek.StateError, match="damaged metadata, its checksum differs"):
        ek.Scores.load(path)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    """A NUL in a file's name is an error of ours, to save and to load."""
    with pytest.raises(ek.StateError, match="which no file can have"):
        MODEL.score(EVENTS, at=AT).save(tmp_path / "a\0.csv")
    with pytest.raises(ek.StateError, match="which no file can have"):
        ek.Scores.load(tmp_path / "a\0.parquet")


# --- names that differ in case ---


@pytest.mark.parametrize(
    ("channels", "key", "pair"),
    [
        (("web", "Web"), "contact", "'channel_web' and 'channel_Web'"),
        (("web", "mail"), "Score", "'Score' and 'score'"),
    ],
)
def test_scores_whose_names_differ_in_case(channels: tuple[str, str], key: str, pair: str) -> None:
    """Columns that DuckDB takes for one are refused as a relation, never mixed up; Arrow has them all."""
    rules = [
        ek.Rule(name=each, on="visit", points=n + 1, channel=each, decay="none")
        for n, each in enumerate(channels)
    ]
    relation = CONNECTION.from_arrow(EVENTS.rename({"contact": "who"}).to_arrow())
    scores = ek.Model(rules=rules).score(relation.project(f'who as "{key}", type, time'), at=AT, contact=key)
    with pytest.raises(ek.EventsError, match=f"names that DuckDB can tell apart, got {pair}: rename one"):
        _ = scores.frame
    first, second = (f"channel_{each}" for each in channels)
    row = scores.to_arrow().to_pylist()[0]
    assert (row[key], row[first], row[second], row["score"]) == (7, 2.0, 4.0, 6.0)


def test_features_whose_names_differ_in_case() -> None:
    """A rule named like the key but for its case is refused with a relation."""
    model = ek.Model(rules=[ek.Rule(name="Contact", on="visit", points=1)])
    with pytest.raises(ek.EventsError, match="names that DuckDB can tell apart, got 'contact' and 'Contact'"):
        model.features(as_kind(EVENTS, "duckdb"), at=AT)
