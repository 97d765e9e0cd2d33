"""Read CSV, by blocks: as text first, then typed by use."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from engagekit.datafiles.columns import Column, Faults, present, row_place, shown
from engagekit.datafiles.paths import first_line, open_bytes, pyarrow, zipped
from engagekit.datafiles.typing_by_use import Clock, typed
from engagekit.errors import EventsError

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 16 << 20
_HEADER_BYTES = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")
_SIGNATURES = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive or an Excel workbook (save it as CSV)",
    b"\x1f\x8b": "a gzip file (its name should end in .gz)",
    codecs.BOM_UTF16_LE: "UTF-16 text (save it as UTF-8)",
    codecs.BOM_UTF16_BE: "UTF-16 text (save it as UTF-8)",
}


def read(path: Path, columns: Sequence[Column], clock: Clock) -> Iterator["pa.Table"]:
    """Yield the wanted columns of a CSV file, block by block; empty fields are nulls."""
    pa = pyarrow()
    names, delimiter = header(path, columns)
    kept = present(path, names, columns)
    faults, first_row, last_ends = Faults(path), 0, ""
    try:
        for block in _blocks(
            path, delimiter, [*dict.fromkeys([*(column.name for column in kept), names[-1]])]
        ):
            values = [typed(block[c.name], c, clock=clock, faults=faults, first_row=first_row) for c in kept]
            first_row += block.num_rows
            if block.num_rows:
                last_ends = block[names[-1]][-1].as_py() or ""
            if not faults:
                yield pa.table(values, names=[column.name for column in kept])
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise _explained(path, delimiter, len(names), error) from error
    if "\n" in last_ends:
        _check_quotes_end(path, delimiter)
    if faults:
        raise faults.error(lambda row: _line_of(path, delimiter, row))


def _blocks(path: Path, delimiter: str, names: list[str]) -> Iterator["pa.Table"]:
    pa, arrow_csv = pyarrow(), pyarrow("csv")
    options = {
        "read_options": arrow_csv.ReadOptions(block_size=_BLOCK_BYTES),
        "parse_options": arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=names,
            null_values=[""],
            strings_can_be_null=True,
        ),
    }
    if not _more_than_a_line(path):
        yield pa.table({name: pa.array([], pa.string()) for name in names})
        return
    with (
        pa.input_stream(str(path), compression="gzip" if zipped(path) else None) as stream,
        arrow_csv.open_csv(stream, **options) as blocks,
    ):
        yield blocks.schema.empty_table()  # so that a header alone is a table too
        for batch in blocks:
            yield pa.Table.from_batches([batch])


def header(path: Path, columns: Sequence[Column]) -> tuple[list[str], str]:
    """Read the names in the first line; the delimiter is the one that yields the most of the wanted names."""
    try:
        with open_bytes(path) as stream:
            head = stream.read(_HEADER_BYTES)
    except (OSError, EOFError) as error:
        raise EventsError(f"{path}: cannot be read ({first_line(error)})") from error
    for signature, found in _SIGNATURES.items():
        if head.startswith(signature):
            raise EventsError(f"{path}: expected CSV text, got {found}")
    if b"\0" in head:
        raise EventsError(f"{path}: expected CSV text, got binary data (a zero byte at {head.index(0):,})")
    text = head.decode("utf-8-sig", errors="replace")
    wanted = {column.name for column in columns}
    readings = [(_first_record(text, delimiter), delimiter) for delimiter in _DELIMITERS]
    names, delimiter = max(readings, key=lambda reading: (len(wanted & set(reading[0])), len(reading[0])))
    if not names:
        raise EventsError(f"{path}: no line with column names in it; expected CSV")
    return names, delimiter


def _more_than_a_line(path: Path) -> bool:
    """Tell whether a line ends: Arrow takes a header that does not end for no header."""
    with open_bytes(path) as stream:
        head = stream.read(_HEADER_BYTES)
    return b"\n" in head or b"\r" in head


def _first_record(text: str, delimiter: str) -> list[str]:
    try:
        return next(
            (record for record in csv.reader(text.splitlines(True), delimiter=delimiter) if record), []
        )
    except csv.Error:
        return []


def _scan(path: Path, delimiter: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Go through the records once more, each with the line it begins on: slow, to say where an error lies."""
    with open_bytes(path) as raw, TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=strict)
        line = 1
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1


def _line_of(path: Path, delimiter: str, row: int) -> str:
    """Name the line of a row; rows are counted from 0 and without the header."""
    try:
        line, _ = next(islice(_scan(path, delimiter), row + 1, None))
    except (StopIteration, csv.Error):
        return row_place(row)
    return f"line {line:,}"


def _explained(path: Path, delimiter: str, width: int, error: Exception) -> EventsError:
    """Find the line that Arrow stumbled over."""
    if isinstance(error, OSError | EOFError):
        return EventsError(f"{path}: cannot be read to its end ({first_line(error)})")
    if "UTF8" in str(error):
        with open_bytes(path) as stream:
            for line, raw in enumerate(stream, 1):
                try:
                    raw.decode()
                except UnicodeDecodeError as wrong:
                    byte = raw[wrong.start]
                    return EventsError(
                        f"{path}, line {line:,}: expected UTF-8 text, got the byte 0x{byte:02x}"
                    )
    if "straddl" in str(error):
        return EventsError(f'{path}: a line of over {_BLOCK_BYTES >> 20} MiB; is a quote (") never closed?')
    try:
        for line, record in _scan(path, delimiter):
            if len(record) != width:
                expected = f"expected {width} fields as in the header, got {len(record)}"
                return EventsError(f"{path}, line {line:,}: {expected}: {shown(delimiter.join(record))}")
    except csv.Error:
        pass
    return EventsError(f"{path}: not CSV ({first_line(error)})")


def _check_quotes_end(path: Path, delimiter: str) -> None:
    """Raise EventsError for a quote that is never closed: unseen it would swallow the rest of the file."""
    lines = (line for line, _ in _scan(path, delimiter, strict=True))
    last = 1
    try:
        while True:
            last = next(lines)
    except StopIteration:
        return
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise EventsError(f'{path}, after line {last:,}: a quote (") that is never closed') from error
