"""Scores: what a model says of every contact, as a table that knows its model and its instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import asdict, define, evolve

from engagekit import _core
from engagekit.errors import EngagekitError, EventsError, StateError
from engagekit.events import Events
from engagekit.frames import Frame, Out, arrow_stream, build, frame_of, to_arrow
from engagekit.model import Model
from engagekit.plan import LEVELS, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.contacts import Contacts
    from engagekit.reacting import Evaluation, Standing

NEVER = np.iinfo(np.int64).min


@define(frozen=True, kw_only=True)
class Stats:
    """What was read, and what of it did not count.

    Attributes
    ----------
    rows
        Rows of events read.
    contacts
        Contacts with a row in the result.
    future
        Events later than `at`.
    duplicates
        Rows dropped because the contact has an earlier one with the same id.
    excluded
        Events up to `at` taken away by the model's exclusions.
    unmatched
        Events up to `at` that no rule, absence or repeat reads.
    null_amounts
        Matched events whose amount was null, once per rule.
    """

    rows: int
    contacts: int
    future: int
    duplicates: int
    excluded: int
    unmatched: int
    null_amounts: int


class Scores:
    """The scores of contacts at one instant, or of one contact and instant a row; made by `Model.score`.

    Attributes
    ----------
    model
        The model that scored.
    at
        The instant (tz-aware where the events' times were); None where each row has its own.
    stats
        What was read and what did not count.
    notes
        What to know before believing the scores, such as types of events that the model seems to misspell;
        empty when all is well.
    key
        The name of the key column.

    Examples
    --------
    >>> import engagekit as ek, numpy as np
    >>> times = np.array(["2026-01-01"], "datetime64[us]")
    >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
    >>> scores = model.score({"contact": [7], "type": ["visits"], "time": times}, at="2026-01-31")
    >>> scores.stats.unmatched
    1
    >>> print(*scores.notes)
    no event is of a type that the model reads; the events' types are visits 1; the model's are visit (did
    you mean 'visits'?)
    """

    def __init__(
        self,
        *,
        model: Model,
        at: datetime | None,
        stats: Stats,
        key: str,
        columns: Mapping[str, Out],
        kind: str,
        base: Frame | None = None,
        notes: Sequence[str] = (),
        standing: Standing | None = None,
    ) -> None:
        self.model = model
        self.at = at
        self.stats = stats
        self.notes = tuple(notes)
        self.key = key
        self._columns = dict(columns)
        self._kind = kind
        self._base = base
        self._standing = standing
        self._frame: Any = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the model that scored."""
        return self.model.fingerprint

    @property
    def frame(self) -> Any:
        """The table in the caller's kind of frame.

        Of DuckDB a relation of the caller's connection, or once pickled, of DuckDB's default one.
        """
        if self._frame is None:
            self._frame = build(self._kind, self._columns, base=self._base)
        return self._frame

    def __len__(self) -> int:
        return len(self._columns["score"].values)

    def to_arrow(self) -> Any:
        """Return the table as a `pyarrow.Table`; needs pyarrow.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
        >>> scores = model.score({"contact": [7], "type": ["visit"], "time": times}, at="2026-01-31")
        >>> scores.to_arrow()["score"].to_pylist()
        [1.0]
        """
        return to_arrow(self._all())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return arrow_stream(self._all())

    def _all(self, names: Collection[str] | None = None) -> dict[str, Out]:
        if self._base is None:
            return self._columns
        return {**outs_of(self._base, names), **self._columns}

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the table as NumPy arrays: text and categories as object arrays of str and None.

        Instants are ``datetime64[us]`` (null: NaT), numbers float64 (null: NaN) or int64. Your own columns of
        any other type (lists, durations) are object arrays too, of what their library makes of them; one of
        which it makes nothing is left out.
        """
        return _arrays(self._all())

    def _shown(self) -> dict[str, NDArray[Any]]:
        """Return what a summary reads: of the caller's own columns the key and the instant alone."""
        own = self._all({self.key, "at"})
        return _arrays({name: out for name, out in own.items() if out.kind != "other"})

    def reactions(self, previous: Scores | None) -> Any:
        """Tell which of the model's triggers fire now, after a previous result.

        What fired stays known to these scores, and `save` keeps it: they can be the `previous` of the next
        ones, loaded or not. Asking again with the same `previous` gives the same.

        Parameters
        ----------
        previous
            The result of the evaluation before, of the same model, not later than this one. None: there was
            none; nothing fires, and this one is the base line.

        Returns
        -------
        frame
            Of the caller's kind, a row for each contact and trigger that fires: the key, ``trigger``, ``at``,
            ``score``, ``engagement``, ``level``, ``phase``, ``previous_phase``, ``momentum``, ``rating``,
            ``stage``, ``content``; null where the model does not declare it.

        Raises
        ------
        ModelError
            If the model has no triggers.
        StateError
            If `previous` is of another model or a later instant, or one of the two has rows at instants of
            their own.
        EventsError
            If the keys differ in name or kind.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> model = ek.Model(
        ...     rules=[ek.Rule(name="visit", on="visit", points=80)],
        ...     triggers=[ek.Trigger(name="hot", when=ek.field("engagement") >= 60)],
        ... )
        >>> times = np.array(["2026-01-01", "2026-01-03"], "datetime64[us]")
        >>> events = ek.Events({"contact": ["ann", "bob"], "type": ["visit"] * 2, "time": times})
        >>> yesterday = model.score(events, at="2026-01-02")
        >>> fired = model.score(events, at="2026-01-03").reactions(yesterday)
        >>> fired["contact"].tolist(), fired["trigger"].tolist()
        (['bob'], ['hot'])
        """
        from engagekit.reacting import react

        if previous is not None and not isinstance(previous, Scores):
            raise EventsError(f"reactions: expected Scores or None, got {type(previous).__name__}")
        before = None if previous is None else Scores._evaluation(previous)
        fired, self._standing = react(self._evaluation(), before, kind=self._kind)
        return fired

    def _evaluation(self) -> Evaluation:
        from engagekit.reacting import Evaluation

        return Evaluation(
            model=self.model, at=self.at, key=self.key, columns=self._columns, standing=self._standing
        )

    def __getstate__(self) -> dict[str, Any]:
        # The frame is built again from the columns when it is asked for.
        return {**self.__dict__, "_frame": None}

    def save(self, path: str | PathLike[str]) -> None:
        """Write the table to Parquet, CSV or JSON lines, by the file's ending; needs pyarrow.

        Parquet carries the model, its fingerprint, `at`, the stats and what triggers need to know the next
        time in its metadata; CSV and JSON lines have them in a file ``<name>-metadata.json`` beside them (as
        W3C's CSV on the Web does).

        Parameters
        ----------
        path
            A file name ending in ``.parquet``, ``.csv`` or ``.jsonl``. An existing file is replaced as a
            whole.
        """
        from engagekit import datafiles
        from engagekit.reacting import kept

        metadata = {
            "fingerprint": self.fingerprint,
            "at": None if self.at is None else self.at.isoformat(),
            "key": self.key,
            "stats": asdict(self.stats),
            "notes": list(self.notes),
            "model": self.model.to_dict(),
        }
        if self._standing is not None:
            metadata["triggers"] = kept(self._standing, self.model)
        datafiles.write(path, self.to_arrow(), metadata)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Scores:
        """Read what `save` wrote; its `frame` is a `pyarrow.Table`.

        Raises
        ------
        StateError
            If the file is no saved Scores, damaged, or of a newer version.
        """
        from engagekit import datafiles
        from engagekit.keys import Keys
        from engagekit.reacting import restored

        table, metadata = datafiles.read_saved(path)
        try:
            model = Model.from_dict(metadata["model"])
            at = None if metadata["at"] is None else datetime.fromisoformat(metadata["at"])
            stats = Stats(**metadata["stats"])
            key = metadata["key"]
            notes = tuple(map(str, metadata.get("notes", ())))
            whole = metadata["fingerprint"] == model.fingerprint and {key, "score"} <= set(table.column_names)
            counted = all(type(count) is int and count >= 0 for count in asdict(stats).values())
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"{path}: expected saved scores, got metadata without {error}") from None
        except EngagekitError as error:
            raise StateError(f"{path}: expected saved scores, got a model with faults: {error}") from None
        if not counted:
            raise StateError(f"{path}: expected saved scores, got stats that are no counts")
        if not whole:
            raise StateError(f"{path}: expected saved scores, got a table and a model that do not fit")
        columns = outs_of(frame_of(table))
        standing = None
        if "triggers" in metadata:
            try:
                standing = restored(metadata["triggers"], model, Keys(columns[key], key))
            except StateError as error:
                raise StateError(f"{path}: expected saved scores, got some where {error}") from None
        return cls(
            model=model, at=at, stats=stats, key=key, columns=columns, kind="pyarrow", notes=notes,
            standing=standing,
        )  # fmt: skip

    def __repr__(self) -> str:
        from engagekit.summary import summary

        return summary(self._shown(), **self._told())

    def _repr_html_(self) -> str:
        from engagekit.summary import summary_html

        return summary_html(self._shown(), **self._told())

    def _told(self) -> dict[str, Any]:
        told = ("model", "at", "stats", "key", "notes")
        return {name: getattr(self, name) for name in told}


