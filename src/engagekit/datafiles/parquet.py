"""Read Parquet, by batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagekit.datafiles.columns import Column, Faults, present, row_place
from engagekit.datafiles.paths import first_line, pyarrow
from engagekit.datafiles.typing_by_use import Clock, typed_instants
from engagekit.errors import EventsError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1 << 20
_BUFFER = 1 << 20
_LONG_BYTES = 4096


def read(path: Path, columns: Sequence[Column], clock: Clock) -> Iterator["pa.Table"]:
    """Yield the wanted columns of a Parquet file, batch by batch, types as they are but for times of text."""
    pa = pyarrow()
    try:
        with _opened(path) as file:
            kept = present(path, file.schema_arrow.names, columns)
            coded = _dictionary_coded(path, file, kept)
        faults, first_row = Faults(path), 0
        with _opened(path, read_dictionary=coded) as file:
            names = [column.name for column in kept]
            schema = pa.schema([file.schema_arrow.field(name) for name in names])
            if not file.metadata.num_rows:
                yield schema.empty_table()
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                table = pa.Table.from_batches([batch])
                values = [
                    typed_instants(
                        table[column.name], column, clock=clock, faults=faults, first_row=first_row
                    )
                    for column in kept
                ]
                first_row += table.num_rows
                if not faults:
                    yield pa.table(values, names=names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if faults:
        raise faults.error(row_place)


def names_and_rows(path: Path) -> tuple[list[str], int]:
    """Tell which columns and how many rows a Parquet file has."""
    pa = pyarrow()
    try:
        with _opened(path) as file:
            return file.schema_arrow.names, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> EventsError:
    return EventsError(f"{path}: cannot be read as Parquet ({first_line(error)})")


def _opened(path: Path, **options: Any) -> Any:
    return pyarrow("parquet").ParquetFile(path, **options)


def _dictionary_coded(path: Path, file: Any, columns: Sequence[Column]) -> list[str]:
    """Choose the text columns to be read as dictionaries.

    Where values repeat (types, context) that is faster. Where they hardly do (ids) it is slower, and done
    only if the file's own dictionary holds long strings: a small file can repeat one until memory is full.
    """
    types = pyarrow("types")
    coded = []
    for column in columns:
        kind = file.schema_arrow.field(column.name).type
        if not (types.is_string(kind) or types.is_large_string(kind)):
            continue
        repeats = column.role not in ("contact", "id") and column.use != "instant"
        if repeats or _longest_of_dictionaries(path, column.name) > _LONG_BYTES:
            coded.append(column.name)
    return coded


def _longest_of_dictionaries(path: Path, name: str) -> int:
    """Find the longest string, in bytes, in a column's dictionary pages, by one row of each row group."""
    compute = pyarrow("compute")
    longest = 0
    with _opened(path, read_dictionary=[name]) as file:
        for group in range(file.num_row_groups):
            batches = file.iter_batches(batch_size=1, row_groups=[group], columns=[name], use_threads=False)
            for batch in batches:
                lengths = compute.binary_length(batch.column(0).dictionary)
                longest = max(longest, compute.max(lengths).as_py() or 0)
                break
    return longest
