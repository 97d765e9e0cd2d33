"""Read events and contacts from files of any of the formats."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engagekit.datafiles import delimited, jsonlines, parquet
from engagekit.datafiles.ahead import read_ahead
from engagekit.datafiles.columns import Column, Use
from engagekit.datafiles.paths import expand, first_line, format_of, pyarrow
from engagekit.datafiles.typing_by_use import Clock
from engagekit.errors import EventsError

if TYPE_CHECKING:
    import pyarrow as pa

_BYTES = 1 << 24
"""Bytes up to which small tables are handed on as one: each of them costs the same, however few its rows."""
_ROLES = {"contact": "contact", "type": "type", "time": "time", "value": "value"}


def read_events(
    paths: str | Path | Iterable[str | Path],
    *,
    mapping: Mapping[str, str] | None = None,
    fields: Collection[str] = (),
    number_fields: Collection[str] = (),
    flag_fields: Collection[str] = (),
    optional_fields: Collection[str] = (),
    unit: str | None = None,
    contact_option: str = "contact",
) -> Generator["pa.Table", None, None]:
    """Read events from files as a stream of tables, so that big files are never wholly in memory.

    A thread of its own reads ahead; it ends with the generator.

    Parameters
    ----------
    paths
        Files, folders and patterns (see `expand`).
    mapping
        Which column plays a role: ``{"contact": "user_id"}``, likewise ``type``, ``time``, ``value``, ``id``.
    fields
        What the model reads beside contact, type and time; ``value`` means the mapped column. Nothing else is
        read.
    number_fields, flag_fields
        Those of the fields that the model uses as numbers or as booleans: CSV has no types.
    optional_fields
        What is read too where a file has it.
    unit
        The unit of integer times, ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``; without it text is ISO-8601.
    contact_option
        Which option of the command line names the contact's column, for the error where it is missing.

    Yields
    ------
    pyarrow.Table
        With the wanted columns under their own names. Ids are never converted: what is text stays as it is.

    Raises
    ------
    EventsError
        Naming the file, and the line or row where known.
    """
    given = {role: name for role, name in (mapping or {}).items() if name}
    roles = _ROLES | given
    wanted = [
        Column(name=roles["contact"], role="contact", complete=True, option=contact_option),
        Column(name=roles["type"], role="type", complete=True),
        Column(name=roles["time"], role="time", use="integer" if unit else "instant", complete=True),
    ]
    if "id" in roles:
        wanted.append(Column(name=roles["id"], role="id"))
    if "value" in given or "value" in fields:
        wanted.append(Column(name=roles["value"], role="value", use="number"))
    others = sorted(set(fields) - set(_ROLES))
    wanted += [Column(name=field, use=_use(field, number_fields, flag_fields)) for field in others]
    wanted += [Column(name=field, required=False) for field in optional_fields]
    return read_ahead(_together(_stream(expand(paths), wanted)))


def read_table(
    path: str | Path,
    *,
    keys: Sequence[str],
    instants: Collection[str] = (),
    key_kind: str | None = None,
    fields: Collection[str] = (),
    number_fields: Collection[str] = (),
    flag_fields: Collection[str] = (),
) -> "pa.Table":
    """Read a contacts table.

    Parameters
    ----------
    path
        A file, a folder or a pattern.
    keys
        Names that the key column may have; the first that is there is taken.
    instants
        Columns of instants that are read too, where there are any.
    key_kind
        ``"integer"`` or ``"text"``, what the events call their contacts: a CSV file has no types, so its key
        is taken as that kind; text without it.
    fields
        Attributes that are read too, where there are any.
    number_fields, flag_fields
        Those of them that are used as numbers or as booleans.

    Raises
    ------
    EventsError
        Naming the file, and the line or row where known.
    """
    files = expand(path)
    names = column_names(files[0])
    key = next((name for name in keys if name in names), keys[0])
    use: Use = "integer" if key_kind == "integer" else "text"
    wanted = [Column(name=key, role="contact", use=use, complete=True)]
    wanted += [Column(name=name, use="instant", required=False) for name in instants if name != key]
    wanted += [
        Column(name=name, use=_use(name, number_fields, flag_fields), required=False)
        for name in sorted(fields)
        if name not in (key, *instants)
    ]
    pa = pyarrow()
    try:
        table = pa.concat_tables(_stream(files, wanted), promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise EventsError(f"{path}: columns of several kinds in its files ({first_line(error)})") from error
    if key_kind == "text" and pa.types.is_integer(table[key].type):
        table = table.set_column(table.schema.get_field_index(key), key, table[key].cast(pa.string()))
    return table


def column_names(path: Path) -> list[str]:
    """List the columns that a file has."""
    match format_of(path):
        case "parquet":
            return parquet.names_and_rows(path)[0]
        case "csv":
            return delimited.header(path, ())[0]
    peek = jsonlines.Peek()
    peek.look(path, ())
    return list(peek.names)


def is_untyped(path: Path) -> bool:
    """Tell whether a file's format knows nothing but text, so that 7 and "7" are the same in it."""
    return format_of(path) == "csv"


def row_count(paths: str | Path | Iterable[str | Path]) -> int | None:
    """Count the rows of files, None where that would take reading them."""
    files = expand(paths)
    if any(format_of(file) != "parquet" for file in files):
        return None
    return sum(parquet.names_and_rows(file)[1] for file in files)


def _use(field: str, number_fields: Collection[str], flag_fields: Collection[str]) -> Use:
    if field in number_fields:
        return "number"
    return "flag" if field in flag_fields else "text"


def _stream(files: Sequence[Path], wanted: Sequence[Column]) -> Iterator["pa.Table"]:
    """Read files one after the other, every column once, whatever roles it plays."""
    columns: dict[str, Column] = {}
    for column in wanted:
        columns.setdefault(column.name, column)
    # A table without rows knows less of its types than the others (is the time aware?): it stands only alone.
    table, rows = None, 0
    for table in _tables(files, list(columns.values())):
        rows += table.num_rows
        if table.num_rows:
            yield table
    if table is not None and not rows:
        yield table


def _together(tables: Iterable["pa.Table"]) -> Iterator["pa.Table"]:
    """Put tables of one schema that follow each other together; nothing is copied."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        if held and (size + table.nbytes > _BYTES or table.schema != held[0].schema):
            yield pyarrow().concat_tables(held)
            held, size = [], 0
        held.append(table)
        size += table.nbytes
    if held:
        yield pyarrow().concat_tables(held)


def _tables(files: Sequence[Path], columns: Sequence[Column]) -> Iterator["pa.Table"]:
    clock, peek = Clock(), jsonlines.Peek()
    for file in files:
        if format_of(file) == "jsonl":
            peek.look(file, columns)
    for file in files:
        match format_of(file):
            case "parquet":
                yield from parquet.read(file, columns, clock)
            case "csv":
                yield from delimited.read(file, columns, clock)
            case "jsonl":
                yield from jsonlines.read(file, columns, clock, peek)
