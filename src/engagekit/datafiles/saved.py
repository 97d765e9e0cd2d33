"""Write a table with its metadata to a file, and read both back unchanged.

Parquet holds everything in one file. CSV and JSON lines have neither types nor room for metadata: a
companion, ``<file>-metadata.json`` beside the file (where the W3C's *CSV on the Web* looks for a table's
description), holds both, the checksum that ties the two files together, and one of its own.
"""

import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from engagekit.datafiles.arrow_types import as_written, csvw_type, restored, type_named, written_type
from engagekit.datafiles.paths import (
    COMPANION,
    Format,
    first_line,
    format_of,
    named,
    pyarrow,
    target_of,
    zipped,
)
from engagekit.errors import StateError

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
PAGES = (".html", ".htm")
_KEY = b"engagekit"
_SUM = b"engagekit.sha256"
_NOTE_SUM = "note_sha256"
_BLOCK_BYTES = 16 << 20
_BATCH_ROWS = 65_536
_BUFFER = 1 << 20
"""Bytes that are written at once: Parquet's pages are small, and each has a head of its own."""
_COMPANION_BYTES = 64 << 20


def write(path: str | os.PathLike[str], table: "pa.Table", metadata: Mapping[str, Any]) -> None:
    """Write a table and its metadata, wholly or not at all.

    Parameters
    ----------
    path
        Its ending chooses the format: ``.parquet``, ``.csv`` or ``.jsonl``; also ``.pq``, ``.tsv``,
        ``.ndjson``.
    table
        Any columns for Parquet; numbers, booleans, text, dates and instants for the other formats.
    metadata
        What JSON can hold. In Parquet it stands in the schema under the key ``engagekit``, else in the
        companion.

    Raises
    ------
    StateError
        If the ending, the folder or a column does not allow it; what was there before is left as it was.
    """
    path = Path(path)
    kind = check_target(path)
    try:
        if kind == "parquet":
            with replacing(path) as stream:
                _write_parquet(stream, table, metadata)
        else:
            _write_pair(path, kind, table, metadata)
    except (pyarrow().ArrowException, OSError) as error:
        raise StateError(f"{path}: cannot be written ({first_line(error)})") from error


def read_saved(path: str | os.PathLike[str]) -> tuple["pa.Table", dict[str, Any]]:
    """Read what `write` wrote: the table with its types, and the metadata.

    Raises
    ------
    StateError
        If the file, or its companion, is missing, foreign, damaged, or of a newer version.
    """
    path = Path(path)
    kind = _format(path)
    try:
        return _read_parquet(path) if kind == "parquet" else _read_pair(path, kind)
    except FileNotFoundError as error:
        raise StateError(f"{path}: no such file") from error
    except (pyarrow().ArrowException, OSError, UnicodeError) as error:
        raise StateError(f"{path}: damaged, or no {kind} file ({first_line(error)})") from error


def check_target(path: str | os.PathLike[str]) -> Format:
    """Tell the format of a file to be written; StateError if its ending or its folder does not allow it."""
    path = Path(path)
    kind = _format(path)
    check_place(path)
    return kind


def check_place(path: Path) -> None:
    """Raise a StateError where no file can be written: there is no such folder, or it is one."""
    try:
        if not path.parent.is_dir():
            raise StateError(f"{path}: cannot be written, there is no folder {path.parent}")
        if path.is_dir():
            raise StateError(f"{path}: cannot be written, it is a folder")
    except OSError as error:  # such as a name that is too long
        raise StateError(f"{path}: cannot be written ({first_line(error)})") from error


def check_page(path: Path) -> None:
    """Raise a StateError where the name of a page would tell a browser that it is something else."""
    if path.suffix.lower() not in PAGES:
        raise StateError(f"{path}: expected an ending of .html or .htm; a report is a page for a browser")


def companion(path: Path) -> Path:
    """Name the file that describes a CSV or JSON lines file."""
    return path.with_name(path.name + COMPANION)


