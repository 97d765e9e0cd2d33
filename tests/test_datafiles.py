"""Files of events and contacts are read as they are meant; faults are named with their place."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engagekit import EngagekitError, EventsError, datafiles
from engagekit.datafiles import delimited, jsonlines, parquet, reading

Put = Callable[[str, str | bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file into an empty folder and return its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write


def read(*paths: Path | str, **options: Any) -> dict[str, list[Any]]:
    """Read events and return them as lists."""
    table = pa.concat_tables(datafiles.read_events(paths, **options))
    return {name: table[name].to_pylist() for name in table.column_names}


def refused(*paths: Path | str, **options: Any) -> str:
    """Return the message of the EventsError that reading raises, without the folder."""
    with pytest.raises(EventsError) as caught:
        read(*paths, **options)
    folder = str(Path(paths[0]).parent) + "/"
    return str(caught.value).replace(folder, "")


def microseconds(path: Path) -> list[int | None]:
    """Return the times of a file as integers."""
    table = pa.concat_tables(datafiles.read_events(path))
    return table["time"].cast(pa.int64()).to_pylist()


# --- CSV -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "contact",
    ["007", "NA", "1e5", "9007199254740993", "null", "nan", "true", "2024-01-01", " x ", "1,000", "é"],
)
def test_csv_ids_stay_what_they_are(put: Put, contact: str) -> None:
    """Whatever an id looks like, it comes out of a CSV file as the text that went in."""
    path = put("e.csv", f'contact,type,time,mail\n"{contact}","{contact}",2024-01-01,"{contact}"\n')
    got = read(path, mapping={"id": "mail"})
    assert (got["contact"], got["type"], got["mail"]) == ([contact], [contact], [contact])


def test_csv_is_typed_by_use(put: Put) -> None:
    """Amounts become numbers, flags booleans, the rest text; an empty field is null."""
    path = put(
        "e.csv", "contact,type,time,value,vip,page\na,t,2024-01-01,12.5,TRUE,007\nb,t,2024-01-02,,0,\n"
    )
    got = read(path, fields={"value", "vip", "page"}, number_fields={"value"}, flag_fields={"vip"})
    assert got["value"] == [12.5, None]
    assert got["vip"] == [True, False]
    assert got["page"] == ["007", None]


def test_only_wanted_columns_are_read(put: Put) -> None:
    """A column that the model does not use is left where it is, however broken."""
    path = put("e.csv", "contact,type,time,value,junk\na,t,2024-01-01,not a number,x\n")
    assert list(read(path)) == ["contact", "type", "time"]


def test_mapped_names_are_kept(put: Put) -> None:
    """Columns are found by the mapping and keep their own names."""
    path = put("e.csv", "who,what,when,amount\na,t,2024-01-01,3\n")
    got = read(
        path, mapping={"contact": "who", "type": "what", "time": "when", "value": "amount"}, fields={"value"}
    )
    assert (list(got), got["amount"]) == (["who", "what", "when", "amount"], [3.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01", 1704067200000000),
        ("2024-01-01 10:00:00", 1704103200000000),
        ("2024-01-01T10:00:00Z", 1704103200000000),
        ("2024-01-01 10:00:00 UTC", 1704103200000000),
        ("2024-01-01T10:00:00+01:30", 1704097800000000),
        ("2024-01-01 10:00:00 -0100", 1704106800000000),
        ("2024-01-01T10:00:00.123456789", 1704103200123456),
        ("2024-01-01T10:00:00,5Z", 1704103200500000),
        ("20240101T100000Z", 1704103200000000),
        ("20240101", 1704067200000000),
        (" 2024-01-01 ", 1704067200000000),
        ("0001-01-01", -62135596800000000),
        ("1969-12-31T23:59:59.9999999", -1),
        ("9999-12-31T23:59:59.999999999", 253402300799999999),
    ],
)
def test_iso_8601_times(put: Put, text: str, expected: int) -> None:
    """Times are ISO-8601 with or without an offset; digits finer than microseconds are floored."""
    assert microseconds(put("e.csv", f'contact,type,time\na,t,"{text}"\n')) == [expected]
    assert microseconds(put("e.jsonl", json.dumps({"contact": "a", "type": "t", "time": text}))) == [expected]


def test_the_first_time_decides_whether_all_are_aware(put: Put) -> None:
    """Times with and without an offset may stand together, across files too; those without are UTC."""
    first = put("1.csv", "contact,type,time\na,t,2024-01-01T00:00Z\na,t,2024-01-01T01:00\n")
    second = put("2.csv", "contact,type,time\na,t,2024-01-01T02:00\n")
    tables = list(datafiles.read_events([first, put("0.csv", "contact,type,time\n"), second]))
    assert {str(table["time"].type) for table in tables} == {"timestamp[us, tz=UTC]"}
    assert [time.hour for time in pa.concat_tables(tables)["time"].to_pylist()] == [0, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "0000-01-01",
        "0001-01-01T00:00+01:00",
        "2024-02-30",
        "1704067200",
        "2024-01-01T24:00",
        "12/31/2024",
        "2024-1-1",
    ],
)
def test_malformed_times_are_named(put: Put, text: str) -> None:
    """A time that is none is an error with its line, and all of them are counted."""
    rows = "a,t,2024-01-01\n" * 3 + f"a,t,{text}\n" + "a,t,2024-01-01\n" + f"a,t,{text}\n"
    message = refused(put("e.csv", "contact,type,time\n" + rows))
    hint = " (for times that are numbers say the unit: s, ms, us or ns)" if text.isdecimal() else ""
    assert message == (
        f"e.csv, line 5, column 'time': expected an ISO-8601 instant such as 2024-05-01T12:00:00Z{hint}, "
        f"got '{text}'; 2 such rows in all"
    )


def test_integer_times_with_a_unit(put: Put) -> None:
    """With a unit the times of a CSV file are whole numbers, and stay integers."""
    path = put("e.csv", "contact,type,time\na,t,1704067200\na,t,-1\n")
    assert read(path, unit="s")["time"] == [1704067200, -1]
    path = put("e.csv", "contact,type,time\na,t,1704067200.5\n")
    assert (
        refused(path, unit="s") == "e.csv, line 2, column 'time': expected a whole number, got '1704067200.5'"
    )
    path = put("e.csv", "contact,type,time\na,t,9223372036854775808\na,t,0x10\n")
    assert refused(path, unit="s").endswith("got '9223372036854775808'; 2 such rows in all")


def test_malformed_numbers_are_named(put: Put) -> None:
    """A number that is none is an error with its line, also after a value that spans lines."""
    path = put("e.csv", 'contact,type,time,value\n"a\nb",t,2024-01-01,1\n\na,t,2024-01-01,"1,5"\n')
    assert refused(path, fields={"value"}) == (
        "e.csv, line 5, column 'value': expected a finite number such as 12.5 (with a point, not a comma), "
        "got '1,5'"
    )


@pytest.mark.parametrize(("text", "value"), [("1e3", 1000.0), (" -.5", -0.5), ("+7.", 7.0), ("nan", None)])
def test_numbers(put: Put, text: str, value: float | None) -> None:
    """Numbers may have signs, exponents and spaces around them; NaN is null to the scorer."""
    got = read(put("e.csv", f"contact,type,time,value\na,t,2024-01-01,{text}\n"), fields={"value"})["value"][
        0
    ]
    assert got == value or (value is None and got != got)


@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999", "0x10", "1_000", "twelve", "-", "1 000"])
def test_what_is_no_number(put: Put, text: str) -> None:
    """What is infinite, or no decimal number, is an error."""
    path = put("e.csv", f"contact,type,time,value\na,t,2024-01-01,{text}\n")
    assert refused(path, fields={"value"}).endswith(f"expected a finite number such as 12.5, got '{text}'")


@pytest.mark.parametrize("column", ["contact", "type", "time"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_nulls_where_there_must_be_none(tmp_path: Path, column: str, ending: str) -> None:
    """An empty contact, type or time is an error that names file, line or row, column and count."""
    rows = [{"contact": "a", "type": "t", "time": "2024-01-01"}] * 2 + [
        {"contact": "a", "type": "t", "time": "2024-01-01", column: None}
    ] * 2
    path = tmp_path / f"e.{ending}"
    if ending == "csv":
        path.write_text(
            "contact,type,time\n" + "".join(",".join(v or "" for v in r.values()) + "\n" for r in rows)
        )
        place = "line 4"
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        place = "line 3"
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
        place = "row 2"
    assert refused(path) == (
        f"e.{ending}, {place}, column '{column}': expected a {column}, got nothing (null); 2 such rows in all"
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_csv_dialects(put: Put, newline: str, bom: str) -> None:
    """A byte order mark, either line end, quoted line ends and quotes, and an open last line are read."""
    rows = ["contact,type,time,page", 'a,t,2024-01-01,"x,\ny"', 'b,"t",2024-01-02,"say ""hi"""']
    got = read(put("e.csv", bom + newline.join(rows)), fields={"page"})
    assert got["contact"] == ["a", "b"]
    assert got["page"] == ["x,\ny", 'say "hi"']


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(put: Put, delimiter: str) -> None:
    """Commas, semicolons, tabs and bars are told apart by the names in the first line."""
    path = put("e.csv", "contact,type,time\na,t,2024-01-01\n".replace(",", delimiter))
    assert read(path)["contact"] == ["a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("contact,type,time\na,t\n", "e.csv, line 2: expected 3 fields as in the header, got 2: 'a,t'"),
        ('contact,type,time\n"a\nb",t,2024-01-01\na,t,2024-01-01,x\n', "line 4: expected 3 fields"),
        (
            'contact,type,time,x\na,t,2024-01-01,1\nb,t,2024-01-01,"y\nc,t,2024-01-01,2\n',
            'a quote (") that is never',
        ),
        ("contact,type,time,contact\n", "e.csv: column name 'contact' stands 2 times, expected once"),
        (
            "a,t,2024-01-01\n",
            "e.csv: no column 'contact' for the contact; the file has: a, t, 2024-01-01 (say",
        ),
        (
            "contact,typ,time\na,t,2024-01-01\n",
            "no column 'type' for the type, did you mean 'typ'?; the file has:",
        ),
        ("\n\n", "e.csv: no line with column names in it; expected CSV"),
        (b"PAR1\0\0", "e.csv: expected CSV text, got a Parquet file"),
        (
            b"PK\x03\x04...",
            "e.csv: expected CSV text, got a zip archive or an Excel workbook (save it as CSV)",
        ),
        (
            "contact,type,time\n".encode("utf-16"),
            "e.csv: expected CSV text, got UTF-16 text (save it as UTF-8)",
        ),
        (b"\x89PNG\0\0", "e.csv: expected CSV text, got binary data (a zero byte at 4)"),
        (
            b"contact,type,time\na,t,2024-01-01\n\xff,t,2024-01-01\n",
            "e.csv, line 3: expected UTF-8 text, got the byte",
        ),
        (b"", "e.csv: the file is empty (0 bytes)"),
    ],
)
def test_a_csv_that_is_none(put: Put, content: str | bytes, message: str) -> None:
    """What is no CSV is an error that says why, with the line where there is one."""
    assert message in refused(put("e.csv", content))


