"""Instants: whatever names one becomes int64 microseconds since 1970, UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engagekit.errors import EventsError, in_all
from engagekit.model.scalars import is_null, is_number
from engagekit.model.wording import shown, typed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
EARLIEST = -62135596800000000
"""The beginning of the year 1."""
LATEST = 253402300799999999
"""The end of the year 9999."""

_FRACTION = re.compile(r"(\.\d{6})\d+")


def microseconds_of(value: Any, what: str = "at") -> int:
    """Return an instant as microseconds since 1970, UTC.

    Parameters
    ----------
    value
        A `datetime` (naive means UTC), a `date` (its midnight, UTC), a `numpy.datetime64` or ISO 8601 text.
    what
        What the value is for, for the error's text.

    Raises
    ------
    EventsError
        If the value is none of these, not a time, or outside the years 1 to 9999.

    Examples
    --------
    >>> microseconds_of("1970-01-02"), microseconds_of("1970-01-01T01:00:00+01:00")
    (86400000000, 0)
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(_FRACTION.sub(r"\1", value))
        except ValueError:
            known = {"now": "; None is now", "latest": "; did you mean 'latest'?"} if what == "at" else {}
            advice = known.get(value.strip().casefold(), "")
            raise EventsError(
                f"{what}: expected an instant such as '2026-01-31' or '2026-01-31T12:00:00Z', "
                f"got {shown(value)}{advice}"
            ) from None
    if isinstance(value, datetime) and value == value:  # pandas' NaT is unequal to itself
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        micros = (aware - EPOCH) // timedelta(microseconds=1)
        if EARLIEST <= micros <= LATEST:
            return micros
    if isinstance(value, date) and not isinstance(value, datetime):
        return microseconds_of(datetime(value.year, value.month, value.day), what)
    if type(value).__name__ == "datetime64" and value == value:
        floored = value.astype("datetime64[us]")
        if floored.astype(value.dtype) <= value and EARLIEST <= int(floored.astype("i8")) <= LATEST:
            return int(floored.astype("i8"))
    counted = is_number(value) and not is_null(value)
    advice = "; datetime.fromtimestamp(seconds, UTC) makes one of seconds since 1970" if counted else ""
    raise EventsError(
        f"{what}: expected an instant of the years 1 to 9999 (a datetime, a date, a "
        "numpy.datetime64 or ISO 8601 text), "
        f"got {typed(value)}{advice}"
    )


def refuse_out_of_range(times: NDArray[np.int64], what: str, first_row: int = 0) -> None:
    """Raise an EventsError that names the first of `times` outside the years 1 to 9999, if there is one."""
    if times.size and not EARLIEST <= int(times.min()) <= int(times.max()) <= LATEST:
        bad = (times < EARLIEST) | (times > LATEST)
        first = int(bad.argmax())
        raise EventsError(
            f"{what}, row {first_row + first:,}: expected an instant of the years 1 to 9999, "
            f"got {times[first]} microseconds since 1970; {in_all(int(bad.sum()))}"
        )


def text_of(micros: int) -> str:
    """Return an instant as ISO 8601 text in UTC, as short as it can be.

    >>> text_of(0), text_of(86_400_000_001)
    ('1970-01-01T00:00:00Z', '1970-01-02T00:00:00.000001Z')
    """
    return (EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def now() -> int:
    """Return the present instant."""
    return microseconds_of(datetime.now(UTC))
