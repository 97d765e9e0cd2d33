"""How contacts stand with a model's triggers, and what the next evaluation makes of that.

Of every contact and trigger there is one byte of flags, and an instant while the trigger cools down. Nothing
else is needed the next time, neither the attributes nor the columns of the evaluation before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import define, evolve

from engagekit.coding import MIXED, Coder
from engagekit.errors import EventsError
from engagekit.frames import Out
from engagekit.keys import Keys, joined
from engagekit.model import Model, Trigger
from engagekit.plan import microseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.uint8]

WHEN: Final = 1
"""`when` held."""
WAS: Final = 2
"""`was` held, or is not given."""
UNTIL: Final = 4
"""`until` held; where it is not given, `when` failed."""
ARMED: Final = 8
"""Has not fired, or `until` has held since."""
WAITING: Final = 16
"""Could have fired while it cooled down, and `when` has held ever since."""
SEEN: Final = WHEN | WAS | UNTIL
"""What an evaluation sees by itself, whatever was before."""
NEVER: Final = np.iinfo(np.int64).min
NULL: Final = -1
"""The phase of a contact that has none."""


@define(frozen=True, eq=False)
class Standing:
    """How the contacts of a result stand with its model's triggers, and those of earlier results.

    Attributes
    ----------
    keys
        The contacts of the result, row by row.
    gone
        The contacts of earlier results that the result does not have.
    flags
        By trigger and contact (first `keys`, then `gone`): uint8.
    since
        By trigger, where it has a cooldown, and contact: when it fired while it still cools down, else
        `NEVER`; int64 microseconds.
    phases
        By contact the number of the phase, int32.
    """

    keys: Keys
    gone: Keys
    flags: Flags
    since: dict[int, NDArray[np.int64]]
    phases: NDArray[np.int32]

    @classmethod
    def first(cls, model: Model, keys: Keys, seen: Flags, phases: NDArray[np.int32]) -> Standing:
        """Set the base line: everything is armed, and nothing has fired."""
        since = {
            number: np.full(len(keys), NEVER)
            for number, trigger in enumerate(model.triggers)
            if trigger.cooldown is not None
        }
        flags = (seen & SEEN | ARMED).astype(np.uint8)
        return cls(keys, nobody(keys.name), flags, since, phases)

    def alone(self, model: Model) -> Standing:
        """Return the base line of the same result: what it saw, without anything from before."""
        rows = len(self.keys)
        return Standing.first(model, self.keys, self.flags[:, :rows], self.phases[:rows])

    def after(
        self, model: Model, before: Standing, at: int
    ) -> tuple[NDArray[np.bool_], Standing, NDArray[np.int32]]:
        """Let this evaluation follow another one.

        Parameters
        ----------
        model
            The model of both.
        before
            How contacts stood at the evaluation before.
        at
            The instant of this one, in microseconds.

        Returns
        -------
        tuple
            By trigger and row of this result whether it fires; how contacts stand now; and by row the number
            of the phase at the evaluation before.
        """
        rows, new = len(self.keys), unseen(model)
        place, left = _met(self.keys, before)
        count = len(model.triggers)
        fired = np.zeros((count, rows), np.bool_)
        flags, since = np.empty((count, rows + len(left)), np.uint8), {}
        for number, trigger in enumerate(model.triggers):
            was = np.append(before.flags[number], new[number])
            cooling = None
            if trigger.cooldown is not None:
                cooling = np.append(before.since[number], NEVER)
            now = self.flags[number, :rows] & np.uint8(SEEN)
            fired[number], flags[number, :rows], fresh = step(
                trigger, now, was[place], None if cooling is None else cooling[place], at
            )
            flags[number, rows:] = was[left]
            if cooling is not None and fresh is not None:
                since[number] = np.concatenate([fresh, cooling[left]])
        phases = np.append(before.phases, np.int32(NULL))
        standing = Standing(
            self.keys,
            _gone(before, left),
            flags,
            since,
            np.concatenate([self.phases[:rows], phases[left]]),
        )
        return fired, standing, phases[place]


def step(
    trigger: Trigger, now: Flags, before: Flags, since: NDArray[np.int64] | None, at: int
) -> tuple[NDArray[np.bool_], Flags, NDArray[np.int64] | None]:
    """Let a trigger go on from one evaluation to the next, for many contacts.

    Returns
    -------
    tuple
        Whether it fires, its flags now, and since when it cools down (None: it never does).
    """
    holds = now & WHEN != 0
    armed = (before & ARMED != 0) | (now & UNTIL != 0)
    begins = holds & (before & WHEN == 0) & (before & WAS != 0) & armed
    ready = begins | (holds & (before & WAITING != 0))
    flags = now.copy()
    if since is None or trigger.cooldown is None:
        flags[armed & ~ready] |= ARMED
        return ready, flags, None
    cooling = since > at - microseconds(trigger.cooldown)
    fires = ready & ~cooling
    flags[armed & ~fires] |= ARMED
    flags[ready & cooling] |= WAITING
    return fires, flags, np.where(fires, at, np.where(cooling, since, NEVER))


def unseen(model: Model) -> Flags:
    """Give by trigger the flags of a contact that was not there at the evaluation before.

    Examples
    --------
    >>> from engagekit.model import Rule, field
    >>> quiet = Trigger(name="quiet", when=field("engagement") < 5, was=field("phase") == "sales")
    >>> model = Model(rules=[Rule(name="visit", on="visit", points=1)], triggers=[quiet])
    >>> unseen(model).tolist() == [WHEN | ARMED]
    True
    """
    row = {"score": 0.0, "engagement": 0.0, "level": "none"}
    flags = np.full(len(model.triggers), ARMED, np.uint8)
    for number, trigger in enumerate(model.triggers):
        when = trigger.when.matches(row)
        was = trigger.was is None or trigger.was.matches(row)
        until = not when if trigger.until is None else trigger.until.matches(row)
        flags[number] |= when * WHEN + was * WAS + until * UNTIL
    return flags


def nobody(name: str) -> Keys:
    """Return a key of no rows."""
    return Keys(Out("text", np.empty(0, np.object_)), name)


def _met(keys: Keys, before: Standing) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the contacts of a result in the standing before.

    Returns
    -------
    tuple
        By row its place there, the last of all plus one for none; and the places of those not found.
    """
    known, absent = len(before.keys), len(before.gone)
    if not absent and keys.same_as(before.keys):
        return np.arange(known), np.empty(0, np.int64)
    _refuse_two_signs(keys, before)
    coder = Coder(f"column {keys.name!r}")
    coder.code(keys.column())
    place = np.full(len(keys), known + absent, np.int64)
    left = []
    for old, offset in ((before.keys, 0), (before.gone, known)):
        coder.what = f"reactions: previous column {before.keys.name!r}"
        codes = coder.code(old.column(), insert=False)
        there = codes >= 0
        place[codes[there]] = offset + np.flatnonzero(there)
        left.append(offset + np.flatnonzero(~there))
    return place, np.concatenate(left)


def _refuse_two_signs(keys: Keys, before: Standing) -> None:
    """Raise an EventsError if no type of integers can hold the ids of all: they are kept side by side."""
    held = [each.out.values for each in (keys, before.keys, before.gone) if each.out.kind == "integer"]
    spans = [(int(values.min()), int(values.max())) for values in held if len(values)]
    if any(least < 0 for least, _ in spans) and any(most > np.iinfo(np.int64).max for _, most in spans):
        raise EventsError(
            f"reactions: previous column {before.keys.name!r}: {MIXED}, those of this one included"
        )


def _gone(before: Standing, left: NDArray[np.int64]) -> Keys:
    """Name the contacts at some places of a standing."""
    known = len(before.keys)
    rows, more = left[left < known], left[left >= known] - known
    # an empty key may be of another kind
    out = joined(before.keys, rows, before.gone, more) if len(rows) else before.gone.taken(more)
    return Keys(evolve(out, like=None), before.keys.name)