def _arrays(columns: Mapping[str, Out]) -> dict[str, NDArray[Any]]:
    plain = {name: evolve(out, like=None) for name, out in columns.items()}
    arrays: dict[str, NDArray[Any]] = build("dict", plain)
    return arrays


def taken(values: NDArray[Any], rows: NDArray[np.int64] | None) -> NDArray[Any]:
    """Return some of the values, by place; None: all, as they are."""
    return values if rows is None else values[rows]


def result_columns(
    plan: Plan,
    events: Events,
    numbers: Mapping[str, NDArray[Any]],
    channels: NDArray[np.float64],
    rows: NDArray[np.int64] | None,
) -> dict[str, Out]:
    """Name the kernel's numbers as the result's columns, the key aside: of the jobs `rows` (None: of all)."""

    def number(values: NDArray[np.float64]) -> Out:
        return Out(kind="float", values=taken(values, rows))

    def instant(name: str) -> Out:
        values = taken(numbers[name], rows)
        null = values == NEVER
        return Out(kind="instant", values=values, null=null if null.any() else None, aware=events.aware)

    def category(name: str, names: Sequence[str]) -> Out:
        return Out(kind="category", values=taken(numbers[name], rows), categories=list(names))

    return {
        "score": number(numbers["score"]),
        "engagement": number(numbers["engagement"]),
        "level": category("level", LEVELS),
        "half": category("half", ("prospect", "customer")),
        "phase": category("phase", plan.phase_names),
        "momentum": number(numbers["momentum"]),
        "next_change": instant("next_change"),
        "next_level": category("next_level", LEVELS),
        "next_phase": category("next_phase", plan.phase_names),
        "events": Out(kind="integer", values=taken(numbers["events"], rows)),
        "first_event": instant("first_event"),
        "last_event": instant("last_event"),
        "last_type": category("last_type", events.types_by_code),
        "silent_days": number(numbers["silent_days"]),
        "top_channel": category("top_channel", plan.channels),
        **{f"channel_{name}": number(channels[c]) for c, name in enumerate(plan.channels)},
    }


