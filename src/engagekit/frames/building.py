"""Result columns in the caller's kind of frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from engagekit.errors import EngagekitError, EventsError
from engagekit.frames import relations
from engagekit.frames.arrow import number_type
from engagekit.frames.capsule import Field
from engagekit.frames.export import ArrowColumns, Out, filled, fits, required_pyarrow, spread, to_arrow
from engagekit.frames.frame import Frame, NarwhalsFrame, PyarrowFrame
from engagekit.frames.kept import Foreign, KeyType

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MET = 256
"""What a code of one byte can tell apart."""


def build(kind: str, columns: Mapping[str, Out], base: Frame | None = None) -> Any:
    """Return columns as a frame of some kind.

    Parameters
    ----------
    kind
        The `kind` of the caller's `Frame`. What came lazily goes back as it would be collected.
    columns
        By name, all of one length. One that is `like` a column of the caller takes its type where nothing is
        lost, so that the result can be joined with the caller's frame.
    base
        A frame (of `frame_of`) whose own columns, as they are, come before these.

    Returns
    -------
    frame
        pandas: the default index, or that of `base`; gaps make integers ``Int64`` and flags ``boolean``. A
        dict: NumPy arrays, of objects where there are gaps in integers or flags. DuckDB: a relation of the
        caller's connection. ``"arrow"``: a pyarrow Table, or without pyarrow an object with an Arrow stream.

    Raises
    ------
    EventsError
        If `base` has a column of the same name already (to DuckDB also one that differs in case alone).

    Examples
    --------
    >>> import numpy as np
    >>> from engagekit.frames import Out, build, frame_of
    >>> at = frame_of({"contact": [7, 8]})
    >>> build(at.kind, {"score": Out("float", np.array([1.5, 2.5]))}, at)
    {'contact': [7, 8], 'score': array([1.5, 2.5])}
    """
    lengths = {name: column.rows for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
        raise EngagekitError(f"expected result columns of one length, got {listed}")
    if base is not None:
        taken = [name for name in columns if name in base.names]
        if taken:
            raise EventsError(
                f"expected no column with the name of a result, got {', '.join(map(repr, taken))}: rename it"
            )
    builders: dict[str, Callable[[Mapping[str, Out], Frame | None], Any]] = {
        "pandas": _pandas,
        "polars": _polars,
        "pyarrow": _pyarrow,
        "duckdb": relations.built,
        "dict": _dict,
        "arrow": _arrow,
    }
    return builders[kind](columns, base) if kind in builders else _narwhals(kind, columns, base)


def _pandas(columns: Mapping[str, Out], base: Frame | None) -> Any:
    import pandas as pd

    index = None if base is None else base.native.index
    # pandas 3 has a type of its own for text, pandas 2 has objects.
    text = pd.Series(["text"]).dtype
    made = {name: _pandas_array(column, text) for name, column in columns.items()}
    for name, column in columns.items():
        if column.like is not None:
            made[name] = _pandas_like(pd.Series(made[name], index=index), column.like.dtype)
    result = pd.DataFrame(made, index=index)
    return result if base is None else pd.concat([base.native, result], axis=1)


def _pandas_array(column: Out, text: Any) -> Any:
    import pandas as pd

    column = spread(column) if column.kind == "category" else column
    null = column.nulls()
    if column.kind == "category":
        codes = column.values if null is None else filled(column.values, null, -1)
        return pd.Categorical.from_codes(codes, categories=pd.Index(column.categories or [], dtype=text))
    if column.kind == "text":
        of_arrow = isinstance(column.values, tuple) and "pyarrow" in getattr(text, "storage", "")
        if not of_arrow:
            return pd.array(column.objects(), dtype=text)
        made = pd.array(to_arrow({"": attrs.evolve(column, of=None)}).column(0), dtype=text)
        return made if column.of is None else made.take(column.of)
    if column.kind == "instant":
        stamps = pd.Series(_datetimes(column))
        return (stamps.dt.tz_localize("UTC") if column.aware else stamps).array
    if null is None or column.kind == "float":
        return _plain(column, null)
    masked = pd.arrays.BooleanArray if column.kind == "boolean" else pd.arrays.IntegerArray
    return masked(column.values.copy(), null.copy())


def _pandas_like(series: Any, dtype: Any) -> Any:
    """Return the key in the type of the caller's own column; as it is where that would lose something."""
    import pandas as pd

    if series.dtype == dtype:
        return series
    if isinstance(dtype, pd.CategoricalDtype):
        codes = dtype.categories.get_indexer(pd.Index(series))
        if (codes < 0).sum() > series.isna().sum():
            return series
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=series.index)
    try:
        cast = series.astype(dtype)
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        return series
    there = series[series.notna()]
    same = cast.notna().sum() == len(there) and (cast[series.notna()].astype(series.dtype) == there).all()
    return cast if same else series


