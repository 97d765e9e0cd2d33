"""Leads: how well a contact fits, how far sales has come with it, who it is and what to send it next."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import attrs

from engagekit.model.conditions import Condition
from engagekit.model.declared import Declared, ListKind, built, built_list
from engagekit.model.frozen import FrozenDict
from engagekit.model.kinds import (
    CONDITION,
    DURATION,
    NUMBER,
    OPTIONAL_TEXT,
    OPTIONAL_TYPES,
    PERCENT,
    REQUIRED_CONDITION,
    TEXT,
    Kind,
    as_condition,
    as_duration,
    as_number,
    as_optional_text,
    as_text,
    as_types,
    plain_number,
    text_faults,
)
from engagekit.model.wording import TABLE, join, shown

__all__ = ["Content", "Criterion", "Fit", "Persona", "Qualification"]

GRADES: Mapping[str, float] = FrozenDict({"A": 75.0, "B": 50.0, "C": 25.0, "D": 0.0})
"""The grades of a fit that names none."""


def as_grades(value: Mapping[str, float]) -> Mapping[str, float]:
    """Freeze grades."""
    given: object = value
    if not isinstance(given, Mapping):
        return value
    return FrozenDict({as_text(name): as_number(bound) for name, bound in given.items()})


class GradesKind(Kind):
    """Grades, and the fit from which each is given."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: expected {TABLE} such as {{ A = 50, B = 0 }}, got {shown(value)}"
            return
        first: dict[float, str] = {}
        for name, bound in value.items():
            where = join(path, name)
            yield from text_faults(name, where)
            faults = list(PERCENT["kind"].faults(bound, where))
            yield from faults
            if not faults and bound in first:
                yield f"{where}: {bound:g} is already the bound of {shown(first[bound])}"
            elif not faults:
                first[bound] = name
        if 0.0 not in first:
            yield f"{path}: expected a grade at 0, so that every contact has one"

    def plain(self, value: Any) -> Any:
        """Return a plain table."""
        return {name: plain_number(bound) for name, bound in value.items()}


@attrs.frozen(kw_only=True, repr=False)
class Criterion(Declared):
    """Something about a contact that makes it fit, or speaks against it.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name, unique in its fit.
    where
        What must hold of the contact's attributes.
    points
        What it is worth; below 0 for what speaks against the contact.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> Criterion(name="budget", where=field("budget") >= 50_000, points=25)
    Criterion(name='budget', where=(field('budget') >= 50000), points=25.0)
    """

    noun: ClassVar[str] = "criterion"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    where: Condition = attrs.field(converter=as_condition, metadata=REQUIRED_CONDITION)
    points: float = attrs.field(converter=as_number, metadata=NUMBER)


def as_criteria(values: Iterable[Criterion | Mapping[str, Any]]) -> tuple[Criterion, ...]:
    """Make criteria of their form in a model file."""
    return built_list(Criterion, values)


@attrs.frozen(kw_only=True, repr=False)
class Fit(Declared):
    """How well a contact's attributes fit what is offered, from 0 to 100, and the grade for it.

    Checked when it goes into a `Model`, which names all faults together.

    The fit is the share of the points that can be earned: 100 * clip(sum of earned points, 0, P) / P
    with P the sum of the positive points.

    Parameters
    ----------
    criteria
        What counts; at least one with positive points.
    grades
        The least fit of each grade; the bounds differ, and one of them is 0.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> fit = Fit(
    ...     criteria=[Criterion(name="team", where=field("employees") >= 50, points=10)],
    ...     grades={"good": 50, "poor": 0},
    ... )
    >>> fit.points
    10.0
    >>> fit
    Fit(criteria=[Criterion(name='team', ...)], grades={'good': 50.0, 'poor': 0.0})
    """

    noun: ClassVar[str] = "fit"

    criteria: tuple[Criterion, ...] = attrs.field(
        converter=as_criteria, metadata={"kind": ListKind(Criterion)}
    )
    grades: Mapping[str, float] = attrs.field(
        default=GRADES, converter=as_grades, metadata={"kind": GradesKind()}
    )

    @property
    def points(self) -> float:
        """The most that can be earned: the sum of the positive points."""
        return sum((max(criterion.points, 0.0) for criterion in self.criteria), 0.0)

    @property
    def ranked(self) -> tuple[tuple[str, float], ...]:
        """The grades and their bounds, the best first."""
        return tuple(sorted(self.grades.items(), key=lambda grade: -grade[1]))


