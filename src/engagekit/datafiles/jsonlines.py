"""Read JSON lines, by blocks, with the types that its values have.

pyarrow would guess them (a text that looks like a date becomes a timestamp), so each file is looked into
first, with the standard library, and pyarrow is told.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from engagekit.datafiles.columns import Column, Faults, present, shown
from engagekit.datafiles.paths import first_line, open_bytes, pyarrow, zipped
from engagekit.datafiles.typing_by_use import Clock, typed_instants
from engagekit.errors import EventsError, in_all

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "whole", "huge", "number", "flag", "nested"]

_BLOCK_BYTES = 16 << 20
_PEEK_LINES = 10_000
_NUMBERS: tuple[Kind, ...] = ("whole", "huge", "number")
_WORDS: dict[Kind, str] = {
    "text": "text",
    "whole": "a whole number",
    "huge": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "nested": "an object or a list",
}


@attrs.define
class Peek:
    """What the first lines of one or several files say: the kinds of the wanted columns, and all names."""

    kinds: dict[str, Kind] = attrs.field(factory=dict)
    names: dict[str, None] = attrs.field(factory=dict)

    def look(self, path: Path, columns: Sequence[Column]) -> None:
        """Look into a file: its first lines, and on to the line that shows what is not known by then."""
        unknown: dict[str, bytes] = {}
        line = 0
        for line, raw in _lines(path):
            if line == _PEEK_LINES:
                unknown = {c.name: json.dumps(c.name).encode() for c in columns if c.name not in self.kinds}
            if line >= _PEEK_LINES:
                if not unknown:
                    break
                if not any(key in raw for key in unknown.values()):
                    continue
            self._take(_parsed(path, line, raw), columns)
            if line >= _PEEK_LINES:
                unknown = {name: key for name, key in unknown.items() if name not in self.kinds}
        if not line:
            raise EventsError(f"{path}: no line with a JSON object in it")

    def _take(self, record: Mapping[str, Any], columns: Sequence[Column]) -> None:
        self.names.update(dict.fromkeys(record))
        for column in columns:
            value = record.get(column.name)
            if value is not None:
                kind, known = kind_of(value), self.kinds.get(column.name)
                # Numbers widen, but no contact's; any other mixture is found when the file is read.
                wider = known in _NUMBERS and kind in _NUMBERS and not (column.role and kind == "number")
                if known is None or wider:
                    self.kinds[column.name] = max((known or kind), kind, key=[*_WORDS].index)

    def expected(self, column: Column) -> Kind:
        """Tell the kind that a column must have throughout."""
        return "number" if column.use == "number" else self.kinds.get(column.name, "text")


def read(path: Path, columns: Sequence[Column], clock: Clock, peek: Peek) -> Iterator["pa.Table"]:
    """Yield the wanted columns of a file of JSON lines; a key that a line lacks is null there."""
    pa = pyarrow()
    kept = present(path, list(peek.names), columns)
    kinds = {column.name: peek.expected(column) for column in kept}
    faults, first_row = Faults(path), 0
    try:
        for block in _blocks(path, kinds):
            values = [
                typed_instants(block[column.name], column, clock=clock, faults=faults, first_row=first_row)
                for column in kept
            ]
            first_row += block.num_rows
            if not faults:
                yield pa.table(values, names=[column.name for column in kept])
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise _explained(path, kinds, error) from error
    if faults:
        raise faults.error(lambda row: _line_of(path, row))


def kind_of(value: object) -> Kind:
    """Tell the kind of one JSON value that is not null."""
    match value:
        case bool():
            return "flag"
        case int():
            return "whole" if -(2**63) <= value < 2**63 else "huge"
        case float():
            return "number"
        case str():
            return "text"
    return "nested"


def _blocks(path: Path, kinds: Mapping[str, Kind]) -> Iterator["pa.Table"]:
    pa, arrow_json = pyarrow(), pyarrow("json")
    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "huge": pa.uint64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
    }
    nested = next((name for name, kind in kinds.items() if kind == "nested"), None)
    if nested is not None:
        raise EventsError(
            f"{path}, column '{nested}': expected text, numbers or true and false, got an object or a list"
        )
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    options = {
        "read_options": arrow_json.ReadOptions(block_size=_BLOCK_BYTES),
        "parse_options": arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    }
    with (
        pa.input_stream(str(path), compression="gzip" if zipped(path) else None) as stream,
        arrow_json.open_json(stream, **options) as blocks,
    ):
        for batch in blocks:
            table = pa.Table.from_batches([batch]).select(schema.names)
            table.validate(full=True)  # Arrow does not look whether text is UTF-8 while it parses.
            yield table


def _explained(path: Path, kinds: Mapping[str, Kind], error: Exception) -> EventsError:
    """Find the line that Arrow stumbled over."""
    if isinstance(error, OSError | EOFError):
        return EventsError(f"{path}: cannot be read to its end ({first_line(error)})")
    wrong: list[tuple[int, str, object]] = []
    for line, raw in _lines(path):
        record = _parsed(path, line, raw)
        for name, kind in kinds.items():
            value = record.get(name)
            if value is not None and not _fits(value, kind):
                wrong.append((line, name, value))
    if not wrong:
        return EventsError(f"{path}: not JSON lines ({first_line(error)})")
    line, name, value = wrong[0]
    count = sum(each[1] == name for each in wrong)
    more = f"; {in_all(count, 'line')}" if count > 1 else ""
    expected = f"expected {_WORDS[kinds[name]]} as in the lines before, got {_WORDS[kind_of(value)]}"
    return EventsError(f"{path}, line {line:,}, column '{name}': {expected}: {json.dumps(value)[:60]}{more}")


def _fits(value: object, kind: Kind) -> bool:
    found = kind_of(value)
    if isinstance(value, int) and found in _NUMBERS:
        return (
            kind == "number"
            or (kind == "whole" and found == "whole")
            or (kind == "huge" and 0 <= value < 2**64)
        )
    return found == kind


def _line_of(path: Path, row: int) -> str:
    line = next((line for seen, (line, _) in enumerate(_lines(path)) if seen == row), row)
    return f"line {line:,}"


def _parsed(path: Path, line: int, raw: bytes) -> dict[str, Any]:
    """Parse one line, or say what is wrong with it."""
    try:
        text = raw.decode("utf-8-sig")
        record = json.loads(text, object_pairs_hook=_without_doubles)
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        found = f"the byte 0x{raw[error.start]:02x}"
        raise EventsError(f"{path}, line {line:,}: expected UTF-8 text, got {found}") from error
    except UnicodeEncodeError as error:
        raise EventsError(f"{path}, line {line:,}: half of a surrogate pair in a text") from error
    except (ValueError, RecursionError) as error:
        array = ", not an array over many lines" if line == 1 and raw.lstrip().startswith(b"[") else ""
        found = f"{shown(text.strip())} ({first_line(error)})"
        raise EventsError(
            f"{path}, line {line:,}: expected one JSON object per line{array}, got {found}"
        ) from error
    if not isinstance(record, dict):
        hint = " (jq -c '.[]' writes an array's objects one a line)" if isinstance(record, list) else ""
        found = "an array" if isinstance(record, list) else shown(record)
        raise EventsError(f"{path}, line {line:,}: expected one JSON object per line, got {found}{hint}")
    return record


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {shown(next(n for n in names if names.count(n) > 1))} stands twice")
    return record


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, each with its number from 1."""
    try:
        with open_bytes(path) as stream:
            line = 0
            while raw := stream.readline(_BLOCK_BYTES + 1):
                line += 1
                if raw.lstrip().startswith(b"[") and len(raw) > _BLOCK_BYTES:
                    raise EventsError(f"{path}: expected one JSON object per line, got one array")
                if len(raw) > _BLOCK_BYTES:
                    raise EventsError(f"{path}, line {line:,}: a line of over {_BLOCK_BYTES >> 20} MiB")
                if raw.strip(b"\xef\xbb\xbf \t\r\n"):
                    yield line, raw
            if not line:
                raise EventsError(f"{path}: the file is empty")
    except (OSError, EOFError) as error:
        raise EventsError(f"{path}: cannot be read to its end ({first_line(error)})") from error