def _format(path: Path) -> Format:
    try:
        named(path)
    except OSError:
        raise StateError(f"expected the name of a file, got {str(path)!a}, which no file can have") from None
    kind = format_of(path)
    if kind is None or zipped(path):
        raise StateError(f"{path}: expected an ending of .parquet, .csv or .jsonl")
    return kind


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write beside a file and put the result in its place: after a crash there is the old file or the new.

    Raises
    ------
    OSError
        If it cannot be written, or is a device or a pipe: these would be gone.
    """
    path = target_of(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with beside.open("xb", _BUFFER) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):  # the name itself is durable once its folder is
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _header(table: "pa.Table", metadata: Mapping[str, Any]) -> dict[str, Any]:
    types = {field.name: str(field.type) for field in table.schema}
    return {"version": VERSION, "rows": table.num_rows, "types": types, "metadata": metadata}


def _checked_header(where: str, header: object) -> dict[str, Any]:
    """Refuse what `_header` did not make."""
    expected = {"rows": int, "types": dict, "metadata": dict}
    if not isinstance(header, dict) or not isinstance(header.get("version"), int):
        raise StateError(f"{where}: no engagekit metadata in it; expected a file that Scores.save wrote")
    if header["version"] > VERSION:
        newer = f"format {header['version']}, this one reads {VERSION}"
        raise StateError(f"{where}: written by a newer engagekit ({newer}); upgrade to read it")
    for key, kind in expected.items():
        if not isinstance(header.get(key), kind):
            raise StateError(f"{where}: damaged metadata, '{key}' is missing or wrong")
    return header


def _write_parquet(stream: IO[bytes], table: "pa.Table", metadata: Mapping[str, Any]) -> None:
    header = json.dumps(_header(table, metadata), allow_nan=False).encode()
    pa = pyarrow()
    for index, field in enumerate(table.schema):
        if pa.types.is_string_view(field.type):  # which older versions of pyarrow do not write
            table = table.set_column(index, field.name, table.column(index).cast(pa.large_string()))
    words = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    schema = pa.schema(
        # of a column that has no null no row's level is written
        [field.with_nullable(table.column(index).null_count > 0) for index, field in enumerate(table.schema)],
        {_KEY: header, _SUM: _sha256(header)},
    )
    pyarrow("parquet").write_table(
        pa.Table.from_arrays(table.columns, schema=schema),
        stream,
        # scores, instants and ids hardly repeat: to look for words among them, or to press them, takes half
        # the time, and leaves the file nearly as large
        use_dictionary=words,
        compression={
            field.name: "none" if pa.types.is_primitive(field.type) else "snappy" for field in table.schema
        },
        # rows come in no order of their values, so that least and greatest ones let no reader skip anything
        write_statistics=False,
        write_page_checksum=True,  # of the values; the metadata has a sum of its own
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_parquet(path: Path) -> tuple["pa.Table", dict[str, Any]]:
    with path.open("rb") as stream:
        table = pyarrow("parquet").ParquetFile(stream, page_checksum_verification=True).read()
    found = table.schema.metadata or {}
    text = found.get(_KEY, b"null")
    header = _checked_header(str(path), _json(text))
    if found.get(_SUM) != _sha256(text).encode():
        raise StateError(f"{path}: damaged metadata, its checksum differs")
    if table.num_rows != header["rows"] or table.column_names != list(header["types"]):
        raise StateError(f"{path}: altered since it was saved; rows or columns differ from its metadata")
    for index, field in enumerate(table.schema):
        kind = type_named(str(header["types"][field.name]))
        if kind is not None and kind != field.type:  # Parquet widens a dictionary's indices
            values = table.column(index)
            plain = values.cast(values.type.value_type) if hasattr(values.type, "value_type") else values
            table = table.set_column(index, field.name, restored(plain, kind))
    schema = pyarrow().schema([field.with_nullable(True) for field in table.schema])
    return pyarrow().Table.from_arrays(table.columns, schema=schema), header["metadata"]


def _write_pair(path: Path, kind: Format, table: "pa.Table", metadata: Mapping[str, Any]) -> None:
    for field in table.schema:
        if type_named(str(field.type)) is None:
            raise StateError(f"{path}: column '{field.name}' ({field.type}) fits no text; save as .parquet")
    plain = pyarrow().table({name: as_written(table[name]) for name in table.column_names})
    # The companion last: a crash between the two leaves a pair whose checksum tells that they do not match.
    with replacing(companion(path)) as described:
        with replacing(path) as stream:
            summed = _Summed(stream)
            if kind == "csv":
                options = pyarrow("csv").WriteOptions(delimiter=_delimiter(path))
                pyarrow("csv").write_csv(plain, summed, options)
            else:
                _write_json_lines(path, plain, summed)
        note = {**_header(table, metadata), "sha256": summed.digest.hexdigest()}
        note[_NOTE_SUM] = _note_sum(note)
        columns = [{"name": f.name, "datatype": csvw_type(f.type)} for f in table.schema]
        described.write(
            json.dumps(
                {
                    "@context": "http://www.w3.org/ns/csvw",
                    "url": path.name,
                    "tableSchema": {"columns": columns},
                    "notes": [{"engagekit": note}],
                },
                indent=2,
                ensure_ascii=False,
                allow_nan=False,
            ).encode()
        )


def _note_sum(note: Mapping[str, Any]) -> str:
    """Sum up a companion's note in one certain spelling, whatever the spelling in the file."""
    # Through JSON and back, where a list and a tuple are the same.
    plain = json.loads(json.dumps({key: note[key] for key in note if key != _NOTE_SUM}))
    return _sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode())


