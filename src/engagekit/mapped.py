"""Columns of event frames by what they are for: found, checked, and coded where they must have no nulls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engagekit import apart
from engagekit.coding import MOST_SIGNED, Coder, Codes, described, no_instants, of_stream
from engagekit.errors import EventsError, in_all
from engagekit.frames import Frame, RawColumn, Text, frames_of
from engagekit.model.wording import typed

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULTS = {"contact": "contact", "type": "type", "time": "time", "value": "value"}
REQUIRED = ("contact", "type", "time", "id")
"""What every frame must have as soon as it is mapped; a value is asked for only by a model that reads it."""
EXAMPLES = {
    "contact": "customer_id",
    "type": "event_name",
    "time": "timestamp",
    "id": "event_id",
    "value": "amount",
}
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class Mapped(NamedTuple):
    """Which column is which, and what integer times count."""

    contact: str = "contact"
    type: str = "type"
    time: str = "time"
    value: str = "value"
    id: str | None = None
    unit: str | None = None

    @classmethod
    def of(cls, *mappings: Mapping[str, str | None]) -> Mapped:
        """Lay mappings over each other; what a later one leaves out is taken from an earlier one."""
        names: dict[str, str] = {}
        for mapping in mappings:
            for key, name in mapping.items():
                if name is None:
                    continue
                if not isinstance(name, str):
                    raise EventsError(f"{key}=: expected the name of a column, got {typed(name)}")
                names[key] = name
        if names.get("unit", "us") not in (*UNITS, "ns"):
            raise EventsError(f"unit=: expected 's', 'ms', 'us' or 'ns', got {names['unit']!r}")
        return cls(**names)

    def column(self, name: str) -> str:
        """Return the column that `contact`, `type`, `time` or `value` stands for, any other name as it is."""
        return str(getattr(self, name)) if name in DEFAULTS else name


def named_frames(source: Any, what: str) -> Iterator[Frame]:
    """Yield the frames of a source; errors about the frames themselves say which table they are of."""
    frames: Iterator[Frame] | None = None
    while True:
        try:
            frames = frames or frames_of(source)
            frame = next(frames)
        except StopIteration:
            return
        except EventsError as error:
            raise EventsError(f"{what}: {error}") from None
        yield frame


def require(frame: Frame, mapping: Mapped, roles: Iterable[str], number: int = 0) -> None:
    """Tell all the mapped columns that a frame lacks, and how to name those that it has in their place."""
    names = {role: name for role in roles if (name := getattr(mapping, role)) is not None}
    try:
        frame.require(names.values())
    except EventsError as error:
        role = next(role for role, name in names.items() if name not in frame.names)
        raise EventsError(f"events{of_stream(number)}: {error}; {_advice(frame, names, role)}") from None


def _advice(frame: Frame, names: Mapping[str, str], role: str) -> str:
    """Tell how to name the column of a role, other than as the one that is not there."""
    near, others = frame.nearest(names[role]), {name for each, name in names.items() if each != role}
    if near is None and role in frame.names and role not in others:
        return f"without {role}= it is the column {role!r}"
    example = EXAMPLES[role] if near is None or near in others else near
    if example == names[role]:
        return f"{role}= is to name one of these"
    return f'name yours, as in {role}="{example}"'


def column_of(frame: Frame, name: str) -> RawColumn:
    """Return a column of events; what is wrong with it is said of them."""
    try:
        return frame.column(name)
    except EventsError as error:
        raise EventsError(f"events: {error}") from None


def pieces_of(frame: Frame, name: str) -> list[RawColumn]:
    """Return a column in the pieces in which it lies; empty ones are left out."""
    try:
        return [piece for piece in frame.pieces(name) if piece.rows]
    except EventsError:
        return [column_of(frame, name)]  # which names the row in the whole column


def is_bare(frame: Frame, pieces: list[RawColumn]) -> bool:
    """Say whether a column is a long one, without nulls, of integers or of the words of one dictionary."""
    if frame.rows < apart.LEAST:
        return False
    if len(pieces) == 1 and pieces[0].kind == "text":
        return _is_of_words(pieces[0].text)
    plain = all(piece.kind == "integer" and piece.null is None for piece in pieces)
    return plain and len({piece.dtype for piece in pieces}) == 1


def _is_of_words(texts: list[Text]) -> bool:
    """Say whether rows are indices that stand for their words, which are few enough to count each one's."""
    words, rows = texts[0].dictionary, sum(text.rows for text in texts)
    return (
        words is not None
        and words.layout in ("utf8", "large_utf8", "view")
        and 4 * words.rows <= rows
        and all(text.dictionary is words and text.own is not None for text in texts)
        and all(text.validity is None for text in texts)
        and all(text.indices is not None and text.indices.dtype == np.uint32 for text in texts)
    )


def coded_column(
    coder: Coder, frame: Frame, name: str, pieces: list[RawColumn], first_row: int, *, text: bool = False
) -> Codes:
    """Code a column that must not have nulls, piece by piece."""
    if not pieces:
        column_of(frame, name)
        return np.empty(0, np.int32)
    codes = np.empty(frame.rows if len(pieces) > 1 else 0, np.int32)
    place = 0
    for column in pieces:
        if text and column.kind != "text":
            if column.null is not None and column.null.all():
                raise EventsError(f"{coder.what}, row {first_row + place:,}: null; {in_all(column.rows)}")
            raise EventsError(
                f"{coder.what}: expected text (the type of each event), got {described(column)}"
            )
        if column.null is not None:
            refuse_nulls(column_of(frame, name).null, coder.what, first_row)
        some = coder.code(column, first_row=first_row + place)
        if column.kind == "text" and some.size and some[some.argmin()] < 0:
            refuse_nulls(some < 0, coder.what, first_row)
        if len(pieces) == 1:
            return some
        codes[place : place + len(some)] = some
        place += len(some)
    return codes


def refuse_nulls(null: NDArray[np.bool_] | None, what: str, first_row: int) -> None:
    """Raise an EventsError with the first row that is null, if any is."""
    if null is not None and null.any():
        raise EventsError(f"{what}, row {first_row + int(null.argmax()):,}: null; {in_all(int(null.sum()))}")


def instants_of(column: RawColumn, mapping: Mapped) -> NDArray[np.int64]:
    """Return a column of times in microseconds, integers by the mapping's unit; nulls are any instant."""
    what = f"events column {mapping.time!r}"
    values = np.empty(0, np.int64) if column.values is None else column.values
    if column.kind == "integer":
        if mapping.unit is None:
            raise EventsError(
                f"{what}: expected timestamps, got {described(column)}; say what integers count with "
                "unit='s', 'ms', 'us' or 'ns'"
            )
        return _scaled(values, mapping.unit)
    if column.kind != "instant":
        raise EventsError(no_instants(what, column))
    return values


def _scaled(values: NDArray[Any], unit: str) -> NDArray[np.int64]:
    """Integer times as microseconds; what would overflow becomes an instant out of range."""
    if values.dtype == np.uint64:
        values = np.minimum(values, np.uint64(MOST_SIGNED)).astype(np.int64)
    if unit == "ns":
        return values // 1000
    bound = MOST_SIGNED // UNITS[unit]
    scaled: NDArray[np.int64] = np.clip(values, -bound, bound) * UNITS[unit]
    return scaled
