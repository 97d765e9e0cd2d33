"""Reactions of a live state: what fires now, whom to look at for it, and when that will next be."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engagekit.errors import StateError
from engagekit.frames import Out, build
from engagekit.instants import EARLIEST, LATEST, text_of
from engagekit.keys import Keys
from engagekit.leads import Leads, Sight
from engagekit.live import scoring
from engagekit.live.watching import watch_of
from engagekit.plan import microseconds
from engagekit.reacting import (
    ARMED,
    NEVER,
    NULL,
    WAITING,
    Standing,
    kept,
    laid_out,
    nobody,
    packed,
    refuse_nothing,
    restored,
    seen_of,
    step,
    unpacked,
    unseen,
)

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from engagekit.live.live import Live
    from engagekit.plan import Plan
    from engagekit.running import Numbers

FOREVER: Final = 2**63 - 1
SECOND: Final = 1_000_000
"""How much later than the change a due time may be."""
HOUR: Final = 3600 * SECOND
"""After which to look where nobody can tell when something changes."""


class Reactions:
    """What a live state remembers for its triggers, by the code of the contact.

    Parameters
    ----------
    plan
        The plan, of a model with triggers or without.

    Attributes
    ----------
    at
        When triggers were last asked; None: never.
    known
        Whether a contact was there then or before.
    flags, since, phases
        How it stands; see `engagekit.reacting.Standing`.
    due
        When it is to be looked at again.
    restless
        Whether its flags are others after the next evaluation even if nothing has changed.
    """

    def __init__(self, plan: Plan) -> None:
        self.model = plan.model
        self.watch = watch_of(plan)
        self.at: int | None = None
        self._unseen = unseen(self.model)
        self.known = np.empty(0, np.bool_)
        self.flags = np.empty((len(self.model.triggers), 0), np.uint8)
        self.since: dict[int, NDArray[np.int64]] = {
            number: np.empty(0, np.int64)
            for number, trigger in enumerate(self.model.triggers)
            if trigger.cooldown is not None
        }
        self.phases = np.empty(0, np.int32)
        self.due = np.empty(0, np.int64)
        self.restless = np.empty(0, np.bool_)

    def grow(self, count: int) -> None:
        """Make room for that many codes."""
        more = count - len(self.known)
        if more <= 0:
            return
        more += count // 8
        self.known = np.concatenate([self.known, np.zeros(more, np.bool_)])
        self.flags = np.concatenate([self.flags, np.tile(self._unseen[:, None], more)], axis=1)
        for number, since in self.since.items():
            self.since[number] = np.concatenate([since, np.full(more, NEVER)])
        self.phases = np.concatenate([self.phases, np.full(more, NULL, np.int32)])
        self.due = np.concatenate([self.due, np.full(more, FOREVER)])
        self.restless = np.concatenate([self.restless, np.zeros(more, np.bool_)])

    def forget(self, code: int) -> None:
        """Know nothing of a contact."""
        if code < len(self.known):
            self.known[code] = self.restless[code] = False
            self.flags[:, code] = self._unseen
            for since in self.since.values():
                since[code] = NEVER
            self.phases[code] = NULL
            self.due[code] = FOREVER

    def take(self, other: Reactions, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        """Let contacts that are not known stand as others do, of another state or of this one."""
        there = sources < len(other.known)
        sources, targets = sources[there], targets[there]
        self.grow(int(targets.max(initial=-1)) + 1)
        new = other.known[sources] & ~self.known[targets]
        sources, targets = sources[new], targets[new]
        self.known[targets] = True
        self.flags[:, targets] = other.flags[:, sources]
        for number, since in self.since.items():
            since[targets] = other.since[number][sources]
        self.phases[targets] = other.phases[sources]

    def absorb(self, other: Reactions, codes: NDArray[np.int64]) -> None:
        """Take over how those stand whom only another state knows; `codes` say who its contacts are here."""
        if self.at is not None and other.at is not None:
            self.at = max(self.at, other.at)
            self.take(other, np.arange(len(codes)), codes)

    def read(
        self, codes: NDArray[np.int64], seen: NDArray[np.uint8], phases: NDArray[np.int32], at: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        """Let an evaluation of some contacts follow the one before.

        Parameters
        ----------
        codes
            Who.
        seen, phases
            What `seen_of` says of them.
        at
            The instant.

        Returns
        -------
        tuple
            By trigger and contact whether it fires, and the phases before.
        """
        before = self.phases[codes]
        fired = np.zeros(seen.shape, np.bool_)
        restless = np.zeros(len(codes), np.bool_)
        for number, trigger in enumerate(self.model.triggers):
            since = self.since[number][codes] if number in self.since else None
            if self.at is None:
                flags = seen[number] | np.uint8(ARMED)
            else:
                fired[number], flags, since = step(
                    trigger, seen[number], self.flags[number, codes], since, at
                )
            restless |= step(trigger, seen[number], flags, since, at)[1] != flags
            self.flags[number, codes] = flags
            if since is not None:
                self.since[number][codes] = since
        self.known[codes] = True
        self.phases[codes] = phases
        self.restless[codes] = restless
        return fired, before

    def cooled(self, codes: NDArray[np.int64], due: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give when contacts are due, where that is not after a trigger that waits has cooled down."""
        for number, since in self.since.items():
            cooldown = self.model.triggers[number].cooldown
            assert cooldown is not None
            waits = self.flags[number, codes] & WAITING != 0
            due = np.where(waits, np.minimum(due, since[codes] + microseconds(cooldown)), due)
        return due

    def saved(self, codes: NDArray[np.int64]) -> Remembered | None:
        """Give what a file is to have of these contacts, as it is now; None: nothing."""
        if self.at is None:
            return None
        self.grow(int(codes.max(initial=-1)) + 1)
        places = np.flatnonzero(self.known[codes] | (self.due[codes] != FOREVER))
        own = codes[places]
        standing = Standing(
            Keys(Out("integer", own), "code"),
            nobody("code"),
            self.flags[:, own],
            {number: since[own] for number, since in self.since.items()},
            self.phases[own],
        )
        return Remembered(self, places, standing, self.known[own], self.due[own], self.restless[own])

    def restore(self, found: Mapping[str, Any], count: int) -> None:
        """Take what `Remembered.told` says of a state of that many contacts.

        Raises
        ------
        ValueError, KeyError, TypeError, StateError
            If it makes no sense.
        """
        try:
            self._restore(found, count)
        except zlib.error as error:
            raise ValueError(f"reactions that make no sense: {error}") from None

    def _restore(self, found: Mapping[str, Any], count: int) -> None:
        many, at = found["count"], found["at"]
        if type(many) is not int or type(at) is not int or not EARLIEST <= at <= LATEST:
            raise ValueError("reactions that make no sense")
        places = unpacked(found["places"], "<i8", many)
        due = unpacked(found["due"], "<i8", many)
        standing = restored(found["standing"], self.model, Keys(Out("integer", places), "code"))
        if (
            len(standing.gone)
            or (many and not 0 <= int(places.min()) <= int(places.max()) < count)
            or ((due != FOREVER) & ((due < EARLIEST) | (due > LATEST))).any()
        ):
            raise ValueError("reactions of nobody, or at no instant")
        self.at = at
        self.grow(count)
        self.known[places] = unpacked(found["known"], "<u1", many) != 0
        self.flags[:, places] = standing.flags
        for number, since in standing.since.items():
            self.since[number][places] = since
        self.phases[places] = standing.phases
        self.due[places] = due
        self.restless[places] = unpacked(found["restless"], "<u1", many) != 0