def _polars(columns: Mapping[str, Out], base: Frame | None) -> Any:
    import polars as pl

    few = {name: column for name, column in columns.items() if column.of is not None}
    states = {name: column for name, column in few.items() if column.kind == "category"}
    few = {name: column for name, column in few.items() if name not in states}
    words = {name: column for name, column in columns.items() if column.kind == "category"}
    words = {name: column for name, column in words.items() if column.of is None and column.nulls() is None}
    owned = {name: column.own for name, column in columns.items() if column.own is not None}
    done = few.keys() | states.keys() | words.keys() | owned.keys()
    rest = {name: column for name, column in columns.items() if name not in done}
    made = pl.DataFrame(ArrowColumns(rest)).to_dict() if rest else {}
    for name, own in owned.items():
        made[name] = pl.Series(name, own.codes).cat.to(own.column.dtype)
    for name, column in few.items():
        # few texts in many rows: views of the few
        texts = pl.DataFrame(ArrowColumns({name: attrs.evolve(column, of=None)})).get_column(name)
        assert column.of is not None
        made[name] = texts[pl.Series(column.of.view(np.uint32))]
    made |= _polars_states(states)
    made |= _polars_categories(words)
    result = pl.DataFrame([made[name] for name in columns])
    for place, column in enumerate(columns.values()):
        if column.like is not None and result.dtypes[place] != column.like.dtype:
            plain = result.to_series(place)
            cast = plain.cast(column.like.dtype, strict=False)
            if cast.null_count() == plain.null_count():
                result.replace_column(place, cast)
    return result if base is None else base.native.hstack(result)


def _polars_states(columns: Mapping[str, Out]) -> dict[str, Any]:
    """Return categoricals of few codes in many rows, those of the same rows together."""
    import polars as pl

    made: dict[str, Any] = {}
    places = {id(column.of): column.of for column in columns.values()}
    for place, of in places.items():
        here = {name: column for name, column in columns.items() if id(column.of) == place}
        tables = [
            pl.Series(name, attrs.evolve(column, of=None).objects().tolist(), dtype=pl.Categorical)
            for name, column in here.items()
        ]
        assert of is not None
        made |= pl.DataFrame(tables)[pl.Series(of.view(np.uint32))].to_dict()
    return made


def _polars_categories(columns: Mapping[str, Out]) -> dict[str, Any]:
    """Return categoricals without gaps: rows take a category from a table; Arrow's is read word by word.

    Narrow ones take theirs together, from a table of all that may meet.
    """
    import polars as pl

    narrow = {name: column for name, column in columns.items() if column.values.dtype == np.int8}
    if prod(len(column.categories or ()) for column in narrow.values()) > MOST_MET:
        narrow = {}
    made: dict[str, Any] = {}
    for name, column in columns.items():
        if name not in narrow:
            codes = column.values.view(np.uint8 if column.values.dtype == np.int8 else np.uint32)
            made[name] = pl.Series(name, column.categories, dtype=pl.Categorical)[pl.Series(codes)]
    if narrow:
        made |= _polars_met(narrow)
    return made


