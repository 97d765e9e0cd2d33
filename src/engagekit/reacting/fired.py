"""What fires between two results, as a table."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, evolve

from engagekit.errors import EventsError, ModelError, StateError
from engagekit.frames import Out, build
from engagekit.instants import microseconds_of
from engagekit.model.scalars import instant_text
from engagekit.plan import lower

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from engagekit.model import Model
    from engagekit.reacting.standing import Standing

TAKEN: Final = ("score", "engagement", "level", "phase", "momentum", "rating", "stage", "content")
"""The columns of the result that what fired has too."""
ADDED: Final = ("trigger", "at", "previous_phase")


@define(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """A result, as far as triggers are concerned.

    Attributes
    ----------
    model, at, key
        As of the result.
    columns
        Its columns.
    standing
        How its contacts stand; None: it has rows at instants of their own.
    """

    model: Model
    at: datetime | None
    key: str
    columns: Mapping[str, Out]
    standing: Standing | None


def react(now: Evaluation, previous: Evaluation | None, *, kind: str) -> tuple[Any, Standing]:
    """Tell what fires now, and how the contacts stand from now on.

    Parameters
    ----------
    now
        This evaluation.
    previous
        The one before; None: there was none.
    kind
        The kind of frame.

    Returns
    -------
    tuple
        The frame, and the standing of `now` after `previous`.

    Raises
    ------
    ModelError
        If the model has no triggers.
    StateError
        If the two do not follow one another.
    EventsError
        If their keys differ, or the key is named as a column of what fired.
    """
    refuse_nothing(now.model, now.key)
    if now.standing is None or now.at is None:
        raise StateError("reactions: expected scores at one instant, got scores at a frame of instants")
    if previous is None:
        standing = now.standing.alone(now.model)
        count, rows = len(now.model.triggers), len(now.standing.keys)
        nothing = np.zeros((count, rows), np.bool_)
        return _frame(now, nothing, np.empty(rows, np.int32), kind), standing
    before = _refuse_strangers(now, previous)
    at = microseconds_of(now.at)
    fired, standing, phases = now.standing.after(now.model, before, at)
    return _frame(now, fired, phases, kind), standing


def refuse_nothing(model: Model, key: str) -> None:
    """Raise an error if a model has no triggers, or the key is named as a column of what fires."""
    if not model.triggers:
        raise ModelError(["triggers: expected at least one to react to, got none"])
    if key in ADDED:
        raise EventsError(f"reactions: expected a key of another name than the column {key!r}; rename it")


def _refuse_strangers(now: Evaluation, previous: Evaluation) -> Standing:
    """Return how contacts stood, if the evaluation can have been the one before."""
    before, after = previous.model.fingerprint, now.model.fingerprint
    if before != after:
        raise StateError(
            "reactions: expected a previous result of the same model, got one of the model with the "
            f"fingerprint {before}, and this one is of {after}; score the previous instant again with "
            "this model, or begin again without a previous result"
        )
    if previous.standing is None or previous.at is None:
        raise StateError(
            "reactions: expected a previous result at one instant, got scores at a frame of instants"
        )
    if previous.standing is now.standing:
        raise StateError("reactions: expected an earlier result as previous, got this one itself")
    if previous.key != now.key:
        raise EventsError(
            f"reactions: expected a previous result with the key {now.key!r}, got {previous.key!r}"
        )
    assert now.at is not None
    if microseconds_of(previous.at) > microseconds_of(now.at):
        raise StateError(
            f"reactions: expected a previous result at or before {instant_text(now.at)}, got one at "
            f"{instant_text(previous.at)}"
        )
    return previous.standing


def _frame(now: Evaluation, fired: NDArray[np.bool_], phases: NDArray[np.int32], kind: str) -> Any:
    assert now.at is not None and now.standing is not None
    taken = now.standing.keys.taken
    return build(kind, laid_out(now.model, now.at, now.columns, fired, phases, key=now.key, ids=taken))


def laid_out(
    model: Model,
    at: datetime,
    columns: Mapping[str, Out],
    fired: NDArray[np.bool_],
    phases: NDArray[np.int32],
    *,
    key: str,
    ids: Callable[[NDArray[np.int64]], Out],
) -> dict[str, Out]:
    """Lay out what fires, in order of a result's rows and then of the triggers.

    Parameters
    ----------
    model, at, columns, key
        As of the result.
    fired
        By trigger and row whether it fires.
    phases
        By row the number of the phase at the evaluation before.
    ids
        Gives the ids of some rows.
    """
    rows, numbers = np.nonzero(fired.T)
    triggers = [trigger.name for trigger in model.triggers]
    found = {
        key: ids(rows),
        "trigger": _category(numbers, triggers),
        "at": Out("instant", np.full(len(rows), microseconds_of(at)), aware=at.tzinfo is not None),
    }
    for name in TAKEN:
        found[name] = _some(columns.get(name), rows)
        if name == "phase":
            found["previous_phase"] = _category(phases[rows], lower(model).phase_names)
    return found


def _some(out: Out | None, rows: NDArray[np.int64]) -> Out:
    """Take some rows of a column; nulls of one that the model does not have."""
    if out is None:
        return _category(np.full(len(rows), -1), [])
    null = None if out.null is None else out.null[rows]
    return evolve(out, values=out.values[rows], null=null)


def _category(codes: NDArray[Any], names: Any) -> Out:
    return Out("category", codes.astype(np.int32, copy=False), categories=list(names))