class Remembered:
    """What a file has of reactions, as it was at one instant."""

    def __init__(
        self,
        of: Reactions,
        places: NDArray[np.int64],
        standing: Standing,
        known: NDArray[np.bool_],
        due: NDArray[np.int64],
        restless: NDArray[np.bool_],
    ) -> None:
        self._at, self._model = of.at, of.model
        self._places, self._standing = places, standing
        self._known, self._due, self._restless = known, due, restless

    def told(self) -> dict[str, Any]:
        """Write it in words and numbers."""
        return {
            "at": self._at,
            "count": len(self._places),
            "places": packed(self._places, "<i8"),
            "standing": kept(self._standing, self._model),
            "known": packed(self._known, "<u1"),
            "due": packed(self._due, "<i8"),
            "restless": packed(self._restless, "<u1"),
        }


def react(live: Live, at: Any) -> Any:
    """Tell what fires; see `Live.react`."""
    reactions = live._reactions
    refuse_nothing(live.model, live._key)
    instant = scoring.asked(live, at)
    if at is None and reactions.at is not None:
        instant = max(instant, reactions.at)  # a clock may be put back
    if reactions.at is not None and instant < reactions.at:
        raise StateError(
            f"at: expected an instant not before the last react, at {text_of(reactions.at)}, got "
            f"{text_of(instant)}"
        )
    marks = np.zeros(len(live), np.uint8)
    try:
        # within, as a Ctrl-C may come before the next line: who is not touched any more is touched again
        _look_at(live, instant, marks)
        return _react(live, np.flatnonzero(marks), instant, flowing=at is None)
    except BaseException:
        live.touch(np.flatnonzero(marks))
        raise