def _polars_met(columns: Mapping[str, Out]) -> dict[str, Any]:
    """Return categoricals that are few enough for a code of all of them together."""
    import polars as pl

    tables: list[Any] = []
    met: NDArray[np.uint8] | None = None
    each = 1
    whole = prod(len(column.categories or ()) for column in columns.values())
    for name, column in columns.items():
        words = column.categories or []
        codes = column.values.view(np.uint8)
        met = codes.copy() if met is None else np.add(met, codes * np.uint8(each), out=met)
        spread_out = [words[place // each % len(words)] for place in range(whole)]
        tables.append(pl.Series(name, spread_out, dtype=pl.Categorical))
        each *= len(words)
    found: dict[str, Any] = pl.DataFrame(tables)[pl.Series(met)].to_dict()
    return found


def _pyarrow(columns: Mapping[str, Out], base: Frame | None) -> Any:
    result = to_arrow(columns)
    for place, (name, column) in enumerate(columns.items()):
        if column.like is not None:
            result = result.set_column(place, name, _pyarrow_like(result.column(place), column.like))
    if base is None:
        return result
    if not isinstance(base, PyarrowFrame):
        raise EngagekitError("expected a base that frame_of() made, got a stream that was consumed")
    whole = base.table
    for name in columns:
        whole = whole.append_column(name, result.column(name))
    return whole


def _pyarrow_like(column: Any, like: KeyType) -> Any:
    import pyarrow as pa

    # Of a stream only the Arrow field is known.
    theirs = _pyarrow_type(like.dtype) if isinstance(like.dtype, Field) else like.dtype
    try:
        if theirs is None:
            return column
        if not pa.types.is_dictionary(theirs):
            return column.cast(theirs)
        if like.words is None:
            return column.cast(theirs.value_type)
        return _with_dictionary(column, theirs, like.words)
    except pa.ArrowException:
        return column


def _with_dictionary(column: Any, theirs: Any, words: Any) -> Any:
    """Return the key coded by the dictionary of the caller's column: only then can pyarrow join the two."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = column.cast(words.type)
    indices = pc.index_in(plain, value_set=words)
    if indices.null_count > column.null_count:
        return plain
    coded = [
        pa.DictionaryArray.from_arrays(chunk.cast(theirs.index_type), words, ordered=theirs.ordered)
        for chunk in indices.chunks
    ]
    return pa.chunked_array(coded, theirs)


def _pyarrow_type(field: Field) -> Any:
    import pyarrow as pa

    if field.dictionary is not None:
        return None
    text = {"u": "string", "U": "large_string", "vu": "string_view"}
    if field.format in text:
        return pa.type_for_alias(text[field.format])
    dtype = number_type(field.format)
    return None if dtype is None else pa.from_numpy_dtype(dtype)


def _arrow(columns: Mapping[str, Out], base: Frame | None) -> Any:
    if base is None:
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            return ArrowColumns(columns)
    else:
        required_pyarrow("appending columns to an Arrow stream")
    return _pyarrow(columns, base)


def _dict(columns: Mapping[str, Out], base: Frame | None) -> dict[str, Any]:
    made = {} if base is None else dict(base.native)
    for name, column in columns.items():
        if isinstance(column.values, Foreign):
            objects = column.values.objects()
            made |= {} if objects is None else {name: objects}
            continue
        array = _dict_array(column)
        if column.like is not None:
            array = _dict_like(array, column.like.dtype)
        made[name] = array
    return made


def _dict_array(column: Out) -> NDArray[Any]:
    if column.kind in ("text", "category"):
        return column.objects()
    if column.kind == "instant":
        return _datetimes(column)
    null = column.nulls()
    plain = _plain(column, null)
    if null is None or column.kind == "float":
        return plain
    return filled(plain.astype(np.object_), null, None)


def _dict_like(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    if not isinstance(dtype, np.dtype) or None in array:
        return array
    if array.dtype.kind == "O" and dtype.kind in "UT":
        # An itemsize of the caller's might cut a longer text off.
        return array.astype(np.str_ if dtype.kind == "U" else dtype)
    if array.dtype.kind in "iu" and dtype.kind in "iu" and fits(array, dtype):
        return array.astype(dtype)
    return array


def _narwhals(kind: str, columns: Mapping[str, Out], base: Frame | None) -> Any:
    import narwhals as nw

    backend: Any = kind
    result = nw.from_arrow(to_arrow(columns), backend=backend)
    for name, column in columns.items():
        if column.like is not None:
            result = result.with_columns(nw.col(name).cast(column.like.dtype))
    if base is not None:
        assert isinstance(base, NarwhalsFrame)
        result = nw.concat([base.frame, result], how="horizontal")
    return result.to_native()


def _plain(column: Out, null: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return numbers or flags; floats with NaN for null."""
    values: NDArray[Any] = column.values
    return values if null is None or column.kind != "float" else filled(values, null, np.nan)


def _datetimes(column: Out) -> NDArray[np.datetime64]:
    stamps: NDArray[np.datetime64] = column.values.view("datetime64[us]")
    return stamps if column.null is None else filled(stamps, column.null, np.datetime64("NaT", "us"))
