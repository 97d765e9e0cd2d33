"""DuckDB's relations: read as frames, and made of result columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from engagekit.errors import EngagekitError, EventsError
from engagekit.frames.arrow import arrow_column
from engagekit.frames.capsule import Chunk, Field, read_stream
from engagekit.frames.columns import RawColumn
from engagekit.frames.export import ArrowColumns, Out, fits, pyarrow_table, required_pyarrow, to_arrow
from engagekit.frames.frame import Frame
from engagekit.frames.kept import KeyType

_aliases = itertools.count(1)


class DuckdbFrame(Frame):
    """A DuckDB relation, run once.

    `held` says that its rows are kept, so that running it again gives them in the same order.
    """

    kind = "duckdb"

    def __init__(self, native: Any, *, held: bool = False) -> None:
        super().__init__(native, native.columns)
        self.held = held
        self._drained: tuple[Field, list[Chunk]] | None = None

    def _count(self) -> int:
        return sum(chunk.length for chunk in self._stream()[1])

    def _like(self, place: int) -> KeyType:
        dtype = self._native.types[place]
        words = tuple(dict(dtype.children)["values"]) if dtype.id == "enum" else None
        return KeyType(str(dtype), words, connection_of(self._native))

    def _own(self, place: int) -> Any:
        column = self._native.project(quoted(self._native.columns[place]))
        table = pyarrow_table(column)
        return [value for (value,) in column.fetchall()] if table is None else table.column(0)

    def __reduce__(self) -> tuple[Any, ...]:
        required_pyarrow("a pickle of a DuckDB relation")
        return _unpickled, (pyarrow_table(self._native.project("*")),)

    def __deepcopy__(self, memo: object) -> DuckdbFrame:
        return self

    def _narrowed(self, names: list[str]) -> Frame:
        # SQL would take one of two names that differ in case alone for both.
        if self._drained is not None or not names or twins(self.names):
            return self
        return DuckdbFrame(self._native.project(", ".join(map(quoted, names))), held=self.held)

    def _ready(self) -> bool:
        return self._drained is not None

    def _stream(self) -> tuple[Field, list[Chunk]]:
        # The connection is busy until the stream has come to its end, so it is drained in one go.
        if self._drained is None:
            # DuckDB 1 streams a relation once, but any number of relations derived from it.
            self._drained = read_stream(self._native.project("*"))
        return self._drained

    def _read(self, place: int, name: str) -> RawColumn:
        field, chunks = self._stream()
        children = [chunk.child(place) for chunk in chunks]
        return arrow_column(field.children[place], children, name=name, dtype=str(self._native.types[place]))


def _unpickled(table: Any) -> DuckdbFrame:
    """Return the rows of a pickled relation as one of DuckDB's default connection."""
    import duckdb

    return DuckdbFrame(duckdb.from_arrow(table), held=True)


def connection_of(relation: Any) -> Any:
    """Return a relation without rows of the same connection, which does not keep the other one's sources."""
    empty = relation.query("engagekit_source", "select 1 where false")
    if hasattr(relation, "materialize"):
        return empty.materialize()
    # DuckDB 1 leaves a view of the relation in the connection, which this takes away.
    empty.query("engagekit_source", "drop view engagekit_source")
    return empty


def held(relation: Any) -> Any:
    """Return a relation over the rows of one run, or None where that takes a pyarrow that is not there."""
    if hasattr(relation, "materialize"):
        return relation.materialize()
    # DuckDB 1 cannot hold rows by itself. The name is looked up in this function when the query is bound.
    engagekit_held_rows = pyarrow_table(relation.project("*"))
    if engagekit_held_rows is None:
        return None
    return connection_of(relation).query("engagekit_source", "select * from engagekit_held_rows")


def built(columns: Mapping[str, Out], base: Frame | None) -> Any:
    """Return result columns as a relation of the caller's connection.

    Raises
    ------
    EventsError
        If names differ in case alone: SQL would silently take one for the other.
    """
    import duckdb

    pair = twins([*(() if base is None else base.names), *columns])
    if pair:
        raise EventsError(
            f"expected names that DuckDB can tell apart, got {pair[0]!r} and {pair[1]!r}: rename one, or "
            "give another kind of frame"
        )
    ours = [_selected(name, column) for name, column in columns.items()]
    # The queries find tables as variables of this function, and the relation keeps them from then on.
    # DuckDB 1 cannot run twice over what streams itself, and its database does not survive the attempt.
    again = hasattr(duckdb.DuckDBPyRelation, "materialize")
    engagekit_result = ArrowColumns(columns) if again else to_arrow(columns)  # noqa: F841
    connection = next((c.like.connection for c in columns.values() if c.like is not None), None)
    query = f"select {', '.join(ours)} from engagekit_result"  # noqa: S608 (the names are quoted)
    if base is not None:
        if not isinstance(base, DuckdbFrame) or not base.held:
            raise EngagekitError("expected a base that frame_of() made, whose rows are held in their order")
        engagekit_base = base.native
        connection = connection_of(engagekit_base)
        chosen = ", ".join(["engagekit_base.*", *ours])
        query = f"select {chosen} from engagekit_base positional join engagekit_result"  # noqa: S608
    result: Any = duckdb.sql(query) if connection is None else connection.query("engagekit_source", query)
    # Relations of one name cannot be joined with each other.
    return result.set_alias(f"engagekit_{next(_aliases)}")


def _selected(name: str, column: Out) -> str:
    """Return the SQL of a result column, which a key's type may need a cast for."""
    own = f"engagekit_result.{quoted(name)}"
    if column.like is None:
        return own
    sql, words = column.like.dtype, column.like.words
    integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"]
    widths = {name: f"i{2**power}" for power, name in enumerate(integers)}
    widths |= {f"U{name}": f"u{2**power}" for power, name in enumerate(integers)}
    if column.kind == "integer":
        kept = sql in widths and fits(column.values, np.dtype(widths[sql]))
    elif words is not None:
        kept = set(column.objects()) <= {*words, None}
    else:
        kept = sql == "UUID"
    return f"cast({own} as {sql}) as {quoted(name)}" if kept else own


def twins(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two names that are one to SQL: DuckDB folds the case of ASCII letters.

    Examples
    --------
    >>> twins(["Score", "é", "É", "score"])
    ('Score', 'score')
    """
    seen: dict[bytes, str] = {}
    for name in names:
        folded = name.encode("utf-8", "surrogatepass").lower()
        if folded in seen:
            return seen[folded], name
        seen[folded] = name
    return None


def quoted(name: str) -> str:
    """Return a column's name as SQL wants it.

    Examples
    --------
    >>> print(quoted('the "type" of it'))
    "the ""type"" of it"
    """
    return '"' + name.replace('"', '""') + '"'