def as_optional_fit(value: Fit | Mapping[str, Any] | None) -> Fit | None:
    """Make a fit of its form in a model file, if there is any."""
    return None if value is None else built(Fit, value)


@attrs.frozen(kw_only=True, repr=False)
class Qualification(Declared):
    """How far a prospect has come: lead, marketing qualified, accepted by sales, qualified by sales.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    mql_min_engagement
        The least engagement of a marketing qualified lead (MQL).
    mql_min_fit
        The least fit of one; a contact of which nothing is known has 0.
    accepted_on
        Event types or signals: sales accepts the lead (SAL).
    qualified_on
        Event types or signals: sales has qualified it (SQL).
    rejected_on
        Event types or signals: sales gives it back. It is a lead again, whatever was before.
    recycle_after
        How long a rejected lead stays a lead before it may become an MQL again.

    Examples
    --------
    >>> Qualification(mql_min_engagement=50, accepted_on="sales_accepted", recycle_after="60d")
    Qualification(mql_min_engagement=50.0, accepted_on=('sales_accepted',), recycle_after='60d')
    """

    noun: ClassVar[str] = "qualification"

    mql_min_engagement: float = attrs.field(converter=as_number, metadata=PERCENT)
    mql_min_fit: float = attrs.field(default=0.0, converter=as_number, metadata=PERCENT)
    accepted_on: tuple[str, ...] = attrs.field(default=(), converter=as_types, metadata=OPTIONAL_TYPES)
    qualified_on: tuple[str, ...] = attrs.field(default=(), converter=as_types, metadata=OPTIONAL_TYPES)
    rejected_on: tuple[str, ...] = attrs.field(default=(), converter=as_types, metadata=OPTIONAL_TYPES)
    recycle_after: timedelta = attrs.field(
        default=timedelta(days=30), converter=as_duration, metadata=DURATION
    )


def as_optional_qualification(
    value: Qualification | Mapping[str, Any] | None,
) -> Qualification | None:
    """Make a qualification of its form in a model file, if there is any."""
    return None if value is None else built(Qualification, value)


@attrs.frozen(kw_only=True, repr=False)
class Persona(Declared):
    """A kind of people among the contacts; a contact is the first persona whose condition holds.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name.
    where
        What must hold of the contact's attributes and of its result columns.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> Persona(name="racer", where=field("discipline") == "road")
    Persona(name='racer', where=(field('discipline') == 'road'))
    """

    noun: ClassVar[str] = "persona"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    where: Condition = attrs.field(converter=as_condition, metadata=REQUIRED_CONDITION)


def as_personas(values: Iterable[Persona | Mapping[str, Any]]) -> tuple[Persona, ...]:
    """Make personas of their form in a model file."""
    return built_list(Persona, values)


@attrs.frozen(kw_only=True, repr=False)
class Content(Declared):
    """An entry of the engagement matrix: what to offer a contact next, and to whom.

    Checked when it goes into a `Model`, which names all faults together.

    Recommended is, of the entries whose given attributes all match, the one with most of them given
    that the contact has not had yet; among equals the first.

    Parameters
    ----------
    id
        The id, as the events' column ``content`` bears it for contents that a contact has had.
    phase
        The phase that it is made for.
    channel
        Only for contacts of which this is the top channel.
    persona
        Only for this persona.
    intent
        Only for this intent.
    where
        What must hold of the contact's attributes and of its result columns, such as language or consent.
    appeal
        A note that travels with it, such as rational or emotional.

    Examples
    --------
    >>> Content(id="roi-calculator", phase="sales", channel="web", appeal="rational")
    Content(id='roi-calculator', phase='sales', channel='web', appeal='rational')
    """

    noun: ClassVar[str] = "content"

    id: str = attrs.field(converter=as_text, metadata=TEXT)
    phase: str = attrs.field(converter=as_text, metadata=TEXT)
    channel: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)
    persona: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)
    intent: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)
    where: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)
    appeal: str | None = attrs.field(default=None, converter=as_optional_text, metadata=OPTIONAL_TEXT)


def as_contents(values: Iterable[Content | Mapping[str, Any]]) -> tuple[Content, ...]:
    """Make contents of their form in a model file."""
    return built_list(Content, values)
