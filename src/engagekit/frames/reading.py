"""From what a caller hands over to frames: one, or a stream of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np

from engagekit.errors import EventsError
from engagekit.frames import relations
from engagekit.frames.export import pyarrow_table
from engagekit.frames.frame import (
    EXPECTED,
    DictFrame,
    Frame,
    NarwhalsFrame,
    PandasFrame,
    PolarsFrame,
    PyarrowFrame,
    StreamFrame,
    described,
    is_of,
)


def frame_of(source: Any) -> Frame:
    """Return exactly one frame, to which columns can be appended (`build` with a `base`).

    Parameters
    ----------
    source
        A frame of any library. A reader is read to its end; a DuckDB relation is run and its rows are held,
        for a second run might order them differently.

    Raises
    ------
    EventsError
        If it is none, with what was expected and what came.

    Examples
    --------
    >>> frame_of({"contact": [7, 8], "type": ["open", "click"]})
    Frame(dict, 2 rows, contact, type)
    >>> frame_of(7)
    Traceback (most recent call last):
    ...
    engagekit.errors.EventsError: expected a frame (of pandas, polars, ...), got 7
    """
    if _is_relation(source):
        held = relations.held(source)
        return relations.DuckdbFrame(source if held is None else held, held=held is not None)
    if not is_of(source, "polars", "pandas", "pyarrow", "narwhals") and hasattr(source, "__arrow_c_stream__"):
        table = _pyarrow_table(source)
        if table is not None:
            return PyarrowFrame(table, kind="arrow")
    frame = _frame(source)
    if frame is None:
        raise EventsError(f"{EXPECTED}, got {described(source)}{_advice(source)}")
    return frame


def frames_of(source: Any) -> Iterator[Frame]:
    """Return the frames of a source: one frame, or a stream (any iterable) of them, read as it is consumed.

    Parameters
    ----------
    source
        A frame of any library or an iterable of such frames. A pyarrow RecordBatchReader is a stream of its
        batches.

    Raises
    ------
    EventsError
        If it is neither (at once), or an item of a stream is no frame (when it is reached).

    Examples
    --------
    >>> [frame.rows for frame in frames_of([{"contact": [7, 8]}, {"contact": [9]}])]
    [2, 1]
    """
    if _is_reader(source):
        return _batches(source)
    frame = _frame(source)
    if frame is not None:
        return iter([frame])
    if isinstance(source, (str, bytes, np.ndarray)) or not isinstance(source, Iterable):
        raise EventsError(f"{EXPECTED} or an iterable of frames, got {described(source)}{_advice(source)}")
    return _stream(source)


def _stream(source: Iterable[Any]) -> Iterator[Frame]:
    for number, item in enumerate(source):
        try:
            frame = _frame(item)
        except EventsError as error:
            raise EventsError(f"item {number:,} of the stream: {error}{_advice(item)}") from None
        if frame is None:
            raise EventsError(
                f"item {number:,} of the stream: {EXPECTED}, got {described(item)}{_advice(item)}"
            )
        yield frame


def _advice(source: Any) -> str:
    """Say what to do with what is often taken for a frame."""
    if isinstance(source, (str, PathLike)):
        return "; read the file first, or use the command engagekit score"
    if isinstance(source, Mapping) and not any(_is_column(value) for value in source.values()):
        return "; rows as dicts are no frame; make one first, as with pandas.DataFrame(rows)"
    return ""


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _batches(reader: Any) -> Iterator[Frame]:
    empty = True
    for batch in reader:
        empty = False
        yield PyarrowFrame(batch)
    if empty:
        # The names are known all the same.
        yield PyarrowFrame(reader.schema.empty_table())


def _frame(source: Any) -> Frame | None:
    """Return a frame, or None for what may at most be a stream of frames."""
    if isinstance(source, Frame):
        return source
    if isinstance(source, Mapping):
        return DictFrame(source)
    if is_of(source, "narwhals") and hasattr(source, "to_native"):
        return _frame(source.to_native())
    name = type(source).__name__
    if is_of(source, "pandas") and hasattr(source, "columns"):
        return PandasFrame(source)
    if is_of(source, "polars") and hasattr(source, "collect_schema"):
        return PolarsFrame(source)
    if is_of(source, "pyarrow") and name in ("Table", "RecordBatch"):
        return PyarrowFrame(source)
    if _is_reader(source):
        return PyarrowFrame(source.read_all())
    if _is_relation(source):
        return relations.DuckdbFrame(source)
    if hasattr(source, "__arrow_c_stream__") and not is_of(source, "pandas"):
        return StreamFrame(source)
    return _by_narwhals(source) if hasattr(source, "columns") else None


def _is_reader(source: Any) -> bool:
    return is_of(source, "pyarrow") and type(source).__name__.endswith("RecordBatchReader")


def _is_relation(source: Any) -> bool:
    return is_of(source, "duckdb", "_duckdb") and type(source).__name__ == "DuckDBPyRelation"


def _pyarrow_table(source: Any) -> Any:
    """Return the rows of an Arrow stream as a pyarrow Table, or None without pyarrow."""
    try:
        import pyarrow
    except ImportError:
        return None
    try:
        return pyarrow_table(source)
    except (pyarrow.ArrowException, ValueError) as error:  # the latter: what it gives is no capsule
        raise EventsError(f"{EXPECTED}, got {described(source)}: {error}") from None


def _by_narwhals(source: Any) -> Frame | None:
    """Return a frame of a library that only narwhals knows; a lazy one collected."""
    import narwhals as nw

    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        return _frame(frame.collect().to_native())
    return NarwhalsFrame(frame) if isinstance(frame, nw.DataFrame) else None
