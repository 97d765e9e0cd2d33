"""What a model's triggers see of a result's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engagekit.keys import Keys
from engagekit.reacting.standing import NULL, UNTIL, WAS, WHEN, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from engagekit.contacts import Contacts
    from engagekit.frames import Out
    from engagekit.leads import Sight
    from engagekit.model import Model


def refuse_missing(model: Model, contacts: Contacts | None) -> None:
    """Raise an EventsError if a contacts table lacks an attribute that a trigger asks for."""
    if contacts is None:
        return
    asked: dict[str, str] = {}
    for trigger in model.triggers:
        for condition in trigger.conditions:
            for name in sorted(condition.fields):
                asked.setdefault(name, f"trigger {trigger.name!r}")
    contacts.refuse_missing({name: asker for name, asker in asked.items() if name in model.attributes})


def first(model: Model, columns: Mapping[str, Out], key: str, sight: Sight) -> Standing:
    """Give the base line of a result: how its contacts stand if nothing was before; see `seen_of`.

    `key` is the name of its key.
    """
    return Standing.first(model, Keys(columns[key], key), *seen_of(model, columns, sight))


def seen_of(
    model: Model, columns: Mapping[str, Out], sight: Sight
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Ask the conditions of a model's triggers of a result's rows.

    Parameters
    ----------
    model
        The model.
    columns
        The columns of the result.
    sight
        The columns as conditions see them, and the attributes.

    Returns
    -------
    tuple
        By trigger and row what is seen, as flags, and by row the number of the phase.

    Raises
    ------
    EventsError
        If a condition cannot be asked of an attribute's column.
    """
    phase = columns["phase"]
    seen = np.zeros((len(model.triggers), phase.rows), np.uint8)
    for number, trigger in enumerate(model.triggers):
        asker = f"trigger {trigger.name!r}"
        when = sight.of(trigger.when, asker)
        was = np.True_ if trigger.was is None else sight.of(trigger.was, asker)
        until = ~when if trigger.until is None else sight.of(trigger.until, asker)
        seen[number] = when * np.uint8(WHEN) | was * np.uint8(WAS) | until * np.uint8(UNTIL)
    phases = np.asarray(phase.values, np.int32)
    nulls = phase.nulls()
    if nulls is not None:
        phases = np.where(nulls, np.int32(NULL), phases)
    return seen, phases
