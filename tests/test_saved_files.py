"""What is saved comes back unchanged, in every format; what is not ours, or damaged, is refused."""

import hashlib
import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagekit import StateError, datafiles

FORMATS = ["parquet", "csv", "jsonl"]
METADATA = {"at": "2024-05-01T00:00:00Z", "model": {"name": "é"}, "stats": [1, 2.5, None]}
UTC = pa.timestamp("us", "UTC")
SCALARS: dict[str, pa.Array] = {
    "boolean": pa.array([True, None]),
    "text": pa.array(["", None]),
    "long text": pa.array(["a,b", None], pa.large_string()),
    "view": pa.array(['"', None], pa.string_view()),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "int64": pa.array([2**53 + 1, None], pa.int64()),
    "int8": pa.array([-128, None], pa.int8()),
    "float64": pa.array([0.1 + 0.2, None]),
    "float32": pa.array([0.1, None], pa.float32()),
    "float16": pa.array([0.5, None]).cast(pa.float16()),
    "instant": pa.array([1, None], UTC),
    "naive": pa.array([-1, None], pa.timestamp("ns")),
    "Berlin": pa.array([0, None], pa.timestamp("s", "Europe/Berlin")),
    "date": pa.array([date(1969, 12, 31), None]),
    "date64": pa.array([date(2024, 2, 29), None], pa.date64()),
    "decimal": pa.array([Decimal("1.50"), None], pa.decimal128(20, 2)),
    "category": pa.array(["high", None]).dictionary_encode(),
    "ordered": pa.array(["a", None])
    .dictionary_encode()
    .cast(pa.dictionary(pa.int8(), pa.large_string(), True)),
    "nothing": pa.nulls(2),
    'a "name", of all': pa.array([1, None]),
}


def there_and_back(table: pa.Table, path: Path) -> pa.Table:
    """Save a table and return what is read back, its metadata checked."""
    datafiles.write(path, table, METADATA)
    back, metadata = datafiles.read_saved(path)
    assert metadata == METADATA
    return back


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("name", SCALARS)
def test_types_and_values_come_back(tmp_path: Path, ending: str, name: str) -> None:
    """Every type of column comes back as it was, null and empty text apart."""
    table = pa.table({name: SCALARS[name], "n": [1, 2]})
    back = there_and_back(table, tmp_path / f"s.{ending}")
    assert back.schema == table.schema
    assert back.equals(table)


@pytest.mark.parametrize("ending", [*FORMATS, "pq", "tsv", "ndjson"])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_every_ending_and_size(tmp_path: Path, ending: str, rows: int) -> None:
    """All endings hold tables of any length, one column of nothing but nulls included."""
    table = pa.table({"s": pa.array([None] * rows, pa.string())})
    assert there_and_back(table, tmp_path / f"s.{ending}").equals(table)


@given(
    text=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=5),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
@pytest.mark.parametrize("ending", FORMATS)
def test_any_text_and_number_comes_back(
    tmp_path_factory: pytest.TempPathFactory, ending: str, text: list[str | None], number: float
) -> None:
    """No text breaks out of its field, and every float is read back to the bit."""
    table = pa.table({"t": pa.array(text, pa.string()), "x": pa.array([number] * len(text), pa.float64())})
    back = there_and_back(table, tmp_path_factory.mktemp("saved") / f"s.{ending}")
    assert back.equals(table)
    assert str(back["x"].to_pylist()) == str(table["x"].to_pylist())


def test_instants_are_iso_8601(tmp_path: Path) -> None:
    """In text instants are ISO-8601, with Z where they are aware."""
    table = pa.table({"aware": pa.array([0, 1], UTC), "naive": pa.array([0, 1], pa.timestamp("us"))})
    datafiles.write(tmp_path / "s.jsonl", table, {})
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert rows == [
        {"aware": "1970-01-01T00:00:00Z", "naive": "1970-01-01T00:00:00"},
        {"aware": "1970-01-01T00:00:00.000001Z", "naive": "1970-01-01T00:00:00.000001"},
    ]


