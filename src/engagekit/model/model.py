"""The model: everything that turns a contact's events into a score, a level and a phase."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from engagekit.errors import ModelError
from engagekit.model.across import MOST_FAULTS, joint_faults
from engagekit.model.declared import Declared, ListKind, NestedKind, TableKind
from engagekit.model.frozen import FrozenDict
from engagekit.model.kinds import OPTIONAL_TYPES, TEXT, WEIGHTS, Factors, as_text, as_types, as_weights
from engagekit.model.lead_faults import columns_of, lead_faults
from engagekit.model.leads import (
    Content,
    Fit,
    Persona,
    Qualification,
    as_contents,
    as_optional_fit,
    as_optional_qualification,
    as_personas,
)
from engagekit.model.lifecycle import (
    CUSTOMER_ENGAGEMENT_INDEX,
    Levels,
    Lifecycle,
    Momentum,
    Phase,
    Scale,
    as_levels,
    as_momentum,
    as_optional_lifecycle,
    as_phases,
    as_scale,
)
from engagekit.model.members import (
    ColumnsKind,
    as_absences,
    as_channels,
    as_columns,
    as_excludes,
    as_repeats,
    as_rules,
    as_signals,
)
from engagekit.model.points import Channel, Decay, DecayKind, as_decay
from engagekit.model.reactions import Trigger, as_triggers
from engagekit.model.result_columns import leaves_of
from engagekit.model.rules import Absence, Exclude, Repeat, Rule, Signal
from engagekit.model.tree import Test

if TYPE_CHECKING:
    from engagekit.scores import Scores

__all__ = ["Model"]


@attrs.frozen(kw_only=True, repr=False, cache_hash=True)  # hashed at each scoring, for its plan
class Model(Declared):
    """Everything that turns a contact's events into a score, a level and a phase.

    A model is checked whole when it is made. Wherever one of the classes is taken, so is the table
    that a model file has in its place.

    Parameters
    ----------
    name
        The name.
    rules, absences, repeats
        What gives points; at least one of them all.
    signals
        Names for some events, which stand wherever an event type may.
    excludes
        Events that are none.
    channels
        The caps of channels, by name.
    passive
        Event types or signals that are no activity of the contact, such as an e-mail sent.
    decay
        How the points of rules that do not say it fade.
    scale
        How the score becomes the engagement.
    levels
        The bounds of the levels.
    momentum
        The half-lives that the momentum compares.
    lifecycle
        What makes a customer. None: all contacts are prospects.
    phases
        The phases in the order they are tried. None given: those of the Customer Engagement Index.
    weights
        Factors by field and value, for every rule.
    fit
        How well a contact's attributes fit. None: no such columns in the results; so with the next three.
    qualification
        When a contact is a lead, and when it is one for sales.
    personas
        The kinds of people among the contacts, in the order they are tried.
    contents
        The engagement matrix: what to offer to whom.
    triggers
        The moments to react to.
    columns
        Which columns of the caller's tables hold contact, type, time, value and id, and the unit of
        an integer time; not part of the fingerprint.

    Raises
    ------
    ModelError
        With every fault that the model has.

    Examples
    --------
    >>> model = Model(
    ...     name="shop",
    ...     rules=[
    ...         Rule(name="visit", on="page_view", points=1, channel="web"),
    ...         Rule(name="order", on="order", points=10, decay=Decay.half_life("90d")),
    ...     ],
    ...     channels={"web": Channel(cap=20)},
    ... )
    >>> model.channel_names
    ('web', 'other')
    >>> Model.from_dict(model.to_dict()) == model
    True
    >>> Model(rules=[Rule(name="visit", on="page_view", points="six", channel="web")], channels={"wbe": {}})
    Traceback (most recent call last):
        ...
    engagekit.errors.ModelError: rules[0].points: expected a number, got 'six' [rule 'visit']
    channels.wbe: no rule, absence or repeat is in this channel, did you mean "web"?
    """

    noun: ClassVar[str] = "model"

    name: str = attrs.field(default="model", converter=as_text, metadata=TEXT)
    columns: Mapping[str, str] = attrs.field(
        default=FrozenDict(), converter=as_columns, metadata={"kind": ColumnsKind()}
    )
    passive: tuple[str, ...] = attrs.field(default=(), converter=as_types, metadata=OPTIONAL_TYPES)
    decay: Decay = attrs.field(
        default=Decay(half_life="30d"), converter=as_decay, metadata={"kind": DecayKind()}
    )
    scale: Scale = attrs.field(
        default=Scale(saturating=50), converter=as_scale, metadata={"kind": NestedKind(Scale)}
    )
    levels: Levels = attrs.field(default=Levels(), converter=as_levels, metadata={"kind": NestedKind(Levels)})
    momentum: Momentum = attrs.field(
        default=Momentum(), converter=as_momentum, metadata={"kind": NestedKind(Momentum)}
    )
    lifecycle: Lifecycle | None = attrs.field(
        default=None,
        converter=as_optional_lifecycle,
        metadata={"kind": NestedKind(Lifecycle, optional=True)},
    )
    weights: Mapping[str, Factors] = attrs.field(default=FrozenDict(), converter=as_weights, metadata=WEIGHTS)
    channels: Mapping[str, Channel] = attrs.field(
        default=FrozenDict(), converter=as_channels, metadata={"kind": TableKind(Channel)}
    )
    signals: tuple[Signal, ...] = attrs.field(
        default=(), converter=as_signals, metadata={"kind": ListKind(Signal)}
    )
    excludes: tuple[Exclude, ...] = attrs.field(
        default=(), converter=as_excludes, metadata={"kind": ListKind(Exclude)}
    )
    rules: tuple[Rule, ...] = attrs.field(default=(), converter=as_rules, metadata={"kind": ListKind(Rule)})
    absences: tuple[Absence, ...] = attrs.field(
        default=(), converter=as_absences, metadata={"kind": ListKind(Absence)}
    )
    repeats: tuple[Repeat, ...] = attrs.field(
        default=(), converter=as_repeats, metadata={"kind": ListKind(Repeat)}
    )
    phases: tuple[Phase, ...] = attrs.field(
        default=CUSTOMER_ENGAGEMENT_INDEX, converter=as_phases, metadata={"kind": ListKind(Phase)}
    )
    fit: Fit | None = attrs.field(
        default=None, converter=as_optional_fit, metadata={"kind": NestedKind(Fit, optional=True)}
    )
    qualification: Qualification | None = attrs.field(
        default=None,
        converter=as_optional_qualification,
        metadata={"kind": NestedKind(Qualification, optional=True)},
    )
    personas: tuple[Persona, ...] = attrs.field(
        default=(), converter=as_personas, metadata={"kind": ListKind(Persona)}
    )
    contents: tuple[Content, ...] = attrs.field(
        default=(), converter=as_contents, metadata={"kind": ListKind(Content)}
    )
    triggers: tuple[Trigger, ...] = attrs.field(
        default=(), converter=as_triggers, metadata={"kind": ListKind(Trigger)}
    )

    def __attrs_post_init__(self) -> None:
        faults = list(islice(self.faults(), MOST_FAULTS + 1))
        if len(faults) > MOST_FAULTS:
            faults[-1] = f"there are more than {MOST_FAULTS:,} faults; the rest is not listed"
        if faults:
            raise ModelError(faults)

    def _joint_faults(self, path: str) -> Iterator[str]:  # noqa: ARG002 - a model stands in nothing
        yield from joint_faults(
            rules=self.rules,
            absences=self.absences,
            repeats=self.repeats,
            signals=self.signals,
            excludes=self.excludes,
            channels=self.channels,
            phases=self.phases,
        )
        yield from lead_faults(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Self:
        """Make a model of what a model file has.

        Parameters
        ----------
        table
            The keys of a model file; `extends` may name a preset here, and no file.

        Raises
        ------
        ModelError
            With every fault that the model has.

        Examples
        --------
        >>> Model.from_dict({"rules": [{"name": "visit", "on": ["page_view"], "points": 1}]})
        Model(rules=[Rule(name='visit', on=('page_view',), points=1.0)])
        """
        from engagekit.model.inherit import MEMORY
        from engagekit.model.making import made

        return made(cls, table, MEMORY)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a model file.

        Parameters
        ----------
        path
            A file whose name ends in .toml or .json.

        Raises
        ------
        ModelError
            When the file cannot be read, or with every fault that the model has.
        """
        from engagekit.model.inherit import FileOrigin
        from engagekit.model.making import made

        origin = FileOrigin(path)
        table = origin.read()
        try:
            return made(cls, table, origin)
        except ModelError as error:
            raise ModelError(error.faults, file=origin.label) from None

    def save(self, path: str | PathLike[str]) -> None:
        """Write a model file, wholly or not at all.

        Parameters
        ----------
        path
            The file; a name that ends in .toml or .json says what is written.

        Raises
        ------
        ModelError
            When the name ends otherwise, or the file cannot be written.
        """
        from engagekit.model.files import write_table

        write_table(path, self.to_dict())

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with some attributes changed, checked as a new model is.

        Examples
        --------
        >>> model = Model(rules=[Rule(name="visit", on="page_view", points=1)])
        >>> model.evolve(decay="none").decay
        Decay.none()
        """
        return attrs.evolve(self, **changes)

    def score(
        self,
        events: Any,
        *,
        at: Any = None,
        contacts: Any = None,
        threads: int | None = None,
        contact: str | None = None,
        type: str | None = None,
        time: str | None = None,
        value: str | None = None,
        id: str | None = None,
        unit: str | None = None,
    ) -> "Scores":
        """Score events.

        Parameters
        ----------
        events
            A frame of any library, a stream of frames (which may be more than fits in memory: see the
            how-to guide), or `Events`.
        at
            The instant for which everything is computed: a datetime (naive means UTC), a date, a
            `numpy.datetime64` or ISO 8601 text; None: now; ``"latest"``: the newest event not after
            now. Or a frame with the contacts' key and a column ``at`` (or a single column of
            instants): then one result a row, its other columns kept.
        contacts
            A frame with the key (named as in the events, or ``contact``) and attributes: a timestamp
            `customer_since` makes a customer; fit, personas and contents ask for others. Contacts without
            events get a row too.
        threads
            How many threads score; None: as many as there are cores. The numbers do not depend on it.
        contact, type, time, value, id, unit
            Names of the events' columns, over those of `columns`; see `Events`.

        Returns
        -------
        Scores
            A row a contact with an event at or before `at`, in order of first appearance, then the contacts
            table's others.

        Raises
        ------
        EventsError
            When a table cannot be read as what it is given for, or a column that the model names is missing.

        Examples
        --------
        >>> import numpy as np
        >>> events = {
        ...     "user": ["ann", "bob"],
        ...     "type": ["order", "page_view"],
        ...     "time": np.array(["2026-01-01", "2026-01-31"], "datetime64[s]"),
        ... }
        >>> model = Model(rules=[Rule(name="order", on="order", points=10)])
        >>> scores = model.score(events, at="2026-01-31", contact="user")
        >>> scores.frame["user"].tolist(), scores.frame["score"].tolist()
        (['ann', 'bob'], [5.0, 0.0])
        """
        from engagekit import batch

        mapping = {"contact": contact, "type": type, "time": time, "value": value, "id": id, "unit": unit}
        return batch.score(self, events, at=at, contacts=contacts, threads=threads, mapping=mapping)

    def describe(self) -> str:
        """Say in plain words what the model does: what gives points, how they fade, what lifts into a phase.

        Returns
        -------
        str
            Lines of text, as ``engagekit check`` prints them.

        Examples
        --------
        >>> model = Model(name="shop", rules=[Rule(name="order", on="order", points=10)])
        >>> print(model.describe())
        shop: 1 rule in 1 channel. Points are halved every 30 days, unless a rule says otherwise.
        <BLANKLINE>
        Points in other
          order  +10 points for order
        ...
        """
        from engagekit.describe import describe

        return describe(self)

    def features(
        self,
        events: Any,
        *,
        at: Any,
        threads: int | None = None,
        contact: str | None = None,
        type: str | None = None,
        time: str | None = None,
        value: str | None = None,
        id: str | None = None,
        unit: str | None = None,
    ) -> Any:
        """Give the decayed points of every rule, as columns to learn from.

        Parameters
        ----------
        events, at, threads, contact, type, time, value, id, unit
            As for `score`.

        Returns
        -------
        frame
            Of the caller's kind: the key (with a frame for `at`: that frame's columns) and a float64
            column S(r) by the name of each rule, absence and repeat, after limits and before caps,
            whatever the half.

        Raises
        ------
        EventsError
            As `score`.

        Examples
        --------
        >>> import numpy as np
        >>> events = {"contact": [7], "type": ["order"], "time": np.array(["2026-01-01"], "datetime64[s]")}
        >>> model = Model(rules=[Rule(name="order", on="order", points=10)])
        >>> model.features(events, at="2026-01-31")["order"].tolist()
        [5.0]
        """
        from engagekit import batch

        mapping = {"contact": contact, "type": type, "time": time, "value": value, "id": id, "unit": unit}
        return batch.features(self, events, at=at, threads=threads, mapping=mapping)

    def history(
        self,
        events: Any,
        *,
        at: Any = None,
        every: Any = None,
        start: Any = None,
        end: Any = None,
        contacts: Any = None,
        threads: int | None = None,
        contact: str | None = None,
        type: str | None = None,
        time: str | None = None,
        value: str | None = None,
        id: str | None = None,
        unit: str | None = None,
    ) -> Any:
        """Score every contact at many instants: the course of engagement, to be drawn or counted.

        Parameters
        ----------
        events, contacts, threads, contact, type, time, value, id, unit
            As for `score`.
        at
            The instants: a list, or an array or column of any library. In any order; what stands twice
            counts once.
        every
            Instead of `at`: from one instant to the next, as a `timedelta` or text such as ``"7d"``. None:
            a day.
        start, end
            The first instant, and one that none comes after. None: the multiple of `every` since 1970 (in
            UTC; for days their midnight) that is not after the first event, and the first of the instants
            that has seen every event up to now.

        Returns
        -------
        frame
            Of the caller's kind: the key, ``at``, ``score``, ``engagement``, ``level``, ``half``, ``phase``,
            ``momentum``. Each contact in order of first appearance, its instants ascending, from its first
            event on. What stands there is what `score` says at that instant; contacts without events
            have no rows.

        Raises
        ------
        EventsError
            As `score`; when `at` comes with `every`, `start` or `end`, or one of them is no instant or
            duration; when there would be more rows than memory can hold.

        Examples
        --------
        >>> import numpy as np
        >>> days = np.array(["2026-01-01", "2026-01-03"], "datetime64[s]")
        >>> events = {"contact": ["ann", "bob"], "type": ["order", "order"], "time": days}
        >>> model = Model(rules=[Rule(name="order", on="order", points=10, decay={"linear": "10d"})])
        >>> frame = model.history(events)
        >>> frame["contact"].tolist(), frame["score"].tolist()
        (['ann', 'ann', 'ann', 'bob'], [10.0, 9.0, 8.0, 10.0])
        """
        from engagekit import history

        mapping = {"contact": contact, "type": type, "time": time, "value": value, "id": id, "unit": unit}
        return history.history(
            self, events, at=at, every=every, start=start, end=end, contacts=contacts, threads=threads,
            mapping=mapping,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of what the model means, in hexadecimal: of all but `columns`, defaults left out."""
        from hashlib import sha256
        from json import dumps

        meaning = {key: value for key, value in self.to_dict().items() if key != "columns"}
        canonical = dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(canonical.encode()).hexdigest()

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels in the order in which rules, then absences, then repeats first name them."""
        scoring: tuple[Rule | Absence | Repeat, ...] = (*self.rules, *self.absences, *self.repeats)
        return tuple(dict.fromkeys(entry.channel for entry in scoring))

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents in the order in which rules, then absences, then repeats first name them."""
        scoring: tuple[Rule | Absence | Repeat, ...] = (*self.rules, *self.absences, *self.repeats)
        return tuple(dict.fromkeys(entry.intent for entry in scoring if entry.intent is not None))

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes of a contact that the model reads: for fit, personas, contents and triggers."""
        return frozenset(test.field for test in self.attribute_tests)

    @property
    def attribute_tests(self) -> tuple[Test, ...]:
        """What is asked of attributes: by the fit, then by personas, contents and triggers."""
        asked = [persona.where for persona in self.personas]
        asked += [content.where for content in self.contents if content.where is not None]
        asked += [each for trigger in self.triggers for each in trigger.conditions]
        rated = () if self.fit is None else self.fit.criteria
        columns = {"contact", *self.result_columns}
        tests = [test for criterion in rated for test in leaves_of(criterion.where)]
        tests += [test for each in asked for test in leaves_of(each) if test.field not in columns]
        return tuple(tests)

    @property
    def result_columns(self) -> tuple[str, ...]:
        """The columns of a result, beside the key."""
        return tuple(columns_of(self))

    @cached_property
    def fields(self) -> frozenset[str]:
        """The fields of an event that the model reads in `where`, `amount`, `weights` and `by`."""
        asking: tuple[Rule | Repeat | Signal | Exclude, ...]
        asking = (*self.rules, *self.repeats, *self.signals, *self.excludes)
        matching: tuple[Absence | Repeat | Exclude, ...] = (*self.absences, *self.repeats, *self.excludes)
        limits = [rule.limit for rule in self.rules if rule.limit is not None]
        conditions = [entry.where.fields for entry in asking if entry.where is not None]
        weighed = [frozenset(weights) for weights in (self.weights, *(rule.weights for rule in self.rules))]
        named = [rule.amount.field for rule in self.rules if rule.amount is not None]
        named += [limit.by for limit in limits if limit.by is not None]
        named += [entry.by for entry in matching if entry.by is not None]
        return frozenset(named).union(*conditions, *weighed)
