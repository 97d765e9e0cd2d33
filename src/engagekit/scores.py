"""Scores: what a model says of every contact, as a table that knows its model and its instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import asdict, define, evolve

from engagekit.errors import EngagekitError, EventsError, StateError
from engagekit.frames import Frame, Out, arrow_stream, build, frame_of, to_arrow
from engagekit.instants import microseconds_of
from engagekit.keys import Keys
from engagekit.model import Model
from engagekit.pictures import Pictures
from engagekit.results import outs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.comparison import Comparison, Side
    from engagekit.contacts import Contacts
    from engagekit.explain import Explanation, Origin
    from engagekit.model import Scale
    from engagekit.reacting import Evaluation, Standing
    from engagekit.rollup import Weight


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


class Scores(Pictures):
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
        What to know before believing the scores, such as types of events that the model seems to misspell
        or attributes that it asks for without a contacts table; empty when all is well.
    key
        The name of the key column.

    Notes
    -----
    To be explained later, scores keep the events as they were coded, about nine bytes an event and the
    columns that the model reads, and the contacts table; the frame of events itself can go. A file, a pickle
    and a copy leave the events behind. Scores of events that memory should not hold have none.

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
        origin: Origin | None = None,
        contacts: Contacts | None = None,
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
        self._origin = origin
        self._contacts = contacts
        self._standing = standing
        self._frame: Any = None
        self._known_keys: Keys | None = None

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

    def _keys(self) -> Keys:
        if self._known_keys is None:
            self._known_keys = (
                Keys(self._columns[self.key], self.key)
                if self._base is None
                else Keys.of(self._base, self.key)
            )
        return self._known_keys

    def explain(self, contact: Any, events: bool = False, *, at: Any = None) -> Explanation:
        """Explain a contact's score: what each rule adds to it, or each event.

        Parameters
        ----------
        contact
            An id, of the key's kind.
        events
            Whether there is a row for each event, instead of one for each rule.
        at
            Of scores at a frame of instants: which of the contact's instants is meant.

        Returns
        -------
        Explanation
            Its `frame` is of the caller's kind. Nothing stands in it for a contact that no rule has matched
            an event of, such as one of the contacts table alone.

        Raises
        ------
        EventsError
            If there is no such contact (the nearest ids are named), it is of another kind than the key, or
            has several instants.
        StateError
            If the scores have no events: they are of a Live, were loaded, pickled or copied, or made of a
            stream that memory should not hold.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01", "2026-01-31"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
        >>> scores = model.score({"contact": [7, 7], "type": ["visit"] * 2, "time": times}, at="2026-01-31")
        >>> scores.explain(7).frame["contribution"].tolist(), scores.explain(7).score
        ([3.0], 3.0)
        """
        from engagekit.explain import explain

        return explain(
            self._origin, self._keys(), self._columns, contact, events=events, at=at, kind=self._kind
        )

    def _instants(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the instants of some rows, in microseconds."""
        if self.at is not None:
            return np.full(len(rows), microseconds_of(self.at))
        if self._origin is not None:
            return self._origin.some(rows).at
        own = self._all({"at"})
        if "at" not in own:
            raise StateError("card: these scores do not know the rows' instants any more; score them again")
        return np.asarray(own["at"].values[rows], np.int64)

    def compare(self, other: Scores) -> Comparison:
        """Compare these scores with others, of another model or another instant: who changes, and why.

        Parameters
        ----------
        other
            Scores of the same contacts, or of some of them; with the same key.

        Returns
        -------
        Comparison
            From these scores (before) to the other ones (after).

        Raises
        ------
        EventsError
            If the keys differ in name or kind, or a contact has several rows.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
        >>> events = ek.Events({"contact": [7], "type": ["visit"], "time": times})
        >>> found = model.score(events, at="2026-01-01").compare(model.score(events, at="2026-03-01"))
        >>> found.moves["level"]
        {('low', 'none'): 1}
        """
        from engagekit.comparison import compare

        if not isinstance(other, Scores):
            raise EventsError(f"compare: expected Scores, got {type(other).__name__}")
        return compare(self._side(), other._side(), kind=self._kind)

    def rollup(
        self,
        by: str,
        how: str = "sum",
        *,
        weight: Weight | None = None,
        contacts: Any = None,
        unknown: Any = None,
        scale: Scale | None = None,
    ) -> Any:
        """Roll the scores of those who belong together up into one: contacts into accounts.

        Parameters
        ----------
        by
            Who belongs together: a column of the contacts table (integers or text), or of the scores.
        how
            ``"sum"``, ``"mean"``, ``"max"`` (the most engaged counts), ``"top3"`` (the sum of the three best)
            or ``"weighted"`` (a mean by `weight`).
        weight
            A column of numbers of at least 0; or a column and the weights of its values, such as
            ``{"role": {"buyer": 3, "user": 0.5}}``, where what is not listed counts 1.
        contacts
            The contacts table; None: the one that was scored with.
        unknown
            The account of those of whom none is known; None: that is an error.
        scale
            The accounts' scale; None: that of the model.

        Returns
        -------
        frame
            Of the caller's kind, the highest score first: the account (named as `by`), ``contacts`` (how
            many), ``active`` (how many of these have a level above none), ``score``, ``engagement``,
            ``level``, ``last_event`` (the newest activity), ``top_contact`` and ``top_score``.

        Raises
        ------
        EventsError
            If a column is missing, has a null, or holds weights that are none; if a scored contact is not in
            the table, or has several rows.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=20, decay="none")])
        >>> times = np.array(["2026-01-31"] * 3, "datetime64[us]")
        >>> events = {"contact": ["ann", "bob", "bob"], "type": ["visit"] * 3, "time": times}
        >>> people = {"contact": ["ann", "bob", "cleo"], "account": ["Acme", "Acme", "Zeta"]}
        >>> accounts = model.score(events, at="2026-01-31", contacts=people).rollup("account", "mean")
        >>> accounts["account"].tolist(), accounts["score"].tolist(), accounts["top_contact"].tolist()
        (['Acme', 'Zeta'], [30.0, 0.0], ['bob', 'cleo'])
        """
        from engagekit.contacts import single
        from engagekit.rollup import People, rollup

        known = None if self._contacts is None else self._contacts.frame
        people = People(
            keys=self._keys(),
            table=self._all(),
            attributes=known if contacts is None else single(contacts, "contacts"),
            model=self.model,
            kind=self._kind,
        )
        return rollup(people, by, how, weight=weight, unknown=unknown, scale=scale)

    def _side(self) -> Side:
        from engagekit.comparison import Side

        return Side(model=self.model, at=self.at, keys=self._keys(), table=self._columns, origin=self._origin)

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
            raise EventsError(
                f"reactions: expected Scores or None, got {type(previous).__name__}"
                f"{'; Scores.load reads saved ones' if issubclass(type(previous), (str, PathLike)) else ''}"
            )
        before = None if previous is None else Scores._evaluation(previous)
        fired, self._standing = react(self._evaluation(), before, kind=self._kind)
        return fired

    def _evaluation(self) -> Evaluation:
        from engagekit.reacting import Evaluation

        return Evaluation(
            model=self.model, at=self.at, key=self.key, columns=self._columns, standing=self._standing
        )

    def __getstate__(self) -> dict[str, Any]:
        # The frame is built again from the columns when it is asked for; events are too many to go along.
        return {**self.__dict__, "_frame": None, "_origin": None, "_contacts": None, "_known_keys": None}

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