def test_others_can_read_the_files(tmp_path: Path) -> None:
    """The files are plain Parquet, CSV and JSON lines, and the companion describes the table as CSVW does."""
    table = pa.table({"contact": ["007"], "score": [1.5]})
    for ending in FORMATS:
        datafiles.write(tmp_path / f"s.{ending}", table, METADATA)
    assert json.loads(pq.read_schema(tmp_path / "s.parquet").metadata[b"engagekit"])["metadata"] == METADATA
    assert (tmp_path / "s.csv").read_text() == '"contact","score"\n"007",1.5\n'
    described = json.loads((tmp_path / "s.csv-metadata.json").read_text())
    assert described["url"] == "s.csv"
    assert described["tableSchema"]["columns"][1] == {"name": "score", "datatype": "double"}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("position", [0.1, 0.5])
def test_altered_files_are_refused(tmp_path: Path, ending: str, position: float) -> None:
    """A file of which one byte differs, or the end is missing, is not read as if nothing had happened."""
    path = tmp_path / f"s.{ending}"
    # Text that does not compress, so that in Parquet too most bytes are of the table.
    table = pa.table({"t": [os.urandom(16).hex() for _ in range(200)]})
    datafiles.write(path, table, METADATA)
    whole = path.read_bytes()
    place = int(len(whole) * position)
    for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(StateError, match=r"s\.\w+: (damaged|altered)|no engagekit metadata"):
            datafiles.read_saved(path)


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    """Whichever byte of a Parquet file is altered, it is refused or does not matter to what is read."""
    path = tmp_path / "s.parquet"
    table = pa.table({"t": ["a", "b", None], "x": [1.5, 2.5, -1.0]})
    datafiles.write(path, table, METADATA)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            back, metadata = datafiles.read_saved(path)
        except StateError:
            refused += 1
        else:
            assert back.equals(table) and metadata == METADATA
    assert refused > len(whole) / 6


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_no_flipped_bit_of_a_companion_goes_unseen(tmp_path: Path, ending: str) -> None:
    """Whichever byte of a companion is altered, it is refused or does not matter to what is read."""
    path = tmp_path / f"s.{ending}"
    table = pa.table({"t": ["a", "b", None], "x": [1.5, 2.5, -1.0]})
    datafiles.write(path, table, METADATA)
    companion = path.with_name(path.name + "-metadata.json")
    whole = companion.read_bytes()
    refused = 0
    for place in range(len(whole)):
        companion.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            back, metadata = datafiles.read_saved(path)
        except StateError:
            refused += 1
        else:
            assert back.equals(table) and metadata == METADATA
    assert refused > len(whole) / 3


def test_a_companion_may_be_spelt_anew(tmp_path: Path) -> None:
    """What a tool only writes in another order and with other spaces is still the same metadata."""
    path = tmp_path / "s.csv"
    datafiles.write(path, pa.table({"t": ["a"]}), METADATA)
    companion = path.with_name(path.name + "-metadata.json")
    companion.write_text(json.dumps(json.loads(companion.read_text()), sort_keys=True))
    assert datafiles.read_saved(path)[1] == METADATA


