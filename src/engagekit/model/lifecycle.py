"""From the score to the phase: the scale, levels, momentum, the life cycle and its phases."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self

import attrs

from engagekit.model.declared import Declared, OneKey, built, built_list
from engagekit.model.kinds import (
    DURATION,
    NUMBER,
    OPTIONAL_NUMBER,
    OPTIONAL_TYPES,
    POSITIVE,
    TEXT,
    TYPES,
    ChoiceKind,
    as_duration,
    as_number,
    as_optional_number,
    as_text,
    as_types,
)
from engagekit.model.wording import join, shown

__all__ = [
    "CUSTOMER_ENGAGEMENT_INDEX",
    "Levels",
    "Lifecycle",
    "Momentum",
    "Phase",
    "Scale",
]


@attrs.frozen(init=False, repr=False)
class Scale(OneKey):
    """How the score becomes the engagement, 0 to 100.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    saturating
        The score that reads 50: 100 * (1 - 2^(-score / saturating)).
    linear
        The score that reads 100: 100 * min(1, score / linear).

    Attributes
    ----------
    kind : str
        "saturating" or "linear".
    value : float
        The score above.

    Examples
    --------
    >>> Scale(saturating=50) == Scale.saturating(50)
    True
    >>> Scale.linear(100)
    Scale.linear(100.0)
    """

    noun: ClassVar[str] = "scale"
    keys: ClassVar[tuple[str, ...]] = ("saturating", "linear")

    kind: str
    value: float

    def __init__(self, *, saturating: float | None = None, linear: float | None = None) -> None:
        kind, value = self._only(saturating, linear)
        self.__attrs_init__(kind=kind, value=as_number(value))

    @classmethod
    def saturating(cls, midpoint: float) -> Self:
        """Read 50 at `midpoint` and come ever closer to 100."""
        return cls(saturating=midpoint)

    @classmethod
    def linear(cls, full: float) -> Self:
        """Read 100 from `full` on."""
        return cls(linear=full)

    def faults(self, path: str = "scale") -> Iterator[str]:
        """Say what is wrong with the value."""
        yield from POSITIVE["kind"].faults(self.value, join(path, self.kind))

    def to_dict(self) -> Any:
        """Return a table of one key."""
        return {self.kind: POSITIVE["kind"].plain(self.value)}

    def __repr__(self) -> str:
        return f"Scale.{self.kind}({self.value!r})"


def as_scale(value: Scale | Mapping[str, Any]) -> Scale:
    """Make a scale of its form in a model file."""
    return built(Scale, value)


@attrs.frozen(kw_only=True, repr=False)
class Levels(Declared):
    """The inclusive lower bounds, on the engagement, of the levels; below `low` the level is none.

    Checked when it goes into a `Model`, which names all faults together.

    Examples
    --------
    >>> Levels(low=1, medium=30, high=60)
    Levels(medium=30.0, high=60.0)
    """

    noun: ClassVar[str] = "levels"

    low: float = attrs.field(default=1.0, converter=as_number, metadata=NUMBER)
    medium: float = attrs.field(default=25.0, converter=as_number, metadata=NUMBER)
    high: float = attrs.field(default=50.0, converter=as_number, metadata=NUMBER)

    def _joint_faults(self, path: str) -> Iterator[str]:
        bounds = (self.low, self.medium, self.high)
        if all(isinstance(bound, float) for bound in bounds) and not self.low < self.medium < self.high:
            shown_bounds = ", ".join(f"{bound:g}" for bound in bounds)
            yield f"{path}: expected low < medium < high, got {shown_bounds}"


def as_levels(value: Levels | Mapping[str, Any]) -> Levels:
    """Make levels of their form in a model file."""
    return built(Levels, value)


@attrs.frozen(kw_only=True, repr=False)
class Momentum(Declared):
    """The two half-lives that the momentum compares.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    fast
        The half-life of what is recent.
    slow
        The half-life of what is usual; longer than `fast`.

    Examples
    --------
    >>> Momentum(fast="7d", slow="28d")
    Momentum(fast='7d', slow='28d')
    """

    noun: ClassVar[str] = "momentum"

    fast: timedelta = attrs.field(default=timedelta(days=14), converter=as_duration, metadata=DURATION)
    slow: timedelta = attrs.field(default=timedelta(days=56), converter=as_duration, metadata=DURATION)

    def _joint_faults(self, path: str) -> Iterator[str]:
        spans = (self.fast, self.slow)
        if all(isinstance(span, timedelta) for span in spans) and not self.fast < self.slow:
            fast, slow = (DURATION["kind"].shown(span) for span in spans)
            yield f"{path}: expected fast < slow, got {fast} and {slow}"


def as_momentum(value: Momentum | Mapping[str, Any]) -> Momentum:
    """Make a momentum of its form in a model file."""
    return built(Momentum, value)


@attrs.frozen(kw_only=True, repr=False)
class Lifecycle(Declared):
    """What makes a customer, and what ends being one.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    customer_on
        Event types or signals: from the first such event on the contact is a customer.
    ends_on
        Event types or signals: the contact is in the last phase of the customers while the last such
        event is later than the last `customer_on` event.

    Examples
    --------
    >>> Lifecycle(customer_on="won", ends_on=["contract_ended"])
    Lifecycle(customer_on=('won',), ends_on=('contract_ended',))
    """

    noun: ClassVar[str] = "lifecycle"

    customer_on: tuple[str, ...] = attrs.field(converter=as_types, metadata=TYPES)
    ends_on: tuple[str, ...] = attrs.field(default=(), converter=as_types, metadata=OPTIONAL_TYPES)


def as_optional_lifecycle(value: Lifecycle | Mapping[str, Any] | None) -> Lifecycle | None:
    """Make a life cycle of its form in a model file, if there is any."""
    return None if value is None else built(Lifecycle, value)


@attrs.frozen(kw_only=True, repr=False)
class Phase(Declared):
    """An entry in the list of phases: the first whose half matches and whose minima are met is the phase.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name; it may stand several times.
    half
        "prospect" or "customer".
    min_engagement
        The least engagement.
    min_momentum
        The least momentum; a null momentum fails it. None: any.

    Examples
    --------
    >>> Phase(name="retention", half="customer", min_momentum=-0.33)
    Phase(name='retention', half='customer', min_momentum=-0.33)
    """

    noun: ClassVar[str] = "phase"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    half: str = attrs.field(converter=as_text, metadata={"kind": ChoiceKind("prospect", "customer")})
    min_engagement: float = attrs.field(default=0.0, converter=as_number, metadata=NUMBER)
    min_momentum: float | None = attrs.field(
        default=None, converter=as_optional_number, metadata=OPTIONAL_NUMBER
    )

    @property
    def catches_all(self) -> bool:
        """Whether every contact of the half meets it."""
        return self.min_engagement == 0 and self.min_momentum is None


CUSTOMER_ENGAGEMENT_INDEX = (
    Phase(name="sales", half="prospect", min_engagement=50),
    Phase(name="nurture", half="prospect"),
    Phase(name="retention", half="customer", min_engagement=50),
    Phase(name="retention", half="customer", min_momentum=-0.33),
    Phase(name="exit", half="customer"),
)
"""The phases of a model that names none: a customer is endangered when engagement is low and sinking."""


def as_phases(values: Iterable[Phase | Mapping[str, Any]]) -> tuple[Phase, ...]:
    """Make phases of their form in a model file; none at all is the default."""
    return built_list(Phase, values) or CUSTOMER_ENGAGEMENT_INDEX


def phase_faults(phases: list[tuple[str, Phase]], path: str) -> Iterator[str]:
    """Say which half has no last phase that catches every contact; phases come with their paths."""
    for half in ("prospect", "customer"):
        last = next(((where, phase) for where, phase in reversed(phases) if phase.half == half), None)
        if last is None:
            yield f"{path}: a half without a catch-all last phase: {half!r} has no phase at all"
        elif not last[1].catches_all:
            where, phase = last
            yield (
                f"{where}: a half without a catch-all last phase: {shown(phase.name)}, "
                f"the last of {half!r}, must have no minima"
            )
