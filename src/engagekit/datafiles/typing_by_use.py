"""Turn text into what it is used as.

CSV has no types, so its columns are typed by use: what identifies stays the text it is ("007", "NA", "1e5"),
what is measured becomes a number, the time an instant. JSON has no instants; its times pass here too.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from engagekit.datafiles.columns import Column, Faults, Use
from engagekit.datafiles.paths import pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^(?i:nan)$"
_WHOLE = r"^-?\d{1,19}$"
_ZONE = r"\d[T ]\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$"
_ISO_CHARACTERS = re.compile(r"[0-9]{4}[0-9TWZ:.+ -]*")
_DIGITS = re.compile(r"[0-9]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
_YES = ("true", "yes", "1")
_NO = ("false", "no", "0")


@attrs.define
class Clock:
    """Whether a stream's instants are aware: decided by its first one, so that all its tables agree."""

    aware: bool | None = None


def typed(
    text: "pa.ChunkedArray", column: Column, *, clock: Clock, faults: Faults, first_row: int
) -> "pa.ChunkedArray":
    """Convert a column of text to what it is used as, and note in ``faults`` what is malformed or missing.

    Parameters
    ----------
    text
        One block of the column.
    column
        Says the use.
    clock
        Shared by all blocks of a stream.
    faults, first_row
        Where faults are noted, and the number of rows of the file before this block.
    """
    faults.note_nulls(column, text, first_row)
    if column.use == "text":
        return text
    values = _converted(text, column.use, clock)
    if values.null_count > text.null_count:
        faults.note(column, pyarrow("compute").and_(values.is_null(), text.is_valid()), text, first_row)
    return values


def typed_instants(
    values: "pa.ChunkedArray", column: Column, *, clock: Clock, faults: Faults, first_row: int
) -> "pa.ChunkedArray":
    """Do as `typed` for a file that has types: there only an instant may still come as text."""
    types = pyarrow().types
    if column.use == "instant" and (types.is_string(values.type) or types.is_large_string(values.type)):
        return typed(values.cast(pyarrow().string()), column, clock=clock, faults=faults, first_row=first_row)
    faults.note_nulls(column, values, first_row)
    return values


def _converted(text: "pa.ChunkedArray", use: Use, clock: Clock) -> "pa.ChunkedArray":
    if use == "instant":
        return _instants(text, clock)
    if use == "flag":
        return _flags(text)
    target = pyarrow().float64() if use == "number" else pyarrow().int64()
    return _numbers(text, target, _NUMBER if use == "number" else _WHOLE)


def _numbers(text: "pa.ChunkedArray", target: "pa.DataType", pattern: str) -> "pa.ChunkedArray":
    pa, compute = pyarrow(), pyarrow("compute")
    trimmed = compute.utf8_trim_whitespace(text)
    # Arrow would take 0x1F for a whole number, and stops at the first text that is none: look before casting.
    sound = compute.match_substring_regex(trimmed, pattern)
    numbers = compute.if_else(sound, trimmed, pa.scalar(None, pa.string()))
    try:
        values = numbers.cast(target)
    except pa.ArrowInvalid:  # whole numbers beyond 64 bits
        return pa.chunked_array([pa.array([_within_64_bits(text) for text in numbers.to_pylist()], target)])
    if target != pa.float64():
        return values
    # 1e999 is read as infinite.
    return compute.if_else(compute.is_inf(values), pa.scalar(None, target), values)


def _within_64_bits(text: str | None) -> int | None:
    number = None if text is None else int(text)
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _flags(text: "pa.ChunkedArray") -> "pa.ChunkedArray":
    pa, compute = pyarrow(), pyarrow("compute")
    lower = compute.utf8_lower(compute.utf8_trim_whitespace(text))
    yes = compute.is_in(lower, value_set=pa.array(_YES))
    no = compute.is_in(lower, value_set=pa.array(_NO))
    return compute.if_else(compute.or_(yes, no), yes, pa.scalar(None, pa.bool_()))


def _instants(text: "pa.ChunkedArray", clock: Clock) -> "pa.ChunkedArray":
    """Parse ISO-8601; digits finer than microseconds are floored, instants without an offset are UTC."""
    pa, compute = pyarrow(), pyarrow("compute")
    naive, utc = pa.timestamp("us"), pa.timestamp("us", "UTC")
    first = _tidied(text.drop_null()[:1])
    aware = bool(compute.any(compute.match_substring_regex(first, _ZONE)).as_py())
    if clock.aware is None and len(first):
        clock.aware = aware
    try:
        # All as the first one, and as Arrow parses it: 25 times as fast as what follows.
        instants = text.cast(utc if aware else naive)
    except pa.ArrowInvalid:
        instants = _instants_of_any_form(_tidied(text))
    return _within_calendar(instants.cast(naive)).cast(utc if clock.aware else naive)


def _within_calendar(instants: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Take away what lies outside the years 1 to 9999, which no ISO-8601 text names."""
    pa, compute = pyarrow(), pyarrow("compute")
    bounds = compute.min_max(instants.cast(pa.int64())).as_py()
    if bounds["min"] is None or (bounds["min"] >= _FIRST_US and bounds["max"] <= _LAST_US):
        return instants
    numbers = instants.cast(pa.int64())
    known = compute.and_(compute.greater_equal(numbers, _FIRST_US), compute.less_equal(numbers, _LAST_US))
    return compute.if_else(known, instants, pa.scalar(None, instants.type))


def _instants_of_any_form(text: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Parse instants of which some have an offset and some not; naive UTC."""
    pa, compute = pyarrow(), pyarrow("compute")
    naive, utc, nothing = pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.scalar(None, pa.string())
    zoned = compute.match_substring_regex(text, _ZONE)
    try:
        with_zone = compute.if_else(zoned, text, nothing).cast(utc).cast(naive)
        return compute.coalesce(with_zone, compute.if_else(zoned, nothing, text).cast(naive))
    except pa.ArrowInvalid:
        return _instants_one_by_one(text)


def _tidied(text: "pa.ChunkedArray") -> Any:
    """Bring the usual spellings to the one that Arrow parses."""
    compute = pyarrow("compute")
    clean = compute.utf8_trim_whitespace(text)
    for pattern, replacement in (
        (r"\s*(?:UTC|GMT|z)$", "Z"),
        (r"(\d)\s+([+-]\d\d:?\d\d)$", r"\1\2"),
        (r"^(\d{4}-\d\d-\d\d)t", r"\1T"),
        (r"(:\d\d),(\d)", r"\1.\2"),
        (r"(\.\d{6})\d+", r"\1"),
    ):
        if compute.any(compute.match_substring_regex(clean, pattern)).as_py():
            clean = compute.replace_substring_regex(clean, pattern, replacement)
    return clean


def _instants_one_by_one(text: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Parse a column that has something malformed in it, or rarer forms of ISO-8601 (20240501T120000Z)."""
    pa = pyarrow()
    encoded = text.combine_chunks().dictionary_encode()
    distinct = pa.array([_instant_us(each) for each in encoded.dictionary.to_pylist()], pa.int64())
    return pa.chunked_array([distinct.take(encoded.indices).cast(pa.timestamp("us"))])


def _instant_us(text: str) -> int | None:
    # A bare number of other than eight digits is more likely a count of seconds than a date.
    if not _ISO_CHARACTERS.fullmatch(text) or (_DIGITS.fullmatch(text) and len(text) != 8):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = instant.utcoffset() or timedelta()
    # Without the offset first: with it an instant of the year 1 or 9999 would leave the range of datetime.
    return (instant.replace(tzinfo=UTC) - _EPOCH - offset) // timedelta(microseconds=1)