@pytest.mark.parametrize("name", ["a\0.csv", "a\0.parquet", "a\0/b.jsonl", "\ud800.csv"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    """A name with a NUL or half a letter is refused as what it is, to write and to read."""
    for attempt in (
        lambda: datafiles.write(tmp_path / name, pa.table({"t": ["a"]}), METADATA),
        lambda: datafiles.read_saved(tmp_path / name),
    ):
        with pytest.raises(StateError, match=r"expected the name of a file, got .*, which no file can have"):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_too_long(tmp_path: Path) -> None:
    """A name that the file system cannot hold is told as any other fault of a file."""
    for name in ("a" * 300 + ".csv", "a" * 300 + "/b.csv"):
        with pytest.raises(StateError, match="cannot be written"):
            datafiles.write(tmp_path / name, pa.table({"t": ["a"]}), METADATA)
        with pytest.raises(StateError, match=r"a\.csv: |b\.csv: "):
            datafiles.read_saved(tmp_path / name)


def change(path: Path, **changes: Any) -> None:
    """Change what the companion of a file says, its checksum too."""
    companion = path.with_name(path.name + "-metadata.json")
    described = json.loads(companion.read_text())
    note = described["notes"][0]["engagekit"]
    note.update(changes)
    del note["note_sha256"]
    plain = json.dumps(note, sort_keys=True, separators=(",", ":"))
    note["note_sha256"] = hashlib.sha256(plain.encode()).hexdigest()
    companion.write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "written by a newer engagekit (format 2, this one reads 1); upgrade to read it"),
        ({"version": "1"}, "no engagekit metadata in it"),
        ({"rows": 3}, "damaged; rows or columns differ"),
        ({"rows": None}, "damaged metadata, 'rows' is missing or wrong"),
        ({"types": {"t": "string"}}, "damaged"),
        ({"types": {"t": "string", "x": "rubbish"}}, "damaged metadata, column 'x' has no known type"),
        ({"types": {"t": "string", "x": "dictionary<values=" * 9}}, "column 'x' has no known type"),
        ({"types": {"t": "string", "x": "timestamp[us]"}}, "damaged"),
        ({"metadata": 7}, "damaged metadata, 'metadata' is missing or wrong"),
        ({"sha256": None}, "altered since it was saved"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_companions_that_do_not_fit(
    tmp_path: Path, ending: str, changes: dict[str, Any], message: str
) -> None:
    """A companion that is newer, damaged or of another file is an error that says so."""
    path = tmp_path / f"s.{ending}"
    datafiles.write(path, pa.table({"t": ["a", "b"], "x": [1.5, 2.5]}), METADATA)
    change(path, **changes)
    with pytest.raises(StateError) as caught:
        datafiles.read_saved(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "7", '{"notes": []}', '{"notes": [7]}', "[" * 100_000])
def test_companions_that_are_none(tmp_path: Path, content: str) -> None:
    """A companion that is no description of ours is an error that names it."""
    path = tmp_path / "s.csv"
    datafiles.write(path, pa.table({"t": ["a"]}), METADATA)
    (tmp_path / "s.csv-metadata.json").write_text(content)
    with pytest.raises(StateError, match=r"s\.csv-metadata\.json: no engagekit metadata in it"):
        datafiles.read_saved(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    """Files that engagekit did not save are errors that say what was expected."""
    table = pa.table({"t": ["a"]})
    pq.write_table(table, tmp_path / "s.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "s.csv")
    for name, message in {
        "s.parquet": "no engagekit metadata in it; expected a file that Scores.save wrote",
        "s.csv": "expected s.csv-metadata.json beside it, which says the types and the model",
        "none.csv": "no such file",
        "s.txt": "expected an ending of .parquet, .csv or .jsonl",
        "s.csv.gz": "expected an ending of .parquet, .csv or .jsonl",
    }.items():
        with pytest.raises(StateError) as caught:
            datafiles.read_saved(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {message}"


def test_newer_parquet_is_refused(tmp_path: Path) -> None:
    """A Parquet file of a newer format is told from a damaged one."""
    header = {"version": 2, "rows": 1, "types": {"t": "string"}, "metadata": {}}
    table = pa.table({"t": ["a"]}).replace_schema_metadata({"engagekit": json.dumps(header)})
    pq.write_table(table, tmp_path / "s.parquet")
    with pytest.raises(StateError, match="written by a newer engagekit"):
        datafiles.read_saved(tmp_path / "s.parquet")


@pytest.mark.parametrize("ending", FORMATS)
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Where writing fails, what was there stays, and nothing is left lying about."""
    path = tmp_path / f"s.{ending}"
    old = pa.table({"t": ["old"]})
    datafiles.write(path, old, METADATA)
    before = sorted(each.name for each in tmp_path.iterdir())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match=r"cannot be written \(.*No space left on device\)"):
        datafiles.write(path, pa.table({"t": ["new"]}), METADATA)
    monkeypatch.undo()
    assert sorted(each.name for each in tmp_path.iterdir()) == before
    assert datafiles.read_saved(path)[0].equals(old)


def test_targets_are_checked_before_they_are_written(tmp_path: Path) -> None:
    """An ending or a folder that will not do is told without writing anything."""
    for name, message in {
        "s.txt": "expected an ending of .parquet, .csv or .jsonl",
        "none/s.csv": f"cannot be written, there is no folder {tmp_path / 'none'}",
    }.items():
        with pytest.raises(StateError) as caught:
            datafiles.check_target(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {message}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1]]), "column 'x' (list<item: int64>) fits no text; save as .parquet"),
        (pa.array([float("nan")]), "JSON has no NaN and no infinite numbers; save as .parquet or .csv"),
    ],
)
def test_what_json_cannot_hold(tmp_path: Path, column: pa.Array, message: str) -> None:
    """A column that a format cannot hold is refused, with a format that can."""
    with pytest.raises(StateError) as caught:
        datafiles.write(tmp_path / "s.jsonl", pa.table({"x": column}), METADATA)
    assert str(caught.value) == f"{tmp_path / 's.jsonl'}: {message}"
    assert list(tmp_path.iterdir()) == []
