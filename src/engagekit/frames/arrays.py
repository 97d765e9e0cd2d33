"""Columns from NumPy arrays, lists and Python objects, and from pandas Series."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from engagekit.frames.arrow import only_column
from engagekit.frames.columns import (
    RawColumn,
    Text,
    instant_column,
    null_column,
    number_column,
    other_column,
    refuse_beyond,
    some,
    taken,
    text_column,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAT = np.iinfo(np.int64).min
# Ticks of NumPy's units in microseconds; months and years have no fixed length and go by the calendar.
_UNITS = {
    "W": Fraction(604_800_000_000),
    "D": Fraction(86_400_000_000),
    "h": Fraction(3_600_000_000),
    "m": Fraction(60_000_000),
    "s": Fraction(1_000_000),
    "ms": Fraction(1_000),
    "us": Fraction(1),
    "ns": Fraction(1, 10**3),
    "ps": Fraction(1, 10**6),
    "fs": Fraction(1, 10**9),
    "as": Fraction(1, 10**12),
}
_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_UTC = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def array_column(array: Any, *, name: str) -> RawColumn:
    """Return the column that a NumPy array, a masked array or a list holds.

    Parameters
    ----------
    array
        One-dimensional.
    name
        The column's name, for error texts.

    Examples
    --------
    >>> import numpy as np
    >>> array_column(np.array(["2024-01-01"], "datetime64[D]"), name="time").values
    array([1704067200000000])
    >>> array_column(["open", 7], name="type").dtype
    'object (int and str)'
    """
    if isinstance(array, np.ma.MaskedArray):
        return _masked_column(array, name)
    if not isinstance(array, np.ndarray):
        array = np.fromiter(array, np.object_, len(array))
    dtype: np.dtype[Any] = array.dtype
    label = str(dtype)
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    if dtype.kind in "iufb":
        return number_column(array, None, label)
    if dtype.kind == "M":
        return _datetime_column(array, name, label)
    if dtype.kind in "UT":
        return text_column([Text(layout="objects", rows=len(array), objects=_text_objects(array))], label)
    if dtype.kind == "O":
        return object_column(array, name=name)
    return other_column(label, len(array))


def _masked_column(array: Any, name: str) -> RawColumn:
    mask = np.ma.getmaskarray(array)
    column = array_column(np.asarray(array.data), name=name) if not mask.any() else None
    if column is not None:
        return column
    if array.dtype.kind in "iufb":
        return number_column(np.asarray(array.data), mask, str(array.dtype))
    if array.dtype.kind == "M":
        return array_column(np.where(mask, np.array("NaT", array.dtype), array.data), name=name)
    objects = np.asarray(array.data).astype(np.object_)
    objects[mask] = None
    return object_column(objects, name=name, dtype=str(array.dtype))


def _text_objects(array: NDArray[Any]) -> NDArray[np.object_]:
    objects = array.astype(np.object_)
    missing = getattr(array.dtype, "na_object", None)
    if missing is not None and not isinstance(missing, (str, float)):
        # A StringDType may mark its gaps with any object at all.
        objects[np.fromiter((item is missing for item in objects), np.bool_, len(objects))] = None
    return objects


def _datetime_column(array: NDArray[Any], name: str, label: str, *, aware: bool = False) -> RawColumn:
    unit, count = np.datetime_data(array.dtype)
    if unit in ("Y", "M"):
        # NumPy's own conversion by the calendar wraps around instead of failing.
        array = array.astype(f"datetime64[{unit}]")
        ticks = array.view(np.int64)
        far = (np.abs(ticks) > (280_000 if unit == "Y" else 12 * 280_000)) & (ticks != _NAT)
        refuse_beyond(far, ticks, dtype=label, name=name)
        array, unit, count = array.astype("datetime64[D]"), "D", 1
    ticks = np.ascontiguousarray(array).view(np.int64)
    null = ticks == _NAT if len(ticks) and ticks.min() == _NAT else None
    # Only NaT can be without a unit.
    tick = _UNITS.get(unit, Fraction(1)) * count
    return instant_column(ticks, null, tick=tick, dtype=label, name=name, aware=aware)


def object_column(objects: NDArray[np.object_], *, name: str, dtype: str = "object") -> RawColumn:
    """Return the column that Python objects make up, by what they are.

    None, NaN, NaT, NA are nulls; numbers of several types are a float column; any other mixture is of kind
    ``"other"`` and its `dtype` names what is in it.

    Examples
    --------
    >>> import numpy as np
    >>> object_column(np.array([7, None], object), name="contact").null
    array([False,  True])
    """
    types = set(map(type, objects))
    nulls = {kind for kind in types if _is_null_type(kind)}
    unsure = {kind for kind in types if issubclass(kind, _WITH_NULLS)}
    if types - nulls and all(issubclass(kind, str) for kind in types - nulls):
        return text_column([Text(layout="objects", rows=len(objects), objects=objects)], dtype)
    mask = None
    if nulls or unsure:
        suspects = tuple(nulls | unsure)
        found = (isinstance(item, suspects) and _is_null(item, nulls) for item in objects)
        mask = some(np.fromiter(found, np.bool_, len(objects)))
    if mask is not None:
        types = set(map(type, objects[~mask]))
    labels = sorted({_label(kind) for kind in types})
    if not labels:
        return null_column(dtype if not len(objects) else f"{dtype} (nothing but nulls)", len(objects))
    if labels == ["str"]:
        return text_column([Text(layout="objects", rows=len(objects), objects=objects)], dtype)
    dtype = f"{dtype} ({' and '.join(labels)})"
    if not set(labels) <= _READABLE or ("bool" in labels and len(labels) > 1):
        return other_column(dtype, len(objects))
    if set(labels) <= {"int", "float", "Decimal", "bool"}:
        return _numbers(objects, mask, labels, dtype)
    if len(labels) == 1:
        return _instants(objects, mask, labels[0], dtype, name)
    return other_column(dtype, len(objects))


_WITH_NULLS = (float, np.floating, decimal.Decimal, np.datetime64)
_READABLE = frozenset({"int", "float", "Decimal", "bool", "datetime", "date", "datetime64"})


def _is_null_type(kind: type) -> bool:
    # pandas' NA and NaT, known by name so that pandas need not be there.
    of_pandas = kind.__module__.partition(".")[0] == "pandas"
    return kind is type(None) or (of_pandas and kind.__name__ in ("NAType", "NaTType"))


def _is_null(item: Any, nulls: set[type]) -> bool:
    if type(item) in nulls:
        return True
    return bool(np.isnat(item) if isinstance(item, np.datetime64) else item != item)


def _label(kind: type) -> str:
    families: list[tuple[str, tuple[type, ...]]] = [
        ("str", (str,)),
        ("bool", (bool, np.bool_)),
        ("timedelta", (np.timedelta64,)),
        ("int", (int, np.integer)),
        ("float", (float, np.floating)),
        ("Decimal", (decimal.Decimal,)),
        ("datetime", (datetime.datetime,)),
        ("date", (datetime.date,)),
        ("datetime64", (np.datetime64,)),
    ]
    return next((label for label, bases in families if issubclass(kind, bases)), kind.__name__)


def _numbers(
    objects: NDArray[np.object_], mask: NDArray[np.bool_] | None, labels: Sequence[str], dtype: str
) -> RawColumn:
    filled = objects if mask is None else np.where(mask, 0, objects)
    if labels == ["bool"]:
        return number_column(filled.astype(np.bool_), mask, dtype)
    if labels == ["int"]:
        low, high = min(map(int, filled)), max(map(int, filled))
        if low < _NAT or high >= (2**64 if low >= 0 else 2**63):
            return other_column(f"{dtype} beyond 64 bits", len(objects))
        return number_column(filled.astype(np.int64 if high < 2**63 else np.uint64), mask, dtype)
    return number_column(np.fromiter(map(_as_float, filled), np.float64, len(filled)), mask, dtype)


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _instants(
    objects: NDArray[np.object_], mask: NDArray[np.bool_] | None, label: str, dtype: str, name: str
) -> RawColumn:
    there = objects if mask is None else objects[~mask]
    aware = False
    if label == "datetime64":
        micros = [int(array_column(np.asarray([item]), name=name).values[0]) for item in there]  # type: ignore[index]
    elif label == "date":
        micros = [(datetime.datetime(day.year, day.month, day.day) - _EPOCH) // _MICROSECOND for day in there]
    else:
        zones = {item.utcoffset() is not None for item in there}
        if len(zones) == 2:
            return other_column("object (datetime with and without time zone)", len(objects))
        aware = zones == {True}
        epoch = _EPOCH_UTC if aware else _EPOCH
        micros = [(item - epoch) // _MICROSECOND for item in there]
    values = np.full(len(objects), _NAT, np.int64)
    values[slice(None) if mask is None else ~mask] = micros
    return instant_column(values, mask, tick=Fraction(1), dtype=dtype, name=name, aware=aware)


def series_column(series: Any, *, name: str) -> RawColumn:
    """Return the column that a pandas Series holds, without pyarrow unless pyarrow holds the data.

    Parameters
    ----------
    series
        Of any dtype.
    name
        The column's name, for error texts.
    """
    dtype, label = series.dtype, str(series.dtype)
    array = series.array
    if isinstance(dtype, np.dtype):
        column = array_column(series.to_numpy(), name=name)
        return column if dtype.kind == "O" else attrs.evolve(column, dtype=label)
    family = type(dtype).__name__
    if family == "CategoricalDtype":
        words = series_column(array.categories, name=name)  # an Index has all that is asked of a Series
        return taken(words, np.ascontiguousarray(array.codes), label)
    if family == "DatetimeTZDtype":
        naive = np.asarray(array, dtype=f"datetime64[{dtype.unit}]")
        return _datetime_column(naive, name, label, aware=True)
    if family == "ArrowDtype" or (family == "StringDtype" and "pyarrow" in dtype.storage):
        return pyarrow_column(array.__arrow_array__(), name=name, dtype=label)
    if family == "StringDtype":
        objects = np.asarray(array, dtype=np.object_)
        return text_column([Text(layout="objects", rows=len(objects), objects=objects)], label)
    if family in _NULLABLE:
        mask = some(np.asarray(array.isna()))
        values = array.to_numpy(dtype=dtype.numpy_dtype, **({} if mask is None else {"na_value": 0}))
        return number_column(values, mask, label)
    if family == "SparseDtype":
        return attrs.evolve(array_column(np.asarray(array), name=name), dtype=label)
    return other_column(label, len(series))


_NULLABLE = frozenset(
    ["BooleanDtype", "Float32Dtype", "Float64Dtype"]
    + [f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)]
)


def pyarrow_column(array: Any, *, name: str, dtype: str) -> RawColumn:
    """Return the column that a pyarrow Array or ChunkedArray holds.

    Parameters
    ----------
    array
        Of any type.
    name, dtype
        The column's name, and what its owner calls its type.
    """
    import pyarrow

    # Of all that pyarrow has, tables were the first to stream themselves.
    return only_column(pyarrow.Table.from_arrays([array], [name]), name=name, dtype=dtype)