class _Summed(io.RawIOBase):
    """A stream that sums up what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.stream.write(data)


def _write_json_lines(path: Path, plain: "pa.Table", stream: _Summed) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode
    names = plain.column_names
    for batch in plain.to_batches(max_chunksize=_BATCH_ROWS):
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        try:
            stream.write("".join(encode(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode())
        except ValueError as error:
            raise StateError(
                f"{path}: JSON has no NaN and no infinite numbers; save as .parquet or .csv"
            ) from error


def _read_pair(path: Path, kind: Format) -> tuple["pa.Table", dict[str, Any]]:
    data = path.read_bytes()
    header = _read_companion(path)
    if header.get("sha256") != _sha256(data):
        raise StateError(
            f"{path}: altered since it was saved; it is not the file that {companion(path).name} describes"
        )
    types = {name: type_named(str(text)) for name, text in header["types"].items()}
    strange = next((name for name, found in types.items() if found is None), None)
    if strange is not None:
        raise StateError(f"{companion(path)}: damaged metadata, column '{strange}' has no known type")
    plain = _parse_csv(path, data, types) if kind == "csv" else _parse_json_lines(data, types)
    if plain.num_rows != header["rows"] or plain.column_names != list(types):
        raise StateError(f"{path}: damaged; rows or columns differ from {companion(path).name}")
    table = pyarrow().table({name: restored(plain[name], types[name]) for name in types})
    return table, header["metadata"]


def _read_companion(path: Path) -> dict[str, Any]:
    beside = companion(path)
    if not beside.exists():
        raise StateError(f"{path}: expected {beside.name} beside it, which says the types and the model")
    if beside.stat().st_size > _COMPANION_BYTES:
        raise StateError(f"{beside}: too big for metadata; expected a file that Scores.save wrote")
    described = _json(beside.read_bytes())
    notes = described.get("notes") if isinstance(described, dict) else None
    note = notes[0] if isinstance(notes, list) and notes else None
    header = _checked_header(str(beside), note.get("engagekit") if isinstance(note, dict) else None)
    if header.get(_NOTE_SUM) != _note_sum(header):
        raise StateError(f"{beside}: damaged metadata, its checksum differs")
    return header


def _json(data: bytes) -> object:
    """Parse JSON; None for what is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _parse_csv(path: Path, data: bytes, types: Mapping[str, Any]) -> "pa.Table":
    arrow_csv = pyarrow("csv")
    return arrow_csv.read_csv(
        io.BytesIO(data),
        read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=arrow_csv.ParseOptions(
            delimiter=_delimiter(path), newlines_in_values=True, ignore_empty_lines=False
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: written_type(kind) for name, kind in types.items()},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,  # what was written as "" is an empty text
            true_values=["true"],
            false_values=["false"],
        ),
    )


def _parse_json_lines(data: bytes, types: Mapping[str, Any]) -> "pa.Table":
    pa, arrow_json = pyarrow(), pyarrow("json")
    schema = pa.schema([(name, written_type(kind)) for name, kind in types.items()])
    if not data:
        return schema.empty_table()
    return arrow_json.read_json(
        io.BytesIO(data),
        read_options=arrow_json.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )


def _delimiter(path: Path) -> str:
    return "\t" if path.name.lower().endswith(".tsv") else ","
