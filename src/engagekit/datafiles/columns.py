"""What is wanted of a file, column by column, and what is wrong with what was found."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs

from engagekit.datafiles.paths import pyarrow
from engagekit.errors import EventsError, in_all

if TYPE_CHECKING:
    import pyarrow as pa

Use = Literal["text", "instant", "integer", "number", "flag"]

EXPECTED: dict[Use, str] = {
    "text": "text",
    "instant": "an ISO-8601 instant such as 2024-05-01T12:00:00Z",
    "integer": "a whole number",
    "number": "a finite number such as 12.5",
    "flag": "true or false",
}


@attrs.frozen(kw_only=True)
class Column:
    """A column that is wanted of a file.

    Attributes
    ----------
    name
        As the file calls it.
    use
        What it is used as; a format without types (CSV) is read by it.
    role
        ``contact``, ``type``, ... or empty for a field of the model.
    required
        Whether a file without it is an error.
    complete
        Whether a null in it is an error.
    option
        Which option of the command line names it.
    """

    name: str
    use: Use = "text"
    role: str = ""
    required: bool = True
    complete: bool = False
    option: str = attrs.field(default=attrs.Factory(lambda self: self.role, takes_self=True))


@attrs.define
class _Fault:
    expected: str
    row: int
    got: str
    count: int = 0


@attrs.define
class Faults:
    """What is malformed or missing in one file, gathered over all of it so that the error can count."""

    path: Path
    found: dict[str, _Fault] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.found)

    def note(self, column: Column, bad: "pa.ChunkedArray", values: "pa.ChunkedArray", first_row: int) -> None:
        """Remember the rows where ``bad`` is true; ``first_row`` is the block's first row within the file."""
        compute = pyarrow("compute")
        count = compute.sum(bad).as_py() or 0
        if not count:
            return
        index = compute.index(bad, True).as_py()
        value = values[index].as_py()
        if column.name not in self.found:
            expected = EXPECTED[column.use] if value is not None else f"a {column.role or 'value'}"
            got = "nothing (null)" if value is None else shown(value)
            self.found[column.name] = _Fault(expected, first_row + index, got)
        self.found[column.name].count += count

    def note_nulls(self, column: Column, values: "pa.ChunkedArray", first_row: int) -> None:
        """Remember the nulls of a column that must have none."""
        if column.complete and values.null_count:
            self.note(column, values.is_null(), values, first_row)

    def error(self, place: Callable[[int], str]) -> EventsError:
        """Word the first fault; ``place`` turns a row (counted from 0) into words such as ``line 4``."""
        name, fault = min(self.found.items(), key=lambda item: item[1].row)
        hint = ""
        if fault.expected == EXPECTED["instant"] and fault.got.strip("'").isdecimal():
            hint = " (for times that are numbers say the unit: s, ms, us or ns)"
        elif fault.expected == EXPECTED["number"] and re.fullmatch(r"'-?\d+,\d+'", fault.got):
            hint = " (with a point, not a comma)"
        more = f"; {in_all(fault.count)}" if fault.count > 1 else ""
        where = f"{self.path}, {place(fault.row)}, column '{name}'"
        return EventsError(f"{where}: expected {fault.expected}{hint}, got {fault.got}{more}")


def row_place(row: int) -> str:
    """Name a row of a file that has no lines; rows are counted from 0, as frames do."""
    return f"row {row:,}"


def shown(value: object) -> str:
    """Quote a value for an error, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:56] + "...'"


def present(path: Path, names: Sequence[str], columns: Iterable[Column]) -> list[Column]:
    """Keep the columns that a file has; EventsError for doubled names and for missing required ones."""
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise EventsError(
            f"{path}: column name {shown(doubled)} stands {names.count(doubled)} times, expected once"
        )
    kept = []
    for column in columns:
        if column.name in names:
            kept.append(column)
        elif column.required:
            raise EventsError(f"{path}: {_missing(column, names)}")
    return kept


def _missing(column: Column, names: Sequence[str]) -> str:
    """Say which column is missing, what there is instead, and what to do."""
    from difflib import get_close_matches

    purpose = f"for the {column.role}" if column.role else "that the model uses"
    close = get_close_matches(column.name, names, n=1)
    hint = f", did you mean '{close[0]}'?" if close else ""
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    option = f" (say which with --{column.option})" if column.option else ""
    return f"no column '{column.name}' {purpose}{hint}; the file has: {listed}{option}"
