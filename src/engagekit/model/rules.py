"""Rules: what turns events into points, what names events, and what takes events away."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import attrs

from engagekit.model.conditions import Condition
from engagekit.model.declared import Declared, NestedKind, built
from engagekit.model.frozen import FrozenDict
from engagekit.model.kinds import (
    CONDITION,
    COUNT,
    DURATION,
    HALF,
    NUMBER,
    OPTIONAL_DURATION,
    OPTIONAL_POSITIVE,
    OPTIONAL_TEXT,
    OPTIONAL_TYPES,
    TEXT,
    TYPES,
    WEIGHTS,
    Factors,
    Kind,
    as_condition,
    as_count,
    as_duration,
    as_number,
    as_optional_duration,
    as_optional_number,
    as_optional_text,
    as_text,
    as_types,
    as_weights,
)
from engagekit.model.points import Amount, Channel, Decay, DecayKind, Limit, as_optional_decay
from engagekit.model.wording import join

__all__ = [
    "Absence",
    "Amount",
    "Channel",
    "Decay",
    "Exclude",
    "Limit",
    "Repeat",
    "Rule",
    "Signal",
]

_DECAY: Mapping[str, Kind] = {"kind": DecayKind(optional=True)}
_LIMIT: Mapping[str, Kind] = {"kind": NestedKind(Limit, optional=True)}
_AMOUNT: Mapping[str, Kind] = {"kind": NestedKind(Amount, optional=True)}


def as_optional_limit(value: Limit | Mapping[str, Any] | None) -> Limit | None:
    """Make a limit of its form in a model file, if there is any."""
    return None if value is None else built(Limit, value)


def as_optional_amount(value: Amount | Mapping[str, Any] | None) -> Amount | None:
    """Make an amount of its form in a model file, if there is any."""
    return None if value is None else built(Amount, value)


def _limit_faults(limit: object, path: str) -> Iterator[str]:
    if isinstance(limit, Limit) and limit.by is not None:
        yield f"{join(join(path, 'limit'), 'by')}: only the limit of a rule may have it"


@attrs.frozen(kw_only=True, repr=False)
class Rule(Declared):
    """Points for events of some types.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name; rules, absences and repeats share one namespace.
    on
        Event types or signals.
    points
        What one event is worth; negative points are allowed.
    where
        Only events for which this holds.
    channel
        The channel that the points belong to.
    decay
        How the points fade. None: as the model says.
    cap
        The rule adds at most this, and takes at most as much away.
    limit
        How many events count within a stretch of time.
    amount
        What a field of the event makes of the points.
    weights
        Factors by field and value: `{"device": {"mobile": 1.2}}`; 1 for a value that is not listed.
    half
        "prospect" or "customer": only contacts of that half get the points; "both": all of them.
    intent
        What doing it is a sign of, such as buying or seeking help.

    Examples
    --------
    >>> Rule(name="pricing", on="page_view", points=6, channel="web", limit=Limit(n=3, per="1d"))
    Rule(name='pricing', on=('page_view',), points=6.0, channel='web', limit=Limit(n=3, per='1d'))
    """

    noun: ClassVar[str] = "rule"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    on: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    points: float = attrs.field(converter=as_number, metadata=NUMBER)
    where: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)
    channel: str = attrs.field(default="other", converter=as_text, metadata=TEXT)
    decay: Decay | None = attrs.field(default=None, converter=as_optional_decay, metadata=_DECAY)
    cap: float | None = attrs.field(default=None, converter=as_optional_number, metadata=OPTIONAL_POSITIVE)
    limit: Limit | None = attrs.field(default=None, converter=as_optional_limit, metadata=_LIMIT)
    amount: Amount | None = attrs.field(default=None, converter=as_optional_amount, metadata=_AMOUNT)
    weights: Mapping[str, Factors] = attrs.field(default=FrozenDict(), converter=as_weights, metadata=WEIGHTS)
    half: str = attrs.field(default="both", converter=as_text, metadata=HALF)
    intent: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)


@attrs.frozen(kw_only=True, repr=False)
class Absence(Declared):
    """Points for what did not happen: an e-mail that was not opened within a week.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name; rules, absences and repeats share one namespace.
    after
        Event types or signals that something should follow; they are no activity of the contact.
    unless
        Event types or signals, any of which is that something.
    within
        How long there is time for it; the points are given at the end of it.
    points
        What the absence is worth.
    by
        A field: then only an event with the same value of it follows; null equals null.
    channel, decay, cap, limit, half, intent
        As for a rule; the limit takes no `by`.

    Examples
    --------
    >>> Absence(name="ignored", after="email_sent", unless="email_open", within="7d", points=-1)
    Absence(name='ignored', after=('email_sent',), unless=('email_open',), within='7d', points=-1.0)
    """

    noun: ClassVar[str] = "absence"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    after: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    unless: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    within: timedelta = attrs.field(converter=as_duration, metadata=DURATION)
    points: float = attrs.field(converter=as_number, metadata=NUMBER)
    by: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)
    channel: str = attrs.field(default="other", converter=as_text, metadata=TEXT)
    decay: Decay | None = attrs.field(default=None, converter=as_optional_decay, metadata=_DECAY)
    cap: float | None = attrs.field(default=None, converter=as_optional_number, metadata=OPTIONAL_POSITIVE)
    limit: Limit | None = attrs.field(default=None, converter=as_optional_limit, metadata=_LIMIT)
    half: str = attrs.field(default="both", converter=as_text, metadata=HALF)
    intent: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)

    def _joint_faults(self, path: str) -> Iterator[str]:
        yield from _limit_faults(self.limit, path)


@attrs.frozen(kw_only=True, repr=False)
class Repeat(Declared):
    """Points for something done often in a short time: three visits to pricing within a week.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name; rules, absences and repeats share one namespace.
    on
        Event types or signals.
    n
        How many events make one repetition; each event is used once.
    within
        The time in which they must lie.
    points
        What one repetition is worth.
    by
        A field: then only events with the same value of it make a repetition.
    where
        Only events for which this holds.
    channel, decay, cap, limit, half, intent
        As for a rule; the limit takes no `by`.

    Examples
    --------
    >>> Repeat(name="hot", on="page_view", n=3, within="7d", points=20)
    Repeat(name='hot', on=('page_view',), n=3, within='7d', points=20.0)
    """

    noun: ClassVar[str] = "repeat"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    on: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    n: int = attrs.field(converter=as_count, metadata=COUNT)
    within: timedelta = attrs.field(converter=as_duration, metadata=DURATION)
    points: float = attrs.field(converter=as_number, metadata=NUMBER)
    by: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)
    where: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)
    channel: str = attrs.field(default="other", converter=as_text, metadata=TEXT)
    decay: Decay | None = attrs.field(default=None, converter=as_optional_decay, metadata=_DECAY)
    cap: float | None = attrs.field(default=None, converter=as_optional_number, metadata=OPTIONAL_POSITIVE)
    limit: Limit | None = attrs.field(default=None, converter=as_optional_limit, metadata=_LIMIT)
    half: str = attrs.field(default="both", converter=as_text, metadata=HALF)
    intent: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)

    def _joint_faults(self, path: str) -> Iterator[str]:
        yield from _limit_faults(self.limit, path)


@attrs.frozen(kw_only=True, repr=False)
class Signal(Declared):
    """A name for some events, which then stands wherever an event type may.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name.
    on
        Event types, or other signals.
    where
        Only events for which this holds.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> Signal(name="won", on="deal_stage", where=field("stage") == "closedwon")
    Signal(name='won', on=('deal_stage',), where=(field('stage') == 'closedwon'))
    """

    noun: ClassVar[str] = "signal"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    on: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    where: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)


@attrs.frozen(kw_only=True, repr=False)
class Exclude(Declared):
    """Events that are none: no points, no activity, no part in the life cycle.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name.
    on
        Event types or signals.
    where
        Only events for which this holds.
    after
        Only events that follow an event of one of these types or signals.
    within
        How closely they follow it (a mail scanner clicks within two seconds). None: at any time before.
    by
        A field: then only an event with the same value of it is followed; null equals null.

    Examples
    --------
    >>> Exclude(name="scanner", on="email_click", after="email_sent", within="2s", by="message")
    Exclude(name='scanner', on=('email_click',), after=('email_sent',), within='2s', by='message')
    """

    noun: ClassVar[str] = "exclude"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    on: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    where: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)
    after: tuple[str, ...] = attrs.field(default=(), converter=as_types, metadata=OPTIONAL_TYPES)
    within: timedelta | None = attrs.field(
        default=None, converter=as_optional_duration, metadata=OPTIONAL_DURATION
    )
    by: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)

    def _joint_faults(self, path: str) -> Iterator[str]:
        for name, value in (("within", self.within), ("by", self.by)):
            if value is not None and not self.after:
                yield f"{join(path, name)}: means something only together with after"