def test_csv_without_rows_is_an_empty_table(put: Put) -> None:
    """A header alone is a file without events, not an error."""
    assert read(put("e.csv", "contact,type,time")) == {"contact": [], "type": [], "time": []}


@pytest.mark.parametrize("module", [delimited, jsonlines])
def test_files_are_read_in_blocks(put: Put, monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """A file is never wholly in memory, and a fault far into it still has its line and count."""
    monkeypatch.setattr(module, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(reading, "_BYTES", 8192)
    times = ["2024-01-01"] * 5000 + ["soon"] + ["2024-01-01"] * 500 + ["later"]
    if module is delimited:
        path = put(
            "e.csv", "contact,type,time\n" + "".join(f"{n},t,{time}\n" for n, time in enumerate(times))
        )
    else:
        rows = ({"contact": str(n), "type": "t", "time": time} for n, time in enumerate(times))
        path = put("e.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    stream = datafiles.read_events(path)
    sizes = [next(stream).num_rows for _ in range(3)]
    assert max(sizes) < 1000
    assert ("line 5,002" if module is delimited else "line 5,001") in refused(path)
    assert "got 'soon'; 2 such rows in all" in refused(path)


def test_a_quote_that_swallows_a_block(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote that is never closed is suspected where a line outgrows a block."""
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", 4096)
    path = put("e.csv", 'contact,type,time\na,t,"2024-01-01\n' + "b,t,2024-01-01\n" * 1000)
    assert 'is a quote (") never closed?' in refused(path)


@pytest.mark.parametrize("name", ["e.csv.gz", "e.jsonl.gz", "e.tsv", "e.ndjson", "e.json", "E.CSV", "e.pq"])
def test_endings(put: Put, name: str) -> None:
    """Every known ending is read as what it says, zipped ones too."""
    if name.endswith(".pq"):
        pq.write_table(pa.table({"contact": ["a"], "type": ["t"], "time": [1]}), put(name, b""))
    elif "sv" in name.lower():
        put(name, "contact\ttype\ttime\na\tt\t2024-01-01\n")
    else:
        put(name, '{"contact": "a", "type": "t", "time": "2024-01-01"}\n')
    assert read(put("x", b"").parent / name)["contact"] == ["a"]


@pytest.mark.parametrize("name", ["e.csv.gz", "e.jsonl.gz"])
def test_a_cut_off_zip(put: Put, name: str) -> None:
    """A gzip file that ends too early is an error, not a shorter log."""
    rows = "".join(f'{{"contact": "{n}", "type": "t", "time": "2024-01-01"}}\n' for n in range(1000))
    if name == "e.csv.gz":
        rows = "contact,type,time\n" + "".join(f"{n},t,2024-01-01\n" for n in range(1000))
    path = put(name, rows)
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(path).startswith(f"{name}: cannot be read")


# --- JSON lines ------------------------------------------------------------------------------------------


def lines(*rows: Any) -> str:
    """Write rows as JSON lines, each on top of a usual event."""
    usual = {"contact": "a", "type": "t", "time": "2024-01-01"}
    return "".join(json.dumps({**usual, **row}) + "\n" for row in rows)


def test_json_values_keep_their_types(put: Put) -> None:
    """Text that looks like a date stays text, integers stay exact, a missing key is null."""
    path = put(
        "e.jsonl", lines({"contact": "2024-01-01", "page": "2024-01-02"}, {"contact": "7", "seconds": 3})
    )
    got = read(path, fields={"page", "seconds"}, number_fields={"seconds"})
    assert got["contact"] == ["2024-01-01", "7"]
    assert got["page"] == ["2024-01-02", None]
    assert got["seconds"] == [None, 3.0]


@pytest.mark.parametrize("contact", [9007199254740993, -(2**63), 2**64 - 1])
def test_json_integers_are_exact(put: Put, contact: int) -> None:
    """Contacts that are whole numbers come out exactly."""
    assert read(put("e.jsonl", lines({"contact": contact})))["contact"] == [contact]


def test_json_times_may_be_integers(put: Put) -> None:
    """Times that are numbers stay what they are; the unit is told when scoring."""
    assert read(put("e.jsonl", lines({"time": 1704067200})), unit="s")["time"] == [1704067200]


def test_a_key_that_comes_late_keeps_its_type(put: Put) -> None:
    """A field that first appears after thousands of lines is read by what it is there."""
    path = put("e.jsonl", lines(*[{}] * 11_000, {"page": 7}, {"page": 8}))
    assert read(path, fields={"page"})["page"][-2:] == [7, 8]


def test_files_of_json_lines_agree(put: Put) -> None:
    """A field that is missing from one file of several is null there."""
    first, second = put("1.jsonl", lines({})), put("2.jsonl", lines({"page": "x"}))
    assert read(first, second, fields={"page"})["page"] == [None, "x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lines({"contact": "7"}, {"contact": 7}, {"contact": 8}),
            "line 2, column 'contact': expected text as in the lines before, got a whole number: 7; 2 such",
        ),
        (lines({"contact": 7}, {"contact": 7.5}), "line 2, column 'contact': expected a whole number"),
        (lines({"value": "12"}), "line 1, column 'value': expected a number"),
        (
            lines({"page": {"url": "x"}}),
            "column 'page': expected text, numbers or true and false, got an object",
        ),
        (
            lines({}) + '{"contact": "a"\n',
            'e.jsonl, line 2: expected one JSON object per line, got \'{"contact"',
        ),
        (lines({}) + "7\n", "e.jsonl, line 2: expected one JSON object per line, got 7"),
        ("[" + lines({}).strip() + "]", "got an array (jq -c '.[]' writes an array's objects one a line)"),
        (
            "[\n" + lines({}) + "]",
            "line 1: expected one JSON object per line, not an array over many lines, got '['",
        ),
        (
            lines({}).encode() + b'{"contact": "\xff"}',
            "e.jsonl, line 2: expected UTF-8 text, got the byte 0xff",
        ),
        (lines({}) + '{"contact": "\\ud800"}', "e.jsonl, line 2: half of a surrogate pair in a text"),
        ('{"contact": "a", "contact": "b"}', "(the key 'contact' stands twice)"),
        ('{"contact": ' + "[" * 100_000, "e.jsonl, line 1: expected one JSON object per line"),
        ("\n \n", "e.jsonl: no line with a JSON object in it"),
    ],
)
def test_json_lines_that_are_none(put: Put, content: str | bytes, message: str) -> None:
    """What is no JSON lines is an error that names the line."""
    fields = {name for name in ("value", "page") if f"'{name}'" in message}
    assert message in refused(put("e.jsonl", content), fields=fields)


def test_faults_beyond_the_first_lines_are_found(put: Put) -> None:
    """A kind that changes after the lines that were looked into is an error with its line too."""
    path = put("e.jsonl", lines(*[{"contact": "7"}] * 12_000, {"contact": 7}))
    assert "e.jsonl, line 12,001, column 'contact': expected text" in refused(path)


# --- Parquet ---------------------------------------------------------------------------------------------


def test_parquet_types_are_kept(tmp_path: Path) -> None:
    """Parquet has types: they arrive as they are, repeated text as a dictionary."""
    table = pa.table(
        {
            "contact": pa.array([1, 2], pa.uint32()),
            "type": ["t", "u"],
            "time": pa.array([1, 2], pa.timestamp("ns", "Europe/Berlin")),
            "vip": [True, None],
        }
    )
    pq.write_table(table, tmp_path / "e.parquet")
    got = pa.concat_tables(datafiles.read_events(tmp_path / "e.parquet", fields={"vip"}))
    assert [str(got[name].type) for name in ("contact", "time", "vip")] == [
        "uint32", "timestamp[ns, tz=Europe/Berlin]", "bool",
    ]  # fmt: skip
    assert pa.types.is_dictionary(got["type"].type)
    assert got["type"].to_pylist() == ["t", "u"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_parquet_times_may_be_text(tmp_path: Path, kind: pa.DataType) -> None:
    """Times that were written as text are ISO-8601 in Parquet too."""
    table = pa.table(
        {"contact": [1, 2], "type": ["t"] * 2, "time": pa.array(["1970-01-01", "1970-01-02"], kind)}
    )
    pq.write_table(table, tmp_path / "e.parquet")
    assert microseconds(tmp_path / "e.parquet") == [0, 86_400_000_000]


def test_parquet_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Parquet file comes in batches, its faults with the row within the file."""
    monkeypatch.setattr(parquet, "_BATCH_ROWS", 100)
    monkeypatch.setattr(reading, "_BYTES", 1)
    table = pa.table({"contact": ["a"] * 999 + [None], "type": ["t"] * 1000, "time": range(1000)})
    path = tmp_path / "e.parquet"
    pq.write_table(table, path)
    assert next(datafiles.read_events(path)).num_rows == 100
    assert refused(path) == "e.parquet, row 999, column 'contact': expected a contact, got nothing (null)"


def test_small_tables_come_together(tmp_path: Path) -> None:
    """Small files, and the small groups of rows of a file, come as one table, as far as their types agree."""
    for number, groups in enumerate([10, 1000, 250]):
        table = pa.table({"contact": range(1000), "type": ["t"] * 1000, "time": range(1000)})
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=groups)
    named = table.set_column(0, "contact", table["contact"].cast(pa.string()))
    pq.write_table(named, tmp_path / "3.parquet", row_group_size=100)
    tables = list(datafiles.read_events(tmp_path))
    assert [each.num_rows for each in tables] == [3000, 1000]
    assert tables[0]["contact"].to_pylist() == [*range(1000)] * 3
    assert tables[1]["contact"].to_pylist() == [str(contact) for contact in range(1000)]


def test_a_small_parquet_of_huge_text_stays_small(tmp_path: Path) -> None:
    """A long contact that a small file repeats a million times is held once."""
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 100_000])
    table = pa.table({"contact": long, "type": ["t"] * 100_000, "time": range(100_000)})
    path = tmp_path / "e.parquet"
    pq.write_table(table, path, store_schema=False)
    assert sum(table.nbytes for table in datafiles.read_events(path)) < 10_000_000


def test_unreadable_parquet(put: Put) -> None:
    """A file that only calls itself Parquet is an error that names it."""
    assert refused(put("e.parquet", b"PAR1 no more")).startswith("e.parquet: cannot be read as Parquet (")


# --- Which files -----------------------------------------------------------------------------------------


def test_folders_and_patterns(put: Put, tmp_path: Path) -> None:
    """A folder stands for its data files at any depth, a pattern for its matches, each file once."""
    for name in (
        "b.csv",
        "sub/a.jsonl",
        "a.csv",
        "notes.txt",
        ".hidden.csv",
        "_tmp/x.csv",
        "a.csv-metadata.json",
    ):
        put(f"in/{name}", "x")
    folder = tmp_path / "in"
    names = [path.relative_to(folder).as_posix() for path in datafiles.expand(folder)]
    assert names == ["a.csv", "b.csv", "sub/a.jsonl"]
    assert [path.name for path in datafiles.expand([folder / "*.csv", folder / "a.csv"])] == [
        "a.csv",
        "b.csv",
    ]
    assert [path.name for path in datafiles.expand(folder / "**" / "*.jsonl")] == ["a.jsonl"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("none.csv", "none.csv: no such file or folder"),
        ("*.tsv", "*.tsv: no file matches this pattern"),
        ("empty", "no data file in this folder; expected an ending of .parquet, .csv or .jsonl"),
        ("notes.txt", "notes.txt: unknown ending; expected .parquet, .csv or .jsonl"),
        ("void.csv", "void.csv: the file is empty (0 bytes)"),
    ],
)
def test_files_that_are_not_there(put: Put, tmp_path: Path, asked: str, message: str) -> None:
    """What is missing, empty or of no known ending is an error before anything is read."""
    put("empty/readme.md", "")
    put("notes.txt", "x")
    put("void.csv", "")
    with pytest.raises(EventsError) as caught:
        datafiles.read_events(tmp_path / asked)
    assert message in str(caught.value)