def _look_at(live: Live, instant: int, marks: NDArray[np.uint8]) -> None:
    """Mark the codes of whom a trigger may see something else than before; they are not touched any more."""
    reactions, count = live._reactions, len(live)
    reactions.grow(count)
    if reactions.at is None or reactions.watch.untold:
        live.own(marks)
        live.take_touched(np.empty(count, np.uint8))
        return
    marks |= ((reactions.due[:count] <= instant + SECOND) | reactions.restless[:count]).view(np.uint8)
    live.take_touched(marks)


def _react(live: Live, codes: NDArray[np.int64], instant: int, *, flowing: bool) -> Any:
    reactions = live._reactions
    numbers = scoring.run(live, codes, instant, ahead=reactions.watch.ahead, flowing=flowing)
    there = numbers.columns["present"].view(np.bool_).copy()
    if live._attributes.of:
        there |= np.array([code in live._attributes.of for code in codes.tolist()], np.bool_)
    rows = np.flatnonzero(there)
    own = codes[rows]
    columns = scoring.plain_columns(live, numbers, rows)
    facts, table = scoring.lead_rows(live, numbers, rows, own, instant)
    if live._says_leads:
        columns = Leads(live.model, table).columns(columns, facts)
    seen, phases = seen_of(live.model, columns, Sight(columns, facts, table))
    due = _due(live, codes, numbers, instant)
    fired, before = reactions.read(own, seen, phases, instant)
    due[rows] = reactions.cooled(own, due[rows])
    # what comes after the end of the calendar never comes
    reactions.due[codes] = np.where(due > LATEST, FOREVER, due)
    reactions.at = instant
    found = laid_out(
        live.model,
        scoring.moment(live, instant),
        columns,
        fired,
        before,
        key=live._key,
        ids=lambda places: live._who.out(live, own[places]),
    )
    return build(live._frame_kind, found)


def _due(live: Live, codes: NDArray[np.int64], numbers: Numbers, instant: int) -> NDArray[np.int64]:
    """Give when something that triggers look at may next change of contacts scored at an instant."""
    watch, due = live._reactions.watch, np.full(len(codes), FOREVER)
    since = live._attributes.since(codes)
    for cells in watch.cells:
        for first in range(0, len(codes), scoring.SLICE):
            some = slice(first, first + scoring.SLICE)
            live.watch(codes[some], since[some], instant, cells.entries, cells.plain, cells.caps, due[some])
    live.wait(codes, instant, due)
    if watch.customers:
        np.minimum(due, since, out=due, where=since > instant)
    if len(watch.silences):
        last = numbers.columns["last_event"]
        active = numbers.columns["events"] > 0
        place = np.searchsorted(watch.silences, np.where(active, instant - last, FOREVER), side="right")
        silences = np.append(watch.silences, FOREVER)[place]
        np.minimum(due, last + silences, out=due, where=active & (silences != FOREVER))
    if watch.recycled is not None and numbers.heard is not None:
        rejected = numbers.heard.rejected
        back = np.where(rejected == NEVER, NEVER, rejected + watch.recycled)
        np.minimum(due, back, out=due, where=back > instant)
    return due


def next_due(live: Live) -> datetime | None:
    """Tell when triggers are next to be asked; see `Live.next_due`."""
    reactions = live._reactions
    if not live.model.triggers:
        return None
    if live.touched:
        instants = [each for each in (live.newest, reactions.at) if each is not None]
        return scoring.moment(live, max(instants) if instants else live._present())
    if reactions.at is None:
        return None
    soonest = int(reactions.due[: len(live)].min(initial=FOREVER))
    if reactions.watch.untold and reactions.known.any():
        soonest = min(soonest, reactions.at + HOUR)
    return None if soonest > LATEST else scoring.moment(live, soonest)
