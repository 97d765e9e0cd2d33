"""Reactions: at which moments a host is told of a contact."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import attrs

from engagekit.model.conditions import Condition
from engagekit.model.declared import Declared, built_list
from engagekit.model.kinds import (
    CONDITION,
    OPTIONAL_DURATION,
    REQUIRED_CONDITION,
    TEXT,
    as_condition,
    as_optional_duration,
    as_text,
)

__all__ = ["Trigger"]


@attrs.frozen(kw_only=True, repr=False)
class Trigger(Declared):
    """A moment to react to: something that holds of a contact now and did not before.

    Checked when it goes into a `Model`, which names all faults together.

    Parameters
    ----------
    name
        The name.
    when
        What must begin to hold of the contact's result columns and attributes.
    was
        What must have held at the evaluation before.
    until
        Having fired, the trigger can fire again once this has held. None: once `when` fails.
    cooldown
        How long after it has fired the trigger waits. None: not at all.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> Trigger(name="win-back", when=field("phase") == "exit", cooldown="30d")
    Trigger(name='win-back', when=(field('phase') == 'exit'), cooldown='30d')
    """

    noun: ClassVar[str] = "trigger"

    name: str = attrs.field(converter=as_text, metadata=TEXT)
    when: Condition = attrs.field(converter=as_condition, metadata=REQUIRED_CONDITION)
    was: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)
    until: Condition | None = attrs.field(default=None, converter=as_condition, metadata=CONDITION)
    cooldown: timedelta | None = attrs.field(
        default=None, converter=as_optional_duration, metadata=OPTIONAL_DURATION
    )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that are given: `when`, `was`, `until`."""
        return tuple(each for each in (self.when, self.was, self.until) if each is not None)


def as_triggers(values: Iterable[Trigger | Mapping[str, Any]]) -> tuple[Trigger, ...]:
    """Make triggers of their form in a model file."""
    return built_list(Trigger, values)