def test_rows_are_counted_where_that_is_free(put: Put, tmp_path: Path) -> None:
    """Parquet tells its rows at once, text does not."""
    pq.write_table(pa.table({"contact": [1, 2]}), tmp_path / "e.parquet")
    assert datafiles.row_count(tmp_path / "e.parquet") == 2
    assert datafiles.row_count([tmp_path / "e.parquet", put("e.csv", "contact\n")]) is None


def test_without_pyarrow_the_remedy_is_named(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is not installed the error says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EngagekitError, match=r'pip install "engagekit\[files\]"'):
        list(datafiles.read_events(put("e.csv", "contact,type,time\n")))


# --- Contacts --------------------------------------------------------------------------------------------


def test_contacts_table(put: Put) -> None:
    """The key is found under either name, attributes that are there are read by use."""
    path = put("c.csv", "contact,customer_since,age\n007,2024-01-01,3\n8,,4\n")
    table = datafiles.read_table(path, keys=["user_id", "contact"], instants=["customer_since"])
    assert table["contact"].to_pylist() == ["007", "8"]
    assert str(table["customer_since"].type) == "timestamp[us]"
    assert table.column_names == ["contact", "customer_since"]


def test_contacts_of_csv_take_the_kind_of_the_events(put: Put, tmp_path: Path) -> None:
    """A CSV key becomes an integer where the events have integers; integers become text for CSV events."""
    path = put("c.csv", "contact\n7\n")
    assert datafiles.read_table(path, keys=["contact"], key_kind="integer")["contact"].to_pylist() == [7]
    pq.write_table(pa.table({"contact": [7]}), tmp_path / "c.parquet")
    table = datafiles.read_table(tmp_path / "c.parquet", keys=["contact"], key_kind="text")
    assert table["contact"].to_pylist() == ["7"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_contacts_without_a_key(tmp_path: Path, ending: str) -> None:
    """A contacts table without the key is an error that says what there is."""
    path = tmp_path / f"c.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table({"user": ["a"]}), path)
    else:
        path.write_text('{"user": "a"}\n' if ending == "jsonl" else "user\na\n")
    with pytest.raises(EventsError, match=r"no column 'user_id' for the contact, did you mean 'user'\?"):
        datafiles.read_table(path, keys=["user_id", "contact"])