def ids_out(events: Events, contacts: Contacts | None, rows: NDArray[np.int64] | None) -> Out:
    """Give the key of the result's rows, in the caller's own type.

    Rows are codes of the events' contacts (None: all of them); beyond them, places among the contacts
    table's rows that no event knows.
    """
    known = len(events.contacts)
    like = events.source.like(events.mapping.contact)
    unknown = np.flatnonzero(contacts.codes < 0) if contacts is not None else np.empty(0, np.int64)
    coders = [events.contacts] if contacts is None else [events.contacts, contacts.coder]
    kind = next((coder.kind for coder in coders if coder.kind is not None), "text")
    if rows is None:
        whole = events.contacts.integers() if kind == "integer" else events.contacts.buffers()
        return Out(kind="integer" if kind == "integer" else "text", values=whole, like=like)
    index = rows.copy()
    if len(unknown):
        index[rows >= known] = known + unknown[rows[rows >= known] - known]
    if kind == "integer":
        pieces = [coder.integers() for coder in coders if coder.kind is not None]
        if len({piece.dtype for piece in pieces}) > 1:
            pieces = [piece.astype(np.uint64) for piece in pieces]
        return Out(kind="integer", values=np.concatenate(pieces)[index], like=like)
    starts, data = np.zeros(1, np.int64), np.empty(0, np.uint8)
    for coder in coders:
        if coder.kind is not None:
            more, bytes_ = coder.buffers()
            starts, data = np.concatenate([starts[:-1], more + starts[-1]]), np.concatenate([data, bytes_])
    taken = np.empty(len(index) + 1, np.int64)
    content = _core.take_text(starts, data, index, taken)
    return Out(kind="text", values=(taken, np.frombuffer(content, np.uint8)), like=like)


def outs_of(frame: Frame, names: Collection[str] | None = None) -> dict[str, Out]:
    """Return a frame's columns, or some of them, as result columns; what we cannot read stays as it is."""
    return {name: _out_of(frame, name) for name in frame.names if names is None or name in names}


def _out_of(frame: Frame, name: str) -> Out:
    try:
        column = frame.column(name)
    except EventsError:  # an instant of the caller's that 64-bit microseconds cannot hold
        return Out(kind="other", values=frame.foreign(name))
    if column.kind == "other":
        return Out(kind="other", values=frame.foreign(name))
    if column.kind == "text":
        strings = np.array([string for text in column.text for string in text.strings()], object)
        return Out(kind="text", values=strings)
    return Out(kind=column.kind, values=column.values, null=column.null, aware=column.aware)
