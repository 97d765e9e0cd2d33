"""What a rule's points are subject to: amounts, decay, limits, and the caps of channels."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self, cast

import attrs

from engagekit.model.declared import Declared, OneKey, built
from engagekit.model.durations import duration_text
from engagekit.model.kinds import (
    COUNT,
    DURATION,
    FLAG,
    OPTIONAL_POSITIVE,
    OPTIONAL_TEXT,
    POSITIVE,
    TEXT,
    ChoiceKind,
    Kind,
    as_count,
    as_duration,
    as_number,
    as_optional_number,
    as_optional_text,
    as_text,
)
from engagekit.model.wording import join, shown


@attrs.frozen(kw_only=True, repr=False)
class Amount(Declared):
    """What a field of the event makes of a rule's points.

    Checked when it goes into a `Model`, which names all faults together.

    With x = field / scale and m = abs(x), the points are multiplied by a curve of m, at most `max`.

    Parameters
    ----------
    field
        The field, a number: `value` or any column. A null gives 0 points and is counted.
    curve
        "linear": m; "log1p": ln(1 + m); "sqrt": the square root of m; "saturating": m / (1 + m).
    scale
        What one unit is.
    max
        The most that the curve may give.
    signed
        Whether a negative x gives the negated result (refunds) in place of 0.

    Examples
    --------
    >>> Amount(field="seconds", curve="log1p", scale=30, max=3)
    Amount(field='seconds', curve='log1p', scale=30.0, max=3.0)
    """

    noun: ClassVar[str] = "amount"

    field: str = attrs.field(default="value", converter=as_text, metadata=TEXT)
    curve: str = attrs.field(
        default="linear",
        converter=as_text,
        metadata={"kind": ChoiceKind("linear", "log1p", "sqrt", "saturating")},
    )
    scale: float = attrs.field(default=1.0, converter=as_number, metadata=POSITIVE)
    max: float | None = attrs.field(default=None, converter=as_optional_number, metadata=OPTIONAL_POSITIVE)
    signed: bool = attrs.field(default=False, metadata=FLAG)


@attrs.frozen(kw_only=True, repr=False)
class Limit(Declared):
    """How many of a rule's events count within a stretch of time.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    n
        The earliest so many count.
    per
        The length of a stretch; stretches are aligned to 1970-01-01 UTC.
    by
        A field: then the limit is for each of its values. Only rules may have it.

    Examples
    --------
    >>> Limit(n=3, per="1d")
    Limit(n=3, per='1d')
    """

    noun: ClassVar[str] = "limit"

    n: int = attrs.field(converter=as_count, metadata=COUNT)
    per: timedelta = attrs.field(converter=as_duration, metadata=DURATION)
    by: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)


@attrs.frozen(kw_only=True, repr=False)
class Channel(Declared):
    """The bounds of what the rules of one channel add up to.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    cap
        The channel adds at most this to the score, and takes at most as much away. None: no cap.

    Examples
    --------
    >>> Channel(cap=40)
    Channel(cap=40.0)
    """

    noun: ClassVar[str] = "channel"

    cap: float | None = attrs.field(default=None, converter=as_optional_number, metadata=OPTIONAL_POSITIVE)


@attrs.frozen(init=False, repr=False)
class Decay(OneKey):
    """How an event's points fade with its age.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    half_life
        The age at which half is left: 2^(-age / half_life).
    linear
        The age at which nothing is left: max(0, 1 - age / linear).
    window
        The age until which everything is left, and from which nothing is.

    Attributes
    ----------
    kind : str
        "half_life", "linear", "window" or "none".
    span : timedelta or None
        The age above.

    Examples
    --------
    >>> Decay(half_life="7d") == Decay.half_life("7d")
    True
    >>> Decay.linear("60d"), Decay.window("14d"), Decay.none()
    (Decay.linear('60d'), Decay.window('14d'), Decay.none())
    """

    noun: ClassVar[str] = "decay"
    keys: ClassVar[tuple[str, ...]] = ("half_life", "linear", "window")

    kind: str
    span: timedelta | None

    def __init__(
        self,
        *,
        half_life: timedelta | str | None = None,
        linear: timedelta | str | None = None,
        window: timedelta | str | None = None,
    ) -> None:
        kind, span = self._only(half_life, linear, window)
        self.__attrs_init__(kind=kind, span=as_duration(span))

    @classmethod
    def half_life(cls, span: timedelta | str) -> Self:
        """Halve the points every `span`."""
        return cls(half_life=span)

    @classmethod
    def linear(cls, span: timedelta | str) -> Self:
        """Let the points sink evenly to nothing at the age `span`."""
        return cls(linear=span)

    @classmethod
    def window(cls, span: timedelta | str) -> Self:
        """Count the points in full until the age `span`, and then not at all."""
        return cls(window=span)

    @classmethod
    def none(cls) -> Self:
        """Count the points in full for ever."""
        decay = cls.__new__(cls)
        decay.__attrs_init__(kind="none", span=None)
        return decay

    def faults(self, path: str = "decay") -> Iterator[str]:
        """Say what is wrong with the span."""
        if self.kind != "none":
            yield from DURATION["kind"].faults(self.span, join(path, self.kind))

    def to_dict(self) -> Any:
        """Return "none" or a table of one key."""
        return "none" if self.span is None else {self.kind: duration_text(self.span)}

    def __repr__(self) -> str:
        return f"Decay.{self.kind}({DURATION['kind'].shown(self.span) if self.span is not None else ''})"


def as_decay(value: Decay | str | Mapping[str, Any]) -> Decay:
    """Make a decay of its form in a model file."""
    if isinstance(value, str):
        return Decay.none() if value == "none" else cast(Decay, value)
    return built(Decay, value)


def as_optional_decay(value: Decay | str | Mapping[str, Any] | None) -> Decay | None:
    """Make a decay of its form in a model file, if there is any."""
    return None if value is None else as_decay(value)


class DecayKind(Kind):
    """A decay, a table of one key, or "none"."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if isinstance(value, Decay):
            yield from value.faults(path)
        elif isinstance(value, Mapping):
            yield from Decay.table_faults(value, path)
        else:
            forms = 'Decay.half_life("7d"), in a file { half_life = "7d" }, or "none"'
            yield f"{path}: expected a decay such as {forms}, got {shown(value)}"

    def plain(self, value: Any) -> Any:
        """Return the decay's form in a model file."""
        return None if value is None else value.to_dict()
